/**
 * One event stream per browser and tenant, shared by all tabs: runs in a SharedWorker, or in the page where there is
 * none. Merges what the tabs want to watch, sends it to the server as one set, hands events to those who asked. The
 * browser resumes a broken stream by itself with Last-Event-ID; a stream that was refused is tried again with growing pauses.
 */
import type {
  LIVE_QUERIES_PER_CLIENT_MAX,
  LiveEventData,
  LiveEventKind,
  LiveHello,
  LiveQueryData,
} from '../../../src/http/contract/live.ts';

/** As the server's contract says; a type is all that may come from there. */
const QUERIES_MAX: typeof LIVE_QUERIES_PER_CLIENT_MAX = 200;

export interface LiveQueryWish {
  readonly expr: string;
  readonly stepMs: number;
}
/** From a tab: everything it wants now; replaces what it wanted before. */
export interface LiveWish {
  readonly tenant: string;
  readonly csrf: string;
  readonly queries: readonly LiveQueryWish[];
}
export type LiveState = 'connecting' | 'open' | 'lost';
export type LiveMessage =
  | { readonly kind: 'state'; readonly state: LiveState }
  | { readonly kind: 'query'; readonly key: string; readonly data: LiveQueryData }
  /** The query does not run live: over quota, or it cannot be read. It is offered again from time to time. */
  | { readonly kind: 'refused'; readonly key: string; readonly error: string }
  | { readonly kind: 'event'; readonly event: Exclude<LiveEventKind, 'query'>; readonly data: unknown };

export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(kind: string, listener: (event: { data?: string }) => void): void;
  close(): void;
}
export interface LivePorts {
  open(url: string): EventSourceLike;
  post(
    url: string,
    csrf: string,
    body: unknown,
  ): Promise<{ ok: boolean; status: number; refused: Readonly<Record<string, string>> }>;
  delay(ms: number, run: () => void): void;
}

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;
/** Wishes of tabs arrive in bursts while a page renders. */
const GATHER_MS = 120;
/** Refused queries are offered again: others may have left room meanwhile. */
const OFFER_AGAIN_MS = 30_000;
const CLOSED = 2;
const KINDS: readonly LiveEventKind[] = ['hello', 'snapshot', 'alert', 'rule', 'target', 'query', 'incident'];

export const queryKey = (q: LiveQueryWish): string => `${q.stepMs}|${q.expr}`;

interface Stream {
  readonly tenant: string;
  source: EventSourceLike | undefined;
  client: string | undefined;
  state: LiveState;
  retryMs: number;
  csrf: string;
  sending: boolean;
  sent: string;
  /** Ids by query, of those that were sent. */
  ids: Map<string, string>;
  offering: boolean;
}

export class LiveHub {
  readonly #ports: LivePorts;
  readonly #tabs = new Map<object, { wish: LiveWish | undefined; send: (message: LiveMessage) => void }>();
  readonly #streams = new Map<string, Stream>();
  #ids = 0;

  constructor(ports: LivePorts) {
    this.#ports = ports;
  }

  attach(tab: object, send: (message: LiveMessage) => void): void {
    this.#tabs.set(tab, { wish: undefined, send });
  }

  want(tab: object, wish: LiveWish): void {
    const entry = this.#tabs.get(tab);
    if (!entry) return;
    const moved = entry.wish?.tenant !== wish.tenant;
    entry.wish = wish;
    let stream = this.#streams.get(wish.tenant);
    if (!stream) {
      stream = {
        tenant: wish.tenant,
        source: undefined,
        client: undefined,
        state: 'connecting',
        retryMs: RETRY_MS_MIN,
        csrf: wish.csrf,
        sending: false,
        sent: '',
        ids: new Map(),
        offering: false,
      };
      this.#streams.set(wish.tenant, stream);
      this.#connect(stream);
    }
    stream.csrf = wish.csrf;
    if (moved) entry.send({ kind: 'state', state: stream.state });
    this.#gather(stream);
    this.#closeUnwatched();
  }

