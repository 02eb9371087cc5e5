/** What the records of the WAL mean: writing them, and reading their payloads. Layout: docs/formats/wal.md. */
import { VigieError } from '../../../lib/errors.ts';
import type { NativeHistogram } from '../../../model/histogram.ts';
import { Labels } from '../../../model/labels.ts';
import type { Exemplar, MetricMetadata } from '../../../model/sample.ts';
import type { HeadWindow } from './head-window.ts';
import { decodeHistogram, encodeHistogram } from './histogram-codec.ts';
import type { Wal } from './wal.ts';

export const RECORD_TENANT = 1;
export const RECORD_SERIES = 2;
export const RECORD_SAMPLES = 3;
export const RECORD_HISTOGRAM = 4;
export const RECORD_EXEMPLAR = 5;
export const RECORD_METADATA = 6;
/** Chunks that were sealed: the samples in them need not be replayed one by one. */
export const RECORD_CHUNKS = 7;
/** Samples that came out of order: as RECORD_SAMPLES, but never part of a chunk of RECORD_CHUNKS. */
export const RECORD_LATE = 8;

/** Records of many series or chunks end past this, so that damage stays small. */
const GROUP_BYTES_MAX = 64 * 1024;

export interface SealedChunk {
  readonly ref: number;
  readonly window: HeadWindow;
  readonly chunk: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const doubles = new Float64Array(2);
export const doubleWords = new Uint32Array(doubles.buffer);

export function putTenant(wal: Wal, number: number, name: string): void {
  wal.begin(RECORD_TENANT, number);
  wal.bytes(encoder.encode(name));
  wal.end(true);
}

/** Defines series, several to a record; `end` closes the last record and must come before any other is begun. */
export class SeriesRecords {
  #open = false;

  put(wal: Wal, tenant: number, id: number, labels: Labels): void {
    if (!this.#open) wal.begin(RECORD_SERIES, tenant);
    this.#open = true;
    wal.reserve(8);
    wal.word(id);
    wal.bytes(encoder.encode(JSON.stringify(labels.flat)));
    if (wal.recordBytes > GROUP_BYTES_MAX) this.end(wal);
  }

  end(wal: Wal): void {
    if (this.#open) wal.end(true);
    this.#open = false;
  }
}

/** Writes the chunks that were sealed since the last call, by the series numbers of this segment. */
export function putChunks(wal: Wal, tenant: number, sealed: readonly SealedChunk[], walIds: Uint32Array): void {
  let open = false;
  for (const { ref, window, chunk } of sealed) {
    if (!open) wal.begin(RECORD_CHUNKS, tenant);
    open = true;
    wal.reserve(16);
    doubles[0] = window.minT[chunk]!;
    wal.word(walIds[ref]!);
    wal.word(doubleWords[0]!);
    wal.word(doubleWords[1]!);
    wal.word(window.maxT[chunk]! - window.minT[chunk]!);
    const at = window.offset(chunk);
    wal.bytes(window.page(chunk).subarray(at, at + window.size[chunk]!));
    if (wal.recordBytes > GROUP_BYTES_MAX) {
      wal.end();
      open = false;
    }
  }
  if (open) wal.end();
}

export function putHistogram(wal: Wal, tenant: number, id: number, t: number, h: NativeHistogram): void {
  wal.begin(RECORD_HISTOGRAM, tenant);
  wal.reserve(16);
  doubles[0] = t;
  wal.word(id);
  wal.word(doubleWords[0]!);
  wal.word(doubleWords[1]!);
  wal.bytes(encodeHistogram(h));
  wal.end();
}

export function putExemplar(wal: Wal, tenant: number, id: number, e: Exemplar): void {
  wal.begin(RECORD_EXEMPLAR, tenant);
  wal.reserve(24);
  doubles[0] = e.timestampMs;
  doubles[1] = e.value;
  wal.word(id);
  for (let i = 0; i < 4; i++) wal.word(doubleWords[i]!);
  wal.bytes(encoder.encode(JSON.stringify(e.labels.flat)));
  wal.end();
}

export function putMetadata(wal: Wal, tenant: number, m: MetricMetadata): void {
  wal.begin(RECORD_METADATA, tenant);
  wal.bytes(encoder.encode(JSON.stringify([m.metric, m.type, m.help, m.unit])));
  wal.end();
}

/** The length-prefixed bytes whose length stands at byte `at`. */
export function bytesAt(payload: Uint8Array, at: number): Uint8Array {
  if (at + 4 > payload.length) throw new VigieError('corrupt', 'a log record ends early');
  const length = (payload[at]! | (payload[at + 1]! << 8) | (payload[at + 2]! << 16) | (payload[at + 3]! << 24)) >>> 0;
  if (at + 4 + length > payload.length) throw new VigieError('corrupt', 'a log record ends early');
  return payload.subarray(at + 4, at + 4 + length);
}

export const textAt = (payload: Uint8Array, at: number): string => decoder.decode(bytesAt(payload, at));

export function labelsAt(payload: Uint8Array, at: number): Labels {
  return Labels.fromSorted(JSON.parse(textAt(payload, at)) as string[]);
}

export function timeAt(words: Uint32Array, at: number): number {
  doubleWords[0] = words[at]!;
  doubleWords[1] = words[at + 1]!;
  return doubles[0]!;
}

export function histogramAt(payload: Uint8Array, at: number): NativeHistogram {
  const b = bytesAt(payload, at);
  return decodeHistogram(b, 0, b.length);
}

export function metadataAt(payload: Uint8Array): MetricMetadata {
  const [metric, type, help, unit] = JSON.parse(textAt(payload, 0)) as [string, MetricMetadata['type'], string, string];
  return { metric, type, help, unit };
}
