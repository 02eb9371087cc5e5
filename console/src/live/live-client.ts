/** This tab's end of the live stream: collects what its components watch, keeps the connection's state, hands out events. */

import type { LiveQueryData } from '../../../src/http/contract/live.ts';
import { currentCsrfToken } from '../api/client.ts';
import {
  browserHub,
  type LiveMessage,
  type LiveQueryWish,
  type LiveState,
  type LiveWish,
  queryKey,
} from './live-hub.ts';

type EventListener = (event: string, data: unknown) => void;

let tenant: string | undefined;
let state: LiveState = 'connecting';
const stateListeners = new Set<() => void>();
const eventListeners = new Set<EventListener>();
/** What comes of a watched query: its steps, or why it does not run live. */
export interface QueryWatcher {
  readonly step: (data: LiveQueryData) => void;
  readonly refused: (reason: string) => void;
}
const watched = new Map<string, { query: LiveQueryWish; watchers: Set<QueryWatcher>; refused: string | undefined }>();
let post: ((wish: LiveWish | 'bye' | 'pong') => void) | undefined;
let scheduled = false;

function receive(message: LiveMessage | 'ping'): void {
  if (message === 'ping') {
    post?.('pong');
    return;
  }
  if (message.kind === 'state') {
    state = message.state;
    for (const listener of stateListeners) listener();
  } else if (message.kind === 'query') {
    const entry = watched.get(message.key);
    if (entry) entry.refused = undefined;
    for (const watcher of entry?.watchers ?? []) watcher.step(message.data);
  } else if (message.kind === 'refused') {
    const entry = watched.get(message.key);
    if (entry) entry.refused = message.error;
    for (const watcher of entry?.watchers ?? []) watcher.refused(message.error);
  } else for (const listener of eventListeners) listener(message.event, message.data);
}

function connect(): void {
  if (typeof SharedWorker !== 'undefined') {
    const worker = new SharedWorker(new URL('./live-worker.ts', import.meta.url), {
      type: 'module',
      name: 'vigie-live',
    });
    worker.port.onmessage = ({ data }) => receive(data as LiveMessage);
    worker.port.start();
    post = (wish) => worker.port.postMessage(wish);
    addEventListener('pagehide', () => post?.('bye'));
    addEventListener('pageshow', (event) => event.persisted && schedule());
    return;
  }
  const hub = browserHub();
  const tab = {};
  hub.attach(tab, receive);
  post = (wish) => typeof wish === 'object' && hub.want(tab, wish);
}

function schedule(): void {
  if (scheduled || tenant === undefined) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    if (tenant === undefined) return;
    if (!post) connect();
    post?.({ tenant, csrf: currentCsrfToken(), queries: [...watched.values()].map((e) => e.query) });
  });
}

/** Starts the stream, or moves it to another tenant. */
export function followTenant(next: string): void {
  if (tenant === next) return;
  tenant = next;
  schedule();
}
export function liveState(): LiveState {
  return state;
}
export function onLiveState(listener: () => void): () => void {
  stateListeners.add(listener);
  return () => void stateListeners.delete(listener);
}
export function onLiveEvent(listener: EventListener): () => void {
  eventListeners.add(listener);
  return () => void eventListeners.delete(listener);
}
export function watchQuery(query: LiveQueryWish, watcher: QueryWatcher): () => void {
  const key = queryKey(query);
  let entry = watched.get(key);
  if (!entry) {
    watched.set(key, (entry = { query, watchers: new Set(), refused: undefined }));
    schedule();
  }
  const found = entry;
  found.watchers.add(watcher);
  // who comes later learns what the others were told
  if (found.refused !== undefined) queueMicrotask(() => found.refused !== undefined && watcher.refused(found.refused));
  return () => {
    found.watchers.delete(watcher);
    if (found.watchers.size > 0 || watched.get(key) !== found) return;
    watched.delete(key);
    schedule();
  };
}
