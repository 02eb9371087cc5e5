import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { silentLogger } from '../lib/logger.ts';
import type { Sample } from '../model/sample.ts';
import { tenantId } from '../model/tenant.ts';
import { EVENT_DATA_BYTES_MAX, EVENTS_PER_REQUEST_MAX, parseCloudEvents } from './cloud-event.ts';
import { EVENT_KINDS_MAX, EventStore } from './event-store.ts';

const NOW = Date.UTC(2026, 4, 1);
const event = (over: Record<string, unknown> = {}) => ({
  specversion: '1.0',
  id: '1',
  source: '/ci',
  type: 'deploy',
  ...over,
});
const parse = (value: unknown, type = 'application/json') => parseCloudEvents(type, {}, JSON.stringify(value), NOW);

describe('parseCloudEvents', () => {
  it('takes structured, batched and binary mode alike', () => {
    const structured = parse(event({ time: '2026-04-30T12:00:00Z', data: { version: '2.1' }, traceparent: '00-x' }));
    expect(structured).toEqual([
      {
        id: '1',
        source: '/ci',
        type: 'deploy',
        timeMs: NOW - 43_200_000,
        data: { version: '2.1' },
        extensions: { traceparent: '00-x' },
      },
    ]);
    expect(parse([event(), event({ id: '2' })], 'application/cloudevents-batch+json').map((e) => e.id)).toEqual([
      '1',
      '2',
    ]);
    const headers = {
      'ce-specversion': '1.0',
      'ce-id': 'b%201',
      'ce-source': '/ci',
      'ce-type': 'deploy',
      'ce-subject': 'api',
    };
    expect(parseCloudEvents('application/json', headers, '{"a":1}', NOW)).toEqual([
      { id: 'b 1', source: '/ci', type: 'deploy', subject: 'api', timeMs: NOW, data: { a: 1 }, extensions: {} },
    ]);
  });

  it.each([
    ['not json', /not valid JSON/],
    [JSON.stringify(event({ id: undefined })), /event\.id: /],
    [JSON.stringify(event({ specversion: '0.3' })), /event\.specversion: /],
    [JSON.stringify(event({ time: 'yesterday' })), /event\.time: want RFC 3339/],
    [JSON.stringify(event({ data: 'x'.repeat(EVENT_DATA_BYTES_MAX) })), /at most 65536/],
    [JSON.stringify(event({ data: 1, data_base64: 'AA==' })), /exclude each other/],
    [JSON.stringify(event({ Bad_Name: 'x' })), /extension attribute/],
    [JSON.stringify(event({ ext: {} })), /event\.ext: want a short text/],
    [JSON.stringify([event(), event({ type: '' })]), /event 1\.type: /],
    [JSON.stringify(Array.from({ length: EVENTS_PER_REQUEST_MAX + 1 }, () => event())), /at most 1000/],
  ])('refuses %.60s', (body, message) => {
    expect(() => parseCloudEvents('application/json', {}, body, NOW)).toThrow(message);
  });

  it('never throws anything but its own errors', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.string(), (body, type) => {
        try {
          parseCloudEvents(type, {}, body, NOW);
        } catch (error) {
          expect((error as Error).name).toBe('VigieError');
        }
      }),
    );
  });
});

describe('EventStore', () => {
  const a = tenantId('a');
  const b = tenantId('b');
  function setup(retentionMs = 0) {
    const clock = new FakeClock(NOW);
    const written = new Map<string, Sample[]>();
    const store = new EventStore({
      documents: new MemoryDocuments(),
      writeSamples: async (tenant, samples) => void written.set(tenant, [...samples]),
      clock,
      logger: silentLogger,
      retentionMs,
    });
    return { clock, written, store };
  }

  it('stores once per (source, id), counts as series, and keeps tenants apart', async () => {
    const { clock, written, store } = setup();
    store.start();
    expect(await store.add(a, parse([event(), event({ id: '2' }), event({ id: '3', type: 'feedback' })]))).toEqual({
      stored: 3,
      duplicates: 0,
    });
    expect(await store.add(a, parse(event()))).toEqual({ stored: 0, duplicates: 1 });
    await store.add(b, parse(event({ type: 'secret-of-b' })));
    expect((await store.list(a, {})).events).toHaveLength(3);
    expect((await store.list(a, { type: 'feedback' })).events.map((e) => e.id)).toEqual(['3']);
    expect((await store.list(a, { type: 'secret-of-b' })).events).toEqual([]);
    await clock.advance(15_000);
    expect(written.get('a')!.map((s) => `${s.labels} ${s.value}`)).toEqual([
      'vigie_events_total{source="/ci", type="deploy"} 2',
      'vigie_events_total{source="/ci", type="feedback"} 1',
    ]);
    expect(JSON.stringify([...written.get('a')!])).not.toContain('secret-of-b');
    store.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('bounds the number of counted kinds', async () => {
    const { clock, written, store } = setup();
    store.start();
    await store.add(
      a,
      Array.from({ length: EVENT_KINDS_MAX + 50 }, (_, i) => parse(event({ id: String(i), type: `t${i}` }))[0]!),
    );
    await clock.advance(15_000);
    expect(written.get('a')).toHaveLength(EVENT_KINDS_MAX + 1);
    expect(written.get('a')!.find((s) => s.labels.get('type') === '_other')!.value).toBe(50);
    store.stop();
  });

  it('sweeps what is older than the retention', async () => {
    const { clock, store } = setup(86_400_000);
    store.start();
    await store.add(a, parse([event({ time: '2026-04-29T00:00:00Z' }), event({ id: '2' })]));
    await clock.advance(3_600_000);
    expect((await store.list(a, {})).events.map((e) => e.id)).toEqual(['2']);
    store.stop();
  });
});
