/**
 * The notation of rule tests for series and their values: `1 2 _ 3+1x4 stale {{schema:0 count:3 sum:2 buckets:[1 2]}}x2`.
 * As Prometheus' series descriptions; native histograms included.
 */
import { VigieError } from '../../lib/errors.ts';
import type { BucketSpan, CounterResetHint, NativeHistogram } from '../../model/histogram.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import { parseNumber, unquote } from '../../promql/literal.ts';
import { addHistograms } from '../../promql/native-histogram.ts';

/** Values one description may expand to. */
export const VALUES_MAX = 10_000_000;

export type SeriesValue = number | 'stale' | undefined | NativeHistogram;

const bad = (what: string): VigieError => new VigieError('bad_data', what);

/** Labels of `name{a="b"}`, `{a="b"}` or `{"quoted.name", a="b"}`. Throws `bad_data`. */
export function parseMetric(text: string): Labels {
  const t = text.trim();
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?$/s.exec(t);
  if (!head || t === '') throw bad(`not a metric: ${text}`);
  const pairs: [string, string][] = [];
  const seen = new Set<string>();
  const put = (name: string, value: string): void => {
    if (seen.has(name)) throw bad(`label ${JSON.stringify(name)} is given twice in ${text}`);
    seen.add(name);
    pairs.push([name, value]);
  };
  if (head[1]) put(METRIC_NAME, head[1]);
  let rest = (head[2] ?? '').trim();
  const string = /^(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)/s;
  const take = (): string => {
    const m = string.exec(rest);
    if (!m) throw bad(`want a quoted string at ${JSON.stringify(rest.slice(0, 40))} in ${text}`);
    const value = unquote(m[0]);
    if ('error' in value) throw bad(`${value.error} in ${text}`);
    rest = rest.slice(m[0].length).trimStart();
    return value.value;
  };
  while (rest !== '') {
    const plain = /^[a-zA-Z_][a-zA-Z0-9_]*/.exec(rest);
    let name: string;
    if (plain) {
      name = plain[0];
      rest = rest.slice(name.length).trimStart();
    } else name = take();
    if (rest.startsWith('=')) {
      rest = rest.slice(1).trimStart();
      put(name, take());
    } else if (!plain) put(METRIC_NAME, name);
    else throw bad(`want "=" after ${name} in ${text}`);
    if (rest === '') break;
    if (!rest.startsWith(',')) throw bad(`want "," or "}" at ${JSON.stringify(rest.slice(0, 40))} in ${text}`);
    rest = rest.slice(1).trimStart();
  }
  return Labels.fromPairs(pairs);
}

const NUMBER = String.raw`(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[iI][nN][fF]|[nN][aA][nN])`;
const ITEM = new RegExp(`^([+-]?${NUMBER}|stale)(?:([+-]${NUMBER})?x([0-9]+))?$`);

/** The values, one per interval; undefined is a gap. Throws `bad_data`. */
export function parseValues(text: string): SeriesValue[] {
  const out: SeriesValue[] = [];
  const push = (value: SeriesValue): void => {
    if (out.length >= VALUES_MAX) throw bad(`more than ${VALUES_MAX} values in one series`);
    out.push(value);
  };
  for (const item of items(text)) {
    const gap = /^_(?:x([0-9]+))?$/.exec(item);
    if (gap) {
      const n = gap[1] === undefined ? 1 : count(gap[1]);
      for (let i = 0; i < n; i++) push(undefined);
      continue;
    }
    if (item.startsWith('{{')) {
      histogramItem(item, push);
      continue;
    }
    const m = ITEM.exec(item);
    if (!m) throw bad(`not a value or sequence: ${JSON.stringify(item.slice(0, 80))}`);
    const times = m[3] === undefined ? 0 : count(m[3]);
    if (m[1] === 'stale') {
      if (m[2] !== undefined) throw bad(`stale cannot be added to: ${item}`);
      for (let i = 0; i <= times; i++) push('stale');
      continue;
    }
    let value = number(m[1]!);
    const step = m[2] === undefined ? 0 : number(m[2]);
    for (let i = 0; i <= times; i++) {
      push(value);
      // added up one by one, for the rounding that Prometheus has
      if (m[2] !== undefined) value += step;
    }
  }
  return out;
}

