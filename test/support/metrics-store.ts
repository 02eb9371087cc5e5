/** Opens embedded metrics stores for tests, and says what they hold as plain values. */
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import { Labels } from '../../src/model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../src/model/matcher.ts';
import type { Sample, SeriesColumns } from '../../src/model/sample.ts';
import {
  type EmbeddedMetricsOptions,
  EmbeddedMetricsStore,
} from '../../src/store/embedded/metrics/embedded-metrics-store.ts';
import { FakeClock } from './fake-clock.ts';

/** A start of a two-hour window in November 2023. */
export const T0 = 1_700_000_000_000 - (1_700_000_000_000 % 7_200_000);
export const EVERYTHING = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER };

/** Literals and alternations of literals only: enough for stores, no expression engine needed. */
export const compilePlain = (m: Matcher): CompiledMatcher => {
  const alternatives = m.value.split('|');
  const plain = m.op === '=' || m.op === '!=' ? (v: string) => v === m.value : (v: string) => alternatives.includes(v);
  return {
    ...m,
    matches: m.op.startsWith('!') ? (v) => !plain(v) : plain,
    ...(m.op === '=~' ? { literals: alternatives } : {}),
  };
};

export function openStore(
  folder: string,
  options: Partial<EmbeddedMetricsOptions> = {},
): Promise<EmbeddedMetricsStore> {
  return EmbeddedMetricsStore.open({
    folder,
    clock: new FakeClock(T0 + 3_600_000),
    logger: silentLogger,
    metrics: new SelfMetrics(),
    compileMatcher: compilePlain,
    quota: () => ({}),
    background: false,
    ...options,
  });
}

export const sample = (
  name: string,
  timestampMs: number,
  value: number,
  more: Record<string, string> = {},
): Sample => ({
  labels: Labels.from({ __name__: name, ...more }),
  timestampMs,
  value,
});

export const named = (value: string): Matcher[] => [{ name: '__name__', op: '=', value }];
export const ANY_SERIES: readonly Matcher[] = [{ name: '__name__', op: '!=', value: '' }];

/** Series text -> [time, value] pairs. */
export const rowsOf = (columns: readonly SeriesColumns[]): Record<string, [number, number][]> =>
  Object.fromEntries(
    columns.map((c) => [
      String(c.labels),
      Array.from({ length: c.length }, (_, i): [number, number] => [c.timestamps[i]!, c.values[i]!]),
    ]),
  );

/** Mulberry32: small, seeded, good enough to choose where to hit. */
export function seededRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
