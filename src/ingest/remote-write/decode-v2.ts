/**
 * io.prometheus.write.v2.Request (remote write 2.0) into columns. Labels arrive as references into the request's own
 * symbol table, which differ from request to request: the key of a series is built from the symbols' bytes. Metadata
 * comes with each series; start time stamps are read and not stored, for Prometheus' model has no place for them.
 */
import { VigieError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { Exemplar } from '../../model/sample.ts';
import type { WriteBatch } from '../../store/metrics.ts';
import { ProtobufReader, WIRE_BYTES, WIRE_VARINT } from '../protobuf.ts';
import { LABELS_MAX, METADATA_MAX, WriteColumns } from './columns.ts';
import { exemplarLabels, METRIC_TYPES } from './decode-v1.ts';
import { readHistogram } from './histogram.ts';
import { checkedLabels } from './series-labels.ts';

const SYMBOLS_MAX = 5_000_000;
/** Keys built for one request; symbols may be long and referred to often. */
const KEY_BYTES_MAX = 256 * 1024 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class RemoteWrite2Decoder {
  readonly #columns = new WriteColumns();
  readonly #reader = new ProtobufReader();
  #symbolStart = new Uint32Array(1024);
  #symbolEnd = new Uint32Array(1024);
  #symbols = 0;
  #body: Uint8Array = new Uint8Array(0);
  #keys = new Uint8Array(64 * 1024);
  #keyUsed = 0;
  #metadataSeen = new Set<string>();

  /** Throws `bad_data` with the byte, `too_large` past a limit. */
  decode(body: Uint8Array): WriteBatch {
    const c = this.#columns;
    c.reset();
    this.#body = body;
    this.#symbols = 0;
    this.#keyUsed = 0;
    this.#metadataSeen = new Set();
    const r = this.#reader.start(body);
    // symbols may stand after the series that use them
    const series: number[] = [];
    while (r.at < r.end) {
      const tag = r.varint();
      if (tag === 34) {
        const n = r.length();
        this.#symbol(r, n);
        r.at += n;
      } else if (tag === 42) {
        const n = r.length();
        series.push(r.at, r.at + n);
        r.at += n;
      } else r.skipField(tag);
    }
    if (this.#symbols > 0 && this.#symbolEnd[0] !== this.#symbolStart[0])
      throw new VigieError('bad_data', 'the first symbol of a remote write 2.0 request must be empty');
    for (let i = 0; i < series.length; i += 2) {
      r.at = series[i]!;
      r.end = series[i + 1]!;
      this.#series(r, c);
    }
    return {
      seriesCount: c.seriesCount,
      dialect: 'rw2',
      keys: this.#keys,
      keyStart: c.keyStart,
      keyEnd: c.keyEnd,
      labels: (i) => this.#labels(c.keyStart[i]!, c.keyEnd[i]!),
      sampleStart: c.sampleStart,
      timestamps: c.timestamps,
      values: c.values,
      histograms: c.histograms,
      exemplars: c.exemplars,
      metadata: c.metadata,
    };
  }

  #symbol(r: ProtobufReader, n: number): void {
    const i = this.#symbols++;
    if (i >= SYMBOLS_MAX) throw new VigieError('too_large', `the request has more than ${SYMBOLS_MAX} symbols`);
    if (i === this.#symbolStart.length) {
      const start = new Uint32Array(i * 2);
      const end = new Uint32Array(i * 2);
      start.set(this.#symbolStart);
      end.set(this.#symbolEnd);
      this.#symbolStart = start;
      this.#symbolEnd = end;
    }
    this.#symbolStart[i] = r.at;
    this.#symbolEnd[i] = r.at + n;
  }

  #series(r: ProtobufReader, c: WriteColumns): void {
    const keyStart = this.#keyUsed;
    const end = r.end;
    let metadataAt = -1;
    let metadataEnd = -1;
    while (r.at < end) {
      const tag = r.varint();
      if (tag === 10) {
        const n = r.length();
        const stop = r.at + n;
        r.end = stop;
        let refs = 0;
        while (r.at < stop) {
          this.#key(r, r.varint());
          refs++;
        }
        r.end = end;
        if (refs % 2 === 1) throw r.fail('a series has a label name without value');
        if (refs > 2 * LABELS_MAX) throw r.fail(`a series has more than ${LABELS_MAX} labels`);
      } else if (tag === 8) this.#key(r, r.varint());
      else if (tag === 18) this.#sample(r, c);
      else if (tag === 26) {
        c.checkObjects();
        c.histograms.push({ series: c.seriesCount, ...r.message(readHistogram) });
      } else if (tag === 34) {
        c.checkObjects();
        c.exemplars.push({ series: c.seriesCount, exemplar: r.message((m) => this.#exemplar(m)) });
      } else if (tag === 42) {
        const n = r.length();
        metadataAt = r.at;
        metadataEnd = r.at += n;
      } else r.skipField(tag);
    }
    c.addSeries(keyStart, this.#keyUsed);
    if (metadataEnd > metadataAt) this.#metadata(r, c, metadataAt, metadataEnd, keyStart);
  }

  /** Appends length and bytes of a symbol to the key: unambiguous, and independent of the request's numbering. */
  #key(r: ProtobufReader, symbol: number): void {
    if (symbol >= this.#symbols) throw r.fail(`symbol ${symbol} is used, the request has ${this.#symbols}`);
    const from = this.#symbolStart[symbol]!;
    const n = this.#symbolEnd[symbol]! - from;
    let at = this.#keyUsed;
    if (at + n + 4 > this.#keys.length) {
      const size = Math.max(this.#keys.length * 2, at + n + 4);
      if (size > KEY_BYTES_MAX)
        throw new VigieError('too_large', `the labels of the request exceed ${KEY_BYTES_MAX} bytes`);
      const keys = new Uint8Array(size);
      keys.set(this.#keys.subarray(0, at));
      this.#keys = keys;
    }
    const keys = this.#keys;
    keys[at] = n;
    keys[at + 1] = n >>> 8;
    keys[at + 2] = n >>> 16;
    keys[at + 3] = n >>> 24;
    at += 4;
    const body = this.#body;
    if (n < 40) for (let i = 0; i < n; i++) keys[at + i] = body[from + i]!;
    else keys.set(body.subarray(from, from + n), at);
    this.#keyUsed = at + n;
  }

  #labels(start: number, end: number): Labels {
    const flat: string[] = [];
    const k = this.#keys;
    for (let at = start; at < end; ) {
      const n = (k[at]! | (k[at + 1]! << 8) | (k[at + 2]! << 16) | (k[at + 3]! << 24)) >>> 0;
      flat.push(decodeText(k.subarray(at + 4, at + 4 + n)));
      at += 4 + n;
    }
    if (flat.length % 2 === 1) throw new VigieError('bad_data', 'a series has a label name without value');
    return checkedLabels(flat);
  }

  #text(r: ProtobufReader, symbol: number): string {
    if (symbol >= this.#symbols) throw r.fail(`symbol ${symbol} is used, the request has ${this.#symbols}`);
    return decodeText(this.#body.subarray(this.#symbolStart[symbol]!, this.#symbolEnd[symbol]!));
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
      const tag = r.varint();
      if (tag === 9) {
        if (r.at + 8 > end) throw r.fail('it ends within a sample');
        low = r.view.getUint32(r.at, true);
        high = r.view.getUint32(r.at + 4, true);
        r.at += 8;
      } else if (tag === 16) t = r.int64();
      else r.skipField(tag);
    }
    r.end = outer;
    c.addSample(t, low, high);
  }

  #exemplar(r: ProtobufReader): Exemplar {
    const refs: number[] = [];
    let value = 0;
    let timestampMs = 0;
    while (r.at < r.end) {
      const tag = r.varint();
      if (tag === 10 || tag === 8)
        r.repeated(tag === 10 ? WIRE_BYTES : WIRE_VARINT, WIRE_VARINT, refs, () => r.varint(), 2 * LABELS_MAX);
      else if (tag === 17) value = r.double();
      else if (tag === 24) timestampMs = r.int64();
      else r.skipField(tag);
    }
    if (refs.length % 2 === 1) throw r.fail('an exemplar has a label name without value');
    return { labels: exemplarLabels(refs.map((s) => this.#text(r, s))), value, timestampMs };
  }

  #metadata(r: ProtobufReader, c: WriteColumns, at: number, stop: number, keyStart: number): void {
    let type = 0;
    let help = 0;
    let unit = 0;
    r.at = at;
    r.end = stop;
    while (r.at < stop) {
      const tag = r.varint();
      if (tag === 8) type = r.varint();
      else if (tag === 24) help = r.varint();
      else if (tag === 32) unit = r.varint();
      else r.skipField(tag);
    }
    if (type === 0 && help === 0 && unit === 0) return;
    const metric = this.#metricName(keyStart);
    if (metric === '' || this.#metadataSeen.has(metric) || c.metadata.length >= METADATA_MAX) return;
    this.#metadataSeen.add(metric);
    c.metadata.push({
      metric,
      type: METRIC_TYPES[type] ?? 'unknown',
      help: this.#text(r, help),
      unit: this.#text(r, unit),
    });
  }

  #metricName(keyStart: number): string {
    const k = this.#keys;
    const name: Uint8Array[] = [];
    for (let at = keyStart; at < this.#keyUsed; ) {
      const n = (k[at]! | (k[at + 1]! << 8) | (k[at + 2]! << 16) | (k[at + 3]! << 24)) >>> 0;
      name.push(k.subarray(at + 4, at + 4 + n));
      at += 4 + n;
      if (name.length === 2) {
        if (name[0]!.length === 8 && Buffer.from(name[0]!).toString('latin1') === '__name__')
          return decodeText(name[1]!);
        name.length = 0;
      }
    }
    return '';
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new VigieError('bad_data', 'a symbol of the request is not valid UTF-8', { cause });
  }
}
