/** Transformations that choose, turn or regroup rows and fields; the others are in transformations.ts, which lists all. */
import { safeRegex } from '../safe-regex.ts';
import { parseTime } from '../time-range.ts';
import type { Cell, Field, Frame } from './transformations.ts';

type Options = Readonly<Record<string, unknown>>;
const rowsOf = (frame: Frame): number => Math.max(0, ...frame.fields.map((f) => f.values.length));
const pickRows = (frame: Frame, rows: readonly number[]): Frame => ({
  ...frame,
  fields: frame.fields.map((f) => ({ ...f, values: rows.map((i) => f.values[i] ?? null) })),
});

const empty = (v: Cell): boolean => v === null || (typeof v === 'number' && Number.isNaN(v));
type Test = (v: Cell, o: Options) => boolean;
const compare =
  (test: (a: number, b: number) => boolean): Test =>
  (v, o) =>
    !empty(v) && test(Number(v), Number(o['value']));
/** Grafana's tests of a value; one that is not known lets nothing pass through unseen: it is named in the report. */
const TESTS: Readonly<Record<string, Test>> = {
  isNull: (v) => empty(v),
  isNotNull: (v) => !empty(v),
  greater: compare((a, b) => a > b),
  greaterOrEqual: compare((a, b) => a >= b),
  lower: compare((a, b) => a < b),
  lowerOrEqual: compare((a, b) => a <= b),
  equal: (v, o) => !empty(v) && String(v) === String(o['value']),
  notEqual: (v, o) => String(v) !== String(o['value']),
  substring: (v, o) =>
    String(v ?? '')
      .toLowerCase()
      .includes(String(o['value']).toLowerCase()),
  notSubstring: (v, o) =>
    !String(v ?? '')
      .toLowerCase()
      .includes(String(o['value']).toLowerCase()),
  regex: (v, o) => safeRegex(String(o['value'] ?? ''))?.test(String(v ?? '')) ?? false,
  between: (v, o) => !empty(v) && Number(v) >= Number(o['from']) && Number(v) <= Number(o['to']),
};
export const isKnownTest = (id: string): boolean => id in TESTS;

/** Rows whose values pass: all conditions or any, to be kept or left out. */
export function filterByValue(frame: Frame, options: Options): Frame {
  const conditions = (options['filters'] ?? []) as {
    fieldName?: string;
    config?: { id?: string; options?: Options };
  }[];
  const usable = conditions.flatMap(({ fieldName, config }) => {
    const field = frame.fields.find((f) => f.name === fieldName);
    const test = TESTS[config?.id ?? ''];
    return field && test !== undefined ? [{ field, test, options: config?.options ?? {} }] : [];
  });
  if (usable.length === 0) return frame;
  const all = options['match'] === 'all';
  const include = options['type'] !== 'exclude';
  const rows = Array.from({ length: rowsOf(frame) }, (_, i) => i).filter((i) => {
    const passes = (c: (typeof usable)[number]): boolean => c.test(c.field.values[i] ?? null, c.options);
    return (all ? usable.every(passes) : usable.some(passes)) === include;
  });
  return pickRows(frame, rows);
}

/** Fields of all frames side by side. */
export function concatenate(frames: readonly Frame[]): Frame[] {
  if (frames.length < 2) return [...frames];
  return [{ refId: frames[0]!.refId, fields: frames.flatMap((f) => f.fields) }];
}

export function convertFieldType(frame: Frame, options: Options): Frame {
  const wanted = (options['conversions'] ?? []) as { targetField?: string; destinationType?: string }[];
  const to = new Map(wanted.map((w) => [w.targetField, w.destinationType]));
  return {
    ...frame,
    fields: frame.fields.map((f): Field => {
      const type = to.get(f.name);
      if (type === 'number')
        return {
          ...f,
          type,
          values: f.values.map((v) => (v === null || v === '' || Number.isNaN(Number(v)) ? null : Number(v))),
        };
      if (type === 'string') return { ...f, type, values: f.values.map((v) => (v === null ? null : String(v))) };
      if (type === 'time')
        return {
          ...f,
          type,
          values: f.values.map((v) => (typeof v === 'string' ? (parseTime(v, 0, false, true) ?? null) : v)),
        };
      return f;
    }),
  };
}

