/**
 * The queue of one receiver: shards that send side by side, each series always in the same shard so that its samples
 * arrive in order. A failed request is tried again with growing pauses (or when the receiver says so) until it succeeds;
 * what does not fit meanwhile is dropped, counted and named. The number of shards follows the backlog.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import type { Exemplar, MetricMetadata } from '../model/sample.ts';
import { encodeWriteRequest, type OutgoingSeries } from '../store/wire/remote-write.ts';
import type { RemoteWriteTargetConfig } from './config.ts';
import { type OutgoingLabels, PendingRing, type Taken } from './pending.ts';
import type { Send } from './sender.ts';

export type DropReason = 'queue_full' | 'refused' | 'too_old' | 'shutdown';

export interface QueueEvents {
  readonly sent: (samples: number) => void;
  readonly retried: (samples: number) => void;
  readonly dropped: (samples: number, reason: DropReason) => void;
}

export interface QueueOptions {
  readonly config: RemoteWriteTargetConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly send: Send;
  readonly events: QueueEvents;
}

/** How often the number of shards is looked at. */
const RESHARD_MS = 10_000;
/** A shard that is this full asks for more shards. */
const BACKLOG_HIGH = 0.1;
/** What is left is tried for this long when the queue closes. */
export const FLUSH_MS_MAX = 5_000;
/** One line in the log per this time and kind of trouble. */
const COMPLAIN_MS = 30_000;

interface Shard {
  readonly ring: PendingRing;
  wake: () => void;
  running: Promise<void>;
}

export class WriteQueue {
  readonly #o: QueueOptions;
  #shards: Shard[] = [];
  #metadata: MetricMetadata[] = [];
  #timer: Timer | undefined;
  #stop = new AbortController();
  #resharding = false;
  /** While shards change, samples wait here, bounded like a shard. */
  #aside: PendingRing | undefined;
  #closing = false;
  readonly #complained = new Map<string, number>();
  /** Newest time that a receiver took, ms. */
  highestSentMs = 0;
  failing = false;

  constructor(options: QueueOptions) {
    this.#o = options;
    this.#start(options.config.queue_config.min_shards);
    this.#arm();
  }

  get shards(): number {
    return this.#shards.length;
  }

  get pending(): number {
    return this.#shards.reduce((n, s) => n + s.ring.length, this.#aside?.length ?? 0);
  }

