/**
 * Samples as /federate writes them: the text format, or delimited protobuf, which alone carries native histograms; names
 * that are not classic are escaped unless the reader says that it takes them as they are. As in Prometheus 3.5
 * (prometheus/common expfmt). It selects nothing.
 */
import type { BucketSpan, NativeHistogram } from '../../model/histogram.ts';
import { CUSTOM_BUCKETS_SCHEMA } from '../../model/histogram.ts';
import {
  compareUtf8,
  isClassicLabelName,
  isClassicMetricName,
  Labels,
  METRIC_NAME,
  quote,
} from '../../model/labels.ts';
import { formatG } from '../../promql/literal.ts';
import { ProtoWriter } from '../../store/wire/protobuf.ts';

export interface FederatedSample {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly value: number;
  readonly histogram?: NativeHistogram;
}

export type Escaping = 'allow-utf-8' | 'underscores' | 'dots' | 'values';
export interface FederateFormat {
  readonly protobuf: boolean;
  readonly escaping: Escaping;
  readonly contentType: string;
}

const ESCAPINGS: ReadonlySet<string> = new Set(['allow-utf-8', 'underscores', 'dots', 'values']);
/** Media ranges of an Accept header that are looked at. */
const RANGES_MAX = 50;

/** The first format of an Accept header that /federate has; text with underscores when it names none. */
export function negotiate(accept: string | undefined): FederateFormat {
  const ranges = (accept ?? '').split(',', RANGES_MAX).map((range) => {
    const [media = '', ...rest] = range.split(';').map((p) => p.trim());
    const params = new Map(rest.map((p) => p.split('=', 2) as [string, string?]).map(([k, v]) => [k, v ?? '']));
    return { media, params, weight: params.has('q') ? Number(params.get('q')) || 0 : 1 };
  });
  ranges.sort((a, b) => b.weight - a.weight);
  // the latest wish about names counts, also when its format is not one of ours
  let escaping: Escaping = 'underscores';
  for (const { media, params } of ranges) {
    const wish = params.get('escaping') ?? '';
    if (ESCAPINGS.has(wish)) escaping = wish as Escaping;
    if (
      media === 'application/vnd.google.protobuf' &&
      params.get('proto') === 'io.prometheus.client.MetricFamily' &&
      params.get('encoding') === 'delimited'
    )
      return {
        protobuf: true,
        escaping,
        contentType: `${media}; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=${escaping}`,
      };
    if (media === 'text/plain' && ['', '0.0.4', '1.0.0'].includes(params.get('version') ?? '')) break;
  }
  return { protobuf: false, escaping, contentType: `text/plain; version=0.0.4; charset=utf-8; escaping=${escaping}` };
}

/** A name in the reader's escaping; classic names stay as they are. */
export function escapeName(name: string, escaping: Escaping): string {
  if (escaping === 'allow-utf-8' || name === '' || isClassicMetricName(name)) return name;
  let out = escaping === 'values' ? 'U__' : '';
  let first = true;
  for (const c of name) {
    const legal = /[a-zA-Z_:]/.test(c) || (!first && /[0-9]/.test(c));
    first = false;
    if (escaping === 'underscores') out += legal ? c : '_';
    else if (c === '_') out += '__';
    else if (legal) out += c;
    else if (escaping === 'dots') out += c === '.' ? '_dot_' : '__';
    else out += `_${c.codePointAt(0)!.toString(16)}_`;
  }
  return out;
}

/** The samples by metric name, then labels, as text or as delimited families. */
export function encodeFederated(samples: readonly FederatedSample[], format: FederateFormat): string | Uint8Array {
  const sorted = samples
    .filter((s) => !s.histogram || (format.protobuf && s.histogram.schema !== CUSTOM_BUCKETS_SCHEMA))
    .sort((a, b) => compareUtf8(a.labels.metricName, b.labels.metricName) || Labels.compare(a.labels, b.labels));
  return format.protobuf ? protobufOf(sorted, format.escaping) : textOf(sorted, format.escaping);
}

