/**
 * Values without their spikes, for fitting. A spike is a run of few points beyond nearly all of a week of seasons around
 * it that no season repeats; it is cut to where that share begins (a moving winsorisation: Hampel's identifier with order
 * statistics in place of median and deviation). A least squares fit would otherwise hold one burst for level and rhythm.
 * What lasts longer is a new level or a trend and stays, as does everything where only few values are at hand.
 */

export const SPIKE_TUNING = {
  /** Seasons to both sides that a value is compared with. */
  seasons: 7,
  /** Share of them that counts as extreme, at either end. */
  share: 0.02,
  /** Longest run that is a spike, points. */
  runMax: 4,
};
/** Points to each side, and altogether, at least. */
const REACH_MIN = 48;
const NEAR_MIN = 48;
/** Only what is this rare in the whole series is looked at. */
const LOOKED_AT = 0.03;

/** A copy in which spikes are cut to what is usual around them. `seasons` in points. */
export function withoutSpikes(values: Float64Array, seasons: readonly number[]): Float64Array {
  const { share, runMax } = SPIKE_TUNING;
  const n = values.length;
  const reach = Math.max(SPIKE_TUNING.seasons * (seasons[0] ?? 1), REACH_MIN);
  const all = values.slice().sort();
  const high = all[Math.floor((1 - LOOKED_AT) * (n - 1))]!;
  const low = all[Math.ceil(LOOKED_AT * (n - 1))]!;
  // surroundings of values near each other are nearly the same: one look serves an eighth of their reach
  const stride = Math.max(1, Math.floor(reach / 8));
  const limits = new Map<number, readonly [low: number, high: number]>();
  const around = (t: number): readonly [low: number, high: number] => {
    const at = Math.floor(t / stride);
    let found = limits.get(at);
    if (!found) {
      const near = values.slice(Math.max(0, at * stride - reach), (at + 1) * stride + reach).sort();
      const k = Math.ceil(share * near.length);
      found =
        near.length < NEAR_MIN
          ? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
          : [near[k]!, near[near.length - 1 - k]!];
      limits.set(at, found);
    }
    return found;
  };
  const usual = (t: number): number => {
    const v = values[t]!;
    if (v < high && v > low) return v;
    const [least, most] = around(t);
    const cut = Math.max(least, Math.min(most, v));
    return cut === v || isRepeated(values, t, cut, seasons) ? v : cut;
  };
  const out = values.slice();
  for (let t = 0, from = 0; t <= n; t++) {
    const kept = t === n || usual(t) === values[t];
    if (!kept) continue;
    if (t - from <= runMax) for (let i = from; i < t; i++) out[i] = usual(i);
    from = t + 1;
  }
  return out;
}

/** Whether at two of the two seasons before and after, give or take a point, something lies as far out: that is rhythm. */
function isRepeated(values: Float64Array, t: number, cut: number, seasons: readonly number[]): boolean {
  const above = values[t]! > cut;
  const isOut = (v: number | undefined): boolean => v !== undefined && (above ? v > cut : v < cut);
  return seasons.some((season) => {
    let out = 0;
    for (const at of [t - 2 * season, t - season, t + season, t + 2 * season])
      if (isOut(values[at - 1]) || isOut(values[at]) || isOut(values[at + 1])) out++;
    return out >= 2;
  });
}
