/** Stacked columns: running sums per group, what is above zero apart from what is below, optionally as shares of the whole. */
export interface Stackable {
  readonly values: readonly (number | null)[];
  /** Series of one group stand on each other; undefined: on its own. */
  readonly group: string | undefined;
  readonly hidden: boolean;
}
export interface Stacked {
  readonly columns: (readonly (number | null)[])[];
  /** The series that each one stands on; undefined: on zero, or not stacked. */
  readonly on: (number | undefined)[];
}

/** `percent`: each point as a share (0 to 1) of what its group has at that time; a group without anything has 0. */
export function stackColumns(series: readonly Stackable[], percent: boolean): Stacked {
  const piles = new Map<string, { sums: number[]; top: number | undefined }>();
  const totals = percent ? totalsOf(series) : undefined;
  const on: (number | undefined)[] = series.map(() => undefined);
  const columns = series.map(({ values, group, hidden }, i) => {
    if (group === undefined || hidden) return values;
    const key = `${isBelowZero(values) ? '-' : '+'}${group}`;
    let pile = piles.get(key);
    if (!pile) piles.set(key, (pile = { sums: [], top: undefined }));
    on[i] = pile.top;
    pile.top = i;
    const { sums } = pile;
    const total = totals?.get(group);
    return values.map((v, k) => {
      if (v === null) return null;
      const part = total ? (total[k] ? v / total[k] : 0) : v;
      return (sums[k] = (sums[k] ?? 0) + part);
    });
  });
  return { columns, on };
}

const isBelowZero = (values: readonly (number | null)[]): boolean =>
  values.some((v) => v !== null && v < 0) && values.every((v) => v === null || v <= 0);

function totalsOf(series: readonly Stackable[]): Map<string, number[]> {
  const totals = new Map<string, number[]>();
  for (const { values, group, hidden } of series) {
    if (group === undefined || hidden) continue;
    let sum = totals.get(group);
    if (!sum) totals.set(group, (sum = []));
    for (const [k, v] of values.entries()) if (v !== null) sum[k] = (sum[k] ?? 0) + Math.abs(v);
  }
  return totals;
}
