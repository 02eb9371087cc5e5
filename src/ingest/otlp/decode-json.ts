/**
 * ExportMetricsServiceRequest from OTLP/JSON: lowerCamelCase names, 64-bit integers as strings or numbers, ids in
 * hexadecimal, enums as numbers, `NaN` and `Infinity` as strings. Unknown names are skipped, as the format asks.
 */
import { VigieError } from '../../lib/errors.ts';
import { nestsDeeperThan } from '../../lib/nesting.ts';
import {
  type AttributePair,
  attributeText,
  type OtlpData,
  type OtlpExemplar,
  type OtlpMetricsRequest,
  POINTS_MAX,
  TEMPORALITIES,
  type Temporality,
  VALUE_DEPTH_MAX,
} from './model.ts';

type Json = Record<string, unknown>;

/** Throws `bad_data` naming the path. */
export function decodeMetricsJson(body: Uint8Array): OtlpMetricsRequest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new VigieError('bad_data', `the body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  let points = 0;
  const root = object(value, 'body');
  return list(root, 'resourceMetrics', '').map(([r, at]) => ({
    attributes: attributes(optional(r, 'resource', at), 'attributes', `${at}.resource`),
    scopes: list(r, 'scopeMetrics', at).map(([s, sAt]) => {
      const scope = optional(s, 'scope', sAt);
      return {
        name: text(scope, 'name', sAt),
        version: text(scope, 'version', sAt),
        schemaUrl: text(s, 'schemaUrl', sAt),
        attributes: attributes(scope, 'attributes', `${sAt}.scope`),
        metrics: list(s, 'metrics', sAt).map(([m, mAt]) => {
          const data = metricData(m, mAt);
          points += data.points.length;
          if (points > POINTS_MAX) throw new VigieError('bad_data', `${mAt}: more than ${POINTS_MAX} data points`);
          return {
            name: text(m, 'name', mAt),
            description: text(m, 'description', mAt),
            unit: text(m, 'unit', mAt),
            data,
          };
        }),
      };
    }),
  }));
}

function metricData(m: Json, at: string): OtlpData {
  const of = (name: string): [Json, [Json, string][]] | undefined => {
    if (m[name] === undefined || m[name] === null) return undefined;
    const o = object(m[name], `${at}.${name}`);
    return [o, list(o, 'dataPoints', `${at}.${name}`)];
  };
  const gauge = of('gauge');
  if (gauge) return { kind: 'gauge', points: gauge[1].map(numberPoint) };
  const sum = of('sum');
  if (sum)
    return {
      kind: 'sum',
      points: sum[1].map(numberPoint),
      temporality: temporality(sum[0], at),
      monotonic: sum[0]['isMonotonic'] === true,
    };
  const histogram = of('histogram');
  if (histogram)
    return {
      kind: 'histogram',
      temporality: temporality(histogram[0], at),
      points: histogram[1].map(([p, pAt]) => ({
        ...common(p, pAt),
        count: number(p, 'count', pAt),
        sum: p['sum'] === undefined ? undefined : number(p, 'sum', pAt),
        bounds: numbers(p, 'explicitBounds', pAt),
        bucketCounts: numbers(p, 'bucketCounts', pAt),
      })),
    };
  const exponential = of('exponentialHistogram');
  if (exponential)
    return {
      kind: 'exponential',
      temporality: temporality(exponential[0], at),
      points: exponential[1].map(([p, pAt]) => ({
        ...common(p, pAt),
        count: number(p, 'count', pAt),
        sum: p['sum'] === undefined ? undefined : number(p, 'sum', pAt),
        scale: number(p, 'scale', pAt),
        zeroCount: number(p, 'zeroCount', pAt),
        zeroThreshold: number(p, 'zeroThreshold', pAt),
        positive: buckets(p, 'positive', pAt),
        negative: buckets(p, 'negative', pAt),
      })),
    };
  const summary = of('summary');
  if (summary)
    return {
      kind: 'summary',
      points: summary[1].map(([p, pAt]) => ({
        ...common(p, pAt),
        count: number(p, 'count', pAt),
        sum: number(p, 'sum', pAt),
        quantiles: list(p, 'quantileValues', pAt).map(
          ([q, qAt]) => [number(q, 'quantile', qAt), number(q, 'value', qAt)] as const,
        ),
      })),
    };
  return { kind: 'empty', points: [] };
}

const numberPoint = ([p, at]: [Json, string]) => ({
  ...common(p, at),
  value: p['asInt'] !== undefined ? number(p, 'asInt', at) : number(p, 'asDouble', at),
});

function buckets(p: Json, name: string, at: string): { offset: number; counts: number[] } {
  const b = optional(p, name, at);
  return { offset: number(b, 'offset', `${at}.${name}`), counts: numbers(b, 'bucketCounts', `${at}.${name}`) };
}

function common(p: Json, at: string) {
  return {
    attributes: attributes(p, 'attributes', at),
    timestampMs: nanos(p, 'timeUnixNano', at),
    noValue: number(p, 'flags', at) % 2 === 1,
    exemplars: list(p, 'exemplars', at).map(
      ([e, eAt]): OtlpExemplar => ({
        attributes: attributes(e, 'filteredAttributes', eAt),
        timestampMs: nanos(e, 'timeUnixNano', eAt),
        value: e['asInt'] !== undefined ? number(e, 'asInt', eAt) : number(e, 'asDouble', eAt),
        traceId: text(e, 'traceId', eAt).toLowerCase(),
        spanId: text(e, 'spanId', eAt).toLowerCase(),
      }),
    ),
  };
}

function temporality(o: Json, at: string): Temporality {
  const v = o['aggregationTemporality'];
  const names = [
    'AGGREGATION_TEMPORALITY_UNSPECIFIED',
    'AGGREGATION_TEMPORALITY_DELTA',
    'AGGREGATION_TEMPORALITY_CUMULATIVE',
  ];
  const index = typeof v === 'string' ? names.indexOf(v) : (v ?? 0);
  return TEMPORALITIES[index as number] ?? fail(`${at}.aggregationTemporality`, v, 'a temporality');
}

function attributes(o: Json, name: string, at: string): AttributePair[] {
  return list(o, name, at).map(([a, aAt]) => [
    text(a, 'key', aAt),
    attributeText(anyValue(a['value'], `${aAt}.value`, 0)),
  ]);
}

function anyValue(value: unknown, at: string, depth: number): unknown {
  if (value === undefined || value === null) return '';
  if (depth > VALUE_DEPTH_MAX) return fail(at, 'deeper nesting', `at most ${VALUE_DEPTH_MAX} levels`);
  const v = object(value, at);
  if (v['stringValue'] !== undefined) return text(v, 'stringValue', at);
  if (v['boolValue'] !== undefined) return v['boolValue'] === true;
  if (v['intValue'] !== undefined) return integer(v['intValue'], `${at}.intValue`);
  if (v['doubleValue'] !== undefined) return number(v, 'doubleValue', at);
  if (v['bytesValue'] !== undefined) return text(v, 'bytesValue', at);
  if (v['arrayValue'] !== undefined)
    return list(object(v['arrayValue'], at), 'values', `${at}.arrayValue`).map(([x, xAt]) =>
      anyValue(x, xAt, depth + 1),
    );
  if (v['kvlistValue'] !== undefined)
    return Object.fromEntries(
      list(object(v['kvlistValue'], at), 'values', `${at}.kvlistValue`)
        .map(([x, xAt]): [string, unknown] => [text(x, 'key', xAt), anyValue(x['value'], xAt, depth + 1)])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  return '';
}

function integer(v: unknown, at: string): number | bigint {
  if (typeof v === 'number' && Number.isInteger(v)) return v;
  if (typeof v === 'string' && /^-?\d{1,20}$/.test(v)) return Number.isSafeInteger(Number(v)) ? Number(v) : BigInt(v);
  return fail(at, v, 'a whole number');
}

function nanos(o: Json, name: string, at: string): number {
  const v = o[name] ?? 0;
  if ((typeof v === 'string' && /^\d{1,20}$/.test(v)) || (typeof v === 'number' && v >= 0 && Number.isInteger(v)))
    return Number(BigInt(v) / 1_000_000n);
  return fail(`${at}.${name}`, v, 'nanoseconds as a string of digits');
}

function number(o: Json, name: string, at: string): number {
  const v = o[name];
  if (v === undefined || v === null) return 0;
  return toNumber(v, `${at}.${name}`);
}

function toNumber(v: unknown, at: string): number {
  if (typeof v === 'number') return v;
  if (typeof v === 'string') {
    if (v === 'NaN') return Number.NaN;
    const n = v.trim() === '' ? Number.NaN : Number(v);
    if (!Number.isNaN(n)) return n;
  }
  return fail(at, v, 'a number');
}

function numbers(o: Json, name: string, at: string): number[] {
  const v = o[name];
  if (v === undefined || v === null) return [];
  if (!Array.isArray(v)) return fail(`${at}.${name}`, v, 'a list of numbers');
  return v.map((x, i) => toNumber(x, `${at}.${name}[${i}]`));
}

function text(o: Json, name: string, at: string): string {
  const v = o[name];
  if (v === undefined || v === null) return '';
  return typeof v === 'string' ? v : fail(`${at}.${name}`, v, 'a string');
}

function optional(o: Json, name: string, at: string): Json {
  return o[name] === undefined || o[name] === null ? {} : object(o[name], `${at}.${name}`);
}

function object(v: unknown, at: string): Json {
  return typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Json) : fail(at, v, 'an object');
}

function list(o: Json, name: string, at: string): [Json, string][] {
  const v = o[name];
  const path = at === '' ? name : `${at}.${name}`;
  if (v === undefined || v === null) return [];
  if (!Array.isArray(v)) return fail(path, v, 'a list');
  return v.map((x, i) => [object(x, `${path}[${i}]`), `${path}[${i}]`]);
}

function fail(at: string, got: unknown, wanted: string): never {
  // not all of it is written: it may be large or nest without end
  const shown = nestsDeeperThan(got, 8) ? 'something deeply nested' : (JSON.stringify(got) ?? 'nothing').slice(0, 80);
  throw new VigieError('bad_data', `${at}: got ${shown}, want ${wanted}`);
}
