/**
 * prometheus.WriteRequest (remote write 1.0) into columns. The labels of a series are remembered as the bytes they came
 * in and parsed only when the store asks; unknown fields are skipped, as protobuf wants. Buffers are reused: a batch is
 * valid until the next decode.
 */
import { VigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import type { Exemplar, MetricMetadata, MetricType } from '../../model/sample.ts';
import type { WriteBatch } from '../../store/metrics.ts';
import { ProtobufReader } from '../protobuf.ts';
import { LABELS_MAX, WriteColumns } from './columns.ts';
import { readHistogram } from './histogram.ts';
import { checkedLabels } from './series-labels.ts';

export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

export class RemoteWrite1Decoder {
  readonly #columns = new WriteColumns();
  readonly #reader = new ProtobufReader();
  readonly #labelReader = new ProtobufReader();

  /** Throws `bad_data` with the byte, `too_large` past a limit of the columns. */
  decode(body: Uint8Array): WriteBatch {
    const c = this.#columns;
    const r = this.#reader.start(body);
    c.reset();
    while (r.at < r.end) {
      const tag = r.varint();
      if (tag === 10) this.#series(r, c);
      else if (tag === 26) {
        c.checkObjects();
        c.metadata.push(r.message(readMetadata));
      } else r.skipField(tag);
    }
    return {
      seriesCount: c.seriesCount,
      dialect: 'rw1',
      keys: body,
      keyStart: c.keyStart,
      keyEnd: c.keyEnd,
      labels: (i) => this.#labels(body, c.keyStart[i]!, c.keyEnd[i]!),
      sampleStart: c.sampleStart,
      timestamps: c.timestamps,
      values: c.values,
      histograms: c.histograms,
      exemplars: c.exemplars,
      metadata: c.metadata,
    };
  }

  #series(r: ProtobufReader, c: WriteColumns): void {
    const n = r.length();
    const outer = r.end;
    const end = r.at + n;
    r.end = end;
    const b = r.bytes;
    const keyStart = r.at;
    let keyEnd = keyStart;
    let scattered = false;
    while (r.at < end) {
      const tag = b[r.at]!;
      if (tag === 10) {
        if (keyEnd !== r.at) scattered = true;
        r.at++;
        const length = r.length();
        r.at += length;
        keyEnd = r.at;
      } else if (tag === 18) {
        r.at++;
        this.#sample(r, c);
      } else {
        const full = r.varint();
        if (full === 26) {
          c.checkObjects();
          c.exemplars.push({ series: c.seriesCount, exemplar: r.message(readExemplar) });
        } else if (full === 34) {
          c.checkObjects();
          c.histograms.push({ series: c.seriesCount, ...r.message(readHistogram) });
        } else r.skipField(full);
      }
    }
    r.end = outer;
    // labels that other fields stand between: the whole series is the key, then; correct, only slower
    c.addSeries(keyStart, scattered ? end : keyEnd);
  }

  #sample(r: ProtobufReader, c: WriteColumns): void {
    const n = r.length();
    const outer = r.end;
    const end = r.at + n;
    r.end = end;
    let low = 0;
    let high = 0;
    let t = 0;
    while (r.at < end) {
      const tag = r.bytes[r.at]!;
      if (tag === 9) {
        if (r.at + 9 > end) throw r.fail('it ends within a sample');
        low = r.view.getUint32(r.at + 1, true);
        high = r.view.getUint32(r.at + 5, true);
        r.at += 9;
      } else if (tag === 16) {
        r.at++;
        t = r.int64();
      } else r.skip(r.varint() & 7);
    }
    r.end = outer;
    c.addSample(t, low, high);
  }

  #labels(body: Uint8Array, start: number, end: number): Labels {
    const r = this.#labelReader.start(body, start, end);
    const flat: string[] = [];
    while (r.at < r.end) {
      const tag = r.varint();
      if (tag === 10) {
        if (flat.length >= 2 * LABELS_MAX) throw r.fail(`a series has more than ${LABELS_MAX} labels`);
        r.message((l) => readLabel(l, flat));
      } else r.skipField(tag);
    }
    return checkedLabels(flat);
  }
}

function readLabel(r: ProtobufReader, into: string[]): void {
  let name = '';
  let value = '';
  while (r.at < r.end) {
    const tag = r.varint();
    if (tag === 10) name = r.string();
    else if (tag === 18) value = r.string();
    else r.skipField(tag);
  }
  into.push(name, value);
}

function readExemplar(r: ProtobufReader): Exemplar {
  const flat: string[] = [];
  let value = 0;
  let timestampMs = 0;
  while (r.at < r.end) {
    const tag = r.varint();
    if (tag === 10) {
      if (flat.length >= 2 * LABELS_MAX) throw r.fail(`an exemplar has more than ${LABELS_MAX} labels`);
      r.message((l) => readLabel(l, flat));
    } else if (tag === 17) value = r.double();
    else if (tag === 24) timestampMs = r.int64();
    else r.skipField(tag);
  }
  return { labels: exemplarLabels(flat), value, timestampMs };
}

function readMetadata(r: ProtobufReader): MetricMetadata {
  let type = 0;
  let metric = '';
  let help = '';
  let unit = '';
  while (r.at < r.end) {
    const tag = r.varint();
    if (tag === 8) type = r.varint();
    else if (tag === 18) metric = r.string();
    else if (tag === 34) help = r.string();
    else if (tag === 42) unit = r.string();
    else r.skipField(tag);
  }
  return { metric, type: METRIC_TYPES[type] ?? 'unknown', help, unit };
}

/** Exemplar labels need no metric name. Throws `bad_data` when one occurs twice. */
export function exemplarLabels(flat: readonly string[]): Labels {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
  if (new Set(pairs.map((p) => p[0])).size !== pairs.length)
    throw new VigieError(
      'bad_data',
      `an exemplar has a label twice: ${pairs
        .map((p) => p[0])
        .join(', ')
        .slice(0, 200)}`,
    );
  return Labels.fromPairs(pairs);
}
