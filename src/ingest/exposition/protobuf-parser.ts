/**
 * The protobuf exposition (io.prometheus.client.MetricFamily, length-delimited), native histograms included. Series get
 * the same raw keys the text format would give them, so that a target may change its format without new series.
 */
import { VigieError } from '../../lib/errors.ts';
import type { ScrapedExemplar } from '../../model/exposition.ts';
import type { BucketSpan, NativeHistogram } from '../../model/histogram.ts';
import { isClassicLabelName, isClassicMetricName, Labels } from '../../model/labels.ts';
import type { MetricMetadata, MetricType } from '../../model/sample.ts';
import { Wire } from '../otlp/wire.ts';
import { ExpositionColumns } from './columns.ts';
import { formatBound } from './number.ts';
import { FORGOTTEN, type RawSeriesMemory } from './series-memory.ts';

const TYPES: readonly MetricType[] = ['counter', 'gauge', 'summary', 'unknown', 'histogram', 'gaugehistogram'];
/** Buckets of one native histogram, gaps not counted. */
export const NATIVE_BUCKETS_MAX = 100_000;

interface RawExemplar {
  labels: Labels;
  value: number;
  timestampMs: number | undefined;
}
interface Bucket {
  count: number;
  bound: number;
  exemplar: RawExemplar | undefined;
}

export class ProtobufParser {
  readonly columns = new ExpositionColumns();
  exemplars: ScrapedExemplar[] = [];
  histograms: { sample: number; histogram: NativeHistogram }[] = [];
  metadata: MetricMetadata[] = [];
  metadataHash = 0;
  #memory!: RawSeriesMemory;
  #previous = FORGOTTEN;
  #type: MetricType = 'unknown';

  /** Fills the public columns. Throws `bad_data` with the byte position. */
  parse(body: Uint8Array, memory: RawSeriesMemory, classicHistograms: boolean): void {
    this.columns.count = 0;
    this.exemplars = [];
    this.histograms = [];
    this.metadata = [];
    this.metadataHash = 0;
    this.#memory = memory;
    this.#previous = FORGOTTEN;
    const w = new Wire(body);
    while (w.pos < w.end) this.#family(w, classicHistograms);
  }

