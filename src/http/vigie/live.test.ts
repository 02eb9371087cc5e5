import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { serveRoutes } from '../../../test/support/route-server.ts';
import { EventLog } from '../../live/event-log.ts';
import { QuerySubscriptions } from '../../live/query-subscriptions.ts';
import { tenantId } from '../../model/tenant.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import type { LiveSubscriptionsAnswer } from '../contract/live.ts';
import { liveRoutes } from './live.ts';

const STEP_MS = 5_000;

async function world(liveQueriesMax = 10) {
  const clock = new FakeClock(1_000_000_000);
  const evaluated: string[] = [];
  const queries = new QuerySubscriptions<RequestContext>(clock, async (context, expr, atMs) => {
    evaluated.push(`${context.tenant} ${expr}`);
    return [{ metric: { of: context.tenant }, value: [atMs / 1_000, '1'] }];
  });
  let ids = 0;
  const routes = liveRoutes({
    log: new EventLog('b'),
    queries,
    snapshot: () => ({
      alerts: [],
      truncated: false,
      rules: { failing: 0, unknown: 0 },
      targets: { up: 0, down: 0, unknown: 0 },
    }),
    checkQuery: (expr) => {
      if (expr === 'sum(') throw new Error('cannot be read');
    },
    liveQueriesMax: () => liveQueriesMax,
    onRevoked: () => () => {},
    newId: () => `client-${++ids}`,
    clock,
  });
  const servers = { a: await serveRoutes(routes, 'a'), b: await serveRoutes(routes, 'b') };
  const open = async (of: 'a' | 'b') => {
    const stop = new AbortController();
    const answer = await fetch(`${servers[of].url}/vigie/v1/live`, { signal: stop.signal });
    const got: string[] = [];
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) got.push(decoder.decode(part));
    })().catch(() => undefined);
    await expect.poll(() => got.join('')).toContain('event: hello');
    const client = (JSON.parse(/event: hello\ndata: (.*)/.exec(got.join(''))![1]!) as { client: string }).client;
    return {
      client,
      results: () => [...got.join('').matchAll(/event: query\ndata: (.*)/g)].map((m) => JSON.parse(m[1]!)),
      close: async () => {
        stop.abort();
        await reading;
      },
    };
  };
  const watch = async (of: 'a' | 'b', client: string, queriesOf: readonly [string, string][]) => {
    const answer = await fetch(`${servers[of].url}/vigie/v1/live/subscriptions`, {
      method: 'POST',
      body: JSON.stringify({ client, queries: queriesOf.map(([id, expr]) => ({ id, expr, stepMs: STEP_MS })) }),
    });
    return { status: answer.status, json: (await answer.json()) as LiveSubscriptionsAnswer };
  };
  return {
    clock,
    queries,
    evaluated,
    open,
    watch,
    async [Symbol.asyncDispose]() {
      await Promise.all([servers.a[Symbol.asyncDispose](), servers.b[Symbol.asyncDispose]()]);
    },
  };
}

describe('live subscriptions', () => {
  it('go on unchanged when the set changes, and send nothing twice', async () => {
    await using w = await world();
    const stream = await w.open('a');
    await w.watch('a', stream.client, [['q1', 'up']]);
    await w.clock.advance(STEP_MS);
    await expect.poll(() => stream.results()).toHaveLength(1);
    expect(
      (
        await w.watch('a', stream.client, [
          ['q1', 'up'],
          ['q2', 'load'],
        ])
      ).json,
    ).toEqual({ accepted: 2, refused: {} });
    await w.clock.advance(STEP_MS);
    await expect.poll(() => stream.results().map((r) => r.id)).toEqual(['q1', 'q1', 'q2']);
    await w.watch('a', stream.client, [['q2', 'load']]);
    expect(w.queries.count(tenantId('a'))).toBe(1);
    await w.clock.advance(STEP_MS);
    await expect.poll(() => stream.results().map((r) => r.id)).toEqual(['q1', 'q1', 'q2', 'q2']);
    await stream.close();
  });

  it('take the new query of an id that changed', async () => {
    await using w = await world();
    const stream = await w.open('a');
    await w.watch('a', stream.client, [['q1', 'up']]);
    await w.watch('a', stream.client, [['q1', 'load']]);
    await w.clock.advance(STEP_MS);
    expect(w.evaluated).toEqual(['a load']);
    await stream.close();
  });

  it('name what is refused, run the rest, and let what is left make room', async () => {
    await using w = await world(1);
    const stream = await w.open('a');
    const first = await w.watch('a', stream.client, [
      ['q1', 'up'],
      ['q2', 'load'],
      ['q3', 'sum('],
    ]);
    expect(first.json.accepted).toBe(1);
    expect(first.json.refused).toEqual({
      q2: 'tenant a has 1 live queries, at most 1 are allowed',
      q3: 'cannot be read',
    });
    expect((await w.watch('a', stream.client, [['q2', 'load']])).json).toEqual({ accepted: 1, refused: {} });
    await stream.close();
  });

  it('refuse an id that occurs twice, and leave what ran', async () => {
    await using w = await world();
    const stream = await w.open('a');
    await w.watch('a', stream.client, [['q1', 'up']]);
    expect(
      (
        await w.watch('a', stream.client, [
          ['x', 'up'],
          ['x', 'load'],
        ])
      ).status,
    ).toBe(400);
    expect(w.queries.count(tenantId('a'))).toBe(1);
    await stream.close();
  });

  it('of one tenant are out of reach of another', async () => {
    await using w = await world();
    const [a, b] = [await w.open('a'), await w.open('b')];
    expect((await w.watch('b', a.client, [['q1', 'up']])).status).toBe(404);
    await w.watch('a', a.client, [['q1', 'up']]);
    await w.clock.advance(STEP_MS);
    await settle();
    await expect.poll(() => a.results()).toHaveLength(1);
    expect(b.results()).toEqual([]);
    await Promise.all([a.close(), b.close()]);
  });
});
