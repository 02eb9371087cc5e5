/**
 * `POST /api/v1/write`: remote write 1.0 and 2.0, as a receiver of the Prometheus specification. Answers once the
 * samples are in the write-ahead log. What was refused is counted and explained with one example per reason; retrying
 * would not help there, so that is 400, except for quotas (429).
 */
import { VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { MetricsWriter, WriteBatch, WriteResult } from '../../store/metrics.ts';
import { type HttpAnswer, type HttpRequest, INGEST, type Route } from '../route.ts';

/** Largest request as it arrives, and after snappy. */
export const REMOTE_WRITE_BODY_BYTES_MAX = 32 * 1024 * 1024;
export const REMOTE_WRITE_DECODED_BYTES_MAX = 128 * 1024 * 1024;

const PROTO_1 = 'prometheus.WriteRequest';
const PROTO_2 = 'io.prometheus.write.v2.Request';

export interface RemoteWritePorts {
  readonly writer: (tenant: TenantId) => MetricsWriter;
  /** Undoes snappy; valid until the next call. */
  readonly decompress: (body: Uint8Array, bytesMax: number) => Uint8Array;
  /** Decoders reuse their buffers: the batch is appended before the next decode. */
  readonly decode1: (body: Uint8Array) => WriteBatch;
  readonly decode2: (body: Uint8Array) => WriteBatch;
}

export function remoteWriteRoute(ports: RemoteWritePorts): Route {
  return {
    method: 'POST',
    path: '/api/v1/write',
    family: 'prometheus',
    access: INGEST,
    bodyBytesMax: REMOTE_WRITE_BODY_BYTES_MAX,
    async handle(request) {
      const proto = messageOf(request);
      const encoding = request.headers['content-encoding'];
      // the specification wants snappy; its absence means snappy too, as in Prometheus' own receiver
      if (encoding !== undefined && encoding !== 'snappy' && encoding !== '')
        throw new VigieError(
          'unsupported_media',
          `content encoding ${JSON.stringify(encoding)} is not supported, want snappy`,
        );
      const body = ports.decompress(request.body, REMOTE_WRITE_DECODED_BYTES_MAX);
      const batch = proto === PROTO_2 ? ports.decode2(body) : ports.decode1(body);
      // no await between decoding and append: the buffers are shared by all requests
      const result = await ports.writer(request.context.tenant).append(batch);
      return answer(result, proto === PROTO_2);
    },
  };
}

function messageOf(request: HttpRequest): string {
  const header = request.headers['content-type'] ?? 'application/x-protobuf';
  const [type, ...parameters] = header.split(';').map((p) => p.trim());
  if (type!.toLowerCase() !== 'application/x-protobuf')
    throw new VigieError(
      'unsupported_media',
      `content type ${JSON.stringify(header)} is not supported, want application/x-protobuf`,
    );
  let proto = PROTO_1;
  for (const p of parameters) {
    const [name, value] = p.split('=', 2).map((x) => x.trim());
    if (name?.toLowerCase() === 'proto') proto = value ?? '';
  }
  if (proto !== PROTO_1 && proto !== PROTO_2)
    throw new VigieError(
      'unsupported_media',
      `message ${JSON.stringify(proto)} is not supported, want ${PROTO_1} or ${PROTO_2}`,
    );
  return proto;
}

function answer(result: WriteResult, counts: boolean): HttpAnswer {
  const headers: Record<string, string> = counts
    ? {
        'x-prometheus-remote-write-samples-written': String(result.samplesAccepted),
        'x-prometheus-remote-write-histograms-written': String(result.histogramsAccepted),
        'x-prometheus-remote-write-exemplars-written': String(result.exemplarsAccepted),
      }
    : {};
  const reasons = Object.entries(result.rejected);
  // a refused exemplar alone is no reason to alarm the sender: Prometheus' receiver only counts it
  const hard = reasons.filter(([reason]) => reason !== 'invalid_exemplar');
  if (hard.length === 0) return { status: 204, headers };
  const quota = hard.some(([reason]) => reason === 'rate_quota' || reason === 'series_quota');
  const counted = reasons.map(([reason, n]) => `${n} ${reason}`).join(', ');
  return {
    status: quota ? 429 : 400,
    headers: { ...headers, 'content-type': 'text/plain; charset=utf-8', ...(quota ? { 'retry-after': '1' } : {}) },
    body: `refused: ${counted}; accepted: ${result.samplesAccepted} samples, ${result.histogramsAccepted} histograms. ${result.examples.join('; ')}\n`,
  };
}
