/**
 * The newest end of one range answer. Live steps are appended as they come; a hole before a step (sleep, a tab in the
 * background, a panel off the screen, a step that the server skipped) is asked for and filled, so that no point is lost
 * and none is asked twice. What came late (a sender that pushes once a minute) is mended by asking for the last minutes
 * anew from time to time. Not here: who subscribes, and when nothing is live: use-live-queries.ts.
 */
import { advance, type Columns, type Metric, mergePart, type RangeSeries, toColumns } from '../lib/series.ts';

export interface LiveStep {
  readonly atMs: number;
  readonly result: readonly { readonly metric: Metric; readonly value: readonly [number, string] }[];
}
export interface TailPorts {
  /** The answer so far; undefined until the first one is here. */
  read(): Columns | undefined;
  write(columns: Columns): void;
  /** A range of the same query; both ends are steps of it. */
  fetch(startMs: number, endMs: number): Promise<readonly RangeSeries[]>;
  /** So much is missing that all is asked anew. */
  refetch(): void;
  /** Where the range begins when it ends at `endMs`. */
  startAt(endMs: number): number;
  now(): number;
}
export interface TailOptions {
  readonly stepMs: number;
  /** Steps keep to the clock's grid; else the newest point moves on until it is a step away from the one before it. */
  readonly onGrid: boolean;
}

/** Steps that wait for a hole before them to be filled; the hole's answer covers what is dropped. */
const PENDING_MAX = 20;
const RETRY_MS = 10_000;
/** How often the last minutes are asked for anew, and how many. */
export const MEND_EVERY_MS = 300_000;
const MEND_STEPS_MIN = 3;
/** Parts of a step that clocks may differ by. */
const SLACK = 0.5;

export class LiveTail {
  readonly #ports: TailPorts;
  readonly #stepMs: number;
  readonly #onGrid: boolean;
  #pending: LiveStep[] = [];
  #busy = false;
  #draining = false;
  #retryAtMs = 0;
  #mendAtMs: number;
  #closed = false;

  constructor(options: TailOptions, ports: TailPorts) {
    this.#ports = ports;
    this.#stepMs = options.stepMs;
    this.#onGrid = options.onGrid;
    this.#mendAtMs = ports.now() + MEND_EVERY_MS;
  }

  receive(step: LiveStep): void {
    this.#pending.push(step);
    if (this.#pending.length > PENDING_MAX) this.#pending.shift();
    this.drain();
  }

  /** Takes what waits; also called when the first answer has come. */
  drain(): void {
    // writing tells the cache's listeners, who come back here
    if (this.#busy || this.#draining || this.#closed) return;
    this.#draining = true;
    try {
      this.#take();
    } finally {
      this.#draining = false;
    }
  }

  #take(): void {
    const base = this.#ports.read();
    if (!base) return;
    let columns = base;
    for (let step = this.#pending[0]; step; step = this.#pending[0]) {
      const lastMs = (columns.times.at(-1) ?? 0) * 1_000;
      if (step.atMs - lastMs > this.#stepMs * (1 + SLACK)) {
        if (columns !== base) this.#ports.write(columns);
        void this.#fill(lastMs, step.atMs - this.#stepMs);
        return;
      }
      this.#pending.shift();
      const startMs = this.#ports.startAt(step.atMs);
      columns = advance(columns, step.atMs / 1_000, this.#stepMs / 1_000, step.result, this.#floor(startMs) / 1_000);
    }
    if (columns !== base) this.#ports.write(columns);
    const now = this.#ports.now();
    if (this.#onGrid && now >= this.#mendAtMs) {
      this.#mendAtMs = now + MEND_EVERY_MS;
      const lastMs = (columns.times.at(-1) ?? 0) * 1_000;
      const steps = Math.max(MEND_STEPS_MIN, Math.ceil(MEND_EVERY_MS / this.#stepMs));
      void this.#ask(Math.max((columns.times[0] ?? 0) * 1_000, lastMs - steps * this.#stepMs), lastMs);
    }
  }

  /** Without a live stream: asks for what is new since the last point, and for nothing else. */
  async catchUp(nowMs: number): Promise<void> {
    if (this.#busy || this.#closed) return;
    const columns = this.#ports.read();
    if (!columns) return;
    const lastMs = (columns.times.at(-1) ?? 0) * 1_000;
    const endMs = this.#onGrid ? this.#floor(nowMs) : Math.floor(nowMs / 1_000) * 1_000;
    if (endMs <= lastMs) return;
    if (this.#onGrid) return this.#fill(lastMs, endMs);
    this.#busy = true;
    try {
      const found = await this.#ports.fetch(endMs, endMs);
      const result = found.flatMap((s) => (s.values[0] ? [{ metric: s.metric, value: s.values[0] }] : []));
      this.#pending.push({ atMs: endMs, result });
    } catch {
      // the next turn asks again
    } finally {
      this.#busy = false;
    }
    this.drain();
  }

  close(): void {
    this.#closed = true;
    this.#pending = [];
  }

  #floor(ms: number): number {
    return this.#onGrid ? Math.floor(ms / this.#stepMs) * this.#stepMs : ms;
  }

  async #fill(lastMs: number, endMs: number): Promise<void> {
    if (lastMs < this.#ports.startAt(endMs)) {
      this.#pending = [];
      this.#ports.refetch();
      return;
    }
    if (this.#ports.now() < this.#retryAtMs) return;
    await this.#ask(lastMs + this.#stepMs, endMs);
  }

  async #ask(startMs: number, endMs: number): Promise<void> {
    const count = Math.max(0, Math.floor((endMs - startMs) / this.#stepMs + 1e-6));
    const lastMs = startMs + count * this.#stepMs;
    this.#busy = true;
    try {
      const found = await this.#ports.fetch(startMs, lastMs);
      const columns = this.#ports.read();
      if (columns && !this.#closed) {
        const part = toColumns(found, startMs / 1_000, lastMs / 1_000, this.#stepMs / 1_000);
        const newestMs = Math.max(lastMs, (columns.times.at(-1) ?? 0) * 1_000);
        this.#ports.write(mergePart(columns, part, this.#floor(this.#ports.startAt(newestMs)) / 1_000));
      }
    } catch {
      this.#retryAtMs = this.#ports.now() + RETRY_MS;
      return;
    } finally {
      this.#busy = false;
    }
    this.drain();
  }
}
