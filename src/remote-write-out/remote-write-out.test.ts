import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { RemoteWrite1Decoder } from '../ingest/remote-write/decode-v1.ts';
import { silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import { Labels } from '../model/labels.ts';
import type { Sample } from '../model/sample.ts';
import { isStale } from '../model/sample.ts';
import type { MetricsWriter, WriteResult } from '../store/metrics.ts';
import { parseRemoteWrite } from './config.ts';
import { RemoteWriteOut } from './remote-write-out.ts';
import { retryAfterMs, type SendOutcome } from './sender.ts';

const accepted: WriteResult = {
  samplesAccepted: 1,
  histogramsAccepted: 0,
  exemplarsAccepted: 0,
  rejected: {},
  examples: [],
};
const inner: MetricsWriter = { append: async () => accepted, appendSamples: async () => accepted };
const sample = (name: string, timestampMs: number, value: number, more: Record<string, string> = {}): Sample => ({
  labels: Labels.from({ __name__: name, ...more }),
  timestampMs,
  value,
});

/** A receiver in memory whose answers the test decides. */
class Receiver {
  readonly got: [series: string, t: number, v: number][] = [];
  answer: () => SendOutcome = () => ({ kind: 'sent' });
  requests = 0;
  send = async (body: Uint8Array): Promise<SendOutcome> => {
    this.requests++;
    const outcome = this.answer();
    if (outcome.kind !== 'sent') return outcome;
    const batch = new RemoteWrite1Decoder().decode(Uint8Array.from(body));
    for (let i = 0; i < batch.seriesCount; i++)
      for (let k = batch.sampleStart[i]!; k < batch.sampleStart[i + 1]!; k++)
        this.got.push([
          String(batch.labels(i)),
          batch.timestamps[k]!,
          isStale(batch.values, k) ? Number.NEGATIVE_INFINITY : batch.values[k]!,
        ]);
    return outcome;
  };
}

function open(raw: Record<string, unknown>, receiver = new Receiver(), external: Record<string, string> = {}) {
  const clock = new FakeClock();
  const metrics = new SelfMetrics();
  const out = new RemoteWriteOut({
    targets: parseRemoteWrite([{ url: 'http://receiver/write', name: 'r', ...raw }], 'test.yml'),
    externalLabels: Labels.from(external),
    compileRelabel: (rules) => (labels) =>
      rules.some((r) => r.action === 'drop' && r.sourceLabels.some((l) => labels.get(l) === r.regex))
        ? undefined
        : labels,
    clock,
    logger: silentLogger,
    metrics,
    userAgent: 'test',
    sender: () => receiver.send,
  });
  const metric = (name: string): number =>
    Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(metrics.expose())?.[1] ?? 0);
  return { clock, out, receiver, metric, writer: out.wrap(inner) };
}

