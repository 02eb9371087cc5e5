/** Stable sorting that lets others run in between: a merge sort over chunks. */
import type { Context, Sliced } from './context.ts';

/** Sorted at once by the engine's own sort; a chunk takes about a millisecond. */
const CHUNK = 512;
/** Items merged between two looks at the clock. */
const ITEMS_PER_LOOK = 256;

export function* sortedSlices<T>(
  c: Pick<Context, 'meter'>,
  items: readonly T[],
  compare: (a: T, b: T) => number,
): Sliced<T[]> {
  if (items.length <= CHUNK) return [...items].sort(compare);
  let runs: T[][] = [];
  for (let i = 0; i < items.length; i += CHUNK) {
    if (c.meter.due(CHUNK)) yield;
    runs.push(items.slice(i, i + CHUNK).sort(compare));
  }
  while (runs.length > 1) {
    const next: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const b = runs[i + 1];
      next.push(b ? yield* merged(c, runs[i]!, b, compare) : runs[i]!);
    }
    runs = next;
  }
  return runs[0]!;
}

function* merged<T>(
  c: Pick<Context, 'meter'>,
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
): Sliced<T[]> {
  const out: T[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (out.length % ITEMS_PER_LOOK === 0 && c.meter.due(CHUNK)) yield;
    out.push(compare(b[j]!, a[i]!) < 0 ? b[j++]! : a[i++]!);
  }
  while (i < a.length) out.push(a[i++]!);
  while (j < b.length) out.push(b[j++]!);
  return out;
}
