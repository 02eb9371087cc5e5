/**
 * The demonstration: creates its synthetic tenants, fills in their past, then goes on live, all over the public API
 * like any other client and with a key of its own. It goes on after a restart where its newest stored sample is.
 */
import { DEPLOY_BEFORE_MS, demoEventsBetween } from '../demo/events.ts';
import { type Fault, faultsBetween, liveFaults } from '../demo/faults.ts';
import { RemoteWriteEncoder } from '../demo/remote-write-client.ts';
import { DEMO_TENANTS, DemoService, type DemoTenant } from '../demo/service.ts';
import type { DemoAnswer } from '../http/contract/demo.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { PLATFORM_TENANT, type TenantId, tenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { ApiKeys } from '../tenancy/api-keys.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import type { LoopbackRequest } from './loopback-request.ts';

export const DEMO: CollectionSpec = { name: 'demo' };
/** How much past is filled in. */
export const DEMO_PAST_MS = 21 * 86_400_000;
/** Steps: coarse in the past, as scraped in the last hour and live. */
export const PAST_STEP_MS = 60_000;
export const LIVE_STEP_MS = 15_000;
const RECENT_MS = 3_600_000;
/** Steps in one request: about 11,000 samples, 200 kB. */
const STEPS_PER_REQUEST_MAX = 60;
/** While filling in, it rests this share of the time it worked, so that the server stays quick for people. */
const REST_PER_WORK = 1;
/** Sends that fail are tried again after this long, growing to the second figure. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;
const WARN_EVERY_TRIES = 5;
/** Samples are looked for at this distance: Prometheus' look-back, so none falls between two looks. */
const LOOK_STEP_MS = 300_000;
/** Retention below the whole past: this much is left to the store's own clock. */
const RETENTION_MARGIN_MS = 3_600_000;
const KEY_NAME = 'demonstration';
const DAY_MS = 86_400_000;
const SYNTHETIC_LIMITS = { samples_per_second: 1_000_000, samples_burst: 5_000_000 } as const;

export interface DemoRunnerPorts {
  /** Sends to this server's own listener. */
  readonly request: LoopbackRequest;
  readonly directory: TenantDirectory;
  readonly keys: ApiKeys;
  /** Remembers that a person switched the demonstration on. */
  readonly documents: DocumentStore;
  /** Removes a tenant and everything it owns. */
  readonly removeTenant: (tenant: TenantId) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told when the past is filled in. */
  readonly onLive?: () => void;
  /** 0 keeps everything. */
  readonly retentionMs: number;
  readonly seed?: string;
  readonly tenants?: readonly DemoTenant[];
  /** Default DEMO_PAST_MS. */
  readonly pastMs?: number;
}

/** Faults of one day, number of days since the epoch. */
interface DayOfFaults {
  readonly day: number;
  readonly list: readonly Fault[];
}
const NO_FAULTS: DayOfFaults = { day: Number.NaN, list: [] };

interface Feed {
  readonly tenant: DemoTenant;
  readonly id: TenantId;
  readonly service: DemoService;
  readonly encoder: RemoteWriteEncoder;
  readonly rows: readonly Float64Array[];
  /** Of the sample before the next one; at first one step before it. */
  beforeMs: number;
  /** Of the next sample. */
  cursorMs: number;
}

export class DemoRunner {
  readonly #ports: DemoRunnerPorts;
  readonly #tenants: readonly DemoTenant[];
  readonly #seed: string;
  #stop: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #removing: Promise<void> = Promise.resolve();
  #progress = 0;
  #liveSinceMs: number | undefined;
  #key = '';
  /** Faults of the day, and of the live demonstration; see #faultsAt. */
  #faults: DayOfFaults = NO_FAULTS;

  constructor(ports: DemoRunnerPorts) {
    this.#ports = ports;
    this.#tenants = ports.tenants ?? DEMO_TENANTS;
    this.#seed = ports.seed ?? 'vigie';
  }

  state(): DemoAnswer {
    return {
      enabled: this.#stop !== undefined,
      tenants: this.#stop ? this.#tenants.map((t) => t.id) : [],
      progress: this.#progress,
    };
  }

  /** 0 to 1 while the past is being filled in; 1 when live. */
  progress(): number {
    return this.#progress;
  }

