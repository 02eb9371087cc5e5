/** ExportMetricsServiceRequest from protobuf bytes (opentelemetry-proto 1.x). Unknown fields are skipped, as the format asks. */
import {
  type AttributePair,
  attributeText,
  type ExponentialPoint,
  type HistogramPoint,
  type NumberPoint,
  type OtlpData,
  type OtlpExemplar,
  type OtlpMetric,
  type OtlpMetricsRequest,
  type OtlpResource,
  type OtlpScope,
  POINTS_MAX,
  type SummaryPoint,
  TEMPORALITIES,
  VALUE_DEPTH_MAX,
} from './model.ts';
import { FIXED64, Wire } from './wire.ts';

/** Throws `bad_data` with the byte position. */
export function decodeMetricsProtobuf(body: Uint8Array): OtlpMetricsRequest {
  const w = new Wire(body);
  const counter = { points: 0 };
  const out: OtlpResource[] = [];
  for (let f = w.field(); f !== 0; f = w.field()) {
    if (f === 1) out.push(resource(w, counter));
    else w.skip();
  }
  return out;
}

function resource(w: Wire, counter: { points: number }): OtlpResource {
  const attributes: AttributePair[] = [];
  const scopes: OtlpScope[] = [];
  w.message((f) => {
    if (f === 1) w.message((g) => (g === 1 ? void attributes.push(keyValue(w)) : w.skip()));
    else if (f === 2) scopes.push(scope(w, counter));
    else w.skip();
  });
  return { attributes, scopes };
}

function scope(w: Wire, counter: { points: number }): OtlpScope {
  const s = { name: '', version: '', schemaUrl: '' };
  const attributes: AttributePair[] = [];
  const metrics: OtlpMetric[] = [];
  w.message((f) => {
    if (f === 1)
      w.message((g) => {
        if (g === 1) s.name = w.string();
        else if (g === 2) s.version = w.string();
        else if (g === 3) attributes.push(keyValue(w));
        else w.skip();
      });
    else if (f === 2) metrics.push(metric(w, counter));
    else if (f === 3) s.schemaUrl = w.string();
    else w.skip();
  });
  return { ...s, attributes, metrics };
}

function metric(w: Wire, counter: { points: number }): OtlpMetric {
  const m = { name: '', description: '', unit: '' };
  let data: OtlpData = { kind: 'empty', points: [] };
  w.message((f) => {
    if (f === 1) m.name = w.string();
    else if (f === 2) m.description = w.string();
    else if (f === 3) m.unit = w.string();
    else if (f === 5) data = { kind: 'gauge', ...series(w, counter, numberPoint) };
    else if (f === 7) data = { kind: 'sum', ...series(w, counter, numberPoint) };
    else if (f === 9) data = { kind: 'histogram', ...series(w, counter, histogramPoint) };
    else if (f === 10) data = { kind: 'exponential', ...series(w, counter, exponentialPoint) };
    else if (f === 11) data = { kind: 'summary', ...series(w, counter, summaryPoint) };
    else w.skip();
  });
  return { ...m, data };
}

function series<P>(w: Wire, counter: { points: number }, read: (w: Wire) => P) {
  const points: P[] = [];
  let temporality = 0;
  let monotonic = false;
  w.message((f) => {
    if (f === 1) {
      if (++counter.points > POINTS_MAX) w.fail(`more than ${POINTS_MAX} data points`);
      points.push(read(w));
    } else if (f === 2) temporality = w.varint();
    else if (f === 3) monotonic = w.varint() !== 0;
    else w.skip();
  });
  return { points, temporality: TEMPORALITIES[temporality] ?? 'unspecified', monotonic };
}

function numberPoint(w: Wire): NumberPoint {
  const p = { timestampMs: 0, value: 0, noValue: false };
  const attributes: AttributePair[] = [];
  const exemplars: OtlpExemplar[] = [];
  w.message((f) => {
    if (f === 7) attributes.push(keyValue(w));
    else if (f === 3) p.timestampMs = w.nanosToMs();
    else if (f === 4) p.value = w.double();
    else if (f === 6) p.value = w.sfixed64();
    else if (f === 5) exemplars.push(exemplar(w));
    else if (f === 8) p.noValue = w.varint() % 2 === 1;
    else w.skip();
  });
  return { ...p, attributes, exemplars };
}

function histogramPoint(w: Wire): HistogramPoint {
  const p = { timestampMs: 0, count: 0, sum: undefined as number | undefined, noValue: false };
  const attributes: AttributePair[] = [];
  const exemplars: OtlpExemplar[] = [];
  const bounds: number[] = [];
  const bucketCounts: number[] = [];
  w.message((f) => {
    if (f === 9) attributes.push(keyValue(w));
    else if (f === 3) p.timestampMs = w.nanosToMs();
    else if (f === 4) p.count = w.fixed64();
    else if (f === 5) p.sum = w.double();
    else if (f === 6) w.repeated(() => (w.type === FIXED64 || w.type === 2 ? w.fixed64() : w.varint()), bucketCounts);
    else if (f === 7) w.repeated(() => w.double(), bounds);
    else if (f === 8) exemplars.push(exemplar(w));
    else if (f === 10) p.noValue = w.varint() % 2 === 1;
    else w.skip();
  });
  return { ...p, attributes, exemplars, bounds, bucketCounts };
}

