/**
 * Reads one tenant's series from a Prometheus: samples by remote read (stale markers and histograms included), by range
 * selectors over the query API where remote read is missing (VictoriaMetrics). Every selector carries the tenant.
 */
import { VigieError } from '../../../lib/errors.ts';
import { compareUtf8, Labels } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';
import type { Exemplar, MetricMetadata, MetricType, SeriesColumns } from '../../../model/sample.ts';
import type { MetricsReader, SelectHints, TimeRange } from '../../metrics.ts';
import { decodeReadResponse, encodeReadRequest } from '../../wire/remote-read.ts';
import { snappyCompress } from '../../wire/snappy.ts';
import { ANSWER_BYTES_MAX, type PrometheusClient } from './prometheus-client.ts';
import { selectorText } from './selector.ts';
import type { TenantScope } from './tenancy.ts';

/** Nobody stores samples further ahead than this. */
const FUTURE_MS = 24 * 3_600_000;

export interface ExternalReaderPorts {
  readonly client: PrometheusClient;
  readonly decompress: (body: Uint8Array, bytesMax: number) => Uint8Array;
  readonly now: () => number;
  /** Shared by all tenants: false once the server turned out to have no remote read. */
  readonly remoteRead: { available: boolean };
}

export class PrometheusReader implements MetricsReader {
  readonly #scope: TenantScope;
  readonly #p: ExternalReaderPorts;

  constructor(scope: TenantScope, ports: ExternalReaderPorts) {
    this.#scope = scope;
    this.#p = ports;
  }

