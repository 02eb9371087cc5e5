/** The routes over the real service in virtual time: shapes, refusals, audit, and that no tenant sees another's. */
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/support/fake-clock.ts';
import { IntelligenceWorld } from '../../../test/support/intelligence.ts';
import { checkDetectors } from '../../intelligence/config.ts';
import { IntelligenceService } from '../../intelligence/intelligence-service.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import type { HttpRequest, Route } from '../route.ts';
import { intelligenceRoutes } from './intelligence.ts';

const START = Date.UTC(2026, 4, 4);
const HOUR = 3_600_000;

async function world() {
  const w = new IntelligenceWorld(START);
  const level = (t: number): number => 40 + Math.sin(t / 977_000) + Math.sin(t / 311_000);
  w.add('a', 'load', { __name__: 'load', host: 'secret' }, (t) => (t > START + 2 * HOUR ? 400 : level(t)));
  w.add('a', 'disk', { mountpoint: '/' }, (t) => 0.5 - Math.max(0, (t - START) / HOUR) * 0.1 + level(t) / 1e5);
  w.add('b', 'load', { host: 'other' }, level);
  const service = new IntelligenceService(w.ports());
  const load = { name: 'load', kind: 'anomaly', expr: 'load', step: '5m', warmup: '3d' };
  const disk = {
    name: 'disk',
    kind: 'forecast',
    expr: 'disk',
    step: '5m',
    warmup: '1d',
    horizon: '4h',
    method: 'exhaustion',
    threshold: { below: 0.1 },
  };
  const check = (...detectors: object[]) => checkDetectors({ version: 1, detectors }, 'test');
  await service.configure('a' as TenantId, check(load, disk));
  await service.configure('b' as TenantId, check({ ...load, name: 'other' }));
  await settle(60);
  await w.clock.advance(3 * HOUR);
  const audited: { tenant: string; action: string; target: string }[] = [];
  const routes = intelligenceRoutes({
    intelligence: service,
    audit: async (context, action, target) => void audited.push({ tenant: context.tenant, action, target }),
  });
  const call = async (
    tenant: string,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: never }> => {
    const url = new URL(path, 'http://x');
    const found = match(routes, method, url.pathname);
    const request: HttpRequest = {
      context: contextOf(tenant),
      method,
      path: url.pathname,
      params: found.params,
      query: url.searchParams,
      headers: {},
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      signal: new AbortController().signal,
      remoteAddress: '127.0.0.1',
    };
    const answer = await found.route.handle(request);
    // what a client gets, not what was in memory
    return { status: answer.status ?? 200, json: JSON.parse(JSON.stringify(answer.json ?? null)) as never };
  };
  return { w, service, routes, audited, call };
}

function contextOf(tenant: string): RequestContext {
  return {
    tenant: tenant as TenantId,
    principal: { id: 'k1', kind: 'key', name: 'ann' },
    role: 'editor',
    grants: new Map([[tenant as TenantId, 'editor']]),
    requestId: 'r',
  };
}

function match(routes: readonly Route[], method: string, path: string) {
  for (const route of routes) {
    const want = route.path.split('/');
    const got = path.split('/');
    if (route.method !== method || want.length !== got.length) continue;
    if (!want.every((part, i) => part.startsWith(':') || part === got[i])) continue;
    const params = Object.fromEntries(
      want.flatMap((p, i) => (p.startsWith(':') ? [[p.slice(1), decodeURIComponent(got[i]!)]] : [])),
    );
    return { route, params };
  }
  throw new Error(`no route ${method} ${path}`);
}

