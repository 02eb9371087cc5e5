/**
 * The live stream: `GET /vigie/v1/live` (text/event-stream) for the request's tenant. An EventSource can set no header,
 * so the console opens `/t/<tenant>/vigie/v1/live`. Each event has `id:`, `event:` (a kind below) and one JSON `data:`
 * line. The browser comes back with `Last-Event-ID`; after a gap the stream opens with `snapshot` instead of what was
 * missed. Every stream begins with `hello`, without an id. A comment line every 15 s keeps proxies from closing it.
 * `query` events carry no id either: after a resume the newest result is sent anew.
 */
import { z } from 'zod';
import type { LiveIncident } from './incidents.ts';

/** First event of each stream; `client` names this stream in POST /vigie/v1/live/subscriptions. */
export interface LiveHello {
  readonly client: string;
  readonly atMs: number;
  /** False: missed events follow. True: a `snapshot` follows. */
  readonly fresh: boolean;
}

/** `snapshot`: the state at the event's id. Lists are bounded; `truncated` says that the lists must be fetched. */
export interface LiveSnapshot {
  readonly alerts: readonly LiveAlert[];
  readonly truncated: boolean;
  readonly rules: { readonly failing: number; readonly unknown: number };
  readonly targets: { readonly up: number; readonly down: number; readonly unknown: number };
}

/** `alert`: a rule's alert changed state. */
export interface LiveAlert {
  readonly fingerprint: string;
  readonly atMs: number;
  readonly rule: string;
  readonly group: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly from: 'inactive' | 'pending' | 'firing';
  readonly to: 'inactive' | 'pending' | 'firing';
  readonly value: number;
  readonly activeAtMs: number;
}

/** `rule`: the health of a rule changed. */
export interface LiveRule {
  readonly group: string;
  readonly rule: string;
  readonly health: 'ok' | 'err' | 'unknown';
  readonly lastError: string;
  readonly atMs: number;
}

/** `target`: a scrape target changed health. */
export interface LiveTarget {
  readonly pool: string;
  readonly url: string;
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
  readonly atMs: number;
}

/** `query`: one evaluation of a subscribed query, on steps aligned to the clock. */
export interface LiveQueryData {
  /** As given in the subscription. */
  readonly id: string;
  readonly atMs: number;
  /** Like the `result` of an instant vector of /api/v1/query. */
  readonly result?: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
  }[];
  readonly error?: string;
}

export interface LiveEventData {
  readonly hello: LiveHello;
  readonly snapshot: LiveSnapshot;
  readonly alert: LiveAlert;
  readonly rule: LiveRule;
  readonly target: LiveTarget;
  readonly query: LiveQueryData;
  readonly incident: LiveIncident;
}
export type LiveEventKind = keyof LiveEventData;

/** Queries one stream may watch. */
export const LIVE_QUERIES_PER_CLIENT_MAX = 200;

/**
 * `POST /vigie/v1/live/subscriptions`: replaces the whole set of queries that the stream `client` watches. 404 when the
 * stream is gone (the console re-sends after its next `hello`). The stream must be of the same principal and tenant.
 */
export const liveSubscriptionsInput = z.strictObject({
  client: z.string().min(1).max(100),
  queries: z
    .array(
      z.strictObject({
        id: z.string().min(1).max(100),
        expr: z.string().min(1).max(20_000),
        stepMs: z.int().min(1_000).max(3_600_000),
      }),
    )
    .max(LIVE_QUERIES_PER_CLIENT_MAX),
});
export type LiveSubscriptionsInput = z.infer<typeof liveSubscriptionsInput>;

export interface LiveSubscriptionsAnswer {
  readonly accepted: number;
  /** Queries that were refused, by id: a parse error, or the tenant's quota. The others run. */
  readonly refused: Readonly<Record<string, string>>;
}
