/**
 * What evaluation passes around: values of all steps at once, in columns. A row is one series; step `i` of it is absent
 * (present 0), a float (1) or a native histogram (2). Evaluating a node for all steps keeps inner loops free of labels.
 */
import { VigieError } from '../lib/errors.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { Sliced } from './context.ts';

export const ABSENT = 0;
export const FLOAT = 1;
export const HISTOGRAM = 2;

export interface Row {
  readonly labels: Labels;
  /** Delayed name removal: the name goes when the query ends. */
  readonly dropName: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** By step; set where `present` is 2. */
  readonly histograms?: (NativeHistogram | undefined)[];
}

export type Value =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'vector'; readonly rows: readonly Row[] }
  | { readonly kind: 'string'; readonly value: string };

/** The presence of rows of one step that have a float there. Shared: rows are not written to once they are passed on. */
export const ONE_FLOAT: Uint8Array = new Uint8Array([FLOAT]);

/** A row of one step with a float; cheaper than `newRow`. */
export function singleRow(labels: Labels, dropName: boolean, value: number): Row {
  const values = new Float64Array(1);
  values[0] = value;
  return { labels, dropName, values, present: ONE_FLOAT };
}

/** Have all the same metric name? Then they stay distinct when it is dropped. */
export function oneName(items: readonly { readonly labels: Labels }[]): boolean {
  const first = items[0]?.labels.metricName;
  for (const item of items) if (item.labels.metricName !== first) return false;
  return true;
}

export function newRow(labels: Labels, n: number, dropName = false): Row {
  return { labels, dropName, values: new Float64Array(n), present: new Uint8Array(n) };
}

/** `row` with histograms made possible. */
export function withHistograms(row: Row): Row & { histograms: (NativeHistogram | undefined)[] } {
  if (row.histograms) return row as Row & { histograms: (NativeHistogram | undefined)[] };
  return { ...row, histograms: new Array(row.values.length).fill(undefined) };
}

export function isEmpty(row: Row): boolean {
  if (row.present.length === 1) return row.present[0] === ABSENT;
  return !row.present.includes(FLOAT) && !row.present.includes(HISTOGRAM);
}

export const SAME_LABELSET = 'vector cannot contain metrics with the same labelset';

/**
 * Rows with equal labels joined into one; rows without any sample left out. Two samples of one label set at one step
 * are an error, as in Prometheus.
 */
export function* mergedRows(due: () => boolean, rows: readonly Row[], strict = false): Sliced<Row[]> {
  const out: Row[] = [];
  let byKey: Map<string, number> | undefined;
  if (rows.length === 1) return isEmpty(rows[0]!) ? [] : [rows[0]!];
  byKey = new Map();
  for (const row of rows) {
    if (due()) yield;
    if (isEmpty(row)) continue;
    const at = byKey.get(row.labels.key);
    if (at === undefined) {
      byKey.set(row.labels.key, out.length);
      out.push(row);
      continue;
    }
    if (strict) throw new VigieError('execution', SAME_LABELSET);
    const a = out[at]!;
    const n = a.values.length;
    let merged: Row = { ...a, values: a.values.slice(), present: a.present.slice() };
    if (a.histograms || row.histograms)
      merged = { ...merged, histograms: a.histograms?.slice() ?? new Array(n).fill(undefined) };
    for (let i = 0; i < n; i++) {
      if (row.present[i] === ABSENT) continue;
      if (merged.present[i] !== ABSENT) throw new VigieError('execution', SAME_LABELSET);
      merged.present[i] = row.present[i]!;
      merged.values[i] = row.values[i]!;
      if (row.histograms) merged.histograms![i] = row.histograms[i];
    }
    out[at] = merged;
  }
  return out;
}

const never = (): boolean => false;

/** `mergedRows` in one go, for few rows. */
export function mergeRows(rows: readonly Row[], strict = false): Row[] {
  return mergedRows(never, rows, strict).next().value as Row[];
}

/** Labels of a result whose name no longer applies. */
export function nameless(labels: Labels): Labels {
  // the name stands first unless a label begins with a capital letter
  return labels.flat[0] === METRIC_NAME ? Labels.fromSorted(labels.flat.slice(2)) : labels.without(METRIC_NAME);
}

/** Row of one step repeated over `n` steps: for what does not depend on the step. */
export function repeat(row: Row, n: number): Row {
  const present = new Uint8Array(n).fill(row.present[0]!);
  const values = new Float64Array(n).fill(row.values[0]!);
  return row.histograms
    ? { ...row, values, present, histograms: new Array(n).fill(row.histograms[0]) }
    : { ...row, values, present };
}

/** Rows whose histogram samples were removed; the caller says so in an annotation. */
export function floatsOnly(row: Row): Row {
  if (!row.histograms) return row;
  const present = row.present.map((p) => (p === FLOAT ? FLOAT : ABSENT));
  return { labels: row.labels, dropName: row.dropName, values: row.values, present };
}

export const EMPTY_LABELS = Labels.EMPTY;