  #family(w: Wire, classicHistograms: boolean): void {
    let name = '';
    let help = '';
    let unit = '';
    let type: MetricType = 'counter';
    const metrics: [number, number][] = [];
    w.message((field) => {
      if (field === 1) name = w.string();
      else if (field === 2) help = w.string();
      else if (field === 3) {
        const code = w.varint();
        type = TYPES[code] ?? w.fail(`unknown metric type ${code}`);
      } else if (field === 4) {
        const n = w.length();
        metrics.push([w.pos, w.pos + n]);
        w.pos += n;
      } else if (field === 5) unit = w.string();
      else w.skip();
    });
    if (name === '') throw new VigieError('bad_data', `a metric family before byte ${w.pos} has no name`);
    this.#type = type;
    this.metadata.push({ metric: name, type, help, unit });
    for (const c of `${name}\u0000${type}\u0000${help}\u0000${unit}`)
      this.metadataHash = Math.imul(this.metadataHash ^ c.codePointAt(0)!, 0x01000193);
    const outer = w.end;
    const after = w.pos;
    for (const [from, to] of metrics) {
      w.pos = from;
      w.end = to;
      this.#metric(w, name, type, classicHistograms);
    }
    w.pos = after;
    w.end = outer;
  }

  #metric(w: Wire, name: string, type: MetricType, classicHistograms: boolean): void {
    const labels: string[] = [];
    let timestampMs = Number.NaN;
    let value: number | undefined;
    let exemplar: RawExemplar | undefined;
    let summary: { count: number; sum: number; quantiles: [number, number][] } | undefined;
    let histogram: ReturnType<ProtobufParser['histogramOf']> | undefined;
    for (let field = w.field(); field !== 0; field = w.field()) {
      if (field === 1) labels.push(...pair(w));
      else if (field === 2 || field === 3 || field === 5) {
        value ??= 0;
        w.message((f) => {
          if (f === 1) value = w.double();
          else if (field === 3 && f === 2) exemplar = readExemplar(w);
          else w.skip();
        });
      } else if (field === 4) summary = readSummary(w);
      else if (field === 6) timestampMs = w.int();
      else if (field === 7) histogram = this.histogramOf(w);
      else w.skip();
    }
    if (type === 'histogram' || type === 'gaugehistogram') {
      if (!histogram) throw new VigieError('bad_data', `metric ${name} is declared as ${type} and has no histogram`);
      this.#emitHistogram(name, labels, timestampMs, histogram, type === 'gaugehistogram', classicHistograms);
    } else if (type === 'summary') {
      if (!summary) throw new VigieError('bad_data', `metric ${name} is declared as summary and has none`);
      this.#push(`${name}_count`, labels, summary.count, timestampMs);
      this.#push(`${name}_sum`, labels, summary.sum, timestampMs);
      for (const [q, v] of summary.quantiles) this.#push(name, [...labels, 'quantile', formatBound(q)], v, timestampMs);
    } else {
      if (value === undefined) throw new VigieError('bad_data', `metric ${name} has no value of its type ${type}`);
      this.#attach(this.#push(name, labels, value, timestampMs), exemplar);
    }
  }

  #emitHistogram(
    name: string,
    labels: readonly string[],
    timestampMs: number,
    h: ReturnType<ProtobufParser['histogramOf']>,
    gauge: boolean,
    classicHistograms: boolean,
  ): void {
    const native = h.isNative ? h.native(gauge) : undefined;
    if (native) {
      const sample = this.#push(name, labels, 0, timestampMs);
      this.histograms.push({ sample, histogram: native });
      // exemplars of native histograms count only with a time of their own
      const own = h.exemplars.length > 0 ? h.exemplars : h.buckets.map((b) => b.exemplar);
      for (const e of own) if (e?.timestampMs !== undefined) this.#attach(sample, e);
      if (!classicHistograms || h.buckets.length === 0) return;
    }
    this.#push(`${name}_count`, labels, h.count, timestampMs);
    this.#push(`${name}_sum`, labels, h.sum, timestampMs);
    let infinite = false;
    for (const b of h.buckets) {
      infinite ||= b.bound === Number.POSITIVE_INFINITY;
      const sample = this.#push(`${name}_bucket`, [...labels, 'le', formatBound(b.bound)], b.count, timestampMs);
      this.#attach(sample, b.exemplar);
    }
    if (!infinite) this.#push(`${name}_bucket`, [...labels, 'le', '+Inf'], h.count, timestampMs);
  }

  #push(name: string, labels: readonly string[], value: number, timestampMs: number): number {
    const key = Buffer.from(rawKey(name, labels), 'utf8');
    const id = this.#memory.find(key, 0, key.length, this.#type);
    this.#memory.follow(this.#previous, id);
    this.#previous = id;
    return this.columns.push(id, value, timestampMs);
  }

  #attach(sample: number, e: RawExemplar | undefined): void {
    if (!e) return;
    const { labels, value, timestampMs } = e;
    this.exemplars.push(timestampMs === undefined ? { sample, labels, value } : { sample, labels, value, timestampMs });
  }

  histogramOf(w: Wire) {
    const buckets: Bucket[] = [];
    const exemplars: RawExemplar[] = [];
    const positiveSpans: BucketSpan[] = [];
    const negativeSpans: BucketSpan[] = [];
    const deltas = { positive: [] as number[], negative: [] as number[] };
    const counts = { positive: [] as number[], negative: [] as number[] };
    const n = { count: 0, countFloat: 0, sum: 0, schema: 0, zeroThreshold: 0, zeroCount: 0, zeroCountFloat: 0 };
    w.message((field) => {
      if (field === 1) n.count = w.varint();
      else if (field === 2) n.sum = w.double();
      else if (field === 3) buckets.push(readBucket(w));
      else if (field === 4) n.countFloat = w.double();
      else if (field === 5) n.schema = w.zigzag();
      else if (field === 6) n.zeroThreshold = w.double();
      else if (field === 7) n.zeroCount = w.varint();
      else if (field === 8) n.zeroCountFloat = w.double();
      else if (field === 9) negativeSpans.push(readSpan(w));
      else if (field === 10) w.repeated(() => w.zigzag(), deltas.negative);
      else if (field === 11) w.repeated(() => w.double(), counts.negative);
      else if (field === 12) positiveSpans.push(readSpan(w));
      else if (field === 13) w.repeated(() => w.zigzag(), deltas.positive);
      else if (field === 14) w.repeated(() => w.double(), counts.positive);
      else if (field === 16) exemplars.push(readExemplar(w));
      else w.skip();
    });
    const isNative =
      positiveSpans.length + negativeSpans.length > 0 || n.zeroThreshold > 0 || n.zeroCount > 0 || n.zeroCountFloat > 0;
    const isFloat = n.countFloat > 0 || n.zeroCountFloat > 0;
    return {
      buckets,
      exemplars,
      isNative,
      count: isFloat ? n.countFloat : n.count,
      sum: n.sum,
      native(gauge: boolean): NativeHistogram {
        const positiveBuckets = isFloat ? counts.positive : running(deltas.positive);
        const negativeBuckets = isFloat ? counts.negative : running(deltas.negative);
        checkSpans(w, 'positive', positiveSpans, positiveBuckets);
        checkSpans(w, 'negative', negativeSpans, negativeBuckets);
        if (n.schema < -4 || n.schema > 8) w.fail(`histogram schema ${n.schema} is outside -4 to 8`);
        return {
          schema: n.schema,
          zeroThreshold: n.zeroThreshold,
          zeroCount: isFloat ? n.zeroCountFloat : n.zeroCount,
          count: isFloat ? n.countFloat : n.count,
          sum: n.sum,
          positiveSpans,
          positiveBuckets,
          negativeSpans,
          negativeBuckets,
          counterResetHint: gauge ? 'gauge' : 'unknown',
        };
      },
    };
  }
}