/** A column of names and a column of values become one row of named fields. */
export function rowsToFields(frame: Frame, options: Options): Frame {
  const mappings = (options['mappings'] ?? []) as { fieldName?: string; handlerKey?: string }[];
  const named = (key: string): Field | undefined =>
    frame.fields.find((f) => f.name === mappings.find((m) => m.handlerKey === key)?.fieldName);
  const names = named('field.name') ?? frame.fields.find((f) => f.type === 'string');
  const values = named('field.value') ?? frame.fields.find((f) => f.type === 'number');
  if (!names || !values) return frame;
  return {
    ...frame,
    fields: names.values.map(
      (name, i): Field => ({ name: String(name), type: values.type, values: [values.values[i] ?? null] }),
    ),
  };
}

/** Rows by one column, columns by another, values from a third. */
export function groupingToMatrix(frame: Frame, options: Options): Frame {
  const find = (key: string, fallback: string): Field | undefined =>
    frame.fields.find((f) => f.name === String(options[key] ?? fallback));
  const columns = find('columnField', 'Time');
  const rows = find('rowField', 'Time');
  const values = find('valueField', 'Value');
  if (!columns || !rows || !values) return frame;
  const heads = [...new Set(columns.values)];
  const sides = [...new Set(rows.values)];
  const at = new Map(rows.values.map((r, i) => [JSON.stringify([r, columns.values[i]]), values.values[i] ?? null]));
  const missing: Cell = options['emptyValue'] === 'zero' ? 0 : options['emptyValue'] === 'empty' ? '' : null;
  return {
    ...frame,
    fields: [
      { name: `${rows.name}\\${columns.name}`, type: rows.type, values: sides },
      ...heads.map(
        (h): Field => ({
          name: String(h),
          type: values.type,
          values: sides.map((s) => at.get(JSON.stringify([s, h])) ?? missing),
        }),
      ),
    ],
  };
}

/** One frame for each combination of values of the given fields. */
export function partitionByValues(frames: readonly Frame[], options: Options): Frame[] {
  const by = (options['fields'] ?? []) as string[];
  const keep = options['keepFields'] === true;
  return frames.flatMap((frame) => {
    const keys = frame.fields.filter((f) => by.includes(f.name));
    if (keys.length === 0) return [frame];
    const parts = new Map<string, number[]>();
    for (let i = 0; i < rowsOf(frame); i++) {
      const key = JSON.stringify(keys.map((k) => k.values[i]));
      const rows = parts.get(key);
      if (rows) rows.push(i);
      else parts.set(key, [i]);
    }
    return [...parts.values()].map((rows): Frame => {
      const labels = Object.fromEntries(keys.map((k) => [k.name, String(k.values[rows[0]!] ?? '')]));
      const name = Object.values(labels).join(' ');
      const picked = pickRows(frame, rows);
      return {
        ...picked,
        name,
        fields: picked.fields
          .filter((f) => keep || !by.includes(f.name))
          .map((f) =>
            f.type === 'number' ? { ...f, name: `${f.name} ${name}`, labels: { ...f.labels, ...labels } } : f,
          ),
      };
    });
  });
}

/** The first column's values become the heads, the other columns become rows. */
export function transpose(frame: Frame, options: Options): Frame {
  const [first, ...others] = frame.fields;
  if (!first) return frame;
  const numbers = others.every((f) => f.type === 'number');
  return {
    ...frame,
    fields: [
      { name: String(options['firstFieldName'] || 'Field'), type: 'string', values: others.map((f) => f.name) },
      ...first.values.map(
        (head, i): Field => ({
          name: String(head),
          type: numbers ? 'number' : 'string',
          values: others.map((f) => f.values[i] ?? null),
        }),
      ),
    ],
  };
}
