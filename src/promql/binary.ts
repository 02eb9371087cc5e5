/** Binary operators: scalars, scalar with vector, vector matching, set operators. All steps at once, labels once per pair. */
import { VigieError } from '../lib/errors.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import { type Binary, type BinaryOp, COMPARISONS, type Pos, type VectorMatching } from './ast.ts';
import {
  ABSENT,
  FLOAT,
  HISTOGRAM,
  isEmpty,
  mergedRows,
  nameless,
  newRow,
  oneName,
  type Row,
  withHistograms,
} from './block.ts';
import type { Annotations, Context, Sliced } from './context.ts';
import { pow } from './float-math.ts';
import { binaryHistogram } from './histogram-binary.ts';

export type FloatOp = (a: number, b: number) => number;

export const FLOAT_OPS: Readonly<Record<string, FloatOp>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': pow,
  // y / x underflows in Prometheus' way of computing it, and the angle then has the other sign
  atan2: (y, x) => (y < 0 && x < 0 && y / x === 0 && x !== Number.NEGATIVE_INFINITY ? Math.PI : Math.atan2(y, x)),
  '==': (a, b) => (a === b ? 1 : 0),
  '!=': (a, b) => (a !== b ? 1 : 0),
  '>': (a, b) => (a > b ? 1 : 0),
  '<': (a, b) => (a < b ? 1 : 0),
  '>=': (a, b) => (a >= b ? 1 : 0),
  '<=': (a, b) => (a <= b ? 1 : 0),
};

export function scalarScalar(op: BinaryOp, a: Float64Array, b: Float64Array): Float64Array {
  const f = FLOAT_OPS[op];
  if (!f) throw new VigieError('execution', `operator ${JSON.stringify(op)} not allowed for Scalar operations`);
  const out = new Float64Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = f(a[i]!, b[i]!);
  return out;
}

/** Name and delayed-removal flag of a result that may lose its name. */
export function renamed(
  c: Context,
  row: Pick<Row, 'labels' | 'dropName'>,
  drop: boolean,
): Pick<Row, 'labels' | 'dropName'> {
  if (!drop) return { labels: row.labels, dropName: row.dropName };
  if (c.features.has('promql-delayed-name-removal')) return { labels: row.labels, dropName: true };
  return { labels: nameless(row.labels), dropName: false };
}

/** `vector op scalar`, or `scalar op vector` when `swapped`. */
export function* vectorScalar(
  c: Context,
  e: Binary,
  rows: readonly Row[],
  scalars: Float64Array,
  swapped: boolean,
): Sliced<Row[]> {
  const compare = COMPARISONS.has(e.op);
  const f = FLOAT_OPS[e.op];
  const notes = new LastNotes();
  const out: Row[] = [];
  for (const row of rows) {
    if (c.meter.due(c.n)) yield;
    const base = renamed(c, row, !compare || e.bool);
    let result: Row = { ...newRow(base.labels, c.n), ...base };
    for (let i = 0; i < c.n; i++) {
      const p = row.present[i]!;
      if (p === ABSENT) continue;
      const s = scalars[i]!;
      if (p === HISTOGRAM || !f) {
        const h = p === HISTOGRAM ? row.histograms![i]! : undefined;
        notes.step = i;
        const got = swapped
          ? binaryHistogram(notes, e, s, h ?? row.values[i]!)
          : binaryHistogram(notes, e, h ?? row.values[i]!, s);
        result = put(result, i, got);
        continue;
      }
      const v = row.values[i]!;
      const r = swapped ? f(s, v) : f(v, s);
      if (compare && !e.bool) {
        if (r === 0) continue;
        result.values[i] = v;
      } else result.values[i] = r;
      result.present[i] = FLOAT;
    }
    out.push(result);
  }
  notes.addTo(c.notes);
  if (oneName(rows)) return out.filter((r) => !isEmpty(r));
  return yield* merged(c, out);
}

type Note = (notes: Annotations) => void;

/**
 * Annotations of one operator: of each step only the last is kept, as Prometheus does, whatever order the pairs are
 * evaluated in here.
 */
class LastNotes implements Pick<Annotations, 'warn' | 'info'> {
  readonly #byStep: (Note | undefined)[] = [];
  step = 0;

  warn(message: string, pos?: Pos): void {
    this.#byStep[this.step] = (notes) => notes.warn(message, pos);
  }

  info(message: string, pos?: Pos): void {
    this.#byStep[this.step] = (notes) => notes.info(message, pos);
  }

