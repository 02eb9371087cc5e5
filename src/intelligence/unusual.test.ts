/** The ranking of the unusual: what stands out comes first, what happens every night does not, and 20,000 series take no second. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import { findUnusual } from './unusual.ts';

const NOW = Date.UTC(2026, 1, 3, 2, 3);
const DAY = 86_400_000;
const T = 't' as TenantId;

function noise(i: number): number {
  const x = Math.sin(i * 12.9898 + 4.1) * 43758.5453;
  return x - Math.floor(x) - 0.5;
}

function ports(series: Record<string, readonly ((t: number, i: number) => number)[]>) {
  return {
    clock: systemClock,
    metricNames: async () => Object.keys(series),
    readMetric: (_t: TenantId, metric: string, { startMs, endMs }: { startMs: number; endMs: number }) =>
      series[metric]!.map((at, k): SeriesColumns => {
        const n = Math.floor((endMs - startMs) / 15_000);
        const timestamps = Float64Array.from({ length: n }, (_, i) => startMs + i * 15_000);
        return {
          labels: Labels.from({ __name__: metric, k: String(k) }),
          length: n,
          timestamps,
          values: timestamps.map((t) => at(t, Math.round(t / 15_000) + 1_000 * k)),
        };
      }),
  };
}

describe('unusual', () => {
  const recent = (t: number): boolean => t > NOW - 180_000;
  const nightly = (t: number): boolean => (t % DAY) / 3_600_000 >= 2 && (t % DAY) / 3_600_000 < 3;

  it('ranks by how far each series is from its own past', async () => {
    const { series, seriesSeen } = await findUnusual(
      ports({
        calm: [(_t, i) => 10 + noise(i)],
        constant: [() => 7],
        absent: [() => Number.NaN],
        raised: [(t, i) => 10 + noise(i) + (recent(t) ? 40 : 0)],
        job: [(t, i) => 10 + noise(i) + (nightly(t) ? 40 : 0)],
        errors_total: [(t) => Math.floor((t - NOW + DAY) / 15_000) + (recent(t) ? (t - NOW + 180_000) / 100 : 0)],
        reset_total: [(t) => ((t / 1_000) % 1_500) * 3],
        frozen: [(t, i) => (t > NOW - 300_000 ? 4 : 10 + 3 * noise(i))],
        vigie_detector_series: [(t) => (recent(t) ? 900 : 1)],
      }),
      T,
      { atMs: NOW, limit: 20 },
    );
    const rank = series.map((s) => s.labels.metricName);
    expect(rank.slice(0, 2).sort()).toEqual(['errors_total', 'raised']);
    expect(series.find((s) => s.labels.metricName === 'errors_total')).toMatchObject({ counter: true, kind: 'higher' });
    expect(series.find((s) => s.labels.metricName === 'frozen')?.score ?? 0).toBeGreaterThan(0);
    for (const name of ['calm', 'constant', 'absent', 'reset_total', 'vigie_detector_series'])
      expect(rank).not.toContain(name);
    const score = (name: string): number => series.find((s) => s.labels.metricName === name)?.score ?? 0;
    // the same move at the same time yesterday is no news
    expect(score('job')).toBeLessThan(0.25 * score('raised'));
    expect(seriesSeen).toBe(8);
  });

  it('looks at 20,000 series in under a second and never holds the thread for long', async () => {
    const n = 265;
    const timestamps = Float64Array.from({ length: n }, (_, i) => NOW - (n - 1 - i) * 15_000);
    const data = new Map<string, SeriesColumns[]>();
    for (let m = 0; m < 200; m++)
      data.set(
        `metric_${m}`,
        Array.from({ length: 100 }, (_, k) => ({
          labels: Labels.from({ __name__: `metric_${m}`, instance: String(k) }),
          length: n,
          timestamps,
          values: Float64Array.from(
            { length: n },
            (_, i) => 10 + noise(i + 7 * k + 131 * m) + (m === 3 && k === 5 && i > n - 16 ? 50 : 0),
          ),
        })),
      );
    let longestMs = 0;
    const before = process.threadCpuUsage();
    let last = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 1);
    const answer = await findUnusual(
      {
        clock: systemClock,
        metricNames: async () => [...data.keys()],
        readMetric: (_t, metric, range) => (range.endMs < NOW - 3_600_000 ? [] : data.get(metric)!),
      },
      T,
      { atMs: NOW, limit: 10 },
    );
    clearInterval(timer);
    expect(answer.seriesSeen).toBe(20_000);
    expect(answer.series[0]!.labels.toObject()).toEqual({ __name__: 'metric_3', instance: '5' });
    // CPU time of this thread: a busy machine must not fail the promise
    const used = process.threadCpuUsage(before);
    expect((used.user + used.system) / 1_000).toBeLessThan(1_000);
    // slices of 6 ms, plus what a busy machine adds
    expect(longestMs).toBeLessThan(500);
  });
});
