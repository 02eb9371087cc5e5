/**
 * OTLP metrics to a write batch as Prometheus' OTLP receiver translates: names, job and instance, target_info, classic
 * and native histograms, exemplars. Delta temporality is rejected point by point and reported, not converted.
 */
import { messageOf, VigieError } from '../../lib/errors.ts';
import type { BucketSpan, NativeHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { type Exemplar, type MetricMetadata, type MetricType, setStale } from '../../model/sample.ts';
import type { WriteBatch } from '../../store/metrics.ts';
import { rawKey } from '../exposition/protobuf-parser.ts';
import { parseSeriesKey } from '../exposition/series-key.ts';
import type {
  AttributePair,
  ExponentialPoint,
  HistogramPoint,
  NumberPoint,
  OtlpExemplar,
  OtlpMetric,
  OtlpMetricsRequest,
  OtlpResource,
  OtlpScope,
  SummaryPoint,
} from './model.ts';
import { labelName, prometheusName } from './names.ts';

export interface OtlpOptions {
  /** Resource attributes to put on every series; their names as the source gives them. */
  readonly promoteResourceAttributes?: readonly string[];
  /** Put `otel_scope_name`, `otel_scope_version` and scope attributes on every series. */
  readonly scopeLabels?: boolean;
}

export interface Translated {
  readonly batch: WriteBatch;
  /** Data points that could not be taken. */
  readonly rejected: number;
  /** One example a reason. */
  readonly problems: readonly string[];
}

/** target_info is repeated at this distance when a request spans more time, so that look-back always finds it. */
const TARGET_INFO_EVERY_MS = 150_000;
/** Most repetitions of target_info in one request. */
const TARGET_INFO_MAX = 1_000;
const EXEMPLAR_CHARACTERS_MAX = 128;
const PROBLEMS_MAX = 10;
const DEFAULT_ZERO_THRESHOLD = 1e-128;
/** Buckets one exponential histogram may have on a side. */
const EXPONENTIAL_BUCKETS_MAX = 100_000;

export function translateMetrics(request: OtlpMetricsRequest, options: OtlpOptions = {}): Translated {
  const out = new Translation(options);
  for (const resource of request) out.resource(resource);
  return out.done();
}

class Translation {
  readonly #options: OtlpOptions;
  readonly #rows = new Map<string, number>();
  readonly #keys: Buffer[] = [];
  readonly #samples: { t: number; v: number; stale: boolean }[][] = [];
  readonly #histograms: { series: number; timestampMs: number; histogram: NativeHistogram }[] = [];
  readonly #exemplars: { series: number; exemplar: Exemplar }[] = [];
  readonly #metadata = new Map<string, MetricMetadata>();
  #rejected = 0;
  readonly #problems = new Set<string>();
  #base: AttributePair[] = [];
  #times = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };

  constructor(options: OtlpOptions) {
    this.#options = options;
  }

  resource(resource: OtlpResource): void {
    const attributes = new Map(resource.attributes);
    const service = attributes.get('service.name');
    const namespace = attributes.get('service.namespace');
    const instance = attributes.get('service.instance.id');
    const identity: AttributePair[] = [];
    if (service !== undefined) identity.push(['job', namespace === undefined ? service : `${namespace}/${service}`]);
    if (instance !== undefined) identity.push(['instance', instance]);
    const promoted = (this.#options.promoteResourceAttributes ?? []).flatMap((name): AttributePair[] => {
      const value = attributes.get(name);
      return value === undefined ? [] : [[labelName(name), value]];
    });
    this.#times = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };
    for (const scope of resource.scopes) {
      this.#base = [...promoted, ...(this.#options.scopeLabels ? scopeLabels(scope) : []), ...identity];
      for (const metric of scope.metrics) this.#metric(metric);
    }
    this.#targetInfo(resource, identity);
  }

  done(): Translated {
    const n = this.#keys.length;
    const keyStart = new Uint32Array(n);
    const keyEnd = new Uint32Array(n);
    const sampleStart = new Uint32Array(n + 1);
    const total = this.#samples.reduce((sum, s) => sum + s.length, 0);
    const timestamps = new Float64Array(total);
    const values = new Float64Array(total);
    let at = 0;
    let byte = 0;
    for (let i = 0; i < n; i++) {
      keyStart[i] = byte;
      keyEnd[i] = byte += this.#keys[i]!.length;
      sampleStart[i] = at;
      for (const s of this.#samples[i]!) {
        timestamps[at] = s.t;
        values[at] = s.v;
        if (s.stale) setStale(values, at);
        at++;
      }
    }
    sampleStart[n] = at;
    const keys = Buffer.concat(this.#keys);
    const batch: WriteBatch = {
      seriesCount: n,
      dialect: 'otlp',
      keys,
      keyStart,
      keyEnd,
      labels: (i) => parseSeriesKey(keys, keyStart[i]!, keyEnd[i]!, 'unknown'),
      sampleStart,
      timestamps,
      values,
      histograms: this.#histograms,
      exemplars: this.#exemplars,
      metadata: [...this.#metadata.values()],
    };
    return { batch, rejected: this.#rejected, problems: [...this.#problems] };
  }

  #metric(metric: OtlpMetric): void {
    const { data } = metric;
    try {
      if (data.kind === 'empty') return;
      // a non-monotonic sum without temporality is a gauge in all but name
      const accumulates = data.kind === 'sum' || data.kind === 'histogram' || data.kind === 'exponential';
      const gaugeLike = data.kind === 'sum' && !data.monotonic && data.temporality === 'unspecified';
      if (accumulates && data.temporality !== 'cumulative' && !gaugeLike)
        throw new VigieError(
          'bad_data',
          `metric ${JSON.stringify(metric.name)}: got ${data.temporality} temporality of a ${data.kind}, want cumulative`,
        );
      const counter = data.kind === 'sum' && data.monotonic;
      const kind = counter ? 'counter' : data.kind === 'gauge' || data.kind === 'sum' ? 'gauge' : 'other';
      const name = prometheusName(metric.name, metric.unit, kind);
      const type: MetricType = counter
        ? 'counter'
        : data.kind === 'gauge' || data.kind === 'sum'
          ? 'gauge'
          : data.kind === 'summary'
            ? 'summary'
            : 'histogram';
      this.#metadata.set(name, { metric: name, type, help: metric.description, unit: metric.unit });
      for (const point of data.points) {
        try {
          if (data.kind === 'gauge' || data.kind === 'sum') this.#number(name, point as NumberPoint, counter);
          else if (data.kind === 'histogram') this.#histogram(name, point as HistogramPoint);
          else if (data.kind === 'exponential') this.#exponential(name, point as ExponentialPoint);
          else this.#summary(name, point as SummaryPoint);
          this.#times.first = Math.min(this.#times.first, point.timestampMs);
          this.#times.last = Math.max(this.#times.last, point.timestampMs);
        } catch (error) {
          this.#reject(1, error);
        }
      }
    } catch (error) {
      this.#reject(data.points.length, error);
    }
  }

  #reject(points: number, error: unknown): void {
    if (!(error instanceof VigieError)) throw error;
    this.#rejected += points;
    if (this.#problems.size < PROBLEMS_MAX) this.#problems.add(messageOf(error));
  }

  #number(name: string, p: NumberPoint, counter: boolean): void {
    const row = this.#row(name, this.#labels(p.attributes));
    this.#push(row, p.timestampMs, p.value, p.noValue);
    if (counter) for (const e of p.exemplars) this.#exemplar(row, e);
  }

  #histogram(name: string, p: HistogramPoint): void {
    const labels = this.#labels(p.attributes);
    if (p.bucketCounts.length > 0 && p.bucketCounts.length !== p.bounds.length + 1)
      throw new VigieError(
        'bad_data',
        `histogram ${name}: got ${p.bucketCounts.length} bucket counts, want ${p.bounds.length + 1} (bounds + 1)`,
      );
    if (p.sum !== undefined) this.#push(this.#row(`${name}_sum`, labels), p.timestampMs, p.sum, p.noValue);
    this.#push(this.#row(`${name}_count`, labels), p.timestampMs, p.count, p.noValue);
    const rows: [number, number][] = [];
    let cumulative = 0;
    for (let i = 0; i < p.bounds.length && i < p.bucketCounts.length; i++) {
      cumulative += p.bucketCounts[i]!;
      const row = this.#row(`${name}_bucket`, [...labels, ['le', plainNumber(p.bounds[i]!)]]);
      rows.push([p.bounds[i]!, row]);
      this.#push(row, p.timestampMs, cumulative, p.noValue);
    }
    const infinite = this.#row(`${name}_bucket`, [...labels, ['le', '+Inf']]);
    this.#push(infinite, p.timestampMs, p.count, p.noValue);
    for (const e of p.exemplars) this.#exemplar(rows.find(([bound]) => e.value <= bound)?.[1] ?? infinite, e);
  }

  #exponential(name: string, p: ExponentialPoint): void {
    const row = this.#row(name, this.#labels(p.attributes));
    const down = p.scale > 8 ? p.scale - 8 : 0;
    if (p.scale < -4) throw new VigieError('bad_data', `histogram ${name}: got scale ${p.scale}, want -4 or more`);
    const positive = exponentialBuckets(name, p.positive, down);
    const negative = exponentialBuckets(name, p.negative, down);
    this.#histograms.push({
      series: row,
      timestampMs: p.timestampMs,
      histogram: {
        schema: p.scale - down,
        zeroThreshold: p.zeroThreshold > 0 ? p.zeroThreshold : DEFAULT_ZERO_THRESHOLD,
        zeroCount: p.zeroCount,
        count: p.count,
        sum: p.sum ?? 0,
        ...(p.noValue ? { stale: true } : {}),
        positiveSpans: positive.spans,
        positiveBuckets: positive.counts,
        negativeSpans: negative.spans,
        negativeBuckets: negative.counts,
        counterResetHint: 'unknown',
      },
    });
    for (const e of p.exemplars) this.#exemplar(row, e);
  }

  #summary(name: string, p: SummaryPoint): void {
    const labels = this.#labels(p.attributes);
    this.#push(this.#row(`${name}_sum`, labels), p.timestampMs, p.sum, p.noValue);
    this.#push(this.#row(`${name}_count`, labels), p.timestampMs, p.count, p.noValue);
    for (const [q, v] of p.quantiles)
      this.#push(this.#row(name, [...labels, ['quantile', plainNumber(q)]]), p.timestampMs, v, p.noValue);
  }

  #targetInfo(resource: OtlpResource, identity: readonly AttributePair[]): void {
    const own = resource.attributes.filter(
      ([n]) => n !== 'service.name' && n !== 'service.namespace' && n !== 'service.instance.id',
    );
    if (own.length === 0 || identity.length === 0 || this.#times.last === Number.NEGATIVE_INFINITY) return;
    this.#base = [...identity];
    const row = this.#row('target_info', this.#labels(own));
    const { first, last } = this.#times;
    const step = Math.max(TARGET_INFO_EVERY_MS, (last - first) / TARGET_INFO_MAX);
    for (let t = first; t < last; t += step) this.#push(row, Math.trunc(t), 1, false);
    this.#push(row, last, 1, false);
    this.#metadata.set('target_info', { metric: 'target_info', type: 'gauge', help: 'Target metadata', unit: '' });
  }

  /** Attributes as labels, sorted by their own names; those that become one label are joined by `;`. Resource labels win. */
  #labels(attributes: readonly AttributePair[]): AttributePair[] {
    const map = new Map<string, string>();
    const sorted =
      attributes.length > 1 ? [...attributes].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : attributes;
    for (const [name, value] of sorted) {
      if (name === '') continue;
      const label = labelName(name);
      const other = map.get(label);
      map.set(label, other === undefined ? value : `${other};${value}`);
    }
    for (const [name, value] of this.#base) map.set(name, value);
    map.delete('__name__');
    return [...map].filter(([, v]) => v !== '');
  }

  #row(name: string, labels: readonly AttributePair[]): number {
    const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
    const key = rawKey(name, sorted.flat());
    let row = this.#rows.get(key);
    if (row === undefined) {
      this.#rows.set(key, (row = this.#keys.length));
      this.#keys.push(Buffer.from(key, 'utf8'));
      this.#samples.push([]);
    }
    return row;
  }

  #push(row: number, t: number, v: number, stale: boolean): void {
    this.#samples[row]!.push({ t, v, stale });
  }

  #exemplar(row: number, e: OtlpExemplar): void {
    const ids: [string, string][] = [];
    if (e.traceId !== '') ids.push(['trace_id', e.traceId]);
    if (e.spanId !== '') ids.push(['span_id', e.spanId]);
    const own = e.attributes.map(([n, v]): [string, string] => [labelName(n), v]);
    const length = (pairs: readonly [string, string][]): number =>
      pairs.reduce((sum, [n, v]) => sum + [...n].length + [...v].length, 0);
    // as the specification asks: attributes go first when all together are too long
    const labels = Labels.fromPairs(length([...ids, ...own]) > EXEMPLAR_CHARACTERS_MAX ? ids : [...own, ...ids]);
    this.#exemplars.push({ series: row, exemplar: { labels, value: e.value, timestampMs: e.timestampMs } });
  }
}

