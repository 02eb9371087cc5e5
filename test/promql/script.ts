/**
 * A small script language for PromQL cases, so that they outlive the engine; the same script runs against this engine
 * and against a real Prometheus (`ScriptTarget`).
 *   load 1m            then indented `series value value ...`
 *                      values: 5, NaN, `_` gap, `_xN` gaps, `stale`, `a+bxN` sequence of N+1, `axN` the same N+1 times,
 *                      `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}` native histogram, also followed by xN
 *   eval instant at 5m QUERY    then indented `labels value` lines, or a scalar or string alone
 *                               a range vector's values carry their seconds: `3@120`
 *   eval range from 0 to 5m step 1m QUERY
 *   below an eval: `info TEXT`, `warn TEXT` (all annotations, whole texts), `error TEXT` (part of the message),
 *   `ordered` (the order of the lines counts), `since VERSION SOURCE` (the answer is of that Prometheus release and
 *   documented in SOURCE; older peers are not asked)
 *   clear
 */
import { parseDuration } from '../../src/model/duration.ts';
import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../../src/model/histogram.ts';
import { Labels } from '../../src/model/labels.ts';
import { type SeriesColumns, setStale } from '../../src/model/sample.ts';
import { formatValue, parseNumber } from '../../src/promql/literal.ts';
import { parse } from '../../src/promql/parse.ts';
import { type Answer, type Canonical, difference, histogramText, keyOf } from './answer.ts';

/** What a script is run against. */
export interface ScriptTarget {
  /** Drops all data. */
  clear(): Promise<void>;
  load(series: readonly SeriesColumns[]): Promise<void>;
  instant(query: string, timeMs: number): Promise<Answer>;
  range(query: string, range: ScriptRange): Promise<Answer>;
  /** Is a case of this release asked? */
  knows(version: string): boolean;
}

export interface ScriptRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export interface ScriptReport {
  /** Queries asked, with the series they could see. */
  readonly asked: readonly { readonly query: string; readonly series: readonly SeriesColumns[] }[];
  readonly skipped: number;
  /** One text per case that did not come out as written. */
  readonly problems: readonly string[];
}

export function labelsOf(text: string): Labels {
  if (text === '{}') return Labels.EMPTY;
  const e = parse(text);
  if (e.kind !== 'selector') throw new Error(`not a series: ${text}`);
  return Labels.fromPairs(e.matchers.map((m) => [m.name, m.value]));
}

/** Splits `name{a="b"} rest` behind the labels, whatever they quote. */
export function cutSeries(line: string): [string, string] {
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) return [line.slice(0, i + 1), line.slice(i + 1).trim()];
    else if (c === ' ' && depth === 0) return [line.slice(0, i), line.slice(i + 1).trim()];
  }
  return ['', line];
}

function spans(list: readonly number[], offset: number): Pick<NativeHistogram, 'positiveSpans' | 'positiveBuckets'> {
  return list.length === 0
    ? { positiveSpans: [], positiveBuckets: [] }
    : { positiveSpans: [{ offset, length: list.length }], positiveBuckets: list };
}

/** A histogram written `{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.001 buckets:[1 2] offset:0 n_buckets:[1]}}`. */
export function histogramOf(text: string): NativeHistogram {
  const inner = text.slice(2, -2).trim();
  const fields = new Map<string, string>();
  for (const m of inner.matchAll(/(\w+):(\[[^\]]*\]|\S+)/g)) fields.set(m[1]!, m[2]!);
  const number = (name: string): number => (fields.has(name) ? parseNumber(fields.get(name)!)!.value : 0);
  const list = (name: string): number[] =>
    (fields.get(name) ?? '[]')
      .slice(1, -1)
      .split(' ')
      .filter((x) => x !== '')
      .map((x) => parseNumber(x)!.value);
  const schema = number('schema');
  const positive = spans(list('buckets'), number('offset'));
  const negative = spans(list('n_buckets'), number('n_offset'));
  return {
    schema,
    sum: number('sum'),
    count: number('count'),
    zeroCount: number('z_bucket'),
    zeroThreshold: number('z_bucket_w'),
    ...positive,
    negativeSpans: negative.positiveSpans,
    negativeBuckets: negative.positiveBuckets,
    ...(schema === CUSTOM_BUCKETS_SCHEMA && { customValues: list('custom_values') }),
    counterResetHint: (fields.get('counter_reset_hint') ?? 'unknown') as CounterResetHint,
  };
}

