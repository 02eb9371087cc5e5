/** OTLP/HTTP metrics: POST /v1/metrics and, as Prometheus names it, /api/v1/otlp/v1/metrics. Protobuf and JSON. */

import { decodeMetricsJson } from '../../ingest/otlp/decode-json.ts';
import { decodeMetricsProtobuf } from '../../ingest/otlp/decode-protobuf.ts';
import { type OtlpOptions, translateMetrics } from '../../ingest/otlp/translate.ts';
import { VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { MetricsWriter, WriteBatch } from '../../store/metrics.ts';
import { type HttpAnswer, type HttpRequest, INGEST, type Route } from '../route.ts';

/** Largest request after decompression. */
export const OTLP_BODY_BYTES_MAX = 64 * 1024 * 1024;

export interface OtlpMetricsPorts {
  readonly writer: (tenant: TenantId) => MetricsWriter;
  readonly options?: (tenant: TenantId) => OtlpOptions;
  /** A stage before the store, e.g. redaction. */
  readonly stage?: (tenant: TenantId, batch: WriteBatch) => WriteBatch;
}

export function otlpMetricsRoutes(ports: OtlpMetricsPorts): readonly Route[] {
  return ['/v1/metrics', '/api/v1/otlp/v1/metrics'].map((path) => ({
    method: 'POST',
    path,
    family: 'otlp',
    access: INGEST,
    bodyBytesMax: OTLP_BODY_BYTES_MAX,
    handle: (request) => exportMetrics(request, ports),
  }));
}

async function exportMetrics(request: HttpRequest, ports: OtlpMetricsPorts): Promise<HttpAnswer> {
  const media = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const json = media === 'application/json';
  if (!json && media !== 'application/x-protobuf')
    throw new VigieError(
      'unsupported_media',
      `got content type ${JSON.stringify(media)}, want application/x-protobuf or application/json`,
    );
  const { tenant } = request.context;
  const tree = json ? decodeMetricsJson(request.body) : decodeMetricsProtobuf(request.body);
  const { batch, rejected, problems } = translateMetrics(tree, ports.options?.(tenant));
  const staged = ports.stage?.(tenant, batch) ?? batch;
  let refused = rejected;
  const messages = [...problems];
  if (staged.seriesCount > 0) {
    const result = await ports.writer(tenant).append(staged);
    refused += Object.values(result.rejected).reduce((sum, n) => sum + (n ?? 0), 0);
    messages.push(...result.examples);
  }
  const message = messages.join('; ');
  if (json)
    return {
      headers: { 'content-type': 'application/json' },
      json: refused > 0 ? { partialSuccess: { rejectedDataPoints: String(refused), errorMessage: message } } : {},
    };
  return {
    headers: { 'content-type': 'application/x-protobuf' },
    body: refused > 0 ? partialSuccess(refused, message) : new Uint8Array(0),
    status: 200,
  };
}

/** ExportMetricsServiceResponse { partial_success = 1 { rejected_data_points = 1, error_message = 2 } }. */
function partialSuccess(rejected: number, message: string): Uint8Array {
  const text = Buffer.from(message, 'utf8');
  const inner = Buffer.concat([Buffer.from([0x08]), varint(rejected), Buffer.from([0x12]), varint(text.length), text]);
  return Buffer.concat([Buffer.from([0x0a]), varint(inner.length), inner]);
}

function varint(n: number): Buffer {
  const out: number[] = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  out.push(n);
  return Buffer.from(out);
}
