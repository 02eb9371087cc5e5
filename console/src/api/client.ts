/**
 * Requests to our own origin: the tenant in the path (/t/<tenant>), the CSRF token on changes, errors as one type.
 * Prometheus' envelope is unwrapped in prometheus.ts, Alertmanager's in alertmanager.ts.
 */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let csrfToken = '';
export function setCsrfToken(token: string): void {
  csrfToken = token;
}
export function currentCsrfToken(): string {
  return csrfToken;
}

export interface RequestOptions {
  readonly method?: string;
  readonly json?: unknown;
  readonly form?: URLSearchParams;
  readonly signal?: AbortSignal | undefined;
}

/** `tenant` '' asks without naming one. Throws ApiError; status 0 means that the server could not be reached. */
export async function request<T>(tenant: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  let body: string | undefined;
  if (options.json !== undefined) {
    headers['content-type'] = 'application/json';
    body = JSON.stringify(options.json);
  } else if (options.form) {
    headers['content-type'] = 'application/x-www-form-urlencoded';
    body = options.form.toString();
  }
  const method = options.method ?? (body === undefined ? 'GET' : 'POST');
  if (method !== 'GET' && csrfToken) headers['x-vigie-csrf'] = csrfToken;
  let response: Response;
  try {
    response = await fetch(tenantPath(tenant, path), {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (cause) {
    if ((cause as Error).name === 'AbortError') throw cause;
    throw new ApiError(0, 'unreachable', String((cause as Error).message));
  }
  const text = await response.text();
  let value: unknown;
  try {
    value = text === '' ? undefined : JSON.parse(text);
  } catch {
    value = text;
  }
  if (!response.ok) throw errorOf(response.status, value);
  return value as T;
}

export function tenantPath(tenant: string, path: string): string {
  return tenant === '' ? path : `/t/${encodeURIComponent(tenant)}${path}`;
}

/** Each family has its own error shape: {error: {code, message}}, {errorType, error}, a string, or a bare text. */
function errorOf(status: number, value: unknown): ApiError {
  if (typeof value === 'string' && value !== '') return new ApiError(status, String(status), value.slice(0, 500));
  const body = (value ?? {}) as Record<string, unknown>;
  const inner = body['error'];
  if (inner && typeof inner === 'object') {
    const { code, message } = inner as { code?: string; message?: string };
    return new ApiError(status, code ?? String(status), message ?? `HTTP ${status}`);
  }
  if (typeof inner === 'string') return new ApiError(status, String(body['errorType'] ?? status), inner);
  return new ApiError(status, String(body['code'] ?? status), String(body['message'] ?? `HTTP ${status}`));
}
