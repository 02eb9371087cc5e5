/** Aggregations over rows: group labels are worked out once per row, sums run column by column. */
import { VigieError } from '../lib/errors.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import { type Aggregate, type Pos, unwrap } from './ast.ts';
import { ABSENT, FLOAT, HISTOGRAM, mergedRows, newRow, type Row } from './block.ts';
import type { Context, Sliced } from './context.ts';
import { kahan, kahanState, quantile } from './float-math.ts';
import { aggregateHistograms } from './histogram-aggregate.ts';
import { histogramText } from './histogram-text.ts';
import { formatG, formatPlain } from './literal.ts';
import { labelsHash } from './xxhash64.ts';

interface Group {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly rows: Row[];
}

function* group(c: Context, e: Aggregate, rows: readonly Row[]): Sliced<Group[]> {
  const out = new Map<string, Group>();
  const names = [...e.grouping];
  const set = new Set(names);
  const skip = [...names, METRIC_NAME];
  for (const row of rows) {
    if (c.meter.due(c.n)) yield;
    let key: string;
    let labels: Labels | undefined;
    if (e.without) {
      labels = row.labels.without(...skip);
      key = labels.key;
    } else if (names.length === 0) key = '';
    else if (names.length === 1) key = row.labels.get(names[0]!);
    else {
      key = '';
      for (const n of names) key += `${row.labels.get(n)}\u0000`;
    }
    const g = out.get(key);
    if (g) g.rows.push(row);
    else
      out.set(key, {
        labels: labels ?? (names.length === 0 ? Labels.EMPTY : row.labels.only(set)),
        dropName: row.dropName && !e.without && set.has(METRIC_NAME),
        rows: [row],
      });
  }
  return [...out.values()];
}

export function* aggregate(
  c: Context,
  e: Aggregate,
  rows: readonly Row[],
  param: Float64Array | string | undefined,
): Sliced<readonly Row[]> {
  switch (e.op) {
    case 'topk':
    case 'bottomk':
      return yield* topk(c, e, rows, param as Float64Array);
    case 'limitk':
      return yield* limitk(c, e, rows, param as Float64Array);
    case 'limit_ratio':
      return yield* limitRatio(c, e, rows, param as Float64Array);
    case 'count_values':
      return yield* countValues(c, e, rows, param as string);
    case 'quantile':
      return yield* quantileOf(c, e, rows, param as Float64Array);
    default: {
      const out: Row[] = [];
      for (const g of yield* group(c, e, rows)) {
        const hasHistograms = g.rows.some((r) => r.histograms);
        if (hasHistograms)
          out.push(yield* aggregateHistograms(c, e, g.labels, g.rows, (floats) => reduce(c, e, g.labels, floats)));
        else out.push({ ...(yield* reduce(c, e, g.labels, g.rows)), dropName: g.dropName });
      }
      return yield* mergedRows(() => c.meter.due(c.n), out);
    }
  }
}

/** Kahan-Neumaier, written out: this is the hottest loop of most queries. */
function addRow(row: Row, values: Float64Array, present: Uint8Array, comp: Float64Array): void {
  const { values: v, present: p } = row;
  for (let i = 0; i < values.length; i++) {
    if (p[i] !== FLOAT) continue;
    if (present[i] === ABSENT) {
      present[i] = FLOAT;
      values[i] = v[i]!;
      continue;
    }
    const s = values[i]!;
    const x = v[i]!;
    const t = s + x;
    if (t === Number.POSITIVE_INFINITY || t === Number.NEGATIVE_INFINITY) comp[i] = 0;
    else if (Math.abs(s) >= Math.abs(x)) comp[i]! += s - t + x;
    else comp[i]! += x - t + s;
    values[i] = t;
  }
}

