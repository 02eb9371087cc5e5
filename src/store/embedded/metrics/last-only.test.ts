/** Asked for the newest sample alone, the reader answers the newest of all that it answers otherwise. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { SelfMetrics } from '../../../lib/self-metrics.ts';
import { Labels } from '../../../model/labels.ts';
import { type SeriesColumns, staleNaN } from '../../../model/sample.ts';
import { tenantId } from '../../../model/tenant.ts';
import { compileMatcher } from '../../../regex/matcher.ts';
import { EmbeddedMetricsStore } from './embedded-metrics-store.ts';

const T0 = 1_700_000_000_000 - (1_700_000_000_000 % 7_200_000);
const A = tenantId('a');
const MATCHERS = [
  { name: '__name__', op: '=', value: 'm' },
  { name: 'job', op: '=', value: 'j' },
] as const;

/** Series, time and bits of the newest sample of each. */
const newest = (columns: readonly SeriesColumns[]): string[] =>
  columns
    .map((c) => {
      const bits = new BigUint64Array(c.values.slice(c.length - 1, c.length).buffer)[0]!;
      return `${c.labels} ${c.timestamps[c.length - 1]} ${bits.toString(16)}`;
    })
    .sort();

describe('reading the newest sample alone', () => {
  it('agrees with reading everything: chunks, raw samples, late ones, gaps, stale markers, blocks', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          series: fc.integer({ min: 1, max: 4 }),
          /** Steps in seconds between appends; negative ones are late. */
          steps: fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(15) }, fc.integer({ min: -200, max: 900 })), {
            minLength: 1,
            maxLength: 400,
          }),
          stale: fc.integer({ min: 2, max: 50 }),
          cutAt: fc.integer({ min: 0, max: 800 }),
          ends: fc.array(fc.integer({ min: -100, max: 7_500 }), { minLength: 1, maxLength: 8 }),
        }),
        async ({ series, steps, stale, cutAt, ends }) => {
          using folder = temporaryFolder();
          const clock = new FakeClock(T0 + 1000);
          await using store = await EmbeddedMetricsStore.open({
            folder: folder.path,
            clock,
            logger: silentLogger,
            metrics: new SelfMetrics(),
            compileMatcher,
            quota: () => ({}),
            background: false,
          });
          let t = T0;
          for (const [i, step] of steps.entries()) {
            t += step * 1000;
            if (t > clock.now()) clock.step(t - clock.now());
            await store.writer(A).appendSamples(
              Array.from({ length: series }, (_, s) => ({
                labels: Labels.from({ __name__: 'm', job: 'j', s: String(s) }),
                timestampMs: t + (s % 2),
                value: i % stale === 1 ? staleNaN() : i * 1.25 + s,
              })),
            );
            if (i === cutAt) await store.maintain({ all: true });
          }
          for (const end of ends) {
            for (const backMs of [300_000, 7_200_000]) {
              const range = { startMs: T0 + end * 1000 - backMs, endMs: T0 + end * 1000 };
              const all = await store.reader(A).select(MATCHERS, range);
              const last = await store.reader(A).select(MATCHERS, range, { lastOnly: true });
              expect(newest(last)).toEqual(newest(all));
              compared += all.length;
            }
          }
        },
      ),
      { numRuns: 40 },
    );
    expect(compared).toBeGreaterThan(100);
  });

  it('answers the sample before a deleted one', async () => {
    using folder = temporaryFolder();
    await using store = await EmbeddedMetricsStore.open({
      folder: folder.path,
      clock: new FakeClock(T0 + 60_000),
      logger: silentLogger,
      metrics: new SelfMetrics(),
      compileMatcher,
      quota: () => ({}),
      background: false,
    });
    const labels = Labels.from({ __name__: 'm', job: 'j' });
    await store
      .writer(A)
      .appendSamples([0, 15_000, 30_000].map((ms, i) => ({ labels, timestampMs: T0 + ms, value: i })));
    await store.deleteSeries(A, [...MATCHERS], { startMs: T0 + 20_000, endMs: T0 + 40_000 });
    const range = { startMs: T0, endMs: T0 + 60_000 };
    const last = await store.reader(A).select(MATCHERS, range, { lastOnly: true });
    expect(newest(last)).toEqual([`m{job="j"} ${T0 + 15_000} 3ff0000000000000`]);
  });
});
