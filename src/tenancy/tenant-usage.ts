/**
 * How much of the shared service each tenant uses, now and usually: what names a noisy neighbour. Read from the
 * platform's telemetry where customers are a label, else from each tenant's own store; both through a platform reader,
 * so that the audit log says so. The shares are for the operators; a tenant never learns another's.
 */
import type { Clock } from '../lib/clock.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { MetricsReader } from '../store/metrics.ts';
import type { RequestContext } from './context.ts';
import { type PlatformReaderPorts, platformReader } from './platform-reader.ts';

/** Tenants whose own stores are asked, where the platform's telemetry does not say; with more nobody is compared. */
export const USAGE_TENANTS_MAX = 200;
/** Shares younger than this are answered again. */
export const USAGE_FRESH_MS = 60_000;
/** What is usual is worked out again after this. */
export const USUAL_FRESH_MS = 3_600_000;
/** Usual: the median share over this time, without the last half hour, which is what is judged. */
const USUAL_SPAN_MS = 24 * 3_600_000;
const USUAL_END_MS = 30 * 60_000;
const USUAL_STEP_MS = 30 * 60_000;
/** A tenant without that much history has no usual share. */
const USUAL_POINTS_MIN = 4;

export interface TenantUse {
  readonly tenant: string;
  /** Of the whole, 0..1. */
  readonly share: number;
  readonly usualShare: number;
}

export interface UseRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}
export interface UseSeries {
  readonly label: (name: string) => string;
  readonly points: readonly (readonly [atMs: number, value: number])[];
}

export interface TenantUsagePorts extends PlatformReaderPorts {
  readonly tenants: () => readonly TenantId[];
  /** PromQL over the platform's telemetry, one result a tenant; and over one tenant's own, one result. */
  readonly queries: () => { readonly platform: string; readonly tenant: string; readonly label: string };
  readonly evaluate: (
    tenant: TenantId,
    reader: MetricsReader,
    expr: string,
    range: UseRange,
  ) => Promise<readonly UseSeries[]>;
  readonly clock: Clock;
}

const SYSTEM: RequestContext = {
  tenant: PLATFORM_TENANT,
  principal: { id: 'system', kind: 'system', name: 'vigie' },
  role: 'platform_admin',
  grants: 'all',
  requestId: '',
};

export class TenantUsage {
  readonly #ports: TenantUsagePorts;
  #last: { readonly atMs: number; readonly use: Promise<readonly TenantUse[]> } | undefined;
  #usual: { readonly atMs: number; readonly shares: ReadonlyMap<string, number> } | undefined;

  constructor(ports: TenantUsagePorts) {
    this.#ports = ports;
  }

  /** Largest share first; empty when nothing says how much tenants use, or there are too many to ask each. */
  current(): Promise<readonly TenantUse[]> {
    const nowMs = this.#ports.clock.monotonicMs();
    if (this.#last && nowMs - this.#last.atMs < USAGE_FRESH_MS) return this.#last.use;
    const use = this.#read();
    this.#last = { atMs: nowMs, use };
    // a failed look is no answer for a minute
    use.catch(() => {
      this.#last = undefined;
    });
    return use;
  }

  async #read(): Promise<readonly TenantUse[]> {
    const { clock, tenants } = this.#ports;
    const all = tenants();
    const customers = all.filter((t) => t !== PLATFORM_TENANT);
    const reader = await platformReader(SYSTEM, 'use per tenant, for the verdict of incidents', all, this.#ports);
    const nowMs = clock.now();
    const now: UseRange = { startMs: nowMs, endMs: nowMs, stepMs: USUAL_STEP_MS };
    const onPlatform = (range: UseRange) => this.#onPlatform(reader, range);
    const inStores = (range: UseRange) => this.#inStores(reader, customers, range);
    let ask = onPlatform;
    let use: Use = all.includes(PLATFORM_TENANT) ? await onPlatform(now) : new Map();
    if (use.size === 0) {
      if (customers.length < 2 || customers.length > USAGE_TENANTS_MAX) return [];
      ask = inStores;
      use = await inStores(now);
    }
    const usual = await this.#usualShares(ask, nowMs);
    return [...sharesOf(use.get(nowMs) ?? [])]
      .map(([tenant, share]) => ({ tenant, share, usualShare: usual.get(tenant) ?? share }))
      .sort((a, b) => b.share - a.share);
  }

  async #usualShares(ask: (range: UseRange) => Promise<Use>, nowMs: number): Promise<ReadonlyMap<string, number>> {
    const { clock } = this.#ports;
    if (this.#usual && clock.monotonicMs() - this.#usual.atMs < USUAL_FRESH_MS) return this.#usual.shares;
    const seen = new Map<string, number[]>();
    const range = { startMs: nowMs - USUAL_SPAN_MS, endMs: nowMs - USUAL_END_MS, stepMs: USUAL_STEP_MS };
    for (const points of (await ask(range)).values())
      for (const [tenant, share] of sharesOf(points)) {
        const list = seen.get(tenant);
        if (list) list.push(share);
        else seen.set(tenant, [share]);
      }
    const shares = new Map<string, number>();
    for (const [tenant, list] of seen) if (list.length >= USUAL_POINTS_MIN) shares.set(tenant, median(list));
    this.#usual = { atMs: clock.monotonicMs(), shares };
    return shares;
  }

  /** Customers of the service need not be tenants here: names come as the label says them. */
  async #onPlatform(reader: Reader, range: UseRange): Promise<Use> {
    const { evaluate, queries } = this.#ports;
    const { platform, label } = queries();
    const out: Use = new Map();
    for (const s of await evaluate(PLATFORM_TENANT, reader.reader(PLATFORM_TENANT), platform, range))
      if (s.label(label) !== '') add(out, s.label(label), s.points);
    return out;
  }

  async #inStores(reader: Reader, tenants: readonly TenantId[], range: UseRange): Promise<Use> {
    const { evaluate, queries } = this.#ports;
    const out: Use = new Map();
    for (const tenant of tenants)
      for (const s of await evaluate(tenant, reader.reader(tenant), queries().tenant, range))
        add(out, tenant, s.points);
    return out;
  }
}

/** Time -> what each tenant used then. */
type Use = Map<number, { readonly tenant: string; readonly value: number }[]>;

function add(use: Use, tenant: string, points: UseSeries['points']): void {
  for (const [atMs, value] of points) {
    if (!(value > 0)) continue;
    const list = use.get(atMs);
    if (list) list.push({ tenant, value });
    else use.set(atMs, [{ tenant, value }]);
  }
}

type Reader = Awaited<ReturnType<typeof platformReader>>;

function sharesOf(points: readonly { readonly tenant: string; readonly value: number }[]): ReadonlyMap<string, number> {
  const all = points.reduce((sum, p) => sum + p.value, 0);
  const out = new Map<string, number>();
  for (const p of points) out.set(p.tenant, (out.get(p.tenant) ?? 0) + p.value / all);
  return out;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
