/**
 * `POST /api/v1/read`: Prometheus' remote read, as samples or as the stream of XOR chunks, so that a Prometheus (or
 * Thanos) reads a tenant's series from Vigie. Native histograms go out as samples only.
 */
import { VigieError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SeriesColumns } from '../../model/sample.ts';
import type { MetricsReader } from '../../store/metrics.ts';
import { chunkedFrames, decodeReadRequest, encodeReadResponse, type ReadQuery } from '../../store/wire/remote-read.ts';
import { snappyCompress } from '../../store/wire/snappy.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { type HttpAnswer, type HttpRequest, type Route, VIEWER } from '../route.ts';
import { viewMatchers } from './query.ts';

const BODY_BYTES_MAX = 1024 * 1024;
/** Samples of one answer, as Prometheus' `storage.remote.read-sample-limit`. */
export const READ_SAMPLES_MAX = 50_000_000;

export interface RemoteReadPorts {
  readonly reader: (context: RequestContext) => MetricsReader;
  /** Undoes snappy; valid until the next call. */
  readonly decompress: (body: Uint8Array, bytesMax: number) => Uint8Array;
  /** Labels that this server adds when it sends elsewhere: answered on every series, and matched as if they were there. */
  readonly externalLabels?: (context: RequestContext) => Labels;
  readonly limits?: (context: RequestContext) => { readonly seriesMax?: number; readonly samplesMax?: number };
}

export function remoteReadRoute(ports: RemoteReadPorts): Route {
  return {
    method: 'POST',
    path: '/api/v1/read',
    family: 'prometheus',
    access: VIEWER,
    bodyBytesMax: BODY_BYTES_MAX,
    async handle(request): Promise<HttpAnswer> {
      const wanted = decodeReadRequest(ports.decompress(request.body, BODY_BYTES_MAX));
      const results: SeriesColumns[][] = [];
      let left = Math.min(READ_SAMPLES_MAX, ports.limits?.(request.context).samplesMax ?? READ_SAMPLES_MAX);
      for (const query of wanted.queries) {
        const found = await answerQuery(query, request, ports, left);
        for (const s of found) left -= s.length;
        results.push(found);
      }
      const histograms = results.some((list) => list.some((s) => s.histograms?.some((h) => h)));
      if (wanted.chunked && !histograms)
        return {
          headers: { 'content-type': 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse' },
          body: frames(results),
        };
      if (!wanted.samples)
        throw new VigieError('unsupported', 'native histograms are answered as samples only; accept SAMPLES as well');
      return {
        headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
        body: snappyCompress(encodeReadResponse(results)),
      };
    },
  };
}

async function answerQuery(
  query: ReadQuery,
  request: HttpRequest,
  ports: RemoteReadPorts,
  samplesMax: number,
): Promise<SeriesColumns[]> {
  const external = ports.externalLabels?.(request.context);
  const matchers = [...query.matchers, ...viewMatchers(request.context)].filter(
    (m) => !(external && m.op === '=' && m.value !== '' && external.get(m.name) === m.value),
  );
  if (matchers.every((m: Matcher) => m.op === '=' && m.value === ''))
    throw new VigieError('bad_data', 'a read query needs a matcher that an empty value does not satisfy');
  const { seriesMax } = ports.limits?.(request.context) ?? {};
  const found = await ports
    .reader(request.context)
    .select(
      matchers,
      { startMs: query.startMs, endMs: query.endMs },
      { signal: request.signal, samplesMax, ...(seriesMax === undefined ? {} : { seriesMax }) },
    );
  if (!external || external.size === 0) return [...found];
  return found.map((s) => ({ ...s, labels: external.merge(s.labels) }));
}

async function* frames(results: readonly (readonly SeriesColumns[])[]): AsyncGenerator<Uint8Array> {
  yield* chunkedFrames(results);
}