function scopeLabels(scope: OtlpScope): AttributePair[] {
  const out: AttributePair[] = [];
  if (scope.name !== '') out.push(['otel_scope_name', scope.name]);
  if (scope.version !== '') out.push(['otel_scope_version', scope.version]);
  if (scope.schemaUrl !== '') out.push(['otel_scope_schema_url', scope.schemaUrl]);
  for (const [name, value] of scope.attributes) out.push([labelName(`otel_scope_${name}`), value]);
  return out;
}

/** Spans and absolute counts; bucket `offset + i` of OTLP is bucket `offset + i + 1` here, `down` merges pairs that often. */
function exponentialBuckets(
  name: string,
  side: ExponentialPoint['positive'],
  down: number,
): { spans: BucketSpan[]; counts: number[] } {
  if (side.counts.length > EXPONENTIAL_BUCKETS_MAX)
    throw new VigieError('bad_data', `histogram ${name}: more than ${EXPONENTIAL_BUCKETS_MAX} buckets`);
  const spans: { offset: number; length: number }[] = [];
  const counts: number[] = [];
  let previous: number | undefined;
  for (let i = 0; i < side.counts.length; i++) {
    if (side.counts[i] === 0) continue;
    const index = Math.floor((side.offset + i) / 2 ** down) + 1;
    if (previous === index) {
      counts[counts.length - 1]! += side.counts[i]!;
      continue;
    }
    if (previous !== undefined && index === previous + 1) spans[spans.length - 1]!.length++;
    else spans.push({ offset: previous === undefined ? index : index - previous - 1, length: 1 });
    counts.push(side.counts[i]!);
    previous = index;
  }
  return { spans, counts };
}

/** Go's `FormatFloat(v, 'f', -1, 64)`: no exponent, ever. */
function plainNumber(v: number): string {
  const text = String(v);
  if (v === Number.POSITIVE_INFINITY) return '+Inf';
  if (!text.includes('e')) return v === Number.NEGATIVE_INFINITY ? '-Inf' : text;
  if (Math.abs(v) >= 1) return BigInt(v).toString();
  const [digits, exponent] = v.toExponential().split('e') as [string, string];
  return v.toFixed(Math.min(100, (digits.split('.')[1]?.length ?? 0) - Number(exponent)));
}
