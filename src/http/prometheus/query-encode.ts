/**
 * Query results as Prometheus' JSON, built as strings: values are quoted, times are seconds with up to three decimals.
 * Large answers come in pieces so that no single string grows beyond reason.
 */
import type { NativeHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { QueryResult, QueryValue } from '../../promql/engine.ts';
import { boundaryRule } from '../../promql/histogram-text.ts';
import { formatValue } from '../../promql/literal.ts';
import { bucketsOf } from '../../promql/native-histogram.ts';

/** Characters per piece of a streamed answer. */
export const PIECE_CHARS = 256 * 1024;

/** Milliseconds as Prometheus' JSON writes them: `1700000000.123`, no decimals when whole. */
export function timeText(ms: number): string {
  const rounded = Math.round(ms);
  const fraction = Math.abs(rounded % 1000);
  if (fraction === 0) return String(rounded / 1000);
  const sign = rounded < 0 ? '-' : '';
  return `${sign}${Math.floor(Math.abs(rounded) / 1000)}.${String(fraction).padStart(3, '0')}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON as Prometheus writes all but label sets: also safe inside HTML. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => ESCAPES[c]!);
}

const labelCache = new WeakMap<Labels, string>();

export function labelsJson(labels: Labels): string {
  let text = labelCache.get(labels);
  if (text !== undefined) return text;
  const f = labels.flat;
  text = '{';
  for (let i = 0; i < f.length; i += 2)
    text += `${i > 0 ? ',' : ''}${JSON.stringify(f[i])}:${JSON.stringify(f[i + 1])}`;
  text += '}';
  labelCache.set(labels, text);
  return text;
}

/** `{"count","sum","buckets":[[boundary rule, lower, upper, count], ...]}`; empty buckets are left out. */
export function histogramJson(h: NativeHistogram): string {
  let out = `{"count":"${formatValue(h.count)}","sum":"${formatValue(h.sum)}"`;
  const parts: string[] = [];
  for (const b of bucketsOf(h)) {
    if (b.count === 0) continue;
    // 0: open left, 1: open right, 3: closed both
    const rule = boundaryRule(h, b);
    parts.push(`[${rule},"${formatValue(b.lower)}","${formatValue(b.upper)}","${formatValue(b.count)}"]`);
  }
  if (parts.length > 0) out += `,"buckets":[${parts.join(',')}]`;
  return `${out}}`;
}

/** The whole success answer of a query in pieces. `limit` > 0 cuts the series, which the caller has said in a warning. */
export function* encodeQueryResult(
  result: QueryResult,
  limit: number,
  statsJson: string | undefined,
): Generator<string> {
  const v = result.value;
  const resultType = v.type;
  let piece = `{"status":"success","data":{"resultType":"${resultType}","result":`;
  if (v.type === 'scalar') piece += `[${timeText(v.timestampMs)},"${formatValue(v.value)}"]`;
  else if (v.type === 'string') piece += `[${timeText(v.timestampMs)},${jsonText(v.value)}]`;
  else {
    piece += '[';
    let first = true;
    for (const item of items(v, limit)) {
      piece += first ? item : `,${item}`;
      first = false;
      if (piece.length > PIECE_CHARS) {
        yield piece;
        piece = '';
      }
    }
    piece += ']';
  }
  if (statsJson !== undefined) piece += `,"stats":${statsJson}`;
  piece += '}';
  const warnings = cut(v, limit) ? [...result.warnings, 'results truncated due to limit'] : result.warnings;
  if (warnings.length > 0) piece += `,"warnings":${jsonText(warnings)}`;
  if (result.infos.length > 0) piece += `,"infos":${jsonText(result.infos)}`;
  yield `${piece}}`;
}

function cut(v: QueryValue, limit: number): boolean {
  if (limit <= 0) return false;
  return v.type === 'vector' ? v.samples.length > limit : v.type === 'matrix' ? v.series.length > limit : false;
}

function* items(v: Extract<QueryValue, { type: 'vector' | 'matrix' }>, limit: number): Generator<string> {
  if (v.type === 'vector') {
    const n = limit > 0 ? Math.min(limit, v.samples.length) : v.samples.length;
    for (let i = 0; i < n; i++) {
      const s = v.samples[i]!;
      yield s.histogram
        ? `{"metric":${labelsJson(s.labels)},"histogram":[${timeText(s.timestampMs)},${histogramJson(s.histogram)}]}`
        : `{"metric":${labelsJson(s.labels)},"value":[${timeText(s.timestampMs)},"${formatValue(s.value)}"]}`;
    }
    return;
  }
  const n = limit > 0 ? Math.min(limit, v.series.length) : v.series.length;
  for (let k = 0; k < n; k++) {
    const s = v.series[k]!;
    let values = '';
    let histograms = '';
    for (let i = 0; i < s.length; i++) {
      const h = s.histograms?.[i];
      if (h) histograms += `${histograms ? ',' : ''}[${timeText(s.timestamps[i]!)},${histogramJson(h)}]`;
      else values += `${values ? ',' : ''}[${timeText(s.timestamps[i]!)},"${formatValue(s.values[i]!)}"]`;
    }
    yield `{"metric":${labelsJson(s.labels)}${values ? `,"values":[${values}]` : ''}${histograms ? `,"histograms":[${histograms}]` : ''}}`;
  }
}
