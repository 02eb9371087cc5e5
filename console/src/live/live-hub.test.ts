import { describe, expect, it } from 'vitest';
import { type EventSourceLike, LiveHub, type LiveMessage, queryKey } from './live-hub.ts';

class FakeSource implements EventSourceLike {
  readyState = 1;
  closed = false;
  readonly #listeners = new Map<string, ((event: { data?: string }) => void)[]>();
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }
  addEventListener(kind: string, listener: (event: { data?: string }) => void): void {
    this.#listeners.set(kind, [...(this.#listeners.get(kind) ?? []), listener]);
  }
  emit(kind: string, data?: unknown): void {
    for (const l of this.#listeners.get(kind) ?? []) l(data === undefined ? {} : { data: JSON.stringify(data) });
  }
  close(): void {
    this.closed = true;
  }
}

function setUp() {
  const sources: FakeSource[] = [];
  const posts: { url: string; csrf: string; body: { client: string; queries: { id: string; expr: string }[] } }[] = [];
  const delays: { ms: number; run: () => void }[] = [];
  const answers: { ok: boolean; status: number; refused: Record<string, string> }[] = [];
  const hub = new LiveHub({
    open: (url) => {
      sources.push(new FakeSource(url));
      return sources.at(-1)!;
    },
    post: async (url, csrf, body) => {
      posts.push({ url, csrf, body: body as never });
      return answers.shift() ?? { ok: true, status: 200, refused: {} };
    },
    delay: (ms, run) => void delays.push({ ms, run }),
  });
  const settle = async (): Promise<void> => {
    for (const d of delays.splice(0)) d.run();
    await Promise.resolve();
  };
  const tab = (name: object): LiveMessage[] => {
    const got: LiveMessage[] = [];
    hub.attach(name, (m) => got.push(m));
    return got;
  };
  return { hub, sources, posts, delays, answers, settle, tab };
}
const up = { expr: 'up', stepMs: 5_000 };
const load = { expr: 'node_load1', stepMs: 5_000 };

describe('LiveHub', () => {
  it('opens one stream for all tabs of a tenant and merges what they want', async () => {
    const { hub, sources, posts, settle, tab } = setUp();
    const [a, b] = [{}, {}];
    const gotA = tab(a);
    const gotB = tab(b);
    hub.want(a, { tenant: 'acme', csrf: 't', queries: [up] });
    hub.want(b, { tenant: 'acme', csrf: 't', queries: [up, load] });
    expect(sources.map((s) => s.url)).toEqual(['/t/acme/vigie/v1/live']);
    sources[0]!.emit('hello', { client: 'c1', atMs: 0, fresh: true });
    await settle();
    expect(posts).toHaveLength(1);
    expect(posts[0]!.body.queries.map((q) => q.expr).sort()).toEqual(['node_load1', 'up']);
    const id = posts[0]!.body.queries.find((q) => q.expr === 'node_load1')!.id;
    sources[0]!.emit('query', { id, atMs: 5_000, result: [] });
    expect(gotA.some((m) => m.kind === 'query')).toBe(false);
    expect(gotB.find((m) => m.kind === 'query')).toMatchObject({ key: queryKey(load) });
  });

  it('keeps tenants apart: a tab hears nothing of another tenant', async () => {
    const { hub, sources, tab } = setUp();
    const [a, b] = [{}, {}];
    const gotA = tab(a);
    tab(b);
    hub.want(a, { tenant: 'a', csrf: '', queries: [] });
    hub.want(b, { tenant: 'b', csrf: '', queries: [] });
    expect(sources).toHaveLength(2);
    sources[1]!.emit('alert', { rule: 'secret of b' });
    expect(gotA.filter((m) => m.kind === 'event')).toEqual([]);
  });

  it('subscribes anew on each hello, and not again for the same set', async () => {
    const { hub, sources, posts, settle, tab } = setUp();
    const a = {};
    tab(a);
    hub.want(a, { tenant: '', csrf: '', queries: [up] });
    sources[0]!.emit('hello', { client: 'c1', atMs: 0, fresh: true });
    await settle();
    hub.want(a, { tenant: '', csrf: '', queries: [up] });
    await settle();
    expect(posts).toHaveLength(1);
    sources[0]!.emit('error');
    sources[0]!.emit('hello', { client: 'c2', atMs: 0, fresh: false });
    await settle();
    expect(posts.map((p) => p.body.client)).toEqual(['c1', 'c2']);
  });

  it('tries a refused stream again with growing pauses', async () => {
    const { hub, sources, delays, settle, tab } = setUp();
    const got = tab(hub);
    hub.want(hub, { tenant: '', csrf: '', queries: [] });
    await settle();
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      sources.at(-1)!.readyState = 2;
      sources.at(-1)!.emit('error');
      waits.push(delays.at(-1)!.ms);
      await settle();
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(sources).toHaveLength(8);
    expect(got.filter((m) => m.kind === 'state').at(-1)).toMatchObject({ state: 'lost' });
  });

  it('says why a query does not run live, and offers it again', async () => {
    const { hub, sources, posts, delays, answers, settle, tab } = setUp();
    const [a, b] = [{}, {}];
    const gotA = tab(a);
    const gotB = tab(b);
    hub.want(a, { tenant: 't', csrf: '', queries: [up] });
    hub.want(b, { tenant: 't', csrf: '', queries: [load] });
    answers.push({ ok: true, status: 200, refused: { q2: 'tenant t has 1 live queries, at most 1 are allowed' } });
    sources[0]!.emit('hello', { client: 'c1', atMs: 0, fresh: true });
    await settle();
    await settle();
    const refusedIn = (got: LiveMessage[]) => got.filter((m) => m.kind === 'refused');
    expect(refusedIn(gotA)).toEqual([]);
    expect(refusedIn(gotB)).toEqual([
      { kind: 'refused', key: queryKey(load), error: 'tenant t has 1 live queries, at most 1 are allowed' },
    ]);
    expect(delays.map((d) => d.ms)).toEqual([]);
    expect(posts).toHaveLength(2);
    expect(posts[1]!.body).toEqual(posts[0]!.body);
  });

  it('sends no more queries than a stream may watch, and keeps those that run', async () => {
    const { hub, sources, posts, settle, tab } = setUp();
    const a = {};
    const got = tab(a);
    const many = Array.from({ length: 200 }, (_, i) => ({ expr: `m${i}`, stepMs: 5_000 }));
    hub.want(a, { tenant: 't', csrf: '', queries: many });
    sources[0]!.emit('hello', { client: 'c1', atMs: 0, fresh: true });
    await settle();
    hub.want(a, { tenant: 't', csrf: '', queries: [up, ...many] });
    await settle();
    expect(posts.at(-1)!.body.queries).toHaveLength(200);
    expect(got.filter((m) => m.kind === 'refused')).toEqual([
      { kind: 'refused', key: queryKey(up), error: 'over 200 live queries in this browser' },
    ]);
  });

  it('closes the stream when the last tab leaves', () => {
    const { hub, sources, tab } = setUp();
    const a = {};
    tab(a);
    hub.want(a, { tenant: 'x', csrf: '', queries: [] });
    hub.detach(a);
    expect(sources[0]!.closed).toBe(true);
  });
});
