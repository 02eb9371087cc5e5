/** Grafana's table transformations over frames of columns. Those not known are named in the import report and pass data on unchanged. */
import { safeRegex } from '../safe-regex.ts';
import type { Transformation } from './model.ts';
import { nameMatches } from './name-matches.ts';
import { reduceValues } from './reduce.ts';
import {
  concatenate,
  convertFieldType,
  filterByValue,
  groupingToMatrix,
  isKnownTest,
  partitionByValues,
  rowsToFields,
  transpose,
} from './transformations-rows.ts';

export type Cell = number | string | null;
export interface Field {
  readonly name: string;
  readonly type: 'number' | 'string' | 'time';
  readonly values: readonly Cell[];
  readonly labels?: Readonly<Record<string, string>>;
}
export interface Frame {
  readonly refId: string;
  readonly name?: string;
  readonly fields: readonly Field[];
}

type Options = Readonly<Record<string, unknown>>;
const rowsOf = (frame: Frame): number => Math.max(0, ...frame.fields.map((f) => f.values.length));

function merge(frames: readonly Frame[]): Frame[] {
  if (frames.length < 2) return [...frames];
  const names = [...new Set(frames.flatMap((f) => f.fields.map((x) => x.name)))];
  const types = new Map(frames.flatMap((f) => f.fields.map((x) => [x.name, x.type] as const)));
  const shared = names.filter((n) => frames.every((f) => f.fields.some((x) => x.name === n)));
  const rows: Record<string, Cell>[] = [];
  for (const frame of frames)
    for (let i = 0; i < rowsOf(frame); i++) {
      const row = Object.fromEntries(frame.fields.map((f) => [f.name, f.values[i] ?? null]));
      const fits =
        shared.length > 0 &&
        rows.find(
          (r) =>
            shared.every((n) => r[n] === row[n]) &&
            Object.keys(row).every((n) => shared.includes(n) || r[n] === undefined || r[n] === null || r[n] === row[n]),
        );
      if (fits) Object.assign(fits, row);
      else rows.push(row);
    }
  return [
    {
      refId: frames[0]!.refId,
      fields: names.map((name) => ({ name, type: types.get(name)!, values: rows.map((r) => r[name] ?? null) })),
    },
  ];
}

function joinByField(frames: readonly Frame[], options: Options): Frame[] {
  const by = String(options['byField'] ?? 'Time');
  const usable = frames.filter((f) => f.fields.some((x) => x.name === by));
  if (usable.length < 2) return [...frames];
  const inner = options['mode'] === 'inner';
  const keys = [...new Set(usable.flatMap((f) => f.fields.find((x) => x.name === by)!.values))].filter(
    (k) => !inner || usable.every((f) => f.fields.find((x) => x.name === by)!.values.includes(k)),
  );
  const type = usable[0]!.fields.find((x) => x.name === by)!.type;
  if (type !== 'string') keys.sort((a, b) => Number(a) - Number(b));
  const fields: Field[] = [{ name: by, type, values: keys }];
  for (const [n, frame] of usable.entries()) {
    const at = new Map(frame.fields.find((x) => x.name === by)!.values.map((k, i) => [k, i]));
    for (const f of frame.fields)
      if (f.name !== by)
        fields.push({
          ...f,
          name: fields.some((x) => x.name === f.name) ? `${f.name} ${n + 1}` : f.name,
          values: keys.map((k) => (at.has(k) ? (f.values[at.get(k)!] ?? null) : null)),
        });
  }
  return [{ refId: usable[0]!.refId, fields }];
}

function organize(frame: Frame, options: Options): Frame {
  const exclude = (options['excludeByName'] ?? {}) as Record<string, boolean>;
  const index = (options['indexByName'] ?? {}) as Record<string, number>;
  const rename = (options['renameByName'] ?? {}) as Record<string, string>;
  return {
    ...frame,
    fields: frame.fields
      .filter((f) => !exclude[f.name])
      .map((f, i) => ({ f, at: index[f.name] ?? 1_000 + i }))
      .sort((a, b) => a.at - b.at)
      .map(({ f }) => ({ ...f, name: rename[f.name] || f.name })),
  };
}

function filterFields(frame: Frame, options: Options): Frame {
  const test = (rule: unknown, name: string): boolean => {
    const { names = [], pattern } = (rule ?? {}) as { names?: string[]; pattern?: string };
    return (
      names.includes(name) ||
      (pattern !== undefined && nameMatches(pattern.startsWith('/') ? pattern : `/${pattern}/`, name))
    );
  };
  const { include, exclude } = options;
  return {
    ...frame,
    fields: frame.fields.filter((f) => (include ? test(include, f.name) : true) && !(exclude && test(exclude, f.name))),
  };
}

