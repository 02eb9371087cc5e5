import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import type { PostableAlert } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import { AlertForwarder, FORWARD_BATCH_MAX, FORWARD_QUEUE_MAX } from './forwarder.ts';
import type { OutgoingRequest } from './notify/channel.ts';

const alert = (n: number): PostableAlert => ({
  labels: Labels.from({ alertname: 'A', n: String(n) }),
  annotations: Labels.EMPTY,
  startsAtMs: 0,
  generatorURL: 'http://vigie',
});
const http = { followRedirects: true };

function forwarder(answer: (request: OutgoingRequest) => number) {
  const requests: OutgoingRequest[] = [];
  const metrics = new SelfMetrics();
  const it = new AlertForwarder({
    targets: [
      { url: 'http://user:pw@am-a:9093/prefix/', http },
      { url: 'http://am-b:9093', http },
    ],
    clock: new FakeClock(),
    logger: silentLogger,
    metrics,
    send: async (request) => {
      requests.push(request);
      return { status: answer(request), headers: {}, body: '' };
    },
  });
  return { it, requests, metrics };
}

describe('AlertForwarder', () => {
  it('posts every alert to every Alertmanager in batches, and shows no password', async () => {
    const { it: f, requests } = forwarder(() => 200);
    f.push(Array.from({ length: FORWARD_BATCH_MAX + 1 }, (_, i) => alert(i)));
    await f[Symbol.asyncDispose]();
    expect(f.urls).toEqual(['http://am-a:9093/prefix/api/v2/alerts', 'http://am-b:9093/api/v2/alerts']);
    const counts = requests.filter((r) => r.url.includes('am-b')).map((r) => (JSON.parse(r.body) as unknown[]).length);
    expect(counts).toEqual([FORWARD_BATCH_MAX, 1]);
    expect(requests).toHaveLength(4);
    expect(JSON.parse(requests[0]!.body)[0]).toEqual({
      labels: { alertname: 'A', n: '0' },
      annotations: {},
      startsAt: '1970-01-01T00:00:00.000Z',
      generatorURL: 'http://vigie',
    });
  });

  it('goes on to the others when one fails, and counts', async () => {
    const { it: f, metrics } = forwarder((r) => (r.url.includes('am-a') ? 500 : 200));
    f.push([alert(1)]);
    await f[Symbol.asyncDispose]();
    const text = metrics.expose();
    expect(text).toContain('vigie_alerts_forwarded_total{alertmanager="am-b:9093"} 1');
    expect(text).toContain('vigie_alerts_forward_errors_total{alertmanager="am-a:9093"} 1');
    expect(f.lastErrors.get('http://am-b:9093')).toBe('');
  });

  it('drops the oldest beyond the limit of the queue', async () => {
    const { it: f, requests, metrics } = forwarder(() => 200);
    f.push(Array.from({ length: FORWARD_QUEUE_MAX + 5 }, (_, i) => alert(i)));
    await f[Symbol.asyncDispose]();
    expect((JSON.parse(requests[0]!.body) as { labels: { n: string } }[])[0]!.labels.n).toBe('5');
    expect(metrics.expose()).toContain('vigie_alerts_forward_dropped_total 5');
  });
});
