/**
 * What a wire protocol is written in: a table of routes over plain requests and answers, free of the HTTP library.
 * The server (server.ts) authenticates, resolves the tenant, checks `access`, bounds the body, maps errors to the
 * family's error body, and mounts every tenant route a second time under /t/<tenant>. Tests walk the same table.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { RequestContext, Role } from '../tenancy/context.ts';

export type Access =
  /** No credential: health, sign-in, static files. `context` is the anonymous one. */
  | { readonly kind: 'public' }
  /** A principal with at least this role on the request's tenant; a scoped key must carry `scope`. */
  | { readonly kind: 'tenant'; readonly role: Role; readonly scope: 'ingest' | 'query' | 'admin' }
  /** Platform roles only. */
  | { readonly kind: 'platform' };

/** Decides how an error is written: each family's clients expect their own shape. */
export type RouteFamily = 'prometheus' | 'alertmanager' | 'otlp' | 'jaeger' | 'elasticsearch' | 'vigie';

export interface HttpRequest {
  readonly context: RequestContext;
  readonly method: string;
  /** Path without query, and without the /t/<tenant> prefix. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The body after gzip, deflate or zstd content encoding is undone; snappy is left to the protocol. */
  readonly body: Buffer;
  /** Aborts when the client leaves or the server drains. */
  readonly signal: AbortSignal;
  readonly remoteAddress: string;
}

export interface HttpAnswer {
  /** Default 200, or 204 without a body. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written as JSON unless `body` is set. */
  readonly json?: unknown;
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** `/api/v1/label/:name/values`; a trailing `*` catches the rest as `params['*']`. */
  readonly path: string;
  readonly family: RouteFamily;
  readonly access: Access;
  /** Largest body after decompression; default 1 MiB. */
  readonly bodyBytesMax?: number;
  /** For OpenAPI (our own API only). The handler validates through `parseBody`. */
  readonly summary?: string;
  readonly input?: z.ZodType;
  readonly output?: z.ZodType;
  handle(request: HttpRequest): Promise<HttpAnswer> | HttpAnswer;
}

export const VIEWER = { kind: 'tenant', role: 'viewer', scope: 'query' } as const satisfies Access;
export const RESPONDER = { kind: 'tenant', role: 'responder', scope: 'admin' } as const satisfies Access;
export const EDITOR = { kind: 'tenant', role: 'editor', scope: 'admin' } as const satisfies Access;
export const ADMIN = { kind: 'tenant', role: 'admin', scope: 'admin' } as const satisfies Access;
export const INGEST = { kind: 'tenant', role: 'editor', scope: 'ingest' } as const satisfies Access;
export const PLATFORM = { kind: 'platform' } as const satisfies Access;
export const PUBLIC = { kind: 'public' } as const satisfies Access;