  detach(tab: object): void {
    this.#tabs.delete(tab);
    this.#closeUnwatched();
    for (const stream of this.#streams.values()) this.#gather(stream);
  }

  #watchers(tenant: string) {
    return [...this.#tabs.values()].filter((t) => t.wish?.tenant === tenant);
  }

  #closeUnwatched(): void {
    for (const [tenant, stream] of this.#streams) {
      if (this.#watchers(tenant).length > 0) continue;
      stream.source?.close();
      this.#streams.delete(tenant);
    }
  }

  #connect(stream: Stream): void {
    const source = this.#ports.open(
      stream.tenant === '' ? '/vigie/v1/live' : `/t/${encodeURIComponent(stream.tenant)}/vigie/v1/live`,
    );
    stream.source = source;
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data }) => {
        if (stream.source !== source || data === undefined) return;
        this.#receive(stream, kind, JSON.parse(data) as LiveEventData[typeof kind]);
      });
    }
    source.addEventListener('error', () => {
      if (stream.source !== source) return;
      stream.client = undefined;
      this.#setState(stream, 'lost');
      if (source.readyState !== CLOSED) return; // the browser comes back by itself
      const wait = stream.retryMs;
      stream.retryMs = Math.min(RETRY_MS_MAX, wait * 2);
      this.#ports.delay(wait, () => {
        if (this.#streams.get(stream.tenant) === stream && stream.source === source) this.#connect(stream);
      });
    });
  }

  #receive(stream: Stream, kind: LiveEventKind, data: LiveEventData[LiveEventKind]): void {
    if (kind === 'hello') {
      stream.client = (data as LiveHello).client;
      stream.retryMs = RETRY_MS_MIN;
      stream.sent = '';
      this.#setState(stream, 'open');
      this.#gather(stream);
    }
    if (kind === 'query') {
      const result = data as LiveQueryData;
      const key = [...stream.ids].find(([, id]) => id === result.id)?.[0];
      if (key === undefined) return;
      for (const tab of this.#watchers(stream.tenant))
        if (tab.wish!.queries.some((q) => queryKey(q) === key)) tab.send({ kind: 'query', key, data: result });
      return;
    }
    for (const tab of this.#watchers(stream.tenant)) tab.send({ kind: 'event', event: kind, data });
  }

  #setState(stream: Stream, state: LiveState): void {
    stream.state = state;
    for (const tab of this.#watchers(stream.tenant)) tab.send({ kind: 'state', state });
  }

  #gather(stream: Stream): void {
    if (stream.sending) return;
    stream.sending = true;
    this.#ports.delay(GATHER_MS, () => {
      stream.sending = false;
      void this.#subscribe(stream);
    });
  }

  async #subscribe(stream: Stream): Promise<void> {
    const { client } = stream;
    if (client === undefined) return;
    const wanted = new Map<string, LiveQueryWish>();
    for (const tab of this.#watchers(stream.tenant)) for (const q of tab.wish!.queries) wanted.set(queryKey(q), q);
    // those that run go first: a query more must not push out one that somebody looks at
    const keys = [...wanted.keys()].sort((a, b) => Number(stream.ids.has(b)) - Number(stream.ids.has(a)));
    const over = keys.splice(QUERIES_MAX);
    for (const key of over) this.#refuse(stream, key, `over ${QUERIES_MAX} live queries in this browser`);
    const set = keys.toSorted().join('\n');
    if (set === stream.sent) return;
    stream.ids = new Map(keys.map((key) => [key, stream.ids.get(key) ?? `q${++this.#ids}`]));
    stream.sent = set;
    const prefix = stream.tenant === '' ? '' : `/t/${encodeURIComponent(stream.tenant)}`;
    const queries = keys.map((key) => ({ id: stream.ids.get(key)!, ...wanted.get(key)! }));
    let refused = over.length > 0;
    try {
      const answer = await this.#ports.post(`${prefix}/vigie/v1/live/subscriptions`, stream.csrf, { client, queries });
      if (!answer.ok) {
        stream.sent = '';
        refused = true;
      }
      for (const [id, error] of Object.entries(answer.refused)) {
        refused = true;
        const key = [...stream.ids].find(([, of]) => of === id)?.[0];
        if (key !== undefined) this.#refuse(stream, key, error);
      }
    } catch {
      stream.sent = '';
      refused = true;
    }
    if (refused) this.#offerAgain(stream);
  }

  #refuse(stream: Stream, key: string, error: string): void {
    for (const tab of this.#watchers(stream.tenant))
      if (tab.wish!.queries.some((q) => queryKey(q) === key)) tab.send({ kind: 'refused', key, error });
  }

  #offerAgain(stream: Stream): void {
    if (stream.offering) return;
    stream.offering = true;
    this.#ports.delay(OFFER_AGAIN_MS, () => {
      stream.offering = false;
      if (this.#streams.get(stream.tenant) !== stream) return;
      stream.sent = '';
      void this.#subscribe(stream);
    });
  }
}

/** The hub on the browser's own EventSource and fetch. */
export function browserHub(): LiveHub {
  return new LiveHub({
    open: (url) => new EventSource(url, { withCredentials: true }) as unknown as EventSourceLike,
    post: async (url, csrf, body) => {
      const response = await fetch(url, {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'content-type': 'application/json', ...(csrf ? { 'x-vigie-csrf': csrf } : {}) },
        body: JSON.stringify(body),
      });
      const answer = response.ok ? ((await response.json()) as { refused?: Record<string, string> }) : {};
      return { ok: response.ok, status: response.status, refused: answer.refused ?? {} };
    },
    delay: (ms, run) => void setTimeout(run, ms),
  });
}