type ScriptValue = number | 'stale' | undefined | NativeHistogram;

export function scriptValues(text: string): ScriptValue[] {
  const out: ScriptValue[] = [];
  for (const word of text.match(/\{\{[^}]*\}\}(?:x\d+)?|\S+/g) ?? []) {
    const many = /^(\{\{[^}]*\}\}|[^x]+?)x(\d+)$/.exec(word);
    const body = many ? many[1]! : word;
    const times = many ? Number(many[2]) : 0;
    const sequence = /^(-?[\d.e]+)([+-][\d.]+)$/.exec(body);
    if (body === '_') for (let i = 0; i < Math.max(1, times); i++) out.push(undefined);
    else if (body.startsWith('{{')) for (let i = 0; i <= times; i++) out.push(histogramOf(body));
    else if (sequence && many) for (let i = 0; i <= times; i++) out.push(Number(sequence[1]) + i * Number(sequence[2]));
    else for (let i = 0; i <= times; i++) out.push(body === 'stale' ? 'stale' : parseNumber(body)!.value);
  }
  return out;
}

export function loaded(stepMs: number, block: readonly string[]): SeriesColumns[] {
  return block.map((line) => {
    const [series, rest] = cutSeries(line);
    const list = scriptValues(rest);
    const length = list.filter((v) => v !== undefined).length;
    const timestamps = new Float64Array(length);
    const values = new Float64Array(length);
    const histograms = new Array<NativeHistogram | undefined>(length).fill(undefined);
    let k = 0;
    list.forEach((v, i) => {
      if (v === undefined) return;
      timestamps[k] = i * stepMs;
      if (v === 'stale') setStale(values, k);
      else if (typeof v === 'number') values[k] = v;
      else histograms[k] = v;
      k++;
    });
    return {
      labels: labelsOf(series),
      length,
      timestamps,
      values,
      ...(histograms.some((h) => h !== undefined) && { histograms }),
    };
  });
}

export const EVAL_LINE = /^eval (?:instant at (\S+)|range from (\S+) to (\S+) step (\S+)) (.*)$/;

/** Runs all cases; those that fail are told in the report, with their line. */
export async function runScript(script: string, target: ScriptTarget): Promise<ScriptReport> {
  const lines = script.split('\n');
  const asked: { query: string; series: readonly SeriesColumns[] }[] = [];
  const problems: string[] = [];
  let skipped = 0;
  let visible: SeriesColumns[] = [];
  let pending: SeriesColumns[] = [];
  for (let i = 0; i < lines.length; ) {
    const at = i + 1;
    const line = lines[i++]!;
    if (line.trim() === '' || line.startsWith('#')) continue;
    const block: string[] = [];
    while (i < lines.length && /^\s+\S/.test(lines[i]!)) {
      const inner = lines[i++]!.trim();
      if (!inner.startsWith('#')) block.push(inner);
    }
    if (line === 'clear') {
      await target.clear();
      visible = [];
      pending = [];
    } else if (line.startsWith('load ')) {
      const more = loaded(parseDuration(line.slice(5).trim()), block);
      visible = [...visible, ...more];
      pending.push(...more);
    } else {
      const m = EVAL_LINE.exec(line);
      if (!m) throw new Error(`line ${at}: not understood: ${line}`);
      if (pending.length > 0) {
        await target.load(pending);
        pending = [];
      }
      const query = m[5]!;
      const since = block.find((b) => b.startsWith('since '))?.split(' ')[1];
      if (since && !target.knows(since)) {
        skipped++;
        continue;
      }
      asked.push({ query, series: visible });
      const range: ScriptRange | undefined =
        m[1] === undefined
          ? { startMs: parseDuration(m[2]!), endMs: parseDuration(m[3]!), stepMs: parseDuration(m[4]!) }
          : undefined;
      const answer = range ? await target.range(query, range) : await target.instant(query, parseDuration(m[1]!));
      const problem = compare(answer, block, range, range ? 0 : parseDuration(m[1]!));
      if (problem) problems.push(`line ${at}: ${query}\n   ${problem}`);
    }
  }
  return { asked, skipped, problems };
}

