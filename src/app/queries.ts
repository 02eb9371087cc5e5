/** How queries run: one engine, limits and turns per tenant, restricted views, live queries, and the log of them. */
import type { LiveQueryData } from '../http/contract/live.ts';
import { type PrometheusQueryPorts, viewMatchers } from '../http/prometheus/query.ts';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import { injectMatchers } from '../promql/ast.ts';
import type { QueryLimits } from '../promql/context.ts';
import { QueryEngine, type VectorSample } from '../promql/engine.ts';
import { FEATURES, type Feature } from '../promql/function-table.ts';
import { formatValue } from '../promql/literal.ts';
import type { MetricsReader, MetricsStore } from '../store/metrics.ts';
import type { RequestContext } from '../tenancy/context.ts';
import { QueryGate } from '../tenancy/query-gate.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import { QueryLog } from './query-log.ts';
import { promqlRegex } from './regex-ports.ts';

export interface QueriesInput {
  readonly store: MetricsStore;
  readonly directory: TenantDirectory;
  readonly clock: Clock;
  readonly features: readonly string[];
}

export class Queries {
  readonly engine: QueryEngine;
  readonly features: ReadonlySet<Feature>;
  readonly gate: QueryGate;
  readonly log = new QueryLog();
  readonly #input: QueriesInput;

  constructor(input: QueriesInput) {
    this.#input = input;
    const known: readonly string[] = FEATURES;
    this.features = new Set(input.features.filter((f) => known.includes(f)) as Feature[]);
    this.engine = new QueryEngine({
      compileRegex: promqlRegex,
      monotonicMs: () => input.clock.monotonicMs(),
      features: this.features,
    });
    this.gate = new QueryGate(input.clock, (tenant) => input.directory.limits(tenant).query_concurrency);
  }

  reader(tenant: TenantId): MetricsReader {
    return this.#input.store.reader(tenant);
  }

  limits(tenant: TenantId): Partial<QueryLimits> {
    const l = this.#input.directory.limits(tenant);
    return { samplesMax: l.query_samples, seriesMax: l.query_series, timeoutMs: l.query_seconds * 1000 };
  }

  /** For the Prometheus query API. */
  ports(): PrometheusQueryPorts {
    return {
      reader: (context) => this.reader(context.tenant),
      engine: this.engine,
      clock: this.#input.clock,
      limits: (context) => this.limits(context.tenant),
      admit: (context, run, signal) => this.gate.run(context.tenant, signal, run),
      onQuery: (context, query) => this.log.add(context.tenant, context.principal.name, query),
    };
  }

  /** One instant vector of a tenant, for features of this process. Scalars become one sample without labels. */
  vector(tenant: TenantId, expr: string, atMs: number, signal?: AbortSignal): Promise<readonly VectorSample[]> {
    return this.vectorOf(tenant, this.reader(tenant), expr, atMs, signal);
  }

  /** The same on a reader that was made elsewhere, such as a platform reader's. */
  async vectorOf(
    tenant: TenantId,
    reader: MetricsReader,
    expr: string,
    atMs: number,
    signal?: AbortSignal,
  ): Promise<readonly VectorSample[]> {
    const { value } = await this.gate.run(tenant, signal, () =>
      this.engine.instant(reader, expr, atMs, {
        limits: this.limits(tenant),
        text: expr,
        ...(signal ? { signal } : {}),
      }),
    );
    return asVector(value, expr);
  }

  /** A range query of a tenant, for features of this process. */
  async matrix(
    tenant: TenantId,
    expr: string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    signal?: AbortSignal,
  ): Promise<readonly SeriesColumns[]> {
    return this.matrixOf(tenant, this.reader(tenant), expr, range, signal);
  }

  /** The same on a reader that was made elsewhere. */
  async matrixOf(
    tenant: TenantId,
    reader: MetricsReader,
    expr: string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    signal?: AbortSignal,
  ): Promise<readonly SeriesColumns[]> {
    const { value } = await this.gate.run(tenant, signal, () =>
      this.engine.range(reader, expr, range, {
        limits: this.limits(tenant),
        text: expr,
        ...(signal ? { signal } : {}),
      }),
    );
    return value.type === 'matrix' ? value.series : [];
  }

  /** A live query of a viewer, inside the viewer's view. */
  async live(context: RequestContext, expr: string, atMs: number): Promise<NonNullable<LiveQueryData['result']>> {
    const parsed = injectMatchers(this.engine.parse(expr), viewMatchers(context));
    const { value } = await this.gate.run(context.tenant, undefined, () =>
      this.engine.instant(this.reader(context.tenant), parsed, atMs, {
        limits: this.limits(context.tenant),
        text: expr,
      }),
    );
    return asVector(value, expr)
      .filter((s) => !s.histogram)
      .map((s) => ({ metric: s.labels.toObject(), value: [atMs / 1000, formatValue(s.value)] as const }));
  }
}

function asVector(value: Awaited<ReturnType<QueryEngine['instant']>>['value'], expr: string): readonly VectorSample[] {
  if (value.type === 'vector') return value.samples;
  if (value.type === 'scalar') return [{ labels: Labels.EMPTY, timestampMs: value.timestampMs, value: value.value }];
  throw new VigieError('bad_query', `want an instant vector or a scalar, got a ${value.type}: ${expr.slice(0, 200)}`);
}