  addTo(notes: Annotations): void {
    for (const note of this.#byStep) note?.(notes);
  }
}

/** Writes a float or histogram at a step; undefined leaves it absent. */
export function put(row: Row, i: number, v: number | NativeHistogram | undefined): Row {
  if (v === undefined) return row;
  if (typeof v === 'number') {
    row.values[i] = v;
    row.present[i] = FLOAT;
    return row;
  }
  const withH = withHistograms(row);
  withH.histograms[i] = v;
  withH.present[i] = HISTOGRAM;
  return withH;
}

/** Key of the matching labels of a row. */
function signatureOf(m: VectorMatching): (labels: Labels) => string {
  if (m.on) {
    const names = m.labels;
    if (names.length === 0) return () => '';
    if (names.length === 1) return (l) => l.get(names[0]!);
    return (l) => names.map((n) => l.get(n)).join('\u0000');
  }
  const skip = new Set([...m.labels, METRIC_NAME]);
  return (l) => {
    let key = '';
    for (let i = 0; i < l.flat.length; i += 2)
      if (!skip.has(l.flat[i]!)) key += `${l.flat[i]}\u0000${l.flat[i + 1]}\u0000`;
    return key;
  };
}

function groups(rows: readonly Row[], signature: (l: Labels) => string): Map<string, Row[]> {
  const out = new Map<string, Row[]>();
  for (const row of rows) {
    const key = signature(row.labels);
    const list = out.get(key);
    if (list) list.push(row);
    else out.set(key, [row]);
  }
  return out;
}

/** Steps at which any of the rows has a sample. */
function* anyPresent(c: Context, rows: readonly Row[] | undefined): Sliced<Uint8Array | undefined> {
  if (!rows) return undefined;
  if (rows.length === 1) return rows[0]!.present;
  const out = new Uint8Array(c.n);
  for (const r of rows) {
    if (c.meter.due(c.n)) yield;
    for (let i = 0; i < c.n; i++) out[i]! |= r.present[i]!;
  }
  return out;
}

const merged = (c: Context, rows: readonly Row[]): Sliced<Row[]> => mergedRows(() => c.meter.due(c.n), rows);

function* setOperation(
  c: Context,
  op: BinaryOp,
  m: VectorMatching,
  left: readonly Row[],
  right: readonly Row[],
): Sliced<Row[]> {
  const signature = signatureOf(m);
  const others = groups(op === 'or' ? left : right, signature);
  const presence = new Map<string, Uint8Array | undefined>();
  for (const [key, rows] of others) presence.set(key, yield* anyPresent(c, rows));
  const keep = (row: Row, wanted: boolean): Row | undefined => {
    const p = presence.get(signature(row.labels));
    if (!p) return wanted ? undefined : row;
    const present = row.present.slice();
    for (let i = 0; i < c.n; i++) if ((p[i] !== ABSENT) !== wanted) present[i] = ABSENT;
    return { ...row, present };
  };
  const out: Row[] = op === 'or' ? [...left] : [];
  for (const row of op === 'or' ? right : left) {
    if (c.meter.due(c.n)) yield;
    const kept = keep(row, op === 'and');
    if (kept) out.push(kept);
  }
  return yield* merged(c, out);
}

function resultLabels(m: VectorMatching, many: Labels, one: Labels, dropName: boolean): Labels {
  let labels = dropName ? nameless(many) : many;
  if (m.card === 'one-to-one') labels = m.on ? labels.only(new Set(m.labels)) : labels.without(...m.labels);
  for (const name of m.include) labels = labels.with(name, one.get(name));
  return labels;
}

function describe(labels: Labels): string {
  const parts = [...labels.entries()].map(([n, v]) => `${n}=${JSON.stringify(v)}`);
  return `{${parts.join(', ')}}`;
}

function duplicates(m: VectorMatching, a: Row, b: Row, oneSide: 'left' | 'right'): VigieError {
  const group = m.on ? a.labels.only(new Set(m.labels)) : a.labels.without(...m.labels, METRIC_NAME);
  return new VigieError(
    'execution',
    `found duplicate series for the match group ${describe(group)} on the ${oneSide} hand-side of the operation: [${describe(a.labels)}, ${describe(b.labels)}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}

export function* vectorVector(c: Context, e: Binary, left: readonly Row[], right: readonly Row[]): Sliced<Row[]> {
  const m = e.matching!;
  if (m.card === 'many-to-many') return yield* setOperation(c, e.op, m, left, right);
  const filled = m.fillLeft !== undefined || m.fillRight !== undefined;
  if ((left.length === 0 || right.length === 0) && !filled) return [];
  const compare = COMPARISONS.has(e.op);
  const signature = signatureOf(m);
  const swapped = m.card === 'one-to-many';
  const many = swapped ? right : left;
  const one = groups(swapped ? left : right, signature);
  const fillOne = swapped ? m.fillLeft : m.fillRight;
  const fillMany = swapped ? m.fillRight : m.fillLeft;
  const drop = !compare || e.bool;
  const delayed = c.features.has('promql-delayed-name-removal');
  const f = FLOAT_OPS[e.op];
  const notes = new LastNotes();
  const out: Row[] = [];
  const oneSide = swapped ? 'left' : 'right';

  const evaluatePair = (manyRow: Row | undefined, oneRow: Row | undefined, steps: (i: number) => boolean): void => {
    // pairs can be many more than the series read
    c.meter.addSamples(c.n);
    const base = (manyRow ?? oneRow)!;
    const shape = manyRow ? m : { ...m, card: 'one-to-one' as const, include: [] };
    const labels = resultLabels(shape, base.labels, oneRow?.labels ?? Labels.EMPTY, drop && !delayed);
    let row: Row = newRow(labels, c.n, drop && delayed ? true : base.dropName);
    const lRow = swapped ? oneRow : manyRow;
    const rRow = swapped ? manyRow : oneRow;
    for (let i = 0; i < c.n; i++) {
      if (!steps(i)) continue;
      const lp = lRow?.present[i] ?? ABSENT;
      const rp = rRow?.present[i] ?? ABSENT;
      if (lp === ABSENT && m.fillLeft === undefined) continue;
      if (rp === ABSENT && m.fillRight === undefined) continue;
      if (lp === ABSENT && rp === ABSENT) continue;
      if (lp === HISTOGRAM || rp === HISTOGRAM || !f) {
        const l = lp === HISTOGRAM ? lRow!.histograms![i]! : lp === FLOAT ? lRow!.values[i]! : m.fillLeft!;
        const r = rp === HISTOGRAM ? rRow!.histograms![i]! : rp === FLOAT ? rRow!.values[i]! : m.fillRight!;
        notes.step = i;
        row = put(row, i, binaryHistogram(notes, e, l, r));
        continue;
      }
      const l = lp === FLOAT ? lRow!.values[i]! : m.fillLeft!;
      const r = rp === FLOAT ? rRow!.values[i]! : m.fillRight!;
      const v = f(l, r);
      if (compare && !e.bool) {
        if (v === 0) continue;
        row.values[i] = l;
      } else row.values[i] = v;
      row.present[i] = FLOAT;
    }
    out.push(row);
  };

  yield* checkOneSide(c, m, one, many, oneSide, filled);
  const always = (): boolean => true;
  // steps at which a row of the "many" side was seen
  const seen = new Map<string, Uint8Array>();
  const addSeen = (key: string, row: Row): void => {
    if (m.card !== 'one-to-one' && fillMany === undefined) return;
    const have = seen.get(key);
    if (!have) seen.set(key, row.present.slice());
    else for (let i = 0; i < c.n; i++) have[i]! |= row.present[i]!;
  };
  for (const row of many) {
    if (c.meter.due(c.n)) yield;
    const key = signature(row.labels);
    const partners = one.get(key);
    const earlier = seen.get(key);
    if (!partners) {
      if (fillOne !== undefined) evaluatePair(row, undefined, always);
      addSeen(key, row);
      continue;
    }
    for (let k = 0; k < partners.length; k++) {
      if (c.meter.due(c.n)) yield;
      const partner = partners[k]!;
      const others = partners.length > 1;
      evaluatePair(
        row,
        partner,
        others
          ? (i) => partner.present[i] !== ABSENT || (k === 0 && partners.every((p) => p.present[i] === ABSENT))
          : always,
      );
    }
    if (m.card === 'one-to-one' && earlier) {
      const met = yield* anyPresent(c, partners);
      for (let i = 0; i < c.n; i++)
        if (row.present[i] !== ABSENT && earlier[i] !== ABSENT && met![i] !== ABSENT)
          throw new VigieError(
            'execution',
            'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
          );
    }
    addSeen(key, row);
  }
  if (fillMany !== undefined) {
    for (const [key, rows] of one) {
      if (c.meter.due(c.n)) yield;
      const p = seen.get(key);
      for (const row of rows) evaluatePair(undefined, row, (i) => !p || p[i] === ABSENT);
    }
  }
  notes.addTo(c.notes);
  // a row without a sample on one side leaves nothing
  if (m.card !== 'one-to-one') {
    try {
      return yield* merged(c, out);
    } catch (cause) {
      throw new VigieError('execution', 'multiple matches for labels: grouping labels must ensure unique matches', {
        cause,
      });
    }
  }
  return yield* merged(c, out);
}

/** Two series of the "one" side may share a group only when they never meet at a step where there is something to join. */
function* checkOneSide(
  c: Context,
  m: VectorMatching,
  one: ReadonlyMap<string, readonly Row[]>,
  many: readonly Row[],
  oneSide: 'left' | 'right',
  filled: boolean,
): Sliced<void> {
  let manyHere: Uint8Array | undefined;
  for (const rows of one.values()) {
    if (rows.length < 2) continue;
    const before = rows[0]!.present.slice();
    for (let k = 1; k < rows.length; k++) {
      if (c.meter.due(c.n)) yield;
      const { present } = rows[k]!;
      for (let i = 0; i < c.n; i++) {
        if (present[i] === ABSENT) continue;
        if (before[i] !== ABSENT) {
          manyHere ??= (yield* anyPresent(c, many)) ?? new Uint8Array(c.n);
          if (filled || (many.length > 0 && manyHere[i] !== ABSENT))
            throw duplicates(m, rows[k]!, rows.find((r) => r.present[i] !== ABSENT)!, oneSide);
        }
        before[i]! |= present[i]!;
      }
    }
  }
}
