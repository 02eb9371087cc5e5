/** Alerting of several tenants: apart in state, configuration and failure; gone when removed; the same after a restart. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { silentLogger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import { tenantId } from '../model/tenant.ts';
import { AlertingService, type TenantConfig } from './alerting-service.ts';
import { goTemplates } from './notify/templates.ts';

const [A, B] = [tenantId('a'), tenantId('b')];
const hook = (name: string): string =>
  `route: { receiver: h, group_by: [alertname], group_wait: 10s }\nreceivers: [{ name: h, webhook_configs: [{ url: 'http://${name}.test/' }] }]\n`;

let folder: ReturnType<typeof temporaryFolder>;
let clock: FakeClock;
let initial: Record<string, TenantConfig>;
let told: string[];
let hangs: (tenant: string, url: string) => boolean;
let service: AlertingService;

const open = (): AlertingService =>
  new AlertingService({
    folder: folder.path,
    clock,
    logger: silentLogger,
    externalURL: '',
    templates: goTemplates,
    ports: (tenant, trusted) => ({
      mail: async () => {},
      http: async (request) => {
        if (hangs(tenant, request.url))
          return new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(new Error('gone'))));
        const { alerts } = JSON.parse(request.body) as { alerts: { labels: { alertname: string } }[] };
        told.push(
          `${tenant}${trusted ? '!' : ''} ${new URL(request.url).host} ${alerts.map((a) => a.labels.alertname)}`,
        );
        return { status: 200, headers: {}, body: '' };
      },
    }),
    initial: async (tenant) => initial[tenant],
  });

beforeEach(() => {
  folder = temporaryFolder();
  clock = new FakeClock();
  initial = { a: { yaml: hook('one') }, b: { yaml: hook('two'), trusted: true } };
  told = [];
  hangs = () => false;
  service = open();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function fire(tenant: typeof A, name: string): Promise<void> {
  const labels = Labels.from({ alertname: name });
  const endsAtMs = clock.now() + 86_400_000;
  await service.accept(tenant, [{ labels, annotations: Labels.EMPTY, generatorURL: '', endsAtMs }]);
}
/** Moves the clock and waits until what is expected was told, for real files are written in between. */
async function toldAfter(ms: number, count: number): Promise<string[]> {
  await clock.advance(ms);
  for (let i = 0; i < 200 && told.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  await settle();
  return [...told].sort();
}

describe('tenants', () => {
  it('see and tell only their own', async () => {
    await fire(A, 'Disk');
    await fire(B, 'Disk');
    await fire(B, 'Load');
    expect(await toldAfter(11_000, 3)).toEqual(['a one.test Disk', 'b! two.test Disk', 'b! two.test Load']);
    const [a, b] = [await service.tenant(A), await service.tenant(B)];
    await a.setSilence({
      matchers: [{ name: 'alertname', op: '=', value: 'Disk' }],
      startsAtMs: clock.now(),
      endsAtMs: clock.now() + 60_000,
      createdBy: 'x',
      comment: '',
    });
    expect(a.views().map((v) => v.silencedBy.length)).toEqual([1]);
    expect(b.views().map((v) => v.silencedBy.length)).toEqual([0, 0]);
    expect([a.current().length, b.current().length]).toEqual([1, 2]);
    expect(a.history.search({}).every((d) => d.receiver === 'h')).toBe(true);
    expect([a.history.search({ verdict: 'sent' }).length, b.history.search({ verdict: 'sent' }).length]).toEqual([
      1, 2,
    ]);
  });

  it('keep their last good configuration when a new one is bad, and harm nobody', async () => {
    await expect(service.configure(A, { yaml: 'route: { receiver: gone }' })).rejects.toMatchObject({
      code: 'bad_config',
    });
    await service.configure(B, { yaml: hook('three') });
    await fire(A, 'Disk');
    await fire(B, 'Disk');
    // what comes by the API is no longer trusted
    expect(await toldAfter(11_000, 2)).toEqual(['a one.test Disk', 'b three.test Disk']);
  });

  it('whose first configuration is bad take alerts, and tell them once it is right', async () => {
    initial['a'] = { yaml: 'route: {' };
    await fire(A, 'Disk');
    expect(service.problem(A)).toMatch(/^line 1: /);
    expect(service.problem(B)).toBeUndefined();
    expect(await toldAfter(60_000, 0)).toEqual([]);
    await service.configure(A, { yaml: hook('late') });
    expect(service.problem(A)).toBeUndefined();
    expect(await toldAfter(11_000, 1)).toEqual(['a late.test Disk']);
  });

  it('whose receiver hangs hold up neither their other groups nor anyone else', async () => {
    initial['a'] = {
      yaml: `route: { receiver: slow, group_by: [alertname], group_wait: 10s, routes: [{ receiver: fast, matchers: [alertname=Quick] }] }
receivers: [{ name: slow, webhook_configs: [{ url: 'http://slow.test/' }, { url: 'http://beside.test/' }] }, { name: fast, webhook_configs: [{ url: 'http://fast.test/' }] }]`,
    };
    hangs = (_tenant, url) => url.includes('slow');
    await fire(A, 'Disk');
    await fire(A, 'Quick');
    await fire(B, 'Disk');
    expect(await toldAfter(11_000, 3)).toEqual(['a beside.test Disk', 'a fast.test Quick', 'b! two.test Disk']);
    // the flush ends with its interval: a dead letter, and the next flush tries anew
    hangs = () => false;
    expect((await toldAfter(300_000, 4)).filter((t) => t.includes('slow'))).toHaveLength(1);
    expect(told.filter((t) => t.includes('beside'))).toHaveLength(1);
  });

  it('are the same after a restart, and gone when removed', async () => {
    await fire(A, 'Disk');
    await fire(B, 'Disk');
    await toldAfter(11_000, 2);
    await service[Symbol.asyncDispose]();
    service = open();
    expect((await service.tenant(A)).current()).toHaveLength(1);
    expect((await service.tenant(B)).history.search({ verdict: 'sent' })).toHaveLength(1);
    await service.remove(A);
    expect(existsSync(path.join(folder.path, 'a'))).toBe(false);
    expect((await service.tenant(A)).current()).toHaveLength(0);
    expect((await service.tenant(A)).history.search({})).toHaveLength(0);
    expect((await service.tenant(B)).current()).toHaveLength(1);
    // and a tenant of the same name begins anew
    await fire(A, 'Disk');
    expect((await toldAfter(11_000, 3)).filter((t) => t === 'a one.test Disk')).toHaveLength(2);
  });
});
