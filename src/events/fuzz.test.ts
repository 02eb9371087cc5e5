/** CloudEvents over damaged copies of valid requests, in every mode: events or a VigieError, in bounded time. */
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../test/support/fuzz.ts';
import { parseCloudEvents } from './cloud-event.ts';

const NOW = Date.UTC(2026, 0, 1);
const event = {
  specversion: '1.0',
  id: 'e1',
  source: '/ci/api',
  type: 'deploy',
  time: '2026-01-01T00:00:00Z',
  subject: 'api',
  datacontenttype: 'application/json',
  traceparent: 'x',
  data: { version: '1.2.3', nested: [{ a: [1, null, true] }] },
};
const WORDS = ['{', '}', '[', ']', '"', ':', ',', 'null', '-1', '1e400', '"id"', '"data":', '\\u0000', '\\ud800'];

describe('CloudEvents over damaged input', () => {
  it.each<[string, string, object]>([
    ['structured', 'application/cloudevents+json', event],
    ['batched', 'application/cloudevents-batch+json', [event, { ...event, id: 'e2', data: 'text' }]],
    ['plain JSON', 'application/json', event],
  ])('%s', (_mode, type, value) => {
    const valid = JSON.stringify(value);
    expect(parseCloudEvents(type, {}, valid, NOW).length).toBeGreaterThan(0);
    const read = (b: Uint8Array) => parseCloudEvents(type, {}, Buffer.from(b).toString('utf8'), NOW);
    const { accepted, refused } = fuzz(damaged([valid], WORDS), read, 1_000);
    expect(refused, 'damage is found').toBeGreaterThan(50);
    expect(accepted, 'some damage is only another value').toBeGreaterThan(0);
  });

  it('binary: damaged headers and bodies', () => {
    const { refused } = fuzz(
      damaged(['1.0', 'e1', 'deploy', '/s', '2026-01-01T00:00:00Z', '%41%42', '{"a":1}'], ['%', '%zz', '\0', '"']),
      (b) => {
        const text = Buffer.from(b).toString('latin1');
        const headers = {
          'ce-specversion': '1.0',
          'ce-id': text,
          'ce-source': text,
          'ce-type': 'deploy',
          'ce-time': text,
        };
        parseCloudEvents('application/json', headers, text, NOW);
      },
      1_000,
    );
    expect(refused).toBeGreaterThan(50);
  });
});