describe('remote write out', () => {
  it('sends what was acknowledged, with external labels and relabelling', async () => {
    const { clock, out, receiver, writer, metric } = open(
      { write_relabel_configs: [{ source_labels: ['job'], regex: 'secret', action: 'drop' }] },
      undefined,
      { cluster: 'c1', job: 'never' },
    );
    await writer.appendSamples([sample('up', 1, 1, { job: 'a' }), sample('up', 1, 1, { job: 'secret' })]);
    await writer.appendSamples([{ ...sample('up', 2, 0, { job: 'a' }), stale: true }]);
    await clock.advance(5_000);
    expect(receiver.got).toEqual([
      ['up{cluster="c1", job="a"}', 1, 1],
      ['up{cluster="c1", job="a"}', 2, Number.NEGATIVE_INFINITY],
    ]);
    expect(receiver.requests).toBe(1);
    expect(metric('vigie_remote_write_samples_total{target="r"}')).toBe(2);
    await out.close();
  });

  it('sends nothing that the store did not take', async () => {
    const { clock, out, receiver } = open({});
    const refusing = out.wrap({ ...inner, appendSamples: async () => Promise.reject(new Error('no room')) });
    await expect(refusing.appendSamples([sample('m', 1, 1)])).rejects.toThrow('no room');
    await clock.advance(10_000);
    expect(receiver.got).toEqual([]);
    await out.close();
  });

  it('survives an outage within the limits of the queue; the rest is dropped, counted, and order is kept', async () => {
    const { clock, out, receiver, writer, metric } = open({
      queue_config: { capacity: 100, max_samples_per_send: 10 },
    });
    receiver.answer = () => ({ kind: 'retry', reason: 'down' });
    for (let i = 0; i < 130; i++) {
      await writer.appendSamples([sample('m', i, i)]);
      if (i % 10 === 0) await clock.advance(1_000);
    }
    expect(out.targets[0]).toMatchObject({ pending: 100, shards: 1, failing: true });
    expect(metric('vigie_remote_write_dropped_samples_total{target="r",reason="queue_full"}')).toBe(30);
    receiver.answer = () => ({ kind: 'sent' });
    await clock.advance(60_000);
    expect(receiver.got.map(([, t]) => t)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(out.targets[0]).toMatchObject({ pending: 0, failing: false });
    expect(metric('vigie_remote_write_retried_samples_total{target="r"}')).toBeGreaterThan(50);
    await out.close();
  });

  it('pauses with growing steps, or as long as the receiver asks', async () => {
    const { clock, out, receiver, writer } = open({
      queue_config: { batch_send_deadline: '1s', min_backoff: '100ms', max_backoff: '800ms' },
    });
    receiver.answer = () => ({ kind: 'retry', reason: '503' });
    await writer.appendSamples([sample('m', 1, 1)]);
    const at: number[] = [];
    await clock.advance(1_000);
    for (let last = receiver.requests; at.length < 5; ) {
      await clock.advance(10);
      if (receiver.requests > last) {
        last = receiver.requests;
        at.push(clock.monotonicMs());
      }
    }
    expect(at.map((t, i) => t - (at[i - 1] ?? 1_000))).toEqual([100, 200, 400, 800, 800]);
    receiver.answer = () => ({ kind: 'retry', reason: '429', afterMs: 30_000 });
    await clock.advance(800);
    const before = receiver.requests;
    receiver.answer = () => ({ kind: 'sent' });
    await clock.advance(29_000);
    expect(receiver.requests).toBe(before);
    await clock.advance(1_500);
    expect(receiver.got).toHaveLength(1);
    await out.close();
    expect(retryAfterMs('7', 0)).toBe(7_000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 20_000)).toBe(40_000);
    expect(retryAfterMs('soon', 0)).toBeUndefined();
    expect(retryAfterMs('999999', 0)).toBe(300_000);
  });

  it('drops what is refused for good and goes on', async () => {
    const { clock, out, receiver, writer, metric } = open({ queue_config: { max_samples_per_send: 2 } });
    let n = 0;
    receiver.answer = () => (n++ === 0 ? { kind: 'refused', reason: '400 out of order' } : { kind: 'sent' });
    for (let i = 0; i < 6; i++) await writer.appendSamples([sample('m', i, i)]);
    await clock.advance(6_000);
    expect(receiver.got.map(([, t]) => t)).toEqual([2, 3, 4, 5]);
    expect(metric('vigie_remote_write_dropped_samples_total{target="r",reason="refused"}')).toBe(2);
    await out.close();
  });

  it('loses and repeats nothing, in order per series, whatever the receiver does and however shards change', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 3, maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 20, maxLength: 60 }),
        async (bursts, failures) => {
          const { clock, out, receiver, writer } = open({
            queue_config: { capacity: 20_000, max_samples_per_send: 20, max_shards: 8, batch_send_deadline: '1s' },
          });
          let k = 0;
          receiver.answer = () =>
            k < failures.length && failures[k++] ? { kind: 'retry', reason: 'x' } : { kind: 'sent' };
          let t = 0;
          for (const burst of bursts) {
            for (let i = 0; i < burst; i++) {
              t++;
              await writer.appendSamples([sample('m', t, t, { i: String(t % 7) })]);
            }
            await clock.advance(4_000);
          }
          receiver.answer = () => ({ kind: 'sent' });
          await clock.advance(60_000);
          await settle(20);
          expect(receiver.got.length).toBe(t);
          const last = new Map<string, number>();
          for (const [series, at] of receiver.got) {
            expect(at).toBeGreaterThan(last.get(series) ?? 0);
            last.set(series, at);
          }
          await out.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  it('gives up what the receiver does not take at the end, and says how much', async () => {
    const { clock, out, receiver, writer, metric } = open({});
    receiver.answer = () => ({ kind: 'retry', reason: 'down' });
    await writer.appendSamples([sample('m', 1, 1), sample('n', 1, 1)]);
    const closed = out.close();
    await clock.advance(20_000);
    await closed;
    expect(metric('vigie_remote_write_dropped_samples_total{target="r",reason="shutdown"}')).toBe(2);
  });

  it('reads the configuration as Prometheus writes it and refuses what is not built', () => {
    const [c] = parseRemoteWrite(
      [{ url: 'https://u@host/api/v1/write', remote_timeout: '10s', queue_config: { capacity: 5, max_shards: 3 } }],
      'p.yml',
    );
    expect(c).toMatchObject({ name: 'host-0', remote_timeout: 10_000 });
    expect(c!.queue_config).toMatchObject({ capacity: 5, max_shards: 3, min_backoff: 30, max_backoff: 5_000 });
    for (const [raw, message] of [
      [{ url: 'x' }, 'want an http'],
      [{ url: 'http://h', tls_config: { insecure_skip_verify: true } }, 'TLS settings'],
      [{ url: 'http://h', sigv4: {} }, 'AWS signatures'],
      [{ url: 'http://h', nonsense: 1 }, 'nonsense'],
      [{ url: 'http://h', protobuf_message: 'io.prometheus.write.v2.Request' }, 'only prometheus.WriteRequest'],
      [{ url: 'http://h', bearer_token: 'a', basic_auth: { username: 'b' } }, 'more than one kind'],
      [{ url: 'http://h', queue_config: { min_shards: 5, max_shards: 2 } }, 'min_shards exceeds'],
    ] as const)
      expect(() => parseRemoteWrite([raw], 'p.yml'), message).toThrow(message);
  });
});