  /** Was it switched on before this start? */
  async wasEnabled(): Promise<boolean> {
    return (await this.#remembered().get('state'))?.body.enabled ?? false;
  }

  /** Starts in the background; again: nothing. Throws `conflict` when a tenant of the same name is somebody's own. */
  async start(): Promise<void> {
    if (this.#stop) return;
    const stop = new AbortController();
    this.#stop = stop;
    try {
      await this.#removing;
      for (const { id } of this.#tenants) {
        const known = this.#ports.directory.get(tenantId(id));
        if (known && !known.demo)
          throw new VigieError('conflict', `tenant ${id} exists and is no part of the demonstration; it is left alone`);
      }
      await this.#remembered().put('state', { enabled: true });
    } catch (error) {
      if (this.#stop === stop) this.#stop = undefined;
      throw error;
    }
    this.#running = this.#run(stop.signal).catch((error: unknown) => {
      if (stop.signal.aborted) return;
      this.#ports.logger.error('the demonstration ended', { error: messageOf(error) });
      this.#stop = undefined;
    });
  }

  /** Ends the feed; what it wrote stays. */
  async stop(): Promise<void> {
    this.#stop?.abort(new VigieError('canceled', 'the demonstration was stopped'));
    await this.#running;
    this.#stop = undefined;
    this.#progress = 0;
    this.#liveSinceMs = undefined;
    await this.#dropKeys();
  }

  /** Switched off by a person: the feed ends and its tenants go, in the background. */
  async remove(): Promise<void> {
    await this.#remembered().put('state', { enabled: false });
    await this.stop();
    this.#removing = this.#removeTenants();
  }

  async #removeTenants(): Promise<void> {
    const { directory, removeTenant, logger } = this.#ports;
    for (const { id } of this.#tenants) {
      if (!directory.get(tenantId(id))?.demo) continue;
      try {
        await removeTenant(tenantId(id));
      } catch (error) {
        logger.error('a tenant of the demonstration was not removed', { tenant: id, error: messageOf(error) });
      }
    }
  }

