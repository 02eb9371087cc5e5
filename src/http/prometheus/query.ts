/**
 * Prometheus' query API: query, query_range, series, labels, label values, metadata, exemplars, format_query,
 * parse_query and buildinfo. Evaluation is the engine's, data the reader's; this file decodes and encodes.
 */
import type { Clock } from '../../lib/clock.ts';
import { messageOf, VigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { children, type Expr, injectMatchers } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import { type QueryLimits, STEPS_MAX } from '../../promql/context.ts';
import type { QueryEngine, QueryOptions, QueryResult } from '../../promql/engine.ts';
import { formatValue } from '../../promql/literal.ts';
import { prettyPrint } from '../../promql/print.ts';
import type { MetricsReader } from '../../store/metrics.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { formValues } from '../body.ts';
import { type HttpAnswer, type HttpRequest, type Route, VIEWER } from '../route.ts';
import { encodeQueryResult, jsonText, labelsJson, PIECE_CHARS, timeText } from './query-encode.ts';
import {
  durationParam,
  limitParam,
  lookbackParam,
  MAX_TIME_MS,
  MIN_TIME_MS,
  matcherSets,
  timeParam,
} from './query-params.ts';
import { queryTree, sortedKeys } from './query-tree.ts';

export interface PrometheusQueryPorts {
  readonly reader: (context: RequestContext) => MetricsReader;
  readonly engine: QueryEngine;
  readonly clock: Clock;
  /** Limits of the tenant; absent values are the engine's. */
  readonly limits?: (context: RequestContext) => Partial<QueryLimits>;
  /** Wraps each query: concurrency per tenant, or handing it to a worker. Default: run at once. */
  readonly admit?: <T>(context: RequestContext, run: () => Promise<T>, signal?: AbortSignal) => Promise<T>;
  /** Told of each query when it ended, for the query log. */
  readonly onQuery?: (context: RequestContext, query: FinishedQuery) => void;
}

export interface FinishedQuery {
  readonly kind: 'instant' | 'range';
  readonly expr: string;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly samples: number;
  readonly series: number;
  /** '' when it succeeded. */
  readonly error: string;
}

/** Version that clients are told, so that they speak the dialect of Prometheus 3. */
export const DIALECT_VERSION = '3.5.0';
const FORM_BYTES_MAX = 10 * 1024 * 1024;

/** Matchers that the context's restricted view adds to every selector. */
export function viewMatchers(context: RequestContext): readonly Matcher[] {
  return context.view ? [{ name: context.view.tenantLabel, op: '=', value: context.view.tenantValue }] : [];
}

const CUT = ['results truncated due to limit'];

function answerText(data: string, warnings?: readonly string[]): HttpAnswer {
  return {
    headers: { 'content-type': 'application/json' },
    body: `{"status":"success","data":${data}${warnings ? `,"warnings":${jsonText(warnings)}` : ''}}`,
  };
}

const success = (data: unknown): HttpAnswer => answerText(jsonText(data));

interface RangeParams {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

function rangeParams(form: URLSearchParams): RangeParams {
  const fail = (name: string, what: string): never => {
    throw new VigieError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${what}`);
  };
  const startMs = timeParam(form, 'start');
  const endMs = timeParam(form, 'end');
  if (endMs < startMs) fail('end', 'end timestamp must not be before start time');
  const stepMs = Math.trunc(durationParam(form, 'step'));
  if (stepMs <= 0)
    fail('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer');
  if ((endMs - startMs) / stepMs > STEPS_MAX)
    throw new VigieError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  return { startMs, endMs, stepMs };
}

export function prometheusQueryRoutes(ports: PrometheusQueryPorts): Route[] {
  const { engine, clock } = ports;
  const get = (path: string, handle: Route['handle']): Route => ({
    method: 'GET',
    path,
    family: 'prometheus',
    access: VIEWER,
    handle,
  });
  const both = (path: string, handle: Route['handle']): Route[] => [
    get(path, handle),
    { method: 'POST', path, family: 'prometheus', access: VIEWER, bodyBytesMax: FORM_BYTES_MAX, handle },
  ];

  const parsed = (form: URLSearchParams): { readonly text: string; readonly expr: Expr } => {
    const text = form.get('query') ?? '';
    try {
      return { text, expr: engine.parse(text) };
    } catch (cause) {
      if (cause instanceof VigieError)
        throw new VigieError('bad_query', `invalid parameter "query": ${cause.message}`, { cause });
      throw cause;
    }
  };

  const run = async <T>(
    request: HttpRequest,
    times: (form: URLSearchParams) => T,
    evaluate: (at: T, expr: Expr, options: QueryOptions) => Promise<QueryResult>,
  ): Promise<HttpAnswer> => {
    const form = formValues(request);
    // the order in which Prometheus looks at parameters decides which of several faults is told
    const limit = limitParam(form);
    const at = times(form);
    const limits: { -readonly [K in keyof QueryLimits]?: QueryLimits[K] } = { ...ports.limits?.(request.context) };
    if (form.get('timeout')) {
      const wanted = durationParam(form, 'timeout');
      if (wanted <= 0) throw new VigieError('bad_data', 'invalid parameter "query": context deadline exceeded');
      limits.timeoutMs = Math.min(wanted, limits.timeoutMs ?? Number.POSITIVE_INFINITY);
    }
    const lookbackMs = lookbackParam(form);
    const { text, expr } = parsed(form);
    const options: QueryOptions = {
      text,
      limits,
      signal: request.signal,
      ...(lookbackMs !== undefined && { lookbackMs }),
    };
    const view = viewMatchers(request.context);
    const restricted = view.length > 0 ? injectMatchers(expr, view) : expr;
    if (view.length > 0 && callsInfo(expr))
      throw new VigieError(
        'forbidden',
        'info() reads series that a restricted view cannot narrow; it is not available here',
      );
    const admit = ports.admit ?? (<T>(_c: RequestContext, go: () => Promise<T>): Promise<T> => go());
    const startedMs = clock.now();
    const startMs = clock.monotonicMs();
    const finished = (samples: number, series: number, error: string): void =>
      ports.onQuery?.(request.context, {
        kind: request.path.endsWith('_range') ? 'range' : 'instant',
        expr: text,
        startedMs,
        durationMs: clock.monotonicMs() - startMs,
        samples,
        series,
        error,
      });
    const result = await admit(request.context, () => evaluate(at, restricted, options)).catch((error: unknown) => {
      finished(0, 0, messageOf(error));
      throw error;
    });
    finished(result.stats.samplesTotal, result.stats.series, '');
    const stats = form.get('stats') ? statsJson(result, form.get('stats') === 'all' ? at : undefined) : undefined;
    return jsonPieces(encodeQueryResult(result, limit, stats));
  };

  const query: Route['handle'] = (request) =>
    run(
      request,
      (form) => timeParam(form, 'time', clock.now()),
      (atMs, expr, options) => engine.instant(ports.reader(request.context), expr, atMs, options),
    );

  const queryRange: Route['handle'] = (request) =>
    run(request, rangeParams, (range, expr, options) => {
      const type = typeOf(expr);
      if (type !== 'scalar' && type !== 'vector')
        throw new VigieError(
          'bad_data',
          `invalid parameter "query": invalid expression type ${JSON.stringify(type === 'matrix' ? 'range vector' : type)} for range query, must be Scalar or instant Vector`,
        );
      return engine.range(ports.reader(request.context), expr, range, options);
    });

  const sets = (request: HttpRequest, form: URLSearchParams, named = false): Matcher[][] => {
    const view = viewMatchers(request.context);
    const found = matcherSets(form, (t) => engine.parse(t), named);
    if (found.length === 0 && view.length > 0) return [[...view]];
    return found.map((s) => [...s, ...view]);
  };
  const rangeOf = (form: URLSearchParams): { startMs: number; endMs: number } => ({
    startMs: timeParam(form, 'start', MIN_TIME_MS),
    endMs: timeParam(form, 'end', MAX_TIME_MS),
  });
  /** `data` cut to the limit, with Prometheus' warning when it was. */
  const listAnswer = (data: readonly unknown[], limit: number): HttpAnswer => {
    const isCut = limit > 0 && data.length > limit;
    return answerText(jsonText(isCut ? data.slice(0, limit) : data), isCut ? CUT : undefined);
  };

  const series: Route['handle'] = async (request) => {
    const form = formValues(request);
    if (!form.has('match[]')) throw new VigieError('bad_data', 'no match[] parameter provided');
    const limit = limitParam(form);
    const range = rangeOf(form);
    const found = await ports
      .reader(request.context)
      .series(sets(request, form, true), range, limit > 0 ? limit + 1 : undefined);
    const isCut = limit > 0 && found.length > limit;
    const labels = [...found].sort(Labels.compare).slice(0, isCut ? limit : undefined);
    return answerText(`[${labels.map(labelsJson).join(',')}]`, isCut ? CUT : undefined);
  };

  const labels: Route['handle'] = async (request) => {
    const form = formValues(request);
    const limit = limitParam(form);
    const range = rangeOf(form);
    return listAnswer(
      await ports.reader(request.context).labelNames(sets(request, form), range, limit > 0 ? limit + 1 : undefined),
      limit,
    );
  };

  const labelValues: Route['handle'] = async (request) => {
    const form = formValues(request);
    let name = request.params['name'] ?? '';
    if (name.startsWith('U__')) name = unescapeName(name);
    if (name === '' || !name.isWellFormed())
      throw new VigieError('bad_data', `invalid label name: ${JSON.stringify(name)}`);
    const limit = limitParam(form);
    const range = rangeOf(form);
    return listAnswer(
      await ports
        .reader(request.context)
        .labelValues(name, sets(request, form), range, limit > 0 ? limit + 1 : undefined),
      limit,
    );
  };

  const metadata: Route['handle'] = async (request) => {
    const form = formValues(request);
    const limit = form.get('limit') ? Number(form.get('limit')) : -1;
    if (!Number.isInteger(limit)) throw new VigieError('bad_data', 'limit must be a number');
    const perMetric = form.get('limit_per_metric') ? Number(form.get('limit_per_metric')) : -1;
    if (!Number.isInteger(perMetric)) throw new VigieError('bad_data', 'limit_per_metric must be a number');
    const data = new Map<string, { type: string; help: string; unit: string }[]>();
    if (limit !== 0 && !request.context.view)
      for (const m of await ports
        .reader(request.context)
        .metadata(form.get('metric') || undefined, limit > 0 ? limit : undefined)) {
        const list = data.get(m.metric);
        if (!list && limit > 0 && data.size >= limit) break;
        const entry = { type: m.type, help: m.help, unit: m.unit };
        if (!list) data.set(m.metric, [entry]);
        else if (perMetric <= 0 || list.length < perMetric) list.push(entry);
      }
    return success(Object.fromEntries(data));
  };

  const exemplars: Route['handle'] = async (request) => {
    const form = formValues(request);
    const { startMs, endMs } = rangeOf(form);
    if (endMs < startMs) throw new VigieError('bad_data', 'end timestamp must not be before start timestamp');
    const expr = engine.parse(form.get('query') ?? '');
    const matchers = selectorsOf(injectMatchers(expr, viewMatchers(request.context)));
    if (matchers.length === 0) return { status: 204 };
    const found = await ports.reader(request.context).exemplars(matchers, { startMs, endMs });
    const data = found.map((f) => {
      const list = f.exemplars.map(
        (x) =>
          `{"labels":${labelsJson(x.labels)},"value":"${formatValue(x.value)}","timestamp":${timeText(x.timestampMs)}}`,
      );
      return `{"seriesLabels":${labelsJson(f.labels)},"exemplars":[${list.join(',')}]}`;
    });
    return answerText(`[${data.join(',')}]`);
  };

  return [
    ...both('/api/v1/query', query),
    ...both('/api/v1/query_range', queryRange),
    ...both('/api/v1/series', series),
    ...both('/api/v1/labels', labels),
    get('/api/v1/label/:name/values', labelValues),
    get('/api/v1/metadata', metadata),
    ...both('/api/v1/query_exemplars', exemplars),
    ...both('/api/v1/format_query', (r) => success(prettyPrint(parsed(formValues(r)).expr))),
    ...both('/api/v1/parse_query', (r) => success(sortedKeys(queryTree(parsed(formValues(r)).expr)))),
  ];
}

function callsInfo(e: Expr): boolean {
  return (e.kind === 'call' && e.func === 'info') || children(e).some(callsInfo);
}

function selectorsOf(e: Expr): (readonly Matcher[])[] {
  return e.kind === 'selector' ? [e.matchers] : children(e).flatMap(selectorsOf);
}

/** Undoes Prometheus' value encoding of names (`U__a_2e_b`). */
function unescapeName(name: string): string {
  return name
    .slice(3)
    .replace(/__|_([0-9a-fA-F]+)_/g, (m, hex: string | undefined) =>
      hex === undefined ? (m === '__' ? '_' : m) : String.fromCodePoint(Number.parseInt(hex, 16)),
    );
}

/** `at`: the times of the steps are wanted too, with the samples read at each. */
function statsJson(r: QueryResult, at: unknown): string {
  const { prepareMs, evalMs, samplesTotal, samplesPeak, samplesPerStep } = r.stats;
  const timings = JSON.stringify({
    evalTotalTime: (prepareMs + evalMs) / 1000,
    resultSortTime: 0,
    queryPreparationTime: prepareMs / 1000,
    innerEvalTime: evalMs / 1000,
    execQueueTime: 0,
    execTotalTime: (prepareMs + evalMs) / 1000,
  });
  let perStep = '';
  if (at !== undefined) {
    const { startMs, stepMs } = typeof at === 'number' ? { startMs: at, stepMs: 0 } : (at as RangeParams);
    const steps = Array.from(samplesPerStep, (n, i) => `[${timeText(startMs + i * stepMs)},${n}]`);
    perStep = `"totalQueryableSamplesPerStep":[${steps.join(',')}],`;
  }
  return `{"timings":${timings},"samples":{${perStep}"totalQueryableSamples":${samplesTotal},"peakSamples":${samplesPeak}}}`;
}

/** One string when the answer is small, a stream of pieces otherwise. */
function jsonPieces(pieces: Generator<string>): HttpAnswer {
  const headers = { 'content-type': 'application/json' };
  const first = pieces.next();
  const text = first.done ? '' : first.value;
  if (text.length < PIECE_CHARS) {
    let body = text;
    for (const p of pieces) {
      body += p;
      if (body.length > PIECE_CHARS) return { headers, body: stream(body, pieces) };
    }
    return { headers, body };
  }
  return { headers, body: stream(text, pieces) };
}

/** Between two pieces others may run: a long answer is written as it is taken, not in one go. */
async function* stream(first: string, rest: Generator<string>): AsyncGenerator<string> {
  yield first;
  for (const piece of rest) {
    await new Promise((resolve) => setImmediate(resolve));
    yield piece;
  }
}