/** The plain aggregations over floats; absent and histogram steps count for nothing. */
function* reduce(c: Context, e: Aggregate, labels: Labels, rows: readonly Row[]): Sliced<Row> {
  const { n } = c;
  const out = newRow(labels, n);
  const { values, present } = out;
  switch (e.op) {
    case 'sum': {
      const comp = new Float64Array(n);
      for (const row of rows) {
        if (c.meter.due(c.n)) yield;
        addRow(row, values, present, comp);
      }
      for (let i = 0; i < n; i++) values[i]! += comp[i]!;
      return out;
    }
    case 'avg':
      return yield* average(c, rows, out);
    case 'count':
    case 'group':
      for (const row of rows) {
        if (c.meter.due(c.n)) yield;
        for (let i = 0; i < n; i++)
          if (row.present[i] !== ABSENT) {
            values[i]!++;
            present[i] = FLOAT;
          }
      }
      if (e.op === 'group') values.fill(1);
      return out;
    case 'max':
    case 'min': {
      const max = e.op === 'max';
      for (const { values: v, present: p } of rows) {
        if (c.meter.due(c.n)) yield;
        for (let i = 0; i < n; i++) {
          if (p[i] !== FLOAT) continue;
          const x = v[i]!;
          const best = values[i]!;
          if (present[i] === ABSENT || Number.isNaN(best) || (max ? x > best : x < best)) values[i] = x;
          present[i] = FLOAT;
        }
      }
      return out;
    }
    default: {
      const mean = new Float64Array(n);
      const count = new Float64Array(n);
      for (const { values: v, present: p } of rows) {
        if (c.meter.due(c.n)) yield;
        for (let i = 0; i < n; i++) {
          if (p[i] !== FLOAT) continue;
          const x = v[i]!;
          if (present[i] === ABSENT) {
            present[i] = FLOAT;
            count[i] = 1;
            mean[i] = x;
            values[i] = Number.isFinite(x) ? 0 : Number.NaN;
            continue;
          }
          const k = ++count[i]!;
          const delta = x - mean[i]!;
          mean[i]! += delta / k;
          values[i]! += delta * (x - mean[i]!);
        }
      }
      for (let i = 0; i < n; i++) {
        if (present[i] === ABSENT) continue;
        values[i]! /= count[i]!;
        if (e.op === 'stddev') values[i] = Math.sqrt(values[i]!);
      }
      return out;
    }
  }
}

function* average(c: Context, rows: readonly Row[], out: Row): Sliced<Row> {
  const { n } = c;
  const { values, present } = out;
  const comp = new Float64Array(n);
  const count = new Float64Array(n);
  const incremental = new Uint8Array(n);
  for (const { values: v, present: p } of rows) {
    if (c.meter.due(c.n)) yield;
    for (let i = 0; i < n; i++) {
      if (p[i] !== FLOAT) continue;
      const x = v[i]!;
      if (present[i] === ABSENT) {
        present[i] = FLOAT;
        values[i] = x;
        count[i] = 1;
        continue;
      }
      const k = ++count[i]!;
      if (incremental[i] === 0) {
        const s = kahan(x, values[i]!, comp[i]!);
        if (s !== Number.POSITIVE_INFINITY && s !== Number.NEGATIVE_INFINITY) {
          values[i] = s;
          comp[i] = kahanState.c;
          continue;
        }
        incremental[i] = 1;
        values[i]! /= k - 1;
        comp[i]! /= k - 1;
      }
      const q = (k - 1) / k;
      values[i] = kahan(x / k, q * values[i]!, q * comp[i]!);
      comp[i] = kahanState.c;
    }
  }
  for (let i = 0; i < n; i++) {
    if (present[i] === ABSENT) continue;
    values[i] = incremental[i] ? values[i]! + comp[i]! : values[i]! / count[i]! + comp[i]! / count[i]!;
  }
  return out;
}