describe('intelligence routes', () => {
  it('tell state, record and back-test, with null for what is undefined', async () => {
    const { call, service } = await world();
    const { json } = await call('a', 'GET', '/vigie/v1/detectors');
    expect(json).toMatchObject({
      detectors: [
        { name: 'disk', kind: 'forecast', phase: 'running', series: { ready: 1 }, backtest: { passed: true } },
        { name: 'load', kind: 'anomaly', armed: true, unarmedWhy: '', budgetFactor: 1, record: { coverage95: null } },
      ],
    });
    const detail = (await call('a', 'GET', '/vigie/v1/detectors/load')).json as {
      topSeries: unknown[];
      byDay: unknown[];
    };
    expect(detail.topSeries).toMatchObject([{ labels: { host: 'secret' }, state: 'ready', value: 400 }]);
    expect(detail.byDay.length).toBeGreaterThan(0);
    const { forecasts } = (await call('a', 'GET', '/vigie/v1/forecasts')).json as {
      forecasts: Record<string, unknown>[];
    };
    expect(forecasts[0]).toMatchObject({ detector: 'disk', labels: { mountpoint: '/' }, threshold: { below: 0.1 } });
    expect(forecasts[0]!['mean']).toHaveLength(48);
    expect(forecasts[0]!['crossProbability']).toBeGreaterThan(0.5);
    await service[Symbol.asyncDispose]();
  });

  it('run a back-test and audit it', async () => {
    const { call, audited, service } = await world();
    const { json } = await call('a', 'POST', '/vigie/v1/detectors/load/backtest', { seconds: 5 * 86_400 });
    expect(json).toMatchObject({ passed: true, series: 1, judged: false, precision: null });
    expect(audited).toEqual([{ tenant: 'a', action: 'detector.backtest', target: 'load' }]);
    await expect(call('a', 'POST', '/vigie/v1/detectors/load/backtest', { seconds: -1 })).rejects.toMatchObject({
      code: 'bad_data',
    });
    await expect(call('a', 'POST', '/vigie/v1/detectors/nope/backtest', {})).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(audited).toHaveLength(1);
    await service[Symbol.asyncDispose]();
  });

  it('take feedback, show it, and take it back, each with an audit entry', async () => {
    const { call, audited, service } = await world();
    const { predictions } = (await call('a', 'GET', '/vigie/v1/predictions?detector=load')).json as {
      predictions: { id: string }[];
    };
    const given = (
      await call('a', 'POST', '/vigie/v1/feedback', {
        detector: 'load',
        verdict: 'noise',
        prediction: predictions[0]!.id,
      })
    ).json as { id: string; budgetFactor: number };
    expect(given.budgetFactor).toBeCloseTo(0.7);
    expect((await call('a', 'GET', '/vigie/v1/feedback')).json).toMatchObject({
      feedback: [{ verdict: 'noise', by: 'ann' }],
    });
    const undone = await call('a', 'DELETE', `/vigie/v1/feedback/${encodeURIComponent(given.id)}`);
    expect(undone.json).toMatchObject({ budgetFactor: 1 });
    expect(audited.map((a) => a.action)).toEqual(['detector.feedback', 'detector.feedback.withdraw']);
    await expect(call('a', 'POST', '/vigie/v1/feedback', { detector: 'load', verdict: 'great' })).rejects.toMatchObject(
      { code: 'bad_data' },
    );
    await service[Symbol.asyncDispose]();
  });

  it.each([
    ['/vigie/v1/predictions?status=maybe', /want one of pending, hit/],
    ['/vigie/v1/predictions?limit=no', /limit: want a number/],
    ['/vigie/v1/unusual?limit=0', /limit: want a number of at least 1/],
  ])('refuse %s', async (path, message) => {
    const { call, service } = await world();
    await expect(call('a', 'GET', path)).rejects.toThrow(message);
    await service[Symbol.asyncDispose]();
  });

  it('rank the unusual of one tenant', async () => {
    const { call, w, service } = await world();
    await w.clock.advance(60_000);
    const { json } = await call('a', 'GET', '/vigie/v1/unusual');
    expect(json).toMatchObject({ seriesSeen: 2 });
    await service[Symbol.asyncDispose]();
  });

  it('never show one tenant what is another tenant’s', async () => {
    const { call, service, routes } = await world();
    const reads = routes.filter((r) => r.method === 'GET').map((r) => r.path.replace(':name', 'other'));
    expect(reads.length).toBeGreaterThanOrEqual(6);
    for (const path of reads) expect(JSON.stringify((await call('b', 'GET', path)).json)).not.toContain('secret');
    for (const path of ['/vigie/v1/detectors/load', '/vigie/v1/detectors/disk'])
      await expect(call('b', 'GET', path)).rejects.toMatchObject({ code: 'not_found' });
    await expect(call('b', 'POST', '/vigie/v1/detectors/load/backtest', {})).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(call('b', 'POST', '/vigie/v1/feedback', { detector: 'load', verdict: 'noise' })).rejects.toMatchObject(
      { code: 'not_found' },
    );
    // the planted twin: the same look at the owner does find it
    expect(JSON.stringify((await call('a', 'GET', '/vigie/v1/detectors/load')).json)).toContain('secret');
    await service[Symbol.asyncDispose]();
  });

  it('ask for a credential of the tenant everywhere, and for more than reading to change', async () => {
    const { routes, service } = await world();
    for (const r of routes) {
      expect(r.access.kind).toBe('tenant');
      if (r.method !== 'GET') expect(r.access).toMatchObject({ scope: 'admin' });
    }
    await service[Symbol.asyncDispose]();
  });
});