function sortBy(frame: Frame, options: Options): Frame {
  const [sort] = (options['sort'] ?? []) as { field?: string; desc?: boolean }[];
  const by = frame.fields.find((f) => f.name === sort?.field);
  if (!by) return frame;
  const order = by.values
    .map((_, i) => i)
    .sort((a, b) => {
      const x = by.values[a] ?? null;
      const y = by.values[b] ?? null;
      const less =
        typeof x === 'number' && typeof y === 'number' ? x - y : String(x ?? '').localeCompare(String(y ?? ''));
      return sort!.desc ? -less : less;
    });
  return { ...frame, fields: frame.fields.map((f) => ({ ...f, values: order.map((i) => f.values[i] ?? null) })) };
}

function reduce(frames: readonly Frame[], options: Options): Frame[] {
  const calcs = (options['reducers'] ?? ['lastNotNull']) as string[];
  if (options['mode'] === 'reduceFields')
    return frames.map((f) => ({
      ...f,
      fields: f.fields
        .filter((x) => x.type !== 'time')
        .map((x) => ({ ...x, values: [reduceValues(x.values, calcs[0]!)] })),
    }));
  const fields = frames.flatMap((f) => f.fields).filter((f) => f.type === 'number');
  const title = (calc: string): string =>
    ({
      lastNotNull: 'Last *',
      mean: 'Mean',
      max: 'Max',
      min: 'Min',
      sum: 'Total',
      last: 'Last',
      first: 'First',
      count: 'Count',
    })[calc] ?? calc;
  return [
    {
      refId: 'reduced',
      fields: [
        { name: 'Field', type: 'string', values: fields.map((f) => f.name) },
        ...calcs.map(
          (c): Field => ({ name: title(c), type: 'number', values: fields.map((f) => reduceValues(f.values, c)) }),
        ),
      ],
    },
  ];
}

function calculate(frame: Frame, options: Options): Frame {
  const replace = options['replaceFields'] === true;
  let made: Field;
  if (options['mode'] === 'binary') {
    const { left, right, operator } = (options['binary'] ?? {}) as {
      left?: unknown;
      right?: unknown;
      operator?: string;
    };
    const side = (s: unknown, i: number): number => {
      const name =
        typeof s === 'object' && s !== null
          ? ((s as { matcher?: { options?: unknown }; fixed?: string }).fixed ??
            (s as { matcher?: { options?: unknown } }).matcher?.options)
          : s;
      const field = frame.fields.find((f) => f.name === name);
      return field ? Number(field.values[i] ?? Number.NaN) : Number(name);
    };
    const op = (a: number, b: number): number =>
      operator === '-'
        ? a - b
        : operator === '*'
          ? a * b
          : operator === '/'
            ? a / b
            : operator === '^'
              ? a ** b
              : operator === '%'
                ? a % b
                : a + b;
    const name = (s: unknown): string =>
      String(
        typeof s === 'object' && s !== null
          ? ((s as { fixed?: string }).fixed ?? (s as { matcher?: { options?: unknown } }).matcher?.options)
          : s,
      );
    made = {
      name: String(options['alias'] || `${name(left)} ${operator} ${name(right)}`),
      type: 'number',
      values: Array.from({ length: rowsOf(frame) }, (_, i) => finite(op(side(left, i), side(right, i)))),
    };
  } else {
    const { reducer = 'sum', include } = (options['reduce'] ?? {}) as { reducer?: string; include?: string[] };
    const fields = frame.fields.filter((f) => f.type === 'number' && (!include || include.includes(f.name)));
    made = {
      name: String(options['alias'] || (reducer === 'sum' ? 'Total' : reducer)),
      type: 'number',
      values: Array.from({ length: rowsOf(frame) }, (_, i) =>
        reduceValues(
          fields.map((f) => f.values[i] ?? null),
          reducer,
        ),
      ),
    };
  }
  return {
    ...frame,
    fields: replace ? [...frame.fields.filter((f) => f.type === 'time'), made] : [...frame.fields, made],
  };
}
const finite = (v: number): number | null => (Number.isNaN(v) ? null : v);

function labelsToFields(frames: readonly Frame[]): Frame[] {
  return frames.map((frame) => {
    const n = rowsOf(frame);
    const labels = Object.assign({}, ...frame.fields.map((f) => f.labels ?? {})) as Record<string, string>;
    const extra = Object.entries(labels).filter(([k]) => k !== '__name__' && !frame.fields.some((f) => f.name === k));
    return {
      ...frame,
      fields: [
        ...frame.fields.filter((f) => f.type === 'time'),
        ...extra.map(([name, v]): Field => ({ name, type: 'string', values: new Array(n).fill(v) })),
        ...frame.fields
          .filter((f) => f.type !== 'time')
          .map((f) => ({ ...f, name: f.labels?.['__name__'] ?? 'Value' })),
      ],
    };
  });
}

