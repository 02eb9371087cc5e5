/** prometheus.WriteRequest (remote write 1.0) from series in columns. */
import type { Labels } from '../../model/labels.ts';
import type { Exemplar, MetricMetadata, MetricType, SeriesColumns } from '../../model/sample.ts';
import { writeHistogram } from './histogram.ts';
import { ProtoWriter } from './protobuf.ts';

const TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

export interface OutgoingSeries extends SeriesColumns {
  readonly exemplars?: readonly Exemplar[];
}

const writer = new ProtoWriter();

/** The message, not compressed; valid until the next call. */
export function encodeWriteRequest(
  series: Iterable<OutgoingSeries>,
  metadata: readonly MetricMetadata[] = [],
): Uint8Array {
  const w = writer.reset();
  for (const s of series) writeSeries(w, 1, s);
  for (const m of metadata)
    w.message(3, () => {
      w.int(1, Math.max(0, TYPES.indexOf(m.type)));
      w.text(2, m.metric);
      w.text(4, m.help);
      w.text(5, m.unit);
    });
  return w.result();
}

export function writeLabels(w: ProtoWriter, field: number, labels: Labels): void {
  const { flat } = labels;
  for (let i = 0; i < flat.length; i += 2)
    w.message(field, () => {
      w.text(1, flat[i]!);
      w.text(2, flat[i + 1]!);
    });
}

/** One TimeSeries message. */
export function writeSeries(w: ProtoWriter, field: number, s: OutgoingSeries): void {
  w.message(field, () => {
    writeLabels(w, 1, s.labels);
    const bits = new Uint32Array(s.values.buffer, s.values.byteOffset, 2 * s.length);
    for (let i = 0; i < s.length; i++) {
      if (s.histograms?.[i]) continue;
      w.message(2, () => {
        w.doubleBits(1, bits[2 * i]!, bits[2 * i + 1]!);
        w.int(2, s.timestamps[i]!);
      });
    }
    for (const e of s.exemplars ?? [])
      w.message(3, () => {
        writeLabels(w, 1, e.labels);
        w.double(2, e.value);
        w.int(3, e.timestampMs);
      });
    for (let i = 0; s.histograms && i < s.length; i++) {
      const h = s.histograms[i];
      if (h) writeHistogram(w, 4, s.timestamps[i]!, h);
    }
  });
}
