/**
 * Tenants never see each other: every route that is served is asked by every role of tenant A, by nobody, and by keys
 * of one scope, with A's own name and with B's. Channels checked: status codes, bodies (ids, names, counts, contents),
 * the live stream, /metrics, tsdb status, and that nothing of B changed. B's objects are named `quagga...` and hold
 * `zebra...`; neither may come back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cleanups } from '../../src/app/cleanups.ts';
import { openOffline } from '../../src/app/offline.ts';
import { resolveOptions } from '../../src/app/options.ts';
import { type Running, setup } from '../../src/app/setup.ts';
import type { Route } from '../../src/http/route.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { ROLES, type Role, roleAtLeast } from '../../src/tenancy/context.ts';

const NAME = 'quagga';
const CONTENT = 'zebra';
/** Of a sample; with digits that no time or count holds by chance. */
const VALUE = 481_516.2342;
const folder = mkdtempSync(path.join(tmpdir(), 'vigie-isolation-'));
const resolve = () =>
  resolveOptions({
    flags: { data_dir: folder, listen: '127.0.0.1:0', scrape_host: false, log_level: 'silent', tenant: 'home' },
    env: { MONITORING_ENV: 'prod' },
  });
const cleanups = new Cleanups(systemClock, silentLogger);
let running: Running;
let platformKey = '';
const keys = new Map<string, string>();
/** Values of path parameters that name things of B, by what the path is about. */
const ids = new Map<string, string>();

interface Asked {
  readonly status: number;
  readonly text: string;
}

