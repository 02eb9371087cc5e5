/**
 * The metrics store in a Prometheus that the users already run, or in what answers like one (Mimir, Thanos,
 * VictoriaMetrics). It stores nothing itself; what it cannot ask of the server it refuses by name.
 */
import type { Clock } from '../../../lib/clock.ts';
import { VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Matcher } from '../../../model/matcher.ts';
import { type TenantId, tenantId } from '../../../model/tenant.ts';
import type {
  CardinalityStats,
  MetricsReader,
  MetricsStore,
  MetricsWriter,
  TenantMetricsStats,
  TimeRange,
} from '../../metrics.ts';
import { PassThrough, type RestrictExpression } from './pass-through.ts';
import { PrometheusClient } from './prometheus-client.ts';
import { number, PrometheusReader } from './prometheus-reader.ts';
import { PrometheusWriter } from './prometheus-writer.ts';
import { onlyRead, ReadOnlyWriter } from './read-only-writer.ts';
import { selectorText } from './selector.ts';
import { type ExternalTenancy, TenantScope } from './tenancy.ts';

export interface PrometheusStoreOptions {
  readonly url: string;
  readonly tenancy: ExternalTenancy;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly decompress: (body: Uint8Array, bytesMax: number) => Uint8Array;
  readonly restrict: RestrictExpression;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Nothing is written there: beside a stack in use, in shadow. */
  readonly readOnly?: boolean;
}

/** How old the figures of `stats` and `tenants` may be. */
const FIGURES_MS_MAX = 60_000;
/** Labels whose values `cardinality` counts one by one. */
const LABELS_COUNTED_MAX = 50;

export class PrometheusMetricsStore implements MetricsStore {
  readonly client: PrometheusClient;
  readonly passThrough: PassThrough;
  readonly #o: PrometheusStoreOptions;
  readonly #remoteRead = { available: true };
  readonly #written = new Map<TenantId, number>();
  readonly #activeSeries = new Map<TenantId, { value: number; atMs: number }>();
  #tenants: { list: readonly TenantId[]; atMs: number } = { list: [], atMs: Number.NEGATIVE_INFINITY };

  constructor(options: PrometheusStoreOptions) {
    this.#o = options;
    this.client = new PrometheusClient(options);
    this.passThrough = new PassThrough(this.client, options.tenancy, options.restrict);
  }

