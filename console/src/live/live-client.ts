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
const queryListeners = new Map<string, { query: LiveQueryWish; listeners: Set<(data: LiveQueryData) => void> }>();
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
    for (const listener of queryListeners.get(message.key)?.listeners ?? []) listener(message.data);
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
    post?.({ tenant, csrf: currentCsrfToken(), queries: [...queryListeners.values()].map((e) => e.query) });
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
export function watchQuery(query: LiveQueryWish, listener: (data: LiveQueryData) => void): () => void {
  const key = queryKey(query);
  let entry = queryListeners.get(key);
  if (!entry) {
    queryListeners.set(key, (entry = { query, listeners: new Set() }));
    schedule();
  }
  const found = entry;
  found.listeners.add(listener);
  return () => {
    found.listeners.delete(listener);
    if (found.listeners.size > 0) return;
    queryListeners.delete(key);
    schedule();
  };
}