async function ask(
  key: string | undefined,
  method: string,
  url: string,
  options: { tenant?: string; body?: unknown; type?: string } = {},
): Promise<Asked> {
  const abort = new AbortController();
  const stream = /\/live(\?|$)/.test(url);
  const response = await fetch(running.url + url, {
    method,
    signal: abort.signal,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(options.tenant === undefined ? {} : { 'x-scope-orgid': options.tenant }),
      ...(options.body === undefined ? {} : { 'content-type': options.type ?? 'application/json' }),
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
  if (stream && response.ok) {
    // a stream never ends: what it says at once is read
    const reader = response.body!.getReader();
    const first = await reader.read();
    abort.abort();
    return { status: response.status, text: Buffer.from(first.value ?? []).toString() };
  }
  return { status: response.status, text: await response.text() };
}

async function must(...args: Parameters<typeof ask>): Promise<Record<string, string>> {
  const answer = await ask(...args);
  if (answer.status > 299) throw new Error(`${args[1]} ${args[2]}: ${answer.status} ${answer.text}`);
  return (answer.text.startsWith('{') ? JSON.parse(answer.text) : {}) as Record<string, string>;
}

beforeAll(async () => {
  const offline = await openOffline({
    options: resolve().options,
    clock: systemClock,
    pid: process.pid,
    uid: undefined,
    whenLocked: '',
  });
  platformKey = await offline.keys.bootstrap('test');
  await offline[Symbol.asyncDispose]();
  running = await setup({
    resolved: resolve(),
    resolve,
    version: '0.0.0',
    pid: process.pid,
    clock: systemClock,
    logger: silentLogger,
    cleanups,
  });
  for (const tenant of ['a', 'b']) {
    await must(platformKey, 'PUT', `/vigie/v1/tenants/${tenant}`, { body: { name: tenant } });
    for (const role of ROLES.filter((r) => r !== 'platform_admin')) {
      const made = await must(platformKey, 'POST', '/vigie/v1/keys', {
        tenant,
        body: { name: `${role}-${tenant}`, role },
      });
      keys.set(`${role}-${tenant}`, made['secret']!);
    }
    for (const scope of ['ingest', 'query'] as const) {
      const made = await must(platformKey, 'POST', '/vigie/v1/keys', {
        tenant,
        body: { name: `${scope}-only`, role: 'admin', scopes: [scope] },
      });
      keys.set(`${scope}-${tenant}`, made['secret']!);
    }
  }
  await seedB();
}, 60_000);

afterAll(async () => {
  await cleanups.run();
  rmSync(folder, { recursive: true, force: true });
});

/** Something of B in every place that holds anything. */
async function seedB(): Promise<void> {
  const key = keys.get('admin-b')!;
  const b = (method: string, url: string, body?: unknown, type?: string) =>
    must(key, method, url, { ...(body === undefined ? {} : { body }), ...(type === undefined ? {} : { type }) });
  const nowNano = `${Date.now()}000000`;
  await b('POST', '/v1/metrics', {
    resourceMetrics: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: `${NAME}-service` } }] },
        scopeMetrics: [
          {
            metrics: [
              {
                name: `${NAME}_metric`,
                description: `${CONTENT} help`,
                gauge: {
                  dataPoints: [
                    {
                      timeUnixNano: nowNano,
                      asDouble: VALUE,
                      attributes: [{ key: 'secret', value: { stringValue: `${CONTENT}-label` } }],
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  });
  await b(
    'POST',
    '/vigie/v1/events',
    {
      specversion: '1.0',
      id: `${NAME}-event`,
      source: '/test',
      type: 'vigie.deploy',
      data: { note: `${CONTENT}-data` },
    },
    'application/cloudevents+json',
  );
  await b('POST', '/api/v2/alerts', [{ labels: { alertname: `${NAME}Alert`, who: `${CONTENT}-who` } }]);
  const silence = await b('POST', '/api/v2/silences', {
    matchers: [{ name: 'who', value: `${CONTENT}-who`, isRegex: false, isEqual: true }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: CONTENT,
    comment: CONTENT,
  });
  ids.set('silence', silence['silenceID']!);
  await b('PUT', '/vigie/v1/heartbeats', { name: `${NAME}-svc`, interval: '1h', description: CONTENT });
  await b('PUT', '/vigie/v1/services', { name: `${NAME}-svc`, description: CONTENT });
  await b('PUT', '/vigie/v1/tenants/b/config', {
    rules: {
      [`${NAME}.yml`]: `groups: [{name: ${NAME}-group, rules: [{alert: ${NAME}Rule, expr: '${NAME}_metric > 1', annotations: {summary: ${CONTENT}}}]}]`,
    },
    alertmanager: `route: {receiver: ${NAME}-receiver}\nreceivers: [{name: ${NAME}-receiver, webhook_configs: [{url: 'http://192.0.2.1/${CONTENT}'}]}]`,
  });
  ids.set('keys', ((await must(key, 'GET', '/vigie/v1/keys'))['keys'] as unknown as { id: string }[])[0]!.id);
  ids.set('tenants', 'b');
}

/** A route's path with B's names in place of its parameters. */
function pathOf(route: Route): string {
  const about = [...ids.keys()].find((k) => route.path.includes(`/${k}/`));
  return route.path
    .replace(/:([a-zA-Z]+)/g, () => encodeURIComponent((about && ids.get(about)) ?? `${NAME}-svc`))
    .replace('*', `${NAME}-svc`);
}

/** What came back that must not have. Names that were asked for may be repeated in an error. */
function leaks(text: string, asked: string): string[] {
  const found = [CONTENT, String(VALUE)].filter((m) => text.includes(m));
  if (!asked.includes(NAME) && text.includes(NAME)) found.push(NAME);
  return found;
}

const stateOfB = async (): Promise<string> => {
  const { text } = await ask(keys.get('admin-b'), 'GET', '/vigie/v1/tenants/b/export');
  return text
    .split('\n')
    .filter(
      (line) =>
        !line.includes('"kind":"series"') &&
        !line.includes('"kind":"end"') &&
        !/"collection":"(audit|audit_head|rule_state|alert_history|incident[a-z_]*)"/.test(line),
    )
    .sort()
    .join('\n');
};

describe('tenant isolation', () => {
  it('sees a planted leak', () => {
    expect(leaks('{"x":"zebra-label"}', '/api/v1/series')).toEqual([CONTENT]);
    expect(leaks('{"x":"quagga_metric"}', '/api/v1/labels')).toEqual([NAME]);
    expect(leaks('no heartbeat quagga-svc', '/vigie/v1/heartbeats/quagga-svc')).toEqual([]);
  });

  it('B itself finds its own things, so that their absence elsewhere means something', async () => {
    const key = keys.get('admin-b');
    for (const [url, wanted] of [
      ['/api/v1/label/__name__/values', NAME],
      ['/api/v1/series?match[]={secret!=""}', CONTENT],
      ['/api/v2/alerts', CONTENT],
      ['/api/v2/silences', CONTENT],
      ['/vigie/v1/events', CONTENT],
      ['/vigie/v1/heartbeats', CONTENT],
      ['/vigie/v1/services', CONTENT],
      ['/vigie/v1/tenants/b/config', CONTENT],
      ['/vigie/v1/receivers', NAME],
      ['/api/v1/rules', CONTENT],
      ['/vigie/v1/tenants/b/export', CONTENT],
    ] as const)
      expect((await ask(key, 'GET', url)).text, url).toContain(wanted);
  });

  it('no route answers A with anything of B, whatever the role, or changes anything of B', async () => {
    const before = await stateOfB();
    expect(before).toContain(CONTENT);
    let asked = 0;
    const families = new Set<string>();
    for (const route of running.routes) {
      const url = pathOf(route);
      families.add(route.family);
      const body = route.method === 'GET' || route.method === 'HEAD' || route.method === 'DELETE' ? {} : { body: {} };
      for (const [who, key] of keys) {
        if (!who.endsWith('-a')) continue;
        for (const foreign of [{ url, tenant: 'b' }, { url: `/t/b${url}` }]) {
          const answer = await ask(key, route.method, foreign.url, {
            ...body,
            ...('tenant' in foreign ? { tenant: foreign.tenant } : {}),
          });
          asked++;
          if (route.access.kind !== 'public')
            expect(answer.status, `${who} ${route.method} ${foreign.url} as b`).toBe(403);
          expect(
            leaks(answer.text, url),
            `${who} ${route.method} ${foreign.url} as b: ${answer.text.slice(0, 300)}`,
          ).toEqual([]);
        }
        const own = await ask(key, route.method, url, body);
        asked++;
        expect(leaks(own.text, url), `${who} ${route.method} ${url}: ${own.text.slice(0, 300)}`).toEqual([]);
        if (url.includes('/tenants/b')) expect(own.status, `${who} ${route.method} ${url}`).toBeGreaterThanOrEqual(400);
      }
    }
    expect(asked).toBeGreaterThan(1_000);
    expect([...families].sort()).toEqual(expect.arrayContaining(['alertmanager', 'otlp', 'prometheus', 'vigie']));
    expect(await stateOfB()).toBe(before);
  }, 120_000);

  it('every route asks for a credential, the role and the scope it names', async () => {
    let refused = 0;
    for (const route of running.routes) {
      if (route.access.kind === 'public') continue;
      const url = pathOf(route);
      const body = route.method === 'GET' || route.method === 'HEAD' || route.method === 'DELETE' ? {} : { body: {} };
      expect((await ask(undefined, route.method, url, body)).status, `nobody ${route.method} ${url}`).toBe(401);
      expect((await ask(`vg_${'0'.repeat(16)}_${'A'.repeat(43)}`, route.method, url, body)).status).toBe(401);
      const wanted = route.access;
      for (const role of ROLES.filter((r) => r !== 'platform_admin')) {
        const allowed = wanted.kind === 'tenant' && roleAtLeast(role as Role, wanted.role);
        if (allowed) continue;
        expect(
          (await ask(keys.get(`${role}-a`), route.method, url, body)).status,
          `${role} ${route.method} ${url}`,
        ).toBe(403);
        refused++;
      }
      for (const scope of ['ingest', 'query'] as const) {
        if (wanted.kind === 'tenant' && wanted.scope === scope) continue;
        expect(
          (await ask(keys.get(`${scope}-a`), route.method, url, body)).status,
          `${scope} ${route.method} ${url}`,
        ).toBe(403);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(200);
  }, 120_000);

  it("a tenant's view of the platform shows its own line of it, through queries only", async () => {
    const requests = (tenant: string, value: number) => ({
      timeUnixNano: `${Date.now()}000000`,
      asDouble: value,
      attributes: [{ key: 'tenant_id', value: { stringValue: tenant } }],
    });
    await must(platformKey, 'POST', '/v1/metrics', {
      tenant: 'platform',
      body: {
        resourceMetrics: [
          {
            scopeMetrics: [
              { metrics: [{ name: 'shared_load', gauge: { dataPoints: [requests('a', 1), requests('b', VALUE)] } }] },
            ],
          },
        ],
      },
    });
    const view = async (key: string, url: string) => {
      const answer = await fetch(running.url + url, {
        headers: { authorization: `Bearer ${key}`, 'x-vigie-view': 'platform' },
      });
      return { status: answer.status, text: await answer.text() };
    };
    const a = keys.get('viewer-a')!;
    expect((await view(a, '/api/v1/query?query=shared_load')).status, 'not declared').toBe(403);
    await must(platformKey, 'PUT', '/vigie/v1/tenants/a/settings', {
      body: { platformView: { label: 'tenant_id', value: 'a' } },
    });
    const seen = await view(a, '/api/v1/query?query=shared_load');
    expect(seen.text).toContain('"tenant_id":"a"');
    expect(leaks(seen.text, '')).toEqual([]);
    for (const url of [
      '/api/v1/query?query=count(shared_load)',
      '/api/v1/query?query=shared_load%7Btenant_id%3D%22b%22%7D',
      '/api/v1/query?query=shared_load%20or%20%7Btenant_id%3D~%22.%2B%22%7D',
      '/api/v1/series?match[]=shared_load',
      '/api/v1/label/tenant_id/values',
      '/federate?match[]=shared_load',
    ]) {
      const answer = await view(a, url);
      expect(leaks(answer.text, ''), `${url}: ${answer.text}`).toEqual([]);
      expect(answer.text.includes('"b"'), `${url}: ${answer.text}`).toBe(false);
    }
    expect((await view(a, '/api/v1/query?query=count(shared_load)')).text).toContain('"1"');
    for (const url of [
      '/api/v1/rules',
      '/api/v2/alerts',
      '/vigie/v1/overview',
      '/api/v1/status/tsdb',
      '/api/v1/metadata',
    ])
      expect((await view(a, url)).status, url).toBe(403);
  });

  it('reading across tenants needs a platform role and leaves an entry', async () => {
    const body = { query: 'quagga_metric', purpose: 'capacity review', tenants: ['b'] };
    expect((await ask(keys.get('admin-b'), 'POST', '/vigie/v1/platform/query', { body })).status).toBe(403);
    const answer = await must(platformKey, 'POST', '/vigie/v1/platform/query', { body });
    expect(JSON.stringify(answer)).toContain('"tenant":"b"');
    const audit = await ask(platformKey, 'GET', '/vigie/v1/audit?action=platform.read');
    expect(audit.text).toContain('capacity review');
  });

  it('an export holds no secret', async () => {
    const key = keys.get('admin-a')!;
    await must(key, 'PUT', '/vigie/v1/callback-secrets/slack', { body: { secret: 'hush-hush-slack' } });
    await must(key, 'PUT', '/vigie/v1/tenants/a/config', {
      body: {
        alertmanager:
          "route: {receiver: r}\nreceivers: [{name: r, pagerduty_configs: [{routing_key: hush-hush-key}], slack_configs: [{api_url: 'https://192.0.2.1/hush-hush', channel: c}]}]",
      },
    });
    const { text } = await ask(key, 'GET', '/vigie/v1/tenants/a/export');
    expect(text).toContain('"collection":"tenant_config"');
    expect(text).not.toContain('hush-hush');
  });

  it('a revoked key is worth nothing at once', async () => {
    const made = await must(platformKey, 'POST', '/vigie/v1/keys', {
      tenant: 'a',
      body: { name: 'short', role: 'viewer' },
    });
    expect((await ask(made['secret'], 'GET', '/api/v1/labels')).status).toBe(200);
    await must(platformKey, 'DELETE', `/vigie/v1/keys/${made['id']}`, { tenant: 'a' });
    expect((await ask(made['secret'], 'GET', '/api/v1/labels')).status).toBe(401);
  });
});