  async select(matchers: readonly Matcher[], range: TimeRange, hints: SelectHints = {}): Promise<SeriesColumns[]> {
    if (!this.#scope.served) return [];
    const all = [...matchers, ...this.#scope.matchers];
    const clamped = this.#clamp(range);
    const found =
      (this.#p.remoteRead.available ? await this.#remoteRead(all, clamped, hints) : undefined) ??
      (await this.#rangeSelector(all, clamped, hints));
    if (found.length > (hints.seriesMax ?? Number.POSITIVE_INFINITY))
      throw new VigieError(
        'query_limit',
        `the query selects more than ${hints.seriesMax} series; narrow it or raise the limit`,
      );
    let samples = 0;
    for (const s of found) samples += s.length;
    if (samples > (hints.samplesMax ?? Number.POSITIVE_INFINITY))
      throw new VigieError(
        'query_limit',
        `the query loads more than ${hints.samplesMax} samples; narrow it or raise the limit`,
      );
    // Prometheus names series whose samples are all outside the range
    return found.filter((s) => s.length > 0).map((s) => ({ ...s, labels: this.#scope.seen(s.labels) }));
  }

  async series(matcherSets: readonly (readonly Matcher[])[], range: TimeRange, limit?: number): Promise<Labels[]> {
    if (!this.#scope.served) return [];
    const parameters = this.#parameters(matcherSets, range, limit, true);
    const { data } = await this.#api('/api/v1/series', parameters);
    const list = (data as Record<string, string>[]).map((l) => this.#scope.seen(Labels.from(l)));
    return list.slice(0, limit);
  }

  async labelNames(matcherSets: readonly (readonly Matcher[])[], range: TimeRange, limit?: number): Promise<string[]> {
    if (!this.#scope.served) return [];
    const { data } = await this.#api('/api/v1/labels', this.#parameters(matcherSets, range, undefined, false));
    const hidden = this.#scope.tenancy.kind === 'label' ? this.#scope.tenancy.label : undefined;
    const names = (data as string[]).filter((n) => n !== hidden);
    // VictoriaMetrics names __name__ also where there is no series at all
    if (names.length === 1 && names[0] === '__name__' && (await this.series(matcherSets, range, 1)).length === 0)
      return [];
    return names.sort(compareUtf8).slice(0, limit);
  }

  async labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit?: number,
  ): Promise<string[]> {
    if (!this.#scope.served) return [];
    if (this.#scope.tenancy.kind === 'label' && this.#scope.tenancy.label === name) return [];
    const parameters = this.#parameters(matcherSets, range, undefined, false);
    const { data } = await this.#api(`/api/v1/label/${encodeURIComponent(name)}/values`, parameters);
    return [...(data as string[])].sort(compareUtf8).slice(0, limit);
  }

  async metadata(metric?: string, limit?: number): Promise<MetricMetadata[]> {
    if (!this.#scope.served) return [];
    const parameters = new URLSearchParams(metric === undefined ? {} : { metric });
    const { data } = await this.#api('/api/v1/metadata', parameters);
    const entries = Object.entries(data as Record<string, { type: string; help: string; unit: string }[]>);
    // the server knows no tenants here, so only metrics that the tenant has are told
    const own =
      this.#scope.tenancy.kind === 'label'
        ? new Set(await this.labelValues('__name__', [], { startMs: 0, endMs: this.#p.now() }))
        : undefined;
    const base = (name: string): boolean =>
      !own || own.has(name) || ['_total', '_bucket', '_count', '_sum', '_info'].some((s) => own.has(name + s));
    return entries
      .filter(([name]) => base(name))
      .map(([name, [m]]) => ({
        metric: name,
        type: (m?.type ?? 'unknown') as MetricType,
        help: m?.help ?? '',
        unit: m?.unit ?? '',
      }))
      .slice(0, limit);
  }

  async exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    range: TimeRange,
  ): Promise<{ labels: Labels; exemplars: Exemplar[] }[]> {
    if (!this.#scope.served) return [];
    const { startMs, endMs } = this.#clamp(range);
    const out = new Map<string, { labels: Labels; exemplars: Exemplar[] }>();
    for (const set of matcherSets) {
      const parameters = new URLSearchParams({
        query: selectorText([...set, ...this.#scope.matchers]),
        start: seconds(startMs),
        end: seconds(endMs),
      });
      const { data } = await this.#api('/api/v1/query_exemplars', parameters);
      for (const row of (data ?? []) as ExemplarRow[]) {
        const labels = this.#scope.seen(Labels.from(row.seriesLabels));
        const exemplars = row.exemplars.map((e) => ({
          labels: Labels.from(e.labels),
          value: number(e.value),
          timestampMs: Math.round(e.timestamp * 1000),
        }));
        out.set(labels.key, { labels, exemplars });
      }
    }
    return [...out.values()];
  }

  async #remoteRead(
    matchers: readonly Matcher[],
    range: TimeRange,
    hints: SelectHints,
  ): Promise<SeriesColumns[] | undefined> {
    const body = snappyCompress(encodeReadRequest([{ startMs: range.startMs, endMs: range.endMs, matchers }]));
    const path = '/api/v1/read';
    const answer = await this.#p.client.send({
      method: 'POST',
      path,
      body,
      headers: {
        ...this.#scope.headers,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-read-version': '0.1.0',
      },
      signal: hints.signal,
    });
    const protobuf = answer.headers.get('content-type')?.startsWith('application/x-protobuf') === true;
    if (answer.status === 200 && protobuf)
      return decodeReadResponse(this.#p.decompress(answer.body, ANSWER_BYTES_MAX))[0] ?? [];
    if (answer.status === 200 || answer.status === 404 || answer.status === 405 || answer.status === 400) {
      // VictoriaMetrics answers 400 "unsupported path"
      if (answer.status !== 400 || /unsupported|unknown path/i.test(answer.body.toString('utf8', 0, 500))) {
        this.#p.remoteRead.available = false;
        return undefined;
      }
      throw this.#p.client.apiError(path, 400, 'bad_data', answer.body.toString());
    }
    throw this.#p.client.apiError(path, answer.status, undefined, answer.body.toString());
  }

  async #rangeSelector(matchers: readonly Matcher[], range: TimeRange, hints: SelectHints): Promise<SeriesColumns[]> {
    // left-open since Prometheus 3, left-closed before: one millisecond more, and what is too early is left out
    const query = `${selectorText(matchers)}[${range.endMs - range.startMs + 1}ms]`;
    const parameters = new URLSearchParams({ query, time: seconds(range.endMs) });
    const answer = await this.#api('/api/v1/query', parameters, hints.signal);
    for (const w of answer.warnings ?? []) hints.warn?.(w);
    const { result } = answer.data as { result: MatrixRow[] };
    return result.map((row) => columnsOf(row, range)).filter((s) => s.length > 0);
  }

  #api(path: string, parameters: URLSearchParams, signal?: AbortSignal) {
    // GET for the calls that Prometheus has no POST for, POST for queries that may be long
    const long = path === '/api/v1/query' || path === '/api/v1/series' || path === '/api/v1/labels';
    return this.#p.client.api({
      method: long ? 'POST' : 'GET',
      path,
      parameters,
      headers: this.#scope.headers,
      signal,
    });
  }

  #parameters(
    sets: readonly (readonly Matcher[])[],
    range: TimeRange,
    limit: number | undefined,
    always: boolean,
  ): URLSearchParams {
    const { startMs, endMs } = this.#clamp(range);
    const parameters = new URLSearchParams({ start: seconds(startMs), end: seconds(endMs) });
    const wanted = sets.length === 0 ? [[]] : sets;
    for (const set of wanted) {
      const all = [...set, ...this.#scope.matchers];
      if (all.length > 0 || always) parameters.append('match[]', selectorText(all));
    }
    if (limit !== undefined && Number.isFinite(limit)) parameters.set('limit', String(limit));
    return parameters;
  }

  #clamp(range: TimeRange): TimeRange {
    const endMs = Math.min(range.endMs, this.#p.now() + FUTURE_MS);
    return { startMs: Math.min(endMs, Math.max(0, range.startMs)), endMs };
  }
}

interface ExemplarRow {
  readonly seriesLabels: Record<string, string>;
  readonly exemplars: readonly { labels: Record<string, string>; value: string; timestamp: number }[];
}

interface MatrixRow {
  readonly metric: Record<string, string>;
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly (readonly [number, unknown])[];
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** A value as the JSON API writes it. */
export function number(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

function columnsOf(row: MatrixRow, range: TimeRange): SeriesColumns {
  if (row.histograms && row.histograms.length > 0)
    throw new VigieError(
      'unsupported',
      'native histograms come over remote read only; the connected server has none at /api/v1/read',
    );
  const values = row.values ?? [];
  const timestamps = new Float64Array(values.length);
  const out = new Float64Array(values.length);
  let n = 0;
  for (const [t, v] of values) {
    const ms = Math.round(t * 1000);
    if (ms < range.startMs || ms > range.endMs) continue;
    timestamps[n] = ms;
    out[n++] = number(v);
  }
  return { labels: Labels.from(row.metric), length: n, timestamps, values: out };
}