function exponentialPoint(w: Wire): ExponentialPoint {
  const p = {
    timestampMs: 0,
    count: 0,
    sum: undefined as number | undefined,
    scale: 0,
    zeroCount: 0,
    zeroThreshold: 0,
    noValue: false,
  };
  const attributes: AttributePair[] = [];
  const exemplars: OtlpExemplar[] = [];
  let positive = { offset: 0, counts: [] as number[] };
  let negative = positive;
  w.message((f) => {
    if (f === 1) attributes.push(keyValue(w));
    else if (f === 3) p.timestampMs = w.nanosToMs();
    else if (f === 4) p.count = w.fixed64();
    else if (f === 5) p.sum = w.double();
    else if (f === 6) p.scale = w.zigzag();
    else if (f === 7) p.zeroCount = w.fixed64();
    else if (f === 8) positive = buckets(w);
    else if (f === 9) negative = buckets(w);
    else if (f === 10) p.noValue = w.varint() % 2 === 1;
    else if (f === 11) exemplars.push(exemplar(w));
    else if (f === 14) p.zeroThreshold = w.double();
    else w.skip();
  });
  return { ...p, attributes, exemplars, positive, negative };
}

function buckets(w: Wire): { offset: number; counts: number[] } {
  const out = { offset: 0, counts: [] as number[] };
  w.message((f) => {
    if (f === 1) out.offset = w.zigzag();
    else if (f === 2) w.repeated(() => w.varint(), out.counts);
    else w.skip();
  });
  return out;
}

function summaryPoint(w: Wire): SummaryPoint {
  const p = { timestampMs: 0, count: 0, sum: 0, noValue: false };
  const attributes: AttributePair[] = [];
  const quantiles: [number, number][] = [];
  w.message((f) => {
    if (f === 7) attributes.push(keyValue(w));
    else if (f === 3) p.timestampMs = w.nanosToMs();
    else if (f === 4) p.count = w.fixed64();
    else if (f === 5) p.sum = w.double();
    else if (f === 6) {
      const q: [number, number] = [0, 0];
      w.message((g) => {
        if (g === 1) q[0] = w.double();
        else if (g === 2) q[1] = w.double();
        else w.skip();
      });
      quantiles.push(q);
    } else if (f === 8) p.noValue = w.varint() % 2 === 1;
    else w.skip();
  });
  return { ...p, attributes, quantiles, exemplars: [] };
}

function exemplar(w: Wire): OtlpExemplar {
  const e = { timestampMs: 0, value: 0, traceId: '', spanId: '' };
  const attributes: AttributePair[] = [];
  w.message((f) => {
    if (f === 7) attributes.push(keyValue(w));
    else if (f === 2) e.timestampMs = w.nanosToMs();
    else if (f === 3) e.value = w.double();
    else if (f === 6) e.value = w.sfixed64();
    else if (f === 4) e.spanId = hex(w);
    else if (f === 5) e.traceId = hex(w);
    else w.skip();
  });
  return { ...e, attributes };
}

function bytes(w: Wire): Buffer {
  const n = w.length();
  const out = Buffer.from(w.b.buffer, w.b.byteOffset + w.pos, n);
  w.pos += n;
  return out;
}
const hex = (w: Wire): string => bytes(w).toString('hex');

/** A KeyValue; the value as text. */
export function keyValue(w: Wire): AttributePair {
  const [name, value] = rawKeyValue(w, 0);
  return [name, attributeText(value)];
}

function rawKeyValue(w: Wire, depth: number): [string, unknown] {
  let name = '';
  let value: unknown = '';
  w.message((f) => {
    if (f === 1) name = w.string();
    else if (f === 2) value = anyValue(w, depth);
    else w.skip();
  });
  return [name, value];
}

function anyValue(w: Wire, depth: number): unknown {
  if (depth > VALUE_DEPTH_MAX) w.fail(`attribute values nested deeper than ${VALUE_DEPTH_MAX}`);
  let value: unknown = '';
  w.message((f) => {
    if (f === 1) value = w.string();
    else if (f === 2) value = w.varint() !== 0;
    else if (f === 3) value = int64(w);
    else if (f === 4) value = w.double();
    else if (f === 5) {
      const list: unknown[] = [];
      w.message((g) => (g === 1 ? void list.push(anyValue(w, depth + 1)) : w.skip()));
      value = list;
    } else if (f === 6) {
      const map = new Map<string, unknown>();
      w.message((g) => (g === 1 ? void map.set(...rawKeyValue(w, depth + 1)) : w.skip()));
      value = Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
    } else if (f === 7) value = bytes(w).toString('base64');
    else w.skip();
  });
  return value;
}

/** Exact: identifiers beyond 2^53 must not change. */
function int64(w: Wire): number | bigint {
  const start = w.pos;
  const v = w.varint();
  if (v <= Number.MAX_SAFE_INTEGER) return v;
  let big = 0n;
  for (let i = start, shift = 0n; i < w.pos; i++, shift += 7n) big |= BigInt(w.b[i]! & 127) << shift;
  return BigInt.asIntN(64, big);
}