function running(deltas: readonly number[]): number[] {
  let sum = 0;
  return deltas.map((d) => (sum += d));
}

function checkSpans(w: Wire, side: string, spans: readonly BucketSpan[], buckets: readonly number[]): void {
  const wanted = spans.reduce((n, s) => n + s.length, 0);
  if (wanted !== buckets.length) w.fail(`${side} spans name ${wanted} buckets, got ${buckets.length}`);
  if (wanted > NATIVE_BUCKETS_MAX) w.fail(`more than ${NATIVE_BUCKETS_MAX} ${side} buckets`);
}

function pair(w: Wire): [string, string] {
  let name = '';
  let value = '';
  w.message((f) => {
    if (f === 1) name = w.string();
    else if (f === 2) value = w.string();
    else w.skip();
  });
  return [name, value];
}

function readExemplar(w: Wire): RawExemplar {
  const pairs: [string, string][] = [];
  let value = 0;
  let timestampMs: number | undefined;
  w.message((f) => {
    if (f === 1) pairs.push(pair(w));
    else if (f === 2) value = w.double();
    else if (f === 3) {
      let seconds = 0;
      let nanos = 0;
      w.message((t) => {
        if (t === 1) seconds = w.int();
        else if (t === 2) nanos = w.int();
        else w.skip();
      });
      timestampMs = seconds * 1000 + Math.floor(nanos / 1e6);
    } else w.skip();
  });
  return { labels: Labels.fromPairs(pairs), value, timestampMs };
}

function readBucket(w: Wire): Bucket {
  const b: Bucket = { count: 0, bound: 0, exemplar: undefined };
  let float = 0;
  w.message((f) => {
    if (f === 1) b.count = w.varint();
    else if (f === 2) b.bound = w.double();
    else if (f === 3) b.exemplar = readExemplar(w);
    else if (f === 4) float = w.double();
    else w.skip();
  });
  if (float > 0) b.count = float;
  return b;
}

function readSpan(w: Wire): BucketSpan {
  let offset = 0;
  let length = 0;
  w.message((f) => {
    if (f === 1) offset = w.zigzag();
    else if (f === 2) length = w.varint();
    else w.skip();
  });
  return { offset, length };
}

function readSummary(w: Wire): { count: number; sum: number; quantiles: [number, number][] } {
  const s = { count: 0, sum: 0, quantiles: [] as [number, number][] };
  w.message((f) => {
    if (f === 1) s.count = w.varint();
    else if (f === 2) s.sum = w.double();
    else if (f === 3) {
      let q = 0;
      let v = 0;
      w.message((g) => {
        if (g === 1) q = w.double();
        else if (g === 2) v = w.double();
        else w.skip();
      });
      s.quantiles.push([q, v]);
    } else w.skip();
  });
  return s;
}

/** A series as the text format writes it: `name{a="b"}` or `{"odd.name",a="b"}`. */
export function rawKey(name: string, labels: readonly string[]): string {
  const classic = isClassicMetricName(name);
  if (classic && labels.length === 0) return name;
  let out = classic ? `${name}{` : `{${quoted(name)}`;
  for (let i = 0; i < labels.length; i += 2) {
    if (i > 0 || !classic) out += ',';
    out += `${isClassicLabelName(labels[i]!) ? labels[i] : quoted(labels[i]!)}=${quoted(labels[i + 1]!)}`;
  }
  return `${out}}`;
}

function quoted(text: string): string {
  return `"${/["\\\n]/.test(text) ? text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n') : text}"`;
}
