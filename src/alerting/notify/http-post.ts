/** The common shape of nearly all channels: one JSON request, judged by its status. */
import { createHash } from 'node:crypto';
import { parse as parseYaml } from 'yaml';
import { type Notification, type Outcome, type OutgoingResponse, SENT } from './channel.ts';

/** Error text of a receiver kept for the history, in characters. */
export const ERROR_TEXT_MAX = 500;

export interface JsonPost {
  readonly url: string;
  readonly json: unknown;
  readonly method?: 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses besides 5xx that are worth another try. */
  readonly retryStatus?: readonly number[];
  /** Judges the body of an answer whose status is good. */
  readonly accept?: (response: OutgoingResponse) => Outcome;
}

export async function postJson(n: Notification, post: JsonPost): Promise<Outcome> {
  return postBody(n, { ...post, body: `${JSON.stringify(post.json)}\n`, contentType: 'application/json' });
}

export async function postBody(
  n: Notification,
  post: Omit<JsonPost, 'json'> & { readonly body: string; readonly contentType: string },
): Promise<Outcome> {
  const response = await n.ports.http({
    method: post.method ?? 'POST',
    url: post.url,
    headers: { 'content-type': post.contentType, 'user-agent': 'Vigie', ...post.headers },
    body: post.body,
    http: n.http,
    signal: n.signal,
  });
  const outcome = judge(response.status, response.body, response.headers['retry-after'], n.nowMs, post.retryStatus);
  return outcome.kind === 'sent' && post.accept ? post.accept(response) : outcome;
}

export function judge(
  status: number,
  body: string,
  retryAfter: string | undefined,
  nowMs: number,
  retryStatus: readonly number[] = [],
): Outcome {
  if (status >= 200 && status < 300) return SENT;
  const retryAfterMs = parseRetryAfter(retryAfter, nowMs);
  return {
    kind: 'failed',
    // a receiver that names the time of the next try wants one
    retry: status >= 500 || retryStatus.includes(status) || (status === 429 && retryAfterMs !== undefined),
    refused: true,
    error: `unexpected status code ${status}: ${body.slice(0, ERROR_TEXT_MAX)}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** The JSON object that a receiver answered with; undefined for anything else. */
export function parseAnswer(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** As Go's url.QueryEscape. */
export const escaped = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');

/** A query or form in the order and escaping of Go's url.Values: sorted by name, spaces as `+`. */
export function query(fields: Readonly<Record<string, string>>): string {
  return Object.keys(fields)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(fields[name]!)}`)
    .join('&');
}

/** Cuts to at most `max` code points, the last being an ellipsis. */
export function truncate(text: string, max: number): string {
  const points = [...text];
  if (points.length <= max) return text;
  return max <= 3 ? points.slice(0, max).join('') : `${points.slice(0, max - 1).join('')}…`;
}

export const hashKey = (groupKey: string): string => createHash('sha256').update(groupKey).digest('hex');

export const str = (config: Readonly<Record<string, unknown>>, field: string): string => String(config[field] ?? '');
export const text = (n: Notification, field: string): string => n.templates.text(str(n.config, field), n.data);

/** Expands every string inside a YAML value. */
export function expandDeep(n: Notification, value: unknown): unknown {
  if (typeof value === 'string') return n.templates.text(value, n.data);
  if (Array.isArray(value)) return value.map((v) => expandDeep(n, v));
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, expandDeep(n, v)]));
  return value;
}

/** As expandDeep, and a text that reads as a YAML number, boolean, list or mapping becomes that value. */
export function expandTyped(n: Notification, value: unknown): unknown {
  if (typeof value === 'string') {
    const expanded = n.templates.text(value, n.data);
    return expanded.length > TYPED_CHARS_MAX ? expanded : typed(expanded);
  }
  if (Array.isArray(value)) return value.map((v) => expandTyped(n, v));
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, expandTyped(n, v)]));
  return value;
}

/** Longer texts are taken as they are: a label's text must not cost much to read. */
const TYPED_CHARS_MAX = 10_000;

function typed(expanded: string): unknown {
  try {
    // 'silent' would keep errors to itself as well, and make nested keys of a text that is no YAML
    const value: unknown = parseYaml(expanded, { version: '1.1', maxAliasCount: 0, logLevel: 'error' });
    return value instanceof Date || typeof value === 'string' ? expanded : value;
  } catch {
    return expanded;
  }
}

/** Drops keys whose value is '', as Go's omitempty does. */
export function sparse(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).filter(
      ([, v]) => v !== '' && v !== undefined && v !== false && !(Array.isArray(v) && v.length === 0),
    ),
  );
}