  #remembered() {
    return this.#ports.documents.collection<{ readonly enabled: boolean }>(PLATFORM_TENANT, DEMO);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { directory, keys, clock } = this.#ports;
    for (const { id, displayName, tier } of this.#tenants)
      await directory.put(tenantId(id), { displayName, tier, demo: true, limits: SYNTHETIC_LIMITS });
    await this.#dropKeys();
    const grants = Object.fromEntries(this.#tenants.map((t) => [t.id, 'editor' as const]));
    const made = await keys.create({
      name: KEY_NAME,
      grants,
      tenant: tenantId(this.#tenants[0]!.id),
      scopes: ['ingest', 'query'],
      createdBy: 'demonstration',
    });
    this.#key = made.key;
    const feeds: Feed[] = [];
    for (const tenant of this.#tenants) feeds.push(await this.#feed(tenant, signal));
    const startMs = Math.min(...feeds.map((f) => f.cursorMs));
    for (;;) {
      signal.throwIfAborted();
      const nowMs = clock.now();
      // the one that is furthest behind goes first, so that all tenants reach the present together
      const next = feeds.reduce((a, b) => (b.cursorMs < a.cursorMs ? b : a));
      if (next.cursorMs > nowMs) {
        if (this.#liveSinceMs === undefined) {
          this.#liveSinceMs = nowMs;
          this.#faults = NO_FAULTS;
          this.#progress = 1;
          this.#ports.logger.info('the demonstration is live', { tenants: feeds.length });
          this.#ports.onLive?.();
        }
        // bounded, so that a clock that was set back does not stop it for long
        await sleep(clock, Math.min(next.cursorMs - nowMs, LIVE_STEP_MS), signal);
        continue;
      }
      const beganMs = clock.monotonicMs();
      await this.#advance(next, nowMs, signal);
      if (this.#liveSinceMs === undefined) {
        this.#progress = Math.min(0.999, Math.max(0, (next.cursorMs - startMs) / Math.max(1, nowMs - startMs)));
        await sleep(clock, Math.max(1, (clock.monotonicMs() - beganMs) * REST_PER_WORK), signal);
      }
    }
  }

  async #feed(tenant: DemoTenant, signal: AbortSignal): Promise<Feed> {
    const { clock, retentionMs } = this.#ports;
    const nowMs = clock.now();
    const whole = this.#ports.pastMs ?? DEMO_PAST_MS;
    const past = retentionMs > 0 ? Math.min(whole, Math.max(0, retentionMs - RETENTION_MARGIN_MS)) : whole;
    const newestMs = await this.#newest(tenant, nowMs, past, signal);
    const oldestMs = Math.ceil((nowMs - past) / PAST_STEP_MS) * PAST_STEP_MS;
    const cursorMs = newestMs === undefined ? oldestMs : Math.max(oldestMs, nextStep(newestMs, nowMs));
    const service = new DemoService(tenant, `${this.#seed}/${cursorMs}`, () => this.#faults.list);
    return {
      tenant,
      id: tenantId(tenant.id),
      service,
      encoder: new RemoteWriteEncoder(service.labels),
      rows: Array.from({ length: STEPS_PER_REQUEST_MAX }, () => new Float64Array(service.labels.length)),
      beforeMs: newestMs !== undefined && newestMs < cursorMs ? newestMs : cursorMs - PAST_STEP_MS,
      cursorMs,
    };
  }

  /** Time of the newest stored sample of the tenant's own marker series; undefined without any. */
  async #newest(tenant: DemoTenant, nowMs: number, past: number, signal: AbortSignal): Promise<number | undefined> {
    const looks = Math.ceil(past / LOOK_STEP_MS);
    const query = async (path: string, parameters: Record<string, string>): Promise<[number, string][]> => {
      const text = await this.#send(tenant, 'GET', `${path}?${new URLSearchParams(parameters)}`, {}, undefined, signal);
      type Series = { readonly values?: [number, string][]; readonly value?: [number, string] };
      const { result } = (JSON.parse(text) as { data: { result: readonly Series[] } }).data;
      return result.flatMap((s) => s.values ?? (s.value ? [s.value] : []));
    };
    const seen = await query('/api/v1/query_range', {
      query: 'demo_info',
      start: String((nowMs - looks * LOOK_STEP_MS) / 1000),
      end: String(nowMs / 1000),
      step: String(LOOK_STEP_MS / 1000),
    });
    const last = seen.reduce((most, [t]) => Math.max(most, t), Number.NEGATIVE_INFINITY);
    if (!Number.isFinite(last)) return undefined;
    const [exact] = await query('/api/v1/query', { query: 'timestamp(demo_info)', time: String(last) });
    return exact ? Math.round(Number(exact[1]) * 1000) : undefined;
  }

  /** Sends the next steps of a feed, at most one request of them, and the events in between. */
  async #advance(feed: Feed, nowMs: number, signal: AbortSignal): Promise<void> {
    const fromMs = feed.cursorMs;
    const times: number[] = [];
    while (feed.cursorMs <= nowMs && times.length < STEPS_PER_REQUEST_MAX) {
      const t = feed.cursorMs;
      this.#faultsAt(t);
      feed.service.step(t, (t - feed.beforeMs) / 1000, feed.rows[times.length]!);
      feed.beforeMs = t;
      feed.cursorMs = nextStep(t, nowMs);
      times.push(t);
    }
    await this.#send(
      feed.tenant,
      'POST',
      '/api/v1/write',
      {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      feed.encoder.encode(times, feed.rows),
      signal,
    );
    const faults = this.#faultsBetween(fromMs, feed.cursorMs + DEPLOY_BEFORE_MS);
    const events = demoEventsBetween(this.#seed, feed.tenant, faults, fromMs, feed.cursorMs);
    if (events.length > 0)
      await this.#send(
        feed.tenant,
        'POST',
        '/vigie/v1/events',
        { 'content-type': 'application/cloudevents-batch+json' },
        JSON.stringify(events),
        signal,
      );
  }

  /** Makes the faults around `t` those that the services see: the day's and the live ones. */
  #faultsAt(t: number): void {
    const day = Math.floor(t / DAY_MS);
    if (day === this.#faults.day) return;
    this.#faults = { day, list: this.#faultsBetween(day * DAY_MS, (day + 1) * DAY_MS) };
  }

  #faultsBetween(fromMs: number, toMs: number): readonly Fault[] {
    const ids = this.#tenants.map((t) => t.id);
    const live = this.#liveSinceMs === undefined ? [] : liveFaults(this.#seed, ids, this.#liveSinceMs, toMs);
    return [...faultsBetween(this.#seed, ids, fromMs, toMs), ...live.filter((f) => f.endMs > fromMs)];
  }

  /** Sends until it is taken; what is refused for good is logged and left. Throws only when stopped. */
  async #send(
    tenant: DemoTenant,
    method: 'GET' | 'POST',
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string | Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const { clock, logger, request } = this.#ports;
    for (let tries = 1, pauseMs = RETRY_MS; ; tries++, pauseMs = Math.min(RETRY_MS_MAX, pauseMs * 2)) {
      let problem: string;
      try {
        const { status, text } = await request({
          method,
          path,
          headers: { ...headers, authorization: `Bearer ${this.#key}`, 'x-scope-orgid': tenant.id },
          body,
          signal,
        });
        if (status >= 200 && status < 300) return text;
        problem = `${status}: ${text.slice(0, 300)}`;
        // a part was stored before a crash and is refused now as already there; trying again would not help
        if (status === 400 && method === 'POST') {
          logger.warn('a part of the demonstration was refused', { tenant: tenant.id, path, problem });
          return text;
        }
      } catch (error) {
        signal.throwIfAborted();
        problem = messageOf(error);
      }
      const told = { tenant: tenant.id, path: path.split('?')[0], problem };
      if (tries % WARN_EVERY_TRIES === 0) logger.warn('the demonstration waits and tries again', told);
      else logger.debug('the demonstration waits', told);
      await sleep(clock, pauseMs, signal);
    }
  }

  async #dropKeys(): Promise<void> {
    const { keys } = this.#ports;
    for (const key of keys.list())
      if (key.name === KEY_NAME && key.createdBy === 'demonstration') await keys.mirror.remove(key.id);
  }
}

/** The time of the sample after one at `t`: on the coarse grid in the past, on the fine one within the last hour. */
export function nextStep(t: number, nowMs: number): number {
  const step = t < nowMs - RECENT_MS ? PAST_STEP_MS : LIVE_STEP_MS;
  return (Math.floor(t / step) + 1) * step;
}
