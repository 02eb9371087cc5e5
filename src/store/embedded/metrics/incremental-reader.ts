/**
 * Lets rules follow the series of one tenant by small numbers and be told only new samples: what incremental evaluation
 * asks for (rules/incremental/source.ts). Reads the head only; what is in blocks it says it does not have.
 */
import { type Labels, METRIC_NAME } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { SeriesColumns } from '../../../model/sample.ts';
import { CHUNK_SAMPLES_MAX, decodeChunk } from './chunk-codec.ts';
import type { Gather } from './gather.ts';
import type { Tenant } from './tenant.ts';

interface Sink {
  push(timeMs: number, low: number, high: number): void;
}

export interface IncrementalReaderPorts {
  readonly gather: Gather;
  /** Older samples are out of retention; -Infinity for none. */
  readonly oldestMs: () => number;
}

/** Takes the pieces that a head hands out for one series, keeps what is new, and notices when it is not in order. */
class NewSamples {
  readonly #ts = new Float64Array(CHUNK_SAMPLES_MAX);
  readonly #values = new Float64Array(CHUNK_SAMPLES_MAX);
  readonly #bits = new Uint32Array(this.#values.buffer);
  #sink: Sink = { push() {} };
  #lastMs = 0;
  inOrder = true;

  begin(afterMs: number, sink: Sink): void {
    this.#lastMs = afterMs;
    this.#sink = sink;
    this.inOrder = true;
  }

  raw(offsets: Int32Array, bits: Uint32Array, at: number, n: number, base: number): void {
    let i = at + n;
    while (i > at && base + offsets[i - 1]! > this.#lastMs) i--;
    for (; i < at + n; i++) this.#push(base + offsets[i]!, bits[2 * i]!, bits[2 * i + 1]!);
  }

  chunk(bytes: Uint8Array, at: number, end: number, firstMs: number): void {
    const n = decodeChunk(bytes, at, end, firstMs, this.#ts, this.#values, this.#bits, 0);
    let i = n;
    while (i > 0 && this.#ts[i - 1]! > this.#lastMs) i--;
    for (; i < n; i++) this.#push(this.#ts[i]!, this.#bits[2 * i]!, this.#bits[2 * i + 1]!);
  }

  floats(): void {
    this.inOrder = false;
  }

  histograms(): void {
    this.inOrder = false;
  }

  #push(t: number, low: number, high: number): void {
    this.#lastMs = t;
    this.#sink.push(t, low, high);
  }
}

export class IncrementalReader {
  readonly #find: () => Tenant;
  readonly #ports: IncrementalReaderPorts;
  readonly #new = new NewSamples();
  /** A deleted tenant's successor starts at version 0 again: the difference must show. */
  #tenant: Tenant;
  #epoch = 0;

  constructor(find: () => Tenant, ports: IncrementalReaderPorts) {
    this.#find = find;
    this.#ports = ports;
    this.#tenant = find();
  }

  get #head(): Tenant['head'] {
    const tenant = this.#find();
    if (tenant !== this.#tenant) {
      this.#tenant = tenant;
      this.#epoch++;
    }
    return tenant.head;
  }

  /** Changes whenever a series came or went. */
  get seriesVersion(): number {
    const { index } = this.#head;
    return index.version + this.#epoch * 2 ** 40;
  }

  /** Changes whenever a series that these matchers may select came or went. */
  selectionVersion(matchers: readonly Matcher[]): number {
    const { index } = this.#head;
    const name = matchers.find((m) => m.name === METRIC_NAME && m.op === '=');
    return (name ? index.nameVersion(name.value) : index.version) + this.#epoch * 2 ** 40;
  }

  /** Changes with every sample. */
  get samplesVersion(): number {
    return this.#head.samplesTotal;
  }

  memoryFromMs(): number {
    let from = this.#ports.oldestMs();
    this.#head;
    for (const b of this.#tenant.blocks) from = Math.max(from, b.footer.endMs);
    for (const d of this.#tenant.damage) from = Math.max(from, d.endMs + 1);
    return from;
  }

  select(matchers: readonly Matcher[]): ArrayLike<number> {
    return this.#head.index.select(matchers);
  }

  labels(ref: number): Labels {
    return this.#head.index.labels(ref);
  }

  lastTimeMs(ref: number): number {
    return this.#head.lastTimeMs(ref);
  }

  mayBeIrregular(): boolean {
    const head = this.#head;
    if (this.#tenant.deleted.size > 0) return true;
    for (const w of head.windows.values()) if (w.late.size > 0 || w.histograms.size > 0) return true;
    for (const w of head.frozen) if (w.late.size > 0 || w.histograms.size > 0) return true;
    return false;
  }

  irregularity(ref: number): 'none' | 'disordered' | 'histograms' {
    const head = this.#head;
    let how: 'none' | 'disordered' = 'none';
    for (const windows of [head.windows.values(), head.frozen])
      for (const w of windows) {
        if (w.histograms.has(ref)) return 'histograms';
        if (w.late.has(ref)) how = 'disordered';
      }
    if (this.#tenant.deleted.size > 0 && this.#tenant.deleted.has(head.index.labels(ref).key)) how = 'disordered';
    return how;
  }

  /** Hands over the floats after `afterMs`, oldest first; false when they did not come in order. */
  read(ref: number, afterMs: number, sink: Sink): boolean {
    const head = this.#head;
    if (head.readRaw(ref, afterMs, sink)) return true;
    this.#new.begin(afterMs, sink);
    head.gather(ref, afterMs + 1, Number.POSITIVE_INFINITY, this.#new as unknown as Gather);
    return this.#new.inOrder;
  }

  /** The samples of one series in the closed range, exactly as a query would see them. */
  window(ref: number, startMs: number, endMs: number): SeriesColumns | undefined {
    const head = this.#head;
    const { gather } = this.#ports;
    const labels = head.index.labels(ref);
    gather.begin(startMs, endMs);
    head.gather(ref, startMs, endMs, gather);
    gather.finish(labels, this.#tenant.deleted.size > 0 ? this.#tenant.deleted.get(labels.key) : undefined);
    return gather.result()[0];
  }
}
