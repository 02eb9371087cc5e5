/** Writes an error in the shape each family's clients expect. Never the text of a foreign error, never a stack. */
import { ERROR_TABLE, type ErrorCode, VigieError } from '../lib/errors.ts';
import type { HttpAnswer, RouteFamily } from './route.ts';

/** Prometheus' errorType for each of our codes (web/api/v1/api.go); anything else is `internal`. */
const PROMETHEUS_TYPE: Partial<Record<ErrorCode, string>> = {
  bad_data: 'bad_data',
  bad_config: 'bad_data',
  bad_query: 'bad_data',
  too_large: 'bad_data',
  unsupported_media: 'bad_data',
  conflict: 'bad_data',
  method_not_allowed: 'bad_data',
  execution: 'execution',
  query_limit: 'execution',
  query_timeout: 'timeout',
  canceled: 'canceled',
  not_found: 'not_found',
  quota: 'too_many_requests',
  unauthenticated: 'unauthorized',
  forbidden: 'forbidden',
  unavailable: 'unavailable',
};

/** What was thrown, as a `VigieError`; an unknown error becomes `internal` with a neutral message. */
export function asVigieError(error: unknown): VigieError {
  if (error instanceof VigieError) return error;
  const status = (error as { statusCode?: unknown }).statusCode;
  if (status === 413)
    return new VigieError('too_large', 'the request body exceeds the limit of this endpoint', { cause: error });
  if (status === 400) return new VigieError('bad_data', 'the request could not be read', { cause: error });
  if (status === 415) return new VigieError('unsupported_media', 'unsupported content type', { cause: error });
  return new VigieError('internal', 'internal error', { cause: error });
}

export function errorAnswer(family: RouteFamily, error: VigieError, requestId: string): HttpAnswer {
  const status = typeof error.details['status'] === 'number' ? error.details['status'] : error.status;
  const headers: Record<string, string> = {};
  const retryAfterMs = error.details['retryAfterMs'];
  if (typeof retryAfterMs === 'number') headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  if (typeof error.details['allow'] === 'string') headers['allow'] = error.details['allow'];
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="vigie"';
  switch (family) {
    case 'prometheus':
      return {
        status,
        headers,
        json: { status: 'error', errorType: PROMETHEUS_TYPE[error.code] ?? 'internal', error: error.message },
      };
    case 'alertmanager':
      return { status, headers, json: error.message };
    case 'otlp':
      return { status, headers, json: { code: grpcCode(error.code), message: error.message } };
    case 'jaeger':
      return {
        status,
        headers,
        json: { data: null, total: 0, limit: 0, offset: 0, errors: [{ code: status, msg: error.message }] },
      };
    case 'elasticsearch':
      return { status, headers, json: { error: { type: `${error.code}_exception`, reason: error.message }, status } };
    case 'vigie': {
      const { status: _status, retryAfterMs: _retry, ...details } = error.details;
      const hint = ERROR_TABLE[error.code].hint;
      return {
        status,
        headers,
        json: { error: { code: error.code, message: error.message, hint, details, requestId } },
      };
    }
  }
}

/** google.rpc.Code, as OTLP/HTTP answers carry it. */
function grpcCode(code: ErrorCode): number {
  if (code === 'bad_data' || code === 'unsupported_media' || code === 'too_large') return 3;
  if (code === 'quota') return 8;
  if (code === 'unauthenticated') return 16;
  if (code === 'forbidden') return 7;
  if (code === 'not_found' || code === 'method_not_allowed') return 5;
  return code === 'unavailable' ? 14 : 13;
}