function compare(
  answer: Answer,
  block: readonly string[],
  range: ScriptRange | undefined,
  timeMs: number,
): string | undefined {
  const texts = (kind: string): string[] =>
    block.filter((b) => b.startsWith(`${kind} `)).map((b) => b.slice(kind.length + 1));
  const wantedError = texts('error')[0];
  if (answer.error !== undefined)
    return wantedError !== undefined && (answer.errorType === 'peer' || answer.error.includes(wantedError))
      ? undefined
      : `failed with ${answer.error}`;
  if (wantedError !== undefined) return 'did not fail';
  for (const [kind, got] of [
    ['info', answer.infos],
    ['warn', answer.warnings],
  ] as const) {
    const wanted = texts(kind);
    if (JSON.stringify([...wanted].sort()) !== JSON.stringify([...got].sort()))
      return `${kind}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`;
  }
  const rows = block.filter((b) => !/^(?:info|warn|since) |^ordered$/.test(b));
  const wanted = wantedAnswer(rows, range, timeMs);
  const order = block.includes('ordered') ? orderOf(answer.data, wanted) : undefined;
  return order ?? difference(answer.data, wanted);
}

function orderOf(got: Canonical, wanted: Canonical): string | undefined {
  const a = JSON.stringify([...got.keys()]);
  const b = JSON.stringify([...wanted.keys()]);
  return a === b ? undefined : `order ${a}, wanted ${b}`;
}

function wantedAnswer(rows: readonly string[], range: ScriptRange | undefined, timeMs: number): Canonical {
  const out = new Map<string, (readonly [number, string])[]>();
  for (const row of rows) {
    const [series, rest] = cutSeries(row);
    if (series === '' || /^[-"\dNI+]/.test(row)) {
      const text = row.startsWith('"') ? (JSON.parse(row) as string) : row;
      const times = range ? stepsOf(range) : [timeMs];
      const list = row.startsWith('"') ? [text] : scriptValues(row).map((v) => formatValue(v as number));
      out.set(
        range ? keyOf({}) : '',
        list.map((v, i) => [times[i]! / 1000, v] as const),
      );
      continue;
    }
    const points: (readonly [number, string])[] = [];
    // a range vector at one instant: each value with its own time
    const timed = [...rest.matchAll(/(\{\{[^}]*\}\}|\S+)@([-\d.]+)/g)];
    if (timed.length > 0) {
      for (const [, value, seconds] of timed) {
        const v = scriptValues(value!)[0]!;
        points.push([Number(seconds), typeof v === 'object' ? histogramText(v) : formatValue(v as number)]);
      }
      out.set(keyOf(labelsOf(series).toObject()), points);
      continue;
    }
    scriptValues(rest).forEach((v, i) => {
      if (v === undefined || v === 'stale') return;
      const t = range ? range.startMs + i * range.stepMs : timeMs;
      points.push([t / 1000, typeof v === 'number' ? formatValue(v) : histogramText(v)]);
    });
    out.set(keyOf(labelsOf(series).toObject()), points);
  }
  return out;
}

function stepsOf(r: ScriptRange): number[] {
  const out: number[] = [];
  for (let t = r.startMs; t <= r.endMs; t += r.stepMs) out.push(t);
  return out;
}
