import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Labels } from '../../model/labels.ts';
import type { SeriesColumns } from '../../model/sample.ts';
import { QueryEngine } from '../../promql/engine.ts';
import { compileRe2 } from '../../regex/re2.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import type { RulePreviewAnswer } from '../contract/alerting.ts';
import { openApi } from '../openapi.ts';
import type { HttpAnswer, HttpRequest } from '../route.ts';
import { vigieRulesRoutes } from './rules.ts';
import type { TenantConfigChange, TenantConfigDocument } from './tenant-config.ts';

const T0 = 1_767_225_600_000;
const series = (tenant: string, i: string): SeriesColumns => ({
  labels: Labels.from({ __name__: 'x', i, tenant_id: tenant }),
  length: 60,
  timestamps: Float64Array.from({ length: 60 }, (_, k) => T0 + k * 60_000),
  values: Float64Array.from({ length: 60 }, (_, k) => (k >= 10 && k < 20 ? 9 : 1)),
});

function world() {
  const configs = new Map<string, Record<string, string>>();
  const audited: string[] = [];
  const clock = new FakeClock(T0 + 3_600_000);
  const engine = new QueryEngine({
    compileRegex: (p) => {
      const re = compileRe2(p, { anchored: true });
      return { matches: (t) => re.test(t), replace: (t, x) => re.expand(t, x) };
    },
    monotonicMs: () => 0,
  });
  const document = (tenant: string): TenantConfigDocument => ({
    version: 3,
    updatedAtMs: 0,
    by: '',
    rules: configs.get(tenant) ?? {},
    files: { rules: [{ name: 'catalogue/host.yml', source: 'catalogue', text: 'groups: []' }] },
    problem: '',
  });
  const routes = vigieRulesRoutes({
    query: {
      engine,
      clock,
      reader: (c) =>
        ({
          select: (matchers: readonly { name: string; value: string }[]) =>
            (c.tenant === 'a' ? [series('one', '1'), series('two', '2')] : []).filter((s) =>
              matchers.every((m) => s.labels.get(m.name) === m.value),
            ),
        }) as never,
    },
    config: {
      get: async (tenant) => document(tenant),
      put: async (tenant, change: TenantConfigChange, _by, expect) => {
        if (expect !== 3) throw new Error('version');
        const rules = { ...configs.get(tenant) };
        for (const [name, text] of Object.entries(change.rules ?? {})) {
          if (text === null) delete rules[name];
          else rules[name] = text;
        }
        configs.set(tenant, rules);
        return document(tenant);
      },
      audit: async (c, action, target) => void audited.push(`${c.tenant} ${action} ${target}`),
    },
    history: async (c, filter) => [
      {
        atMs: filter.endMs,
        rule: filter.rule ?? 'A',
        group: 'g',
        fingerprint: 'f',
        labels: { alertname: 'A', tenant_id: 'one', of: c.tenant },
        from: 'pending',
        to: 'firing',
        value: 'NaN',
      },
    ],
  });
  const ask = async (
    method: string,
    path: string,
    options: { body?: unknown; tenant?: string; view?: RequestContext['view'] } = {},
  ): Promise<HttpAnswer> => {
    const url = new URL(path, 'http://x');
    const name = /\/files\/(.+)$/.exec(url.pathname)?.[1];
    const route = routes.find(
      (r) => r.method === method && r.path === (name ? '/vigie/v1/rules/files/:name' : url.pathname),
    )!;
    return route.handle({
      context: { tenant: options.tenant ?? 'a', principal: { id: 'p' }, ...(options.view && { view: options.view }) },
      query: url.searchParams,
      params: name ? { name } : {},
      body: Buffer.from(JSON.stringify(options.body ?? {})),
      headers: {},
      signal: new AbortController().signal,
    } as unknown as HttpRequest);
  };
  return { ask, configs, audited, routes };
}

const preview = {
  expr: 'x > 5',
  forMs: 120_000,
  stepMs: 60_000,
  startMs: T0,
  endMs: T0 + 3_000_000,
  labels: { severity: 'page' },
};