  /** Takes one sample; it is dropped and counted when its shard is full. */
  push(s: OutgoingLabels, t: number, low: number, high: number, h?: NativeHistogram, e?: Exemplar): void {
    const shard = this.#shards[s.hash % this.#shards.length];
    const ring = this.#aside ?? shard?.ring;
    if (this.#closing || !ring || !ring.push(s, t, low, high, h, e)) {
      this.#dropped(1, this.#closing ? 'shutdown' : 'queue_full', 'the queue is full');
      return;
    }
    if (!this.#aside && ring.length === this.#o.config.queue_config.max_samples_per_send) shard!.wake();
  }

  /** Sent with the next request of the first shard. */
  pushMetadata(list: readonly MetricMetadata[]): void {
    const max = this.#o.config.metadata_config.max_samples_per_send;
    this.#metadata = [...this.#metadata, ...list].slice(-max);
    this.#shards[0]?.wake();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#timer?.cancel();
    while (this.#resharding) await sleep(this.#o.clock, 10);
    const late = this.#o.clock.setTimer(() => this.#stop.abort(), FLUSH_MS_MAX);
    for (const s of this.#shards) s.wake();
    await Promise.all(this.#shards.map((s) => s.running));
    late.cancel();
    const left = this.pending;
    if (left > 0) this.#dropped(left, 'shutdown', 'the receiver did not take them before the end');
  }

  #start(count: number): void {
    this.#stop = new AbortController();
    this.#shards = Array.from({ length: count }, () => {
      const shard: Shard = {
        ring: new PendingRing(this.#o.config.queue_config.capacity),
        wake: () => {},
        running: Promise.resolve(),
      };
      return shard;
    });
    for (const [i, shard] of this.#shards.entries()) shard.running = this.#run(shard, i === 0);
  }

  async #run(shard: Shard, first: boolean): Promise<void> {
    const { max_samples_per_send: max, batch_send_deadline: deadlineMs } = this.#o.config.queue_config;
    for (;;) {
      if (this.#stop.signal.aborted) return;
      if (shard.ring.length < max && !this.#closing && !this.#resharding) {
        await new Promise<void>((resolve) => {
          const timer = this.#o.clock.setTimer(resolve, deadlineMs);
          shard.wake = () => {
            timer.cancel();
            resolve();
          };
        });
        shard.wake = () => {};
      }
      if (this.#resharding) return;
      const metadata = first ? this.#metadata.splice(0) : [];
      if (shard.ring.length > 0 || metadata.length > 0) await this.#deliver(shard.ring, max, metadata);
      else if (this.#closing) return;
    }
  }

  /** Sends the oldest entries until they are taken, refused, or the queue stops. */
  async #deliver(ring: PendingRing, max: number, metadata: readonly MetricMetadata[]): Promise<void> {
    const { min_backoff, max_backoff, sample_age_limit } = this.#o.config.queue_config;
    const { events, clock } = this.#o;
    for (let backoffMs = min_backoff; ; backoffMs = Math.min(max_backoff, backoffMs * 2)) {
      if (sample_age_limit > 0) this.#dropOld(ring, clock.now() - sample_age_limit);
      const taken = ring.peek(max);
      if (taken.count === 0 && metadata.length === 0) return;
      const outcome = await this.#o.send(encodeWriteRequest(grouped(taken), metadata), this.#stop.signal);
      if (outcome.kind === 'sent') {
        ring.drop(taken.count);
        events.sent(taken.count);
        this.failing = false;
        for (let i = 0; i < taken.count; i++)
          if (taken.timestamps[i]! > this.highestSentMs) this.highestSentMs = taken.timestamps[i]!;
        return;
      }
      if (outcome.kind === 'refused') {
        ring.drop(taken.count);
        this.#dropped(taken.count, 'refused', `the receiver refused them: ${outcome.reason}`);
        return;
      }
      this.failing = true;
      events.retried(taken.count);
      this.#complain('retry', `remote write to ${this.#o.config.name} fails and is tried again: ${outcome.reason}`);
      if (this.#resharding) return;
      await sleep(clock, outcome.afterMs ?? backoffMs, this.#stop.signal).catch(() => {});
      if (this.#stop.signal.aborted || this.#resharding) return;
    }
  }

  #dropOld(ring: PendingRing, oldestMs: number): void {
    let n = 0;
    const { timestamps, count } = ring.peek(this.#o.config.queue_config.max_samples_per_send);
    while (n < count && timestamps[n]! < oldestMs) n++;
    if (n === 0) return;
    ring.drop(n);
    this.#dropped(n, 'too_old', 'they are older than sample_age_limit');
  }

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => {
      void this.#reshard().finally(() => {
        if (!this.#closing) this.#arm();
      });
    }, RESHARD_MS);
  }

  /** More shards while they fall behind and the receiver answers, fewer when one would do. */
  async #reshard(): Promise<void> {
    const { min_shards, max_shards, capacity, max_samples_per_send } = this.#o.config.queue_config;
    const fullest = Math.max(...this.#shards.map((s) => s.ring.length));
    const count = this.#shards.length;
    let wanted = count;
    // a receiver that is down is not helped by more connections
    if (fullest > Math.max(max_samples_per_send, capacity * BACKLOG_HIGH) && !this.failing) wanted = count * 2;
    else if (fullest < max_samples_per_send / 2) wanted = Math.ceil(count / 2);
    wanted = Math.min(max_shards, Math.max(min_shards, wanted));
    if (wanted === count || this.#closing) return;
    this.#aside = new PendingRing(capacity);
    this.#resharding = true;
    const old = this.#shards;
    for (const s of old) s.wake();
    await Promise.all(old.map((s) => s.running));
    this.#resharding = false;
    this.#start(wanted);
    const aside = this.#aside;
    this.#aside = undefined;
    for (const ring of [...old.map((s) => s.ring), aside]) {
      const all = ring.peek(ring.length);
      const bits = new Uint32Array(all.values.buffer);
      for (let i = 0; i < all.count; i++)
        this.push(
          all.series[i]!,
          all.timestamps[i]!,
          bits[2 * i]!,
          bits[2 * i + 1]!,
          all.histograms[i],
          all.exemplars[i],
        );
    }
    this.#o.logger.info('remote write changes its shards', { target: this.#o.config.name, from: count, to: wanted });
  }

  #dropped(n: number, reason: DropReason, why: string): void {
    this.#o.events.dropped(n, reason);
    this.#complain(reason, `remote write to ${this.#o.config.name} drops samples: ${why}`);
  }

  #complain(kind: string, message: string): void {
    const now = this.#o.clock.monotonicMs();
    const last = this.#complained.get(kind);
    if (last !== undefined && now - last < COMPLAIN_MS) return;
    this.#complained.set(kind, now);
    this.#o.logger.warn(message);
  }
}

/** Neighbouring samples of one series share its labels. */
function grouped(t: Taken): OutgoingSeries[] {
  const bySeries = new Map<OutgoingLabels, number[]>();
  for (let i = 0; i < t.count; i++) {
    const list = bySeries.get(t.series[i]!);
    if (list) list.push(i);
    else bySeries.set(t.series[i]!, [i]);
  }
  const from = new Uint32Array(t.values.buffer);
  return [...bySeries].map(([s, indices]) => {
    const samples = indices.filter((i) => t.exemplars[i] === undefined);
    const timestamps = new Float64Array(samples.length);
    const values = new Float64Array(samples.length);
    const to = new Uint32Array(values.buffer);
    samples.forEach((i, k) => {
      timestamps[k] = t.timestamps[i]!;
      to[2 * k] = from[2 * i]!;
      to[2 * k + 1] = from[2 * i + 1]!;
    });
    const histograms = samples.map((i) => t.histograms[i]);
    const exemplars = indices.map((i) => t.exemplars[i]).filter((e) => e !== undefined);
    return {
      labels: s.labels,
      length: samples.length,
      timestamps,
      values,
      ...(histograms.some((h) => h) ? { histograms } : {}),
      ...(exemplars.length > 0 ? { exemplars } : {}),
    };
  });
}