function seriesToRows(frames: readonly Frame[]): Frame[] {
  const rows: [Cell, string, Cell][] = [];
  for (const frame of frames) {
    const time = frame.fields.find((f) => f.type === 'time');
    for (const f of frame.fields)
      if (f.type === 'number') for (const [i, v] of f.values.entries()) rows.push([time?.values[i] ?? null, f.name, v]);
  }
  rows.sort((a, b) => Number(b[0]) - Number(a[0]));
  return [
    {
      refId: 'rows',
      fields: [
        { name: 'Time', type: 'time', values: rows.map((r) => r[0]) },
        { name: 'Metric', type: 'string', values: rows.map((r) => r[1]) },
        { name: 'Value', type: 'number', values: rows.map((r) => r[2]) },
      ],
    },
  ];
}

function groupBy(frame: Frame, options: Options): Frame {
  const spec = (options['fields'] ?? {}) as Record<string, { operation?: string; aggregations?: string[] }>;
  const keys = frame.fields.filter((f) => spec[f.name]?.operation === 'groupby');
  if (keys.length === 0) return frame;
  const groups = new Map<string, number[]>();
  for (let i = 0; i < rowsOf(frame); i++) {
    const key = JSON.stringify(keys.map((k) => k.values[i]));
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  const lists = [...groups.values()];
  const fields: Field[] = keys.map((k) => ({ ...k, values: lists.map((l) => k.values[l[0]!] ?? null) }));
  for (const f of frame.fields)
    if (spec[f.name]?.operation === 'aggregate')
      for (const calc of spec[f.name]!.aggregations ?? [])
        fields.push({
          name: `${f.name} (${calc})`,
          type: 'number',
          values: lists.map((l) =>
            reduceValues(
              l.map((i) => f.values[i] ?? null),
              calc,
            ),
          ),
        });
  return { ...frame, fields };
}

function renameByRegex(frame: Frame, options: Options): Frame {
  const pattern = safeRegex(String(options['regex'] ?? ''));
  if (!pattern) return frame;
  const to = String(options['renamePattern'] ?? '$1');
  return { ...frame, fields: frame.fields.map((f) => ({ ...f, name: pattern.replace(f.name, to) })) };
}

function limit(frame: Frame, options: Options): Frame {
  const n = Number(options['limitField'] ?? 10);
  return { ...frame, fields: frame.fields.map((f) => ({ ...f, values: f.values.slice(0, n) })) };
}

const each =
  (f: (frame: Frame, options: Options) => Frame) =>
  (frames: readonly Frame[], options: Options): Frame[] =>
    frames.map((x) => f(x, options));
const KNOWN: Readonly<Record<string, (frames: readonly Frame[], options: Options) => Frame[]>> = {
  merge,
  joinByField,
  seriesToColumns: joinByField,
  organize: each(organize),
  filterFieldsByName: each(filterFields),
  sortBy: each(sortBy),
  reduce,
  calculateField: each(calculate),
  labelsToFields,
  seriesToRows,
  groupBy: each(groupBy),
  renameByRegex: each(renameByRegex),
  limit: each(limit),
  filterByValue: each(filterByValue),
  concatenate,
  convertFieldType: each(convertFieldType),
  rowsToFields: each(rowsToFields),
  groupingToMatrix: each(groupingToMatrix),
  partitionByValues,
  transpose: each(transpose),
  filterByRefId: (frames, options) =>
    frames.filter((f) =>
      String(options['include'] ?? '')
        .split('|')
        .includes(f.refId),
    ),
};
export const isKnownTransformation = (id: string): boolean => id in KNOWN;

/** What of a known transformation is left out, in words for the import's report. */
export function leftOutOf(step: Transformation): string | undefined {
  if (step.id !== 'filterByValue') return undefined;
  const filters = (step.options?.['filters'] ?? []) as { config?: { id?: string } }[];
  const unknown = filters.map((f) => f.config?.id ?? '').filter((id) => !isKnownTest(id));
  return unknown.length > 0 ? `test ${unknown.join(', ')}` : undefined;
}

/** Frames that a step is for; a choice that is not known takes all. */
function chosen(step: Transformation): (frame: Frame) => boolean {
  const { id, options } = step.filter ?? {};
  if ((id !== 'byRefId' && id !== 'byFrameRefID') || typeof options !== 'string') return () => true;
  return (frame) => nameMatches(options.startsWith('/') ? options : `/^(?:${options})$/`, frame.refId);
}

export function transform(frames: readonly Frame[], steps: readonly Transformation[]): Frame[] {
  return steps.reduce<Frame[]>(
    (current, step) => {
      const run = step.disabled ? undefined : KNOWN[step.id];
      if (!run) return current;
      const mine = chosen(step);
      return [...run(current.filter(mine), step.options ?? {}), ...current.filter((f) => !mine(f))];
    },
    [...frames],
  );
}