function textOf(samples: readonly FederatedSample[], escaping: Escaping): string {
  let out = '';
  let last: string | undefined;
  for (const s of samples) {
    const metric = s.labels.metricName;
    const name = escapeName(metric, escaping);
    const classic = isClassicMetricName(name);
    if (metric !== last) out += `# TYPE ${classic ? name : quote(name)} untyped\n`;
    last = metric;
    const parts = classic || name === '' ? [] : [quote(name)];
    for (const [n, v] of withInstance(s.labels)) {
      const label = escapeName(n, escaping);
      const value = v.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
      parts.push(`${isClassicLabelName(label) ? label : quote(label)}="${value}"`);
    }
    out += `${classic ? name : ''}{${parts.join(',')}} ${formatG(s.value)} ${s.timestampMs}\n`;
  }
  return out;
}

/** A series without an instance gets an empty one, so that the scraping server adds none of its own. */
function withInstance(labels: Labels): (readonly [string, string])[] {
  const pairs = [...labels].filter(([n]) => n !== METRIC_NAME);
  return labels.has('instance') ? pairs : [...pairs, ['instance', '']];
}

// numbers of io.prometheus.client (metrics.proto)
const UNTYPED = 3;
const HISTOGRAM = 4;
const GAUGE_HISTOGRAM = 5;

const typeOf = ({ histogram: h }: FederatedSample): number =>
  !h ? UNTYPED : h.counterResetHint === 'gauge' ? GAUGE_HISTOGRAM : HISTOGRAM;

function protobufOf(samples: readonly FederatedSample[], escaping: Escaping): Uint8Array {
  const out = new ProtoWriter();
  const family = new ProtoWriter();
  for (let from = 0; from < samples.length; ) {
    const first = samples[from]!;
    let to = from + 1;
    while (
      to < samples.length &&
      samples[to]!.labels.metricName === first.labels.metricName &&
      typeOf(samples[to]!) === typeOf(first)
    )
      to++;
    family.reset();
    family.text(1, escapeName(first.labels.metricName, escaping));
    family.int(3, typeOf(first));
    for (const s of samples.slice(from, to)) family.message(4, () => metric(family, s, escaping));
    out.delimited(family.result());
    from = to;
  }
  return out.result();
}

function metric(w: ProtoWriter, s: FederatedSample, escaping: Escaping): void {
  for (const [name, value] of withInstance(s.labels))
    w.message(1, () => {
      w.text(1, escapeName(name, escaping));
      w.text(2, value);
    });
  const h = s.histogram;
  if (!h) w.message(5, () => w.double(1, s.value));
  w.int(6, s.timestampMs);
  if (!h) return;
  w.message(7, () => {
    w.double(2, h.sum);
    w.double(4, h.count);
    w.varint(5 * 8);
    w.varint(h.schema < 0 ? -2 * h.schema - 1 : 2 * h.schema);
    w.double(6, h.zeroThreshold);
    w.double(8, h.zeroCount);
    spans(w, 9, h.negativeSpans);
    for (const n of h.negativeBuckets) w.double(11, n);
    // a span without buckets tells an empty native histogram from a classic one
    const bare = h.positiveSpans.length === 0 && h.negativeSpans.length === 0;
    spans(w, 12, bare ? [{ offset: 0, length: 0 }] : h.positiveSpans);
    for (const n of h.positiveBuckets) w.double(14, n);
  });
}

function spans(w: ProtoWriter, field: number, list: readonly BucketSpan[]): void {
  for (const { offset, length } of list)
    w.message(field, () => {
      // zeros too: the message knows absent fields from zero ones
      w.varint(8);
      w.varint(offset < 0 ? -2 * offset - 1 : 2 * offset);
      w.varint(16);
      w.varint(length);
    });
}
