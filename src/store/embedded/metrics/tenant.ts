/** Everything the store holds of one tenant. Readers and writers get one of these and can name no other. */
import type { Labels } from '../../../model/labels.ts';
import type { Exemplar, MetricMetadata } from '../../../model/sample.ts';
import type { TenantId } from '../../../model/tenant.ts';
import type { CompileMatcher, WriteBatch } from '../../metrics.ts';
import type { BlockReader } from './block-reader.ts';
import type { DeletedRange, Gather } from './gather.ts';
import { KeyCache } from './key-cache.ts';
import type { RawPages } from './raw-pages.ts';
import { TenantHead } from './tenant-head.ts';

/** Exemplars kept per tenant; the oldest give way. */
export const EXEMPLARS_MAX = 10_000;
/** Metrics whose metadata is kept per tenant. */
export const METADATA_MAX = 50_000;

export interface StoredExemplar {
  readonly labels: Labels;
  readonly exemplar: Exemplar;
}

export interface DamagedRange {
  readonly message: string;
  readonly startMs: number;
  readonly endMs: number;
}

export class Tenant {
  readonly id: TenantId;
  readonly head: TenantHead;
  readonly keys = new Map<WriteBatch['dialect'], KeyCache>();
  readonly metadata = new Map<string, MetricMetadata>();
  exemplars: StoredExemplar[] = [];
  /** Deleted ranges per series key, for head and blocks alike. */
  readonly deleted = new Map<string, DeletedRange[]>();
  /** Sorted by start; replaced as a whole, so that a reader keeps a consistent list. */
  blocks: readonly BlockReader[] = [];
  /** Blocks that could not be opened, and ranges of the log that could not be read: named in answers about their time. */
  damage: DamagedRange[] = [];
  /** Number in the current WAL segment, 0 for none yet. */
  walNumber = 0;
  walSeries = 0;
  #tokens = Number.NaN;
  #tokensAtMs = 0;

  constructor(id: TenantId, blockMs: number, raw: RawPages, compile: CompileMatcher, gather: Gather) {
    this.id = id;
    this.head = new TenantHead(blockMs, raw, compile);
    this.head.bitsAt = (ref, t) => {
      gather.begin(t, t);
      this.head.gather(ref, t, t, gather);
      gather.finish(this.head.index.labels(ref));
      const found = gather.result()[0];
      if (!found) return undefined;
      const bits = new Uint32Array(found.values.buffer, found.values.byteOffset, 2);
      return [bits[0]!, bits[1]!];
    };
  }

  keyCache(dialect: WriteBatch['dialect']): KeyCache {
    let cache = this.keys.get(dialect);
    if (!cache) this.keys.set(dialect, (cache = new KeyCache()));
    return cache;
  }

  /** Takes `n` tokens of the ingest rate; false when there are too few. */
  takeTokens(n: number, perSecond: number, burst: number, nowMs: number): boolean {
    if (Number.isNaN(this.#tokens)) this.#tokens = burst;
    else this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#tokensAtMs) / 1000) * perSecond);
    this.#tokensAtMs = nowMs;
    if (this.#tokens < n) return false;
    this.#tokens -= n;
    return true;
  }

  addExemplar(labels: Labels, exemplar: Exemplar): boolean {
    // exemplars repeat with every scrape until a new one replaces them
    for (let i = this.exemplars.length - 1, seen = 0; i >= 0 && seen < 64; i--, seen++) {
      const e = this.exemplars[i]!;
      if (e.labels !== labels) continue;
      if (e.exemplar.timestampMs > exemplar.timestampMs) return false;
      if (e.exemplar.timestampMs === exemplar.timestampMs && e.exemplar.labels.equals(exemplar.labels)) return true;
    }
    this.exemplars.push({ labels, exemplar });
    if (this.exemplars.length > 2 * EXEMPLARS_MAX) this.exemplars = this.exemplars.slice(-EXEMPLARS_MAX);
    return true;
  }

  addMetadata(m: MetricMetadata): boolean {
    const old = this.metadata.get(m.metric);
    if (old && old.type === m.type && old.help === m.help && old.unit === m.unit) return false;
    if (!old && this.metadata.size >= METADATA_MAX) return false;
    this.metadata.set(m.metric, m);
    return true;
  }
}
