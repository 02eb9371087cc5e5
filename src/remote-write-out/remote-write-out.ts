/**
 * Copies what a tenant's writer took to the receivers of its `remote_write` section. It stands around a writer: the
 * batch is copied before the store sees it and handed on once the store acknowledged it. Nothing waits for a receiver.
 */
import type { Clock } from '../lib/clock.ts';
import { isVigieError, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Exemplar, MetricMetadata, Sample } from '../model/sample.ts';
import { setStale } from '../model/sample.ts';
import type { MetricsWriter, WriteBatch } from '../store/metrics.ts';
import type { RelabelRule, RemoteWriteTargetConfig } from './config.ts';
import type { OutgoingLabels } from './pending.ts';
import { createSender, type Send } from './sender.ts';
import { WriteQueue } from './write-queue.ts';

export interface RemoteWriteOutOptions {
  readonly targets: readonly RemoteWriteTargetConfig[];
  /** `global.external_labels`: added where a series has no such label. */
  readonly externalLabels: Labels;
  /** Relabelling is another feature's; undefined means dropped. */
  readonly compileRelabel: (rules: readonly RelabelRule[]) => (labels: Labels) => Labels | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly userAgent: string;
  /** For tests. */
  readonly sender?: (config: RemoteWriteTargetConfig) => Send;
}

/** Series remembered per target; beyond it the memory starts anew. */
const SERIES_MAX = 2_000_000;

interface Target {
  readonly config: RemoteWriteTargetConfig;
  readonly queue: WriteQueue;
  readonly relabel: (labels: Labels) => Labels | undefined;
  /** Key bytes (per dialect) -> outgoing labels; null: relabelling drops the series. */
  readonly series: Map<string, OutgoingLabels | null>;
  readonly outgoing: Map<string, OutgoingLabels>;
}

/** A batch in memory of its own. */
interface Copied {
  readonly series: readonly { readonly key: string; readonly labels: () => Labels }[];
  readonly seriesOf: Uint32Array;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly { series: number; timestampMs: number; histogram: NativeHistogram }[];
  readonly exemplars: readonly { series: number; exemplar: Exemplar }[];
  readonly metadata: readonly MetricMetadata[];
}

export class RemoteWriteOut {
  readonly #targets: readonly Target[];
  readonly #o: RemoteWriteOutOptions;
  #inFlight = 0;