function count(text: string): number {
  const n = Number(text);
  if (n > VALUES_MAX) throw bad(`a sequence of ${text} values; at most ${VALUES_MAX} are made`);
  return n;
}

function number(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const parsed = parseNumber(text.replace(/^[+-]/, ''));
  if (!parsed || parsed.duration) throw bad(`not a number: ${text}`);
  return sign * parsed.value;
}

/** Splits at white space outside of `{{...}}`. */
function items(text: string): string[] {
  const out: string[] = [];
  let rest = text.trim();
  while (rest !== '') {
    let end = 0;
    while (end < rest.length && !/\s/.test(rest[end]!)) {
      if (rest.startsWith('{{', end)) {
        const close = rest.indexOf('}}', end);
        if (close < 0) throw bad('a histogram description without its closing }}');
        end = close + 2;
      } else end++;
    }
    out.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return out;
}

function histogramItem(item: string, push: (value: SeriesValue) => void): void {
  const m = /^(\{\{.*?\}\})(?:([+-])(\{\{.*?\}\}))?(?:x([0-9]+))?$/s.exec(item);
  if (!m || (m[3] !== undefined && m[4] === undefined))
    throw bad(`not a histogram value or sequence: ${item.slice(0, 80)}`);
  let h = parseHistogram(m[1]!);
  const step = m[3] === undefined ? undefined : parseHistogram(m[3]);
  const times = m[4] === undefined ? 0 : count(m[4]);
  for (let i = 0; i <= times; i++) {
    push(h);
    if (!step || i === times) continue;
    const next = addHistograms(h, step, m[2] === '-' ? -1 : 1);
    if (!next) throw bad(`histograms of different kinds cannot be added: ${item.slice(0, 80)}`);
    h = next;
  }
}

const HISTOGRAM_KEYS =
  /^(schema|sum|count|z_bucket_w|z_bucket|n_buckets|n_offset|buckets|offset|custom_values|counter_reset_hint):(\[[^\]]*\]|[^\s\]]+)\s*/;

/** A native histogram from `{{schema:1 count:3 sum:2 z_bucket:1 buckets:[1 1] offset:-1}}`. Throws `bad_data`. */
export function parseHistogram(text: string): NativeHistogram {
  let rest = text
    .trim()
    .replace(/^\{\{\s*/, '')
    .replace(/\}\}$/, '');
  const fields = new Map<string, string>();
  while (rest !== '') {
    const m = HISTOGRAM_KEYS.exec(rest);
    if (!m) throw bad(`bad histogram descriptor at ${JSON.stringify(rest.slice(0, 40))}`);
    if (fields.has(m[1]!)) throw bad(`duplicate key ${m[1]} in a histogram`);
    fields.set(m[1]!, m[2]!);
    rest = rest.slice(m[0].length);
  }
  const value = (key: string): number => (fields.has(key) ? number(fields.get(key)!) : 0);
  const list = (key: string): number[] =>
    (fields.get(key) ?? '')
      .replace(/^\[|\]$/g, '')
      .split(/\s+/)
      .filter((x) => x !== '')
      .map(number);
  const hint = (fields.get('counter_reset_hint') ?? 'unknown') as CounterResetHint;
  if (!['unknown', 'reset', 'not_reset', 'gauge'].includes(hint)) throw bad(`bad counter_reset_hint ${hint}`);
  const spans = (offset: number, n: number): BucketSpan[] => (n === 0 ? [] : [{ offset, length: n }]);
  const positive = list('buckets');
  const negative = list('n_buckets');
  return {
    schema: value('schema'),
    zeroThreshold: value('z_bucket_w'),
    zeroCount: value('z_bucket'),
    count: value('count'),
    sum: value('sum'),
    positiveSpans: spans(value('offset'), positive.length),
    positiveBuckets: positive,
    negativeSpans: spans(value('n_offset'), negative.length),
    negativeBuckets: negative,
    ...(fields.has('custom_values') && { customValues: list('custom_values') }),
    counterResetHint: hint,
  };
}