  /** Asks the server who it is; throws `unavailable` when nobody answers. */
  async check(): Promise<{ readonly version: string }> {
    const { data } = await this.client.api({ path: '/api/v1/status/buildinfo', headers: this.#anyHeaders() });
    return { version: String((data as { version?: unknown } | undefined)?.version ?? '') };
  }

  reader(tenant: TenantId): MetricsReader {
    return new PrometheusReader(this.#scope(tenant), {
      client: this.client,
      decompress: this.#o.decompress,
      now: () => this.#o.clock.now(),
      remoteRead: this.#remoteRead,
    });
  }

  writer(tenant: TenantId): MetricsWriter {
    if (this.#o.readOnly) return new ReadOnlyWriter(this.#o.url);
    return new PrometheusWriter(this.#scope(tenant), {
      client: this.client,
      onWritten: (n) => this.#written.set(tenant, (this.#written.get(tenant) ?? 0) + n),
    });
  }

  /** As of at most a minute ago; with a header only those that this process wrote to are known. */
  tenants(): readonly TenantId[] {
    const { tenancy, clock } = this.#o;
    if (tenancy.kind === 'single') return [tenancy.tenant];
    if (tenancy.kind === 'label' && clock.monotonicMs() - this.#tenants.atMs > FIGURES_MS_MAX)
      void this.refreshTenants();
    return [...new Set([...this.#tenants.list, ...this.#written.keys()])];
  }

  async refreshTenants(): Promise<void> {
    const { tenancy, clock, logger } = this.#o;
    if (tenancy.kind !== 'label') return;
    this.#tenants = { ...this.#tenants, atMs: clock.monotonicMs() };
    try {
      const { data } = await this.client.api({ path: `/api/v1/label/${encodeURIComponent(tenancy.label)}/values` });
      const list = (data as string[]).flatMap((name) => {
        try {
          return [tenantId(name)];
        } catch {
          return [];
        }
      });
      this.#tenants = { list, atMs: clock.monotonicMs() };
    } catch (error) {
      logger.warn('the tenants of the connected Prometheus are unknown', { error: String(error) });
    }
  }

  /** Sizes are the server's own business; `samplesTotal` counts what this process wrote. */
  stats(tenant: TenantId): TenantMetricsStats {
    const known = this.#activeSeries.get(tenant);
    if (!known || this.#o.clock.monotonicMs() - known.atMs > FIGURES_MS_MAX) void this.#countSeries(tenant);
    return {
      activeSeries: known?.value ?? 0,
      samplesTotal: this.#written.get(tenant) ?? 0,
      memoryBytes: 0,
      diskBytes: 0,
      minTimeMs: undefined,
      maxTimeMs: undefined,
    };
  }

  async #countSeries(tenant: TenantId): Promise<number> {
    const atMs = this.#o.clock.monotonicMs();
    this.#activeSeries.set(tenant, { value: this.#activeSeries.get(tenant)?.value ?? 0, atMs });
    try {
      const value = await this.#scalar(tenant, `count(${this.#all(tenant)})`);
      this.#activeSeries.set(tenant, { value, atMs });
      return value;
    } catch {
      return 0;
    }
  }

  async cardinality(tenant: TenantId, limit: number): Promise<CardinalityStats> {
    const scope = this.#scope(tenant);
    scope.demandServed();
    const reader = this.reader(tenant);
    const now = this.#o.clock.now();
    const range = { startMs: now - 3_600_000, endMs: now };
    const byName = await this.#vector(tenant, `topk(${limit}, count by (__name__) (${this.#all(tenant)}))`);
    const names = (await reader.labelNames([], range)).slice(0, LABELS_COUNTED_MAX);
    const values = [];
    const bytes = [];
    for (const name of names) {
      const list = await reader.labelValues(name, [], range);
      values.push({ name, value: list.length });
      bytes.push({ name, value: list.reduce((n, v) => n + Buffer.byteLength(v), 0) });
    }
    const top = <T extends { value: number }>(list: T[]): T[] => list.sort((a, b) => b.value - a.value).slice(0, limit);
    const byValues = top(values);
    const carriers = [];
    for (const { name } of byValues)
      carriers.push({ name, value: await this.#scalar(tenant, `count(${this.#all(tenant, name)})`) });
    return {
      headSeries: await this.#countSeries(tenant),
      headChunks: 0,
      labelPairs: values.reduce((n, v) => n + v.value, 0),
      minTimeMs: 0,
      maxTimeMs: now,
      seriesCountByMetricName: top(byName.map((r) => ({ name: r.metric['__name__'] ?? '', value: r.value }))),
      labelValueCountByLabelName: byValues,
      seriesCountByLabelName: carriers,
      memoryInBytesByLabelName: top(bytes),
      seriesCountByLabelValuePair: top(
        byName.map((r) => ({ name: `__name__=${r.metric['__name__'] ?? ''}`, value: r.value })),
      ),
    };
  }

  /** Needs --web.enable-admin-api. VictoriaMetrics deletes whole series only; a part of the time is refused there. */
  async deleteSeries(tenant: TenantId, matchers: readonly Matcher[], range: TimeRange): Promise<void> {
    const scope = this.#scope(tenant);
    scope.demandServed();
    if (this.#o.readOnly) throw onlyRead(this.#o.url);
    const path = '/api/v1/admin/tsdb/delete_series';
    const now = this.#o.clock.now();
    const parameters = new URLSearchParams({ 'match[]': selectorText([...matchers, ...scope.matchers]) });
    if (range.startMs > 0 || range.endMs < now) {
      const probe = await this.client.send({ path: '/api/v1/status/buildinfo', headers: scope.headers });
      if (probe.headers.has('x-server-hostname'))
        throw new VigieError('unsupported', `${this.client.base} deletes whole series only, not a range of time`);
      parameters.set('start', (Math.max(0, range.startMs) / 1000).toFixed(3));
      parameters.set('end', (Math.min(range.endMs, now + 3_600_000) / 1000).toFixed(3));
    }
    const answer = await this.client.send({ method: 'POST', path, parameters, headers: scope.headers });
    if (answer.status >= 200 && answer.status < 300) return;
    const text = answer.body.toString('utf8', 0, 500);
    if (/admin APIs? disabled/i.test(text))
      throw new VigieError(
        'unsupported',
        `${this.client.base} deletes nothing until it runs with --web.enable-admin-api`,
      );
    throw this.client.apiError(path, answer.status, undefined, text);
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    const { tenancy } = this.#o;
    if (tenancy.kind === 'header')
      throw new VigieError(
        'unsupported',
        `${this.client.base} separates tenants by the header ${tenancy.header}; delete tenant ${tenant} there`,
      );
    if (!this.#scope(tenant).served) return;
    await this.deleteSeries(tenant, [], { startMs: 0, endMs: Number.MAX_SAFE_INTEGER });
    await this.client.send({ method: 'POST', path: '/api/v1/admin/tsdb/clean_tombstones' }).catch(() => undefined);
    this.#written.delete(tenant);
    this.#activeSeries.delete(tenant);
  }

  snapshot(): Promise<void> {
    return Promise.reject(
      new VigieError(
        'unsupported',
        `the metrics are in ${this.client.base}; take its snapshot there (POST /api/v1/admin/tsdb/snapshot)`,
      ),
    );
  }

  async sync(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #scope(tenant: TenantId): TenantScope {
    return new TenantScope(this.#o.tenancy, tenant);
  }

  /** All series of the tenant, or those that carry a label. */
  #all(tenant: TenantId, carrying?: string): string {
    const { matchers } = this.#scope(tenant);
    if (carrying === undefined) return selectorText(matchers);
    return selectorText([...matchers, { name: carrying, op: '!=', value: '' }]);
  }

  #anyHeaders(): Readonly<Record<string, string>> {
    const { tenancy } = this.#o;
    return tenancy.kind === 'header' ? { [tenancy.header]: 'anonymous' } : {};
  }

  async #vector(tenant: TenantId, query: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    const { data } = await this.client.api({
      method: 'POST',
      path: '/api/v1/query',
      parameters: new URLSearchParams({ query, time: (this.#o.clock.now() / 1000).toFixed(3) }),
      headers: this.#scope(tenant).headers,
    });
    const { result } = data as { result: { metric: Record<string, string>; value: [number, string] }[] };
    return result.map((r) => ({ metric: r.metric, value: number(r.value[1]) }));
  }

  async #scalar(tenant: TenantId, query: string): Promise<number> {
    return (await this.#vector(tenant, query))[0]?.value ?? 0;
  }
}
