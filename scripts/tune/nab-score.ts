/**
 * The scorer of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015): windows, sigmoid weights, probationary part and
 * one threshold for all series, in the three application profiles. It works on scores, not on detectors.
 */
export interface ScoredSeries {
  readonly times: Float64Array;
  readonly scores: Float64Array;
  readonly windows: readonly (readonly [number, number])[];
}

export interface NabProfile {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
}

export const NAB_PROFILES: Readonly<Record<'standard' | 'lowFp' | 'lowFn', NabProfile>> = {
  standard: { truePositive: 1, falsePositive: 0.11, falseNegative: 1 },
  lowFp: { truePositive: 1, falsePositive: 0.22, falseNegative: 1 },
  lowFn: { truePositive: 1, falsePositive: 0.11, falseNegative: 2 },
};

const PROBATION_SHARE = 0.15;
const PROBATION_POINTS_MAX = 5000;

export const probationPoints = (length: number): number =>
  Math.floor(PROBATION_SHARE * Math.min(length, PROBATION_POINTS_MAX));

const sigmoid = (x: number): number => (x > 3 ? -1 : 2 / (1 + Math.exp(5 * x)) - 1);

interface Event {
  readonly score: number;
  readonly weight: number;
  /** Window number over the corpus, or -1. */
  readonly window: number;
}

function eventsOf(series: ScoredSeries, firstWindow: number): Event[] {
  const { times, scores, windows } = series;
  const n = times.length;
  const spans = windows.map(([from, to]) => {
    let a = 0;
    while (a < n && times[a]! < from) a++;
    let b = a;
    while (b + 1 < n && times[b + 1]! <= to) b++;
    return [a, b] as const;
  });
  const out: Event[] = [];
  let next = 0;
  const probation = probationPoints(n);
  for (let i = 0; i < n; i++) {
    while (next < spans.length && i > spans[next]![1]) next++;
    if (i < probation) continue;
    const span = spans[next];
    if (span && i >= span[0]) {
      const length = span[1] - span[0] + 1;
      const position = -(span[1] - i + 1) / length;
      out.push({ score: scores[i]!, weight: sigmoid(position), window: firstWindow + next });
    } else if (next === 0) out.push({ score: scores[i]!, weight: -1, window: -1 });
    else {
      const [from, to] = spans[next - 1]!;
      const length = to - from + 1;
      out.push({ score: scores[i]!, weight: sigmoid(Math.abs(to - i) / Math.max(1, length - 1)), window: -1 });
    }
  }
  return out;
}

/** The best normalised score (0 = no detection, 100 = perfect) over all thresholds, and its threshold. */
export function nabScore(
  corpus: readonly ScoredSeries[],
  profile: NabProfile,
): { score: number; threshold: number; found: number; windows: number; falseAlerts: number } {
  let windows = 0;
  const events: Event[] = [];
  for (const s of corpus) {
    for (const e of eventsOf(s, windows)) events.push(e);
    windows += s.windows.length;
  }
  events.sort((a, b) => b.score - a.score);
  // Normalised by the sigmoid's value at the window's start, as the benchmark's perfect detector has it.
  const top = sigmoid(-1);
  const best = new Float64Array(windows).fill(Number.NaN);
  let sum = -windows * profile.falseNegative;
  let found = 0;
  let falseAlerts = 0;
  const perfect = windows * profile.truePositive * top;
  const none = -windows * profile.falseNegative;
  const result = { score: 0, threshold: Number.POSITIVE_INFINITY, found: 0, windows, falseAlerts: 0 };
  let bestSum = sum;
  for (let i = 0; i < events.length; ) {
    const threshold = events[i]!.score;
    if (!(threshold > 0)) break;
    for (; i < events.length && events[i]!.score === threshold; i++) {
      const e = events[i]!;
      if (e.window < 0) {
        sum += profile.falsePositive * e.weight;
        falseAlerts++;
      } else {
        const was = best[e.window]!;
        const now = profile.truePositive * e.weight;
        if (Number.isNaN(was)) {
          sum += now + profile.falseNegative;
          best[e.window] = now;
          found++;
        } else if (now > was) {
          sum += now - was;
          best[e.window] = now;
        }
      }
    }
    if (sum > bestSum) {
      bestSum = sum;
      result.score = (100 * (sum - none)) / (perfect - none);
      result.threshold = threshold;
      result.found = found;
      result.falseAlerts = falseAlerts;
    }
  }
  return result;
}
