/**
 * Whole queries answered by the connected server itself. The tenant goes into the parsed expression, never into its
 * text: parsing and printing are a port, for a store knows no PromQL.
 */
import type { Matcher } from '../../../model/matcher.ts';
import type { TenantId } from '../../../model/tenant.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { type ExternalTenancy, TenantScope } from './tenancy.ts';

export interface PassThroughAnswer {
  readonly resultType: string;
  /** As the API writes it: vectors, matrices, scalars or strings. */
  readonly result: unknown;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export interface PassThroughOptions {
  readonly timeoutMs?: number;
  readonly lookbackMs?: number;
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** Puts `matchers` into every selector of an expression and prints it. Throws `bad_query` with the position. */
export type RestrictExpression = (text: string, matchers: readonly Matcher[]) => string;

export class PassThrough {
  readonly #client: PrometheusClient;
  readonly #tenancy: ExternalTenancy;
  readonly #restrict: RestrictExpression;

  constructor(client: PrometheusClient, tenancy: ExternalTenancy, restrict: RestrictExpression) {
    this.#client = client;
    this.#tenancy = tenancy;
    this.#restrict = restrict;
  }

  /** `view`: matchers of a restricted reader, on top of the tenant's. */
  queryInstant(
    tenant: TenantId,
    text: string,
    timeMs: number,
    options: PassThroughOptions & { readonly view?: readonly Matcher[] } = {},
  ): Promise<PassThroughAnswer> {
    return this.#query(tenant, '/api/v1/query', text, { time: seconds(timeMs) }, options);
  }

  queryRange(
    tenant: TenantId,
    text: string,
    range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    options: PassThroughOptions & { readonly view?: readonly Matcher[] } = {},
  ): Promise<PassThroughAnswer> {
    const { startMs, endMs, stepMs } = range;
    const times = { start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
    return this.#query(tenant, '/api/v1/query_range', text, times, options);
  }

  async #query(
    tenant: TenantId,
    path: string,
    text: string,
    times: Record<string, string>,
    options: PassThroughOptions & { readonly view?: readonly Matcher[] },
  ): Promise<PassThroughAnswer> {
    const scope = new TenantScope(this.#tenancy, tenant);
    scope.demandServed();
    const query = this.#restrict(text, [...scope.matchers, ...(options.view ?? [])]);
    const parameters = new URLSearchParams({ query, ...times });
    if (options.timeoutMs !== undefined) parameters.set('timeout', `${options.timeoutMs}ms`);
    if (options.lookbackMs !== undefined) parameters.set('lookback_delta', `${options.lookbackMs}ms`);
    if (options.limit !== undefined) parameters.set('limit', String(options.limit));
    const answer = await this.#client.api({
      method: 'POST',
      path,
      parameters,
      headers: scope.headers,
      signal: options.signal,
    });
    const { resultType, result } = answer.data as { resultType: string; result: unknown };
    return { resultType, result, warnings: answer.warnings ?? [], infos: answer.infos ?? [] };
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);