  constructor(options: RemoteWriteOutOptions) {
    this.#o = options;
    const m = options.metrics;
    const sent = m.counter('vigie_remote_write_samples_total', 'Samples that a receiver took.', ['target']);
    const retried = m.counter('vigie_remote_write_retried_samples_total', 'Samples sent again after a failure.', [
      'target',
    ]);
    const dropped = m.counter('vigie_remote_write_dropped_samples_total', 'Samples that no receiver will get.', [
      'target',
      'reason',
    ]);
    const pending = m.gauge('vigie_remote_write_pending_samples', 'Samples that wait for a receiver.', ['target']);
    const shards = m.gauge('vigie_remote_write_shards', 'Requests that may be on their way at once.', ['target']);
    const newest = m.gauge('vigie_remote_write_highest_sent_timestamp_seconds', 'Newest sample that a receiver took.', [
      'target',
    ]);
    const { clock, logger } = options;
    this.#targets = options.targets.map((config) => ({
      config,
      relabel: options.compileRelabel(config.write_relabel_configs),
      series: new Map(),
      outgoing: new Map(),
      queue: new WriteQueue({
        config,
        clock,
        logger,
        send:
          options.sender?.(config) ?? createSender({ config, userAgent: options.userAgent, now: () => clock.now() }),
        events: {
          sent: (n) => sent.labels(config.name).inc(n),
          retried: (n) => retried.labels(config.name).inc(n),
          dropped: (n, reason) => dropped.labels(config.name, reason).inc(n),
        },
      }),
    }));
    m.onCollect(() => {
      for (const { config, queue } of this.#targets) {
        pending.labels(config.name).set(queue.pending);
        shards.labels(config.name).set(queue.shards);
        newest.labels(config.name).set(queue.highestSentMs / 1000);
      }
    });
  }

  /** State per target, for the API. */
  get targets(): readonly {
    readonly name: string;
    readonly url: string;
    readonly pending: number;
    readonly shards: number;
    readonly failing: boolean;
  }[] {
    return this.#targets.map(({ config, queue }) => ({
      name: config.name,
      url: config.url.replace(/\/\/[^/@]*@/, '//'),
      pending: queue.pending,
      shards: queue.shards,
      failing: queue.failing,
    }));
  }

  /** The same writer, whose acknowledged batches are also sent out. */
  wrap(inner: MetricsWriter): MetricsWriter {
    if (this.#targets.length === 0) return inner;
    return {
      append: async (batch) => {
        const copy = copyBatch(batch, (key) => this.#targets.every((t) => t.series.has(key)));
        this.#inFlight++;
        try {
          const result = await inner.append(batch);
          this.#enqueue(copy);
          return result;
        } finally {
          this.#inFlight--;
          this.#forget();
        }
      },
      appendSamples: async (samples) => {
        const result = await inner.appendSamples(samples);
        this.#enqueue(copySamples(samples));
        return result;
      },
    };
  }

  /** Tries for a few seconds to send what is left. */
  async close(): Promise<void> {
    await Promise.all(this.#targets.map((t) => t.queue.close()));
  }

  #enqueue(copy: Copied): void {
    const bits = new Uint32Array(copy.values.buffer, copy.values.byteOffset);
    for (const t of this.#targets) {
      const refs: (OutgoingLabels | null)[] = copy.series.map(({ key, labels }) => this.#resolve(t, key, labels));
      for (let i = 0; i < copy.seriesOf.length; i++) {
        const s = refs[copy.seriesOf[i]!];
        if (s) t.queue.push(s, copy.timestamps[i]!, bits[2 * i]!, bits[2 * i + 1]!);
      }
      if (t.config.send_native_histograms)
        for (const { series, timestampMs, histogram } of copy.histograms) {
          const s = refs[series];
          if (s) t.queue.push(s, timestampMs, 0, 0, histogram);
        }
      if (t.config.send_exemplars)
        for (const { series, exemplar } of copy.exemplars) {
          const s = refs[series];
          if (s) t.queue.push(s, exemplar.timestampMs, 0, 0, undefined, exemplar);
        }
      if (t.config.metadata_config.send && copy.metadata.length > 0) t.queue.pushMetadata(copy.metadata);
    }
  }

  /** Only while no batch is on its way: the labels of its known series are not at hand any more. */
  #forget(): void {
    if (this.#inFlight > 0) return;
    for (const t of this.#targets) {
      if (t.series.size <= SERIES_MAX) continue;
      t.series.clear();
      t.outgoing.clear();
    }
  }

  #resolve(t: Target, key: string, labelsOf: () => Labels): OutgoingLabels | null {
    const known = t.series.get(key);
    if (known !== undefined) return known;
    let out: OutgoingLabels | null = null;
    try {
      let labels = labelsOf();
      for (const [name, value] of this.#o.externalLabels) if (!labels.has(name)) labels = labels.with(name, value);
      const kept = t.relabel(labels);
      if (kept && kept.size > 0) {
        out = t.outgoing.get(kept.key) ?? { labels: kept, hash: hashOf(kept.key) };
        t.outgoing.set(kept.key, out);
      }
    } catch (error) {
      // the store refused these labels as well, and told the sender
      if (!isVigieError(error, 'bad_data')) throw error;
    }
    t.series.set(key, out);
    return out;
  }
}

/** Labels are parsed only for keys that are not known yet. */
function copyBatch(b: WriteBatch, known: (key: string) => boolean): Copied {
  const first = b.seriesCount === 0 ? 0 : b.sampleStart[0]!;
  const count = b.seriesCount === 0 ? 0 : b.sampleStart[b.seriesCount]! - first;
  const seriesOf = new Uint32Array(count);
  const values = new Float64Array(count);
  new Uint32Array(values.buffer).set(new Uint32Array(b.values.buffer, b.values.byteOffset + 8 * first, 2 * count));
  const series: { key: string; labels: () => Labels }[] = [];
  for (let i = 0; i < b.seriesCount; i++) {
    seriesOf.fill(i, b.sampleStart[i]! - first, b.sampleStart[i + 1]! - first);
    if (b.dialect === 'labels') {
      const labels = b.labels(i);
      series.push({ key: `l${labels.key}`, labels: () => labels });
      continue;
    }
    const bytes = Buffer.from(b.keys.buffer, b.keys.byteOffset + b.keyStart[i]!, b.keyEnd[i]! - b.keyStart[i]!);
    const key = `${b.dialect}${bytes.toString('latin1')}`;
    let labels: Labels | undefined;
    let failure: unknown = new VigieError('bad_data', 'the labels of a known series were asked for');
    try {
      if (!known(key)) labels = b.labels(i);
    } catch (error) {
      failure = error;
    }
    series.push({
      key,
      labels: () => {
        if (!labels) throw failure;
        return labels;
      },
    });
  }
  return {
    series,
    seriesOf,
    timestamps: b.timestamps.slice(first, first + count),
    values,
    histograms: [...(b.histograms ?? [])],
    exemplars: [...(b.exemplars ?? [])],
    metadata: [...(b.metadata ?? [])],
  };
}

function copySamples(samples: readonly Sample[]): Copied {
  const floats = samples.flatMap((s, i) => (s.histogram ? [] : [i]));
  const values = new Float64Array(floats.length);
  floats.forEach((i, k) => {
    values[k] = samples[i]!.value;
    if (samples[i]!.stale) setStale(values, k);
  });
  return {
    series: samples.map((s) => ({ key: `l${s.labels.key}`, labels: () => s.labels })),
    seriesOf: Uint32Array.from(floats),
    timestamps: Float64Array.from(floats, (i) => samples[i]!.timestampMs),
    values,
    histograms: samples.flatMap((s, i) =>
      s.histogram ? [{ series: i, timestampMs: s.timestampMs, histogram: s.histogram }] : [],
    ),
    exemplars: [],
    metadata: [],
  };
}

/** FNV-1a over UTF-16 units: it only spreads series over shards. */
function hashOf(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
