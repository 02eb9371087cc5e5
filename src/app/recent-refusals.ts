/** Samples the store refused over the last hour, per tenant and reason, for whoever looks at the overview. In memory only. */
import type { Clock } from '../lib/clock.ts';
import type { TenantId } from '../model/tenant.ts';
import type { MetricsWriter, RejectReason, WriteResult } from '../store/metrics.ts';

/** What the overview calls recent, in slices of a minute: the oldest slice goes as a whole. */
const SLICE_MS = 60_000;
const SLICES = 60;

interface Slice {
  readonly number: number;
  readonly counts: Map<RejectReason, number>;
}

export class RecentRefusals {
  readonly #clock: Clock;
  readonly #slices = new Map<TenantId, Slice[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same writer, its refusals counted. */
  wrap(tenant: TenantId, inner: MetricsWriter): MetricsWriter {
    const counted = (result: WriteResult): WriteResult => {
      this.#count(tenant, result.rejected);
      return result;
    };
    return {
      append: async (batch) => counted(await inner.append(batch)),
      appendSamples: async (samples) => counted(await inner.appendSamples(samples)),
    };
  }

  /** Samples by reason over the last hour; reasons that did not occur are absent. */
  of(tenant: TenantId): Readonly<Record<string, number>> {
    const out: Record<string, number> = {};
    for (const slice of this.#recent(tenant))
      for (const [reason, n] of slice.counts) out[reason] = (out[reason] ?? 0) + n;
    return out;
  }

  forget(tenant: TenantId): void {
    this.#slices.delete(tenant);
  }

  #recent(tenant: TenantId): Slice[] {
    const slices = this.#slices.get(tenant);
    if (!slices) return [];
    const oldest = this.#number() - SLICES + 1;
    while (slices.length > 0 && slices[0]!.number < oldest) slices.shift();
    if (slices.length === 0) this.#slices.delete(tenant);
    return slices;
  }

  #count(tenant: TenantId, rejected: WriteResult['rejected']): void {
    for (const reason in rejected) {
      const n = rejected[reason as RejectReason] ?? 0;
      if (n === 0) continue;
      const slices = this.#recent(tenant);
      const number = this.#number();
      let slice = slices.at(-1);
      if (slice?.number !== number) {
        slice = { number, counts: new Map() };
        slices.push(slice);
        this.#slices.set(tenant, slices);
      }
      slice.counts.set(reason as RejectReason, (slice.counts.get(reason as RejectReason) ?? 0) + n);
    }
  }

  #number(): number {
    return Math.floor(this.#clock.monotonicMs() / SLICE_MS);
  }
}