function* quantileOf(c: Context, e: Aggregate, rows: readonly Row[], q: Float64Array): Sliced<Row[]> {
  checkQuantiles(c, q, unwrap(e.param!).pos);
  const out: Row[] = [];
  for (const g of yield* group(c, e, rows)) {
    const row = newRow(g.labels, c.n, g.dropName);
    for (let i = 0; i < c.n; i++) {
      if (c.meter.due(g.rows.length)) yield;
      const list: number[] = [];
      for (const r of g.rows) {
        if (r.present[i] === FLOAT) list.push(r.values[i]!);
        else if (r.present[i] === HISTOGRAM) c.notes.info('ignored histogram in quantile aggregation', e.expr.pos);
      }
      if (list.length === 0) continue;
      row.values[i] = quantile(q[i]!, list);
      row.present[i] = FLOAT;
    }
    out.push(row);
  }
  return yield* mergedRows(() => c.meter.due(c.n), out);
}

/** One warning for each way in which the quantiles of all steps are wrong, with the worst of them. */
function checkQuantiles(c: Context, q: Float64Array, pos: Pos): void {
  const { min, max, nan } = bounds(q);
  // Prometheus' minimum and maximum are NaN as soon as one is
  if (nan) checkQuantile(c, Number.NaN, pos);
  if (max > 1 && !nan) checkQuantile(c, max, pos);
  if (min < 0 && !nan) checkQuantile(c, min, pos);
}

function bounds(list: Float64Array): { readonly min: number; readonly max: number; readonly nan: boolean } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nan = false;
  for (const v of list) {
    if (Number.isNaN(v)) nan = true;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  return { min, max, nan };
}

export function checkQuantile(c: Context, q: number, pos: { start: number; end: number }): void {
  if (!(q >= 0 && q <= 1)) c.notes.warn(`quantile value should be between 0 and 1, got ${formatG(q)}`, pos);
}

/** True when no step asks for at least one element: the aggregation is empty before its parameter is looked at. */
function asksForNone(param: Float64Array): boolean {
  return param.every((k) => k < 1);
}

function countParam(v: number): number {
  if (Number.isNaN(v)) throw new VigieError('execution', 'Parameter value is NaN');
  if (v >= 2 ** 63) throw new VigieError('execution', `Scalar value ${formatG(v)} overflows int64`);
  if (v <= -(2 ** 63)) throw new VigieError('execution', `Scalar value ${formatG(v)} underflows int64`);
  return Math.trunc(v);
}

/** A copy of each row that keeps only the steps `chosen` says. */
function masked(row: Row, present: Uint8Array): Row {
  return { ...row, present };
}

/** Up to this many are picked one by one; more are sorted. */
const SELECT_MAX = 64;

function* topk(c: Context, e: Aggregate, rows: readonly Row[], param: Float64Array): Sliced<Row[]> {
  if (asksForNone(param)) return [];
  const top = e.op === 'topk';
  const out: Row[] = [];
  // NaN is never better than a number
  const better = (a: number, b: number): number => {
    if (a === b) return 0;
    if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
    if (Number.isNaN(b)) return -1;
    return (top ? a > b : a < b) ? -1 : 1;
  };
  /** Puts `r` in its place among the best k; equals stay in the order of their series. */
  const keepBest = (list: Row[], r: Row, i: number, k: number): void => {
    if (k > SELECT_MAX) return void list.push(r);
    const v = r.values[i]!;
    let at = list.length;
    if (at === k && better(v, list[at - 1]!.values[i]!) >= 0) return;
    while (at > 0 && better(v, list[at - 1]!.values[i]!) < 0) at--;
    list.splice(at, 0, r);
    if (list.length > k) list.pop();
  };
  for (const g of yield* group(c, e, rows)) {
    const kept = new Map<Row, Uint8Array>();
    for (let i = 0; i < c.n; i++) {
      if (c.meter.due(g.rows.length)) yield;
      const k = countParam(param[i]!);
      const here: Row[] = [];
      for (const r of g.rows) {
        if (r.present[i] === FLOAT) {
          if (k >= 1) keepBest(here, r, i, k);
        } else if (r.present[i] === HISTOGRAM) c.notes.info(`ignored histogram in ${e.op} aggregation`, e.pos);
      }
      if (k > SELECT_MAX) here.sort((x, y) => better(x.values[i]!, y.values[i]!));
      for (let j = 0; j < here.length && j < k; j++) {
        const r = here[j]!;
        let mask = kept.get(r);
        if (!mask) kept.set(r, (mask = new Uint8Array(c.n)));
        mask[i] = FLOAT;
      }
    }
    for (const [row, mask] of kept) out.push(masked(row, mask));
  }
  return out;
}