describe('rules of our own API', () => {
  it('previews a rule', async () => {
    const { ask } = world();
    const answer = (await ask('POST', '/vigie/v1/rules/preview', { body: preview })).json as RulePreviewAnswer;
    expect(answer.evaluations).toBe(51);
    expect(answer.episodes).toHaveLength(2);
    expect(answer.episodes[0]).toEqual({
      labels: { i: '1', severity: 'page', tenant_id: 'one' },
      pendingAtMs: T0 + 600_000,
      firedAtMs: T0 + 720_000,
      // a sample holds for five minutes, and here there is one a minute
      endedAtMs: T0 + 1_200_000,
      peak: 9,
    });
  });

  it('previews inside a restricted view and for its tenant only', async () => {
    const { ask } = world();
    const view = { name: 'v', tenantLabel: 'tenant_id', tenantValue: 'two' };
    const seen = (await ask('POST', '/vigie/v1/rules/preview', { body: preview, view })).json as RulePreviewAnswer;
    expect(seen.episodes.map((e) => e.labels['tenant_id'])).toEqual(['two']);
    const other = (await ask('POST', '/vigie/v1/rules/preview', { body: preview, tenant: 'b' }))
      .json as RulePreviewAnswer;
    expect(other.episodes).toEqual([]);
  });

  it.each([
    [{ endMs: T0 - 1 }, 'endMs'],
    [{ stepMs: 1_000, endMs: T0 + 86_400_000 }, 'at most 11000'],
    [{ expr: 'sum(' }, 'parse error'],
    [{ expr: 'x[5m]' }, 'matrix'],
    [{ stepMs: 1 }, 'body.stepMs'],
  ])('refuses %j', async (change, message) => {
    await expect(world().ask('POST', '/vigie/v1/rules/preview', { body: { ...preview, ...change } })).rejects.toThrow(
      message,
    );
  });

  it('puts, lists and deletes files, leaves an entry in the audit log, and keeps tenants apart', async () => {
    const { ask, audited } = world();
    const yaml = 'groups: []';
    expect((await ask('PUT', '/vigie/v1/rules/files/mine.yml', { body: { yaml } })).status).toBe(204);
    expect((await ask('GET', '/vigie/v1/rules/files')).json).toEqual({
      files: [
        { name: 'catalogue/host.yml', editable: false, yaml },
        { name: 'mine.yml', editable: true, yaml },
      ],
    });
    expect((await ask('GET', '/vigie/v1/rules/files', { tenant: 'b' })).json).toMatchObject({
      files: [{ editable: false }],
    });
    await expect(ask('DELETE', '/vigie/v1/rules/files/mine.yml', { tenant: 'b' })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(ask('PUT', '/vigie/v1/rules/files/catalogue/host.yml', { body: { yaml } })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await ask('DELETE', '/vigie/v1/rules/files/mine.yml')).status).toBe(204);
    expect(audited).toEqual(['a rules.file mine.yml', 'a rules.file mine.yml']);
  });

  it('shows the history, numbers as numbers, and in a view only what is its own', async () => {
    const { ask } = world();
    const found = (await ask('GET', '/vigie/v1/alerts/history?rule=B&limit=5')).json as {
      transitions: { rule: string; value: number }[];
    };
    expect(found.transitions[0]).toMatchObject({ rule: 'B', value: Number.NaN, atMs: T0 + 3_600_000 });
    const view = { name: 'v', tenantLabel: 'tenant_id', tenantValue: 'two' };
    expect((await ask('GET', '/vigie/v1/alerts/history', { view })).json).toEqual({ transitions: [] });
    await expect(ask('GET', '/vigie/v1/alerts/history?limit=0')).rejects.toThrow('want a whole number');
  });

  it('is described', () => {
    expect(JSON.stringify(openApi(world().routes, '1'))).toContain('/vigie/v1/rules/preview');
  });
});