function* limitk(c: Context, e: Aggregate, rows: readonly Row[], param: Float64Array): Sliced<Row[]> {
  if (asksForNone(param)) return [];
  const out: Row[] = [];
  for (const g of yield* group(c, e, rows)) {
    const taken = new Float64Array(c.n);
    for (const row of g.rows) {
      if (c.meter.due(c.n)) yield;
      const mask = new Uint8Array(c.n);
      let any = false;
      for (let i = 0; i < c.n; i++) {
        if (row.present[i] === ABSENT || taken[i]! >= countParam(param[i]!)) continue;
        taken[i]!++;
        mask[i] = row.present[i]!;
        any = true;
      }
      if (any) out.push(masked(row, mask));
    }
  }
  return out;
}

function* limitRatio(c: Context, e: Aggregate, rows: readonly Row[], param: Float64Array): Sliced<Row[]> {
  const { min, max, nan } = bounds(param);
  if (nan) throw new VigieError('execution', 'Ratio value is NaN');
  const cappedTo = (got: number, to: number): void =>
    c.notes.warn(`ratio value should be between -1 and 1, got ${formatG(got)}, capping to ${to}`, unwrap(e.param!).pos);
  if (max > 1) cappedTo(max, 1);
  if (min < -1) cappedTo(min, -1);
  const ratios = param.map((r) => Math.min(1, Math.max(-1, r)));
  const out: Row[] = [];
  for (const row of rows) {
    if (c.meter.due(c.n)) yield;
    const offset = Number(labelsHash(row.labels)) / 2 ** 64;
    const mask = new Uint8Array(c.n);
    for (let i = 0; i < c.n; i++) {
      const r = ratios[i]!;
      if (row.present[i] !== ABSENT && ((r >= 0 && offset < r) || (r < 0 && offset >= 1 + r)))
        mask[i] = row.present[i]!;
    }
    out.push(masked(row, mask));
  }
  return yield* mergedRows(() => c.meter.due(c.n), out);
}

function* countValues(c: Context, e: Aggregate, rows: readonly Row[], label: string): Sliced<Row[]> {
  if (label === '' || !label.isWellFormed())
    throw new VigieError('execution', `invalid label name ${JSON.stringify(label)}`);
  const out = new Map<string, Row>();
  const set = new Set([...e.grouping, label]);
  const grouping = new Set(e.grouping);
  for (const row of rows) {
    if (c.meter.due(c.n)) yield;
    const base = e.without ? row.labels.without(...e.grouping, METRIC_NAME) : row.labels.only(grouping);
    const byText = new Map<string, Row>();
    for (let i = 0; i < c.n; i++) {
      if (row.present[i] === ABSENT) continue;
      const text = row.present[i] === HISTOGRAM ? histogramText(row.histograms![i]!) : formatPlain(row.values[i]!);
      let target = byText.get(text);
      if (!target) {
        const labelled = base.with(label, text);
        // without (label) removes the new label again
        const labels = e.without ? labelled.without(...e.grouping, METRIC_NAME) : labelled.only(set);
        target = out.get(labels.key);
        if (!target) {
          // as many rows as there are values
          c.meter.addSamples(c.n);
          out.set(labels.key, (target = newRow(labels, c.n)));
        }
        byText.set(text, target);
      }
      target.values[i]!++;
      target.present[i] = FLOAT;
    }
  }
  return yield* mergedRows(() => c.meter.due(c.n), [...out.values()]);
}
