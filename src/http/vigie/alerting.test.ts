import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callRoute } from '../../../test/support/call-route.ts';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { AlertingService } from '../../alerting/alerting-service.ts';
import { goTemplates } from '../../alerting/notify/templates.ts';
import { silentLogger } from '../../lib/logger.ts';
import { Labels } from '../../model/labels.ts';
import { tenantId } from '../../model/tenant.ts';
import type { NotificationsAnswer, ReceiversAnswer, ReceiverTestAnswer } from '../contract/alerting.ts';
import type {
  AlertingStatusAnswer,
  DeadLettersAnswer,
  DecisionsAnswer,
  ResendAnswer,
  RoutesAnswer,
  RouteTestAnswer,
  SilencePreviewAnswer,
  TemplatePreviewAnswer,
} from '../contract/routing.ts';
import type { Route } from '../route.ts';
import { alertingRoutes, PREVIEW_ALERTS_MAX } from './alerting.ts';

const YAML = `
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 10s
  routes:
    - { receiver: db, matchers: [team="db"], group_by: ['...'], continue: true }
    - { receiver: db, matchers: [team="db"], mute_time_intervals: [always] }
time_intervals: [{ name: always, time_intervals: [{}] }]
receivers:
  - name: ops
    webhook_configs: [{ url: 'https://hooks.example/T000/geheim' }]
    slack_configs: [{ api_url: 'https://slack.example/geheim', channel: '#ops' }]
  - { name: db }
inhibit_rules: [{ source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [host] }]
`;

let clock: FakeClock;
let service: AlertingService;
let routes: Route[];
let audited: string[];
let failing: boolean;
let sent: string[];
let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
  clock = new FakeClock();
  audited = [];
  sent = [];
  failing = false;
  service = new AlertingService({
    folder: folder.path,
    clock,
    logger: silentLogger,
    externalURL: 'http://vigie.test',
    templates: goTemplates,
    ports: (tenant) => ({
      mail: async () => {},
      http: async (request) => {
        sent.push(`${tenant} ${request.url}`);
        return { status: failing ? 404 : 200, headers: {}, body: '' };
      },
    }),
    initial: async (tenant) => ({ yaml: tenant === 'broken' ? 'route: {}\n' : YAML }),
  });
  routes = alertingRoutes({
    alerting: (tenant) => service.tenant(tenant),
    service,
    audit: async (context, action, target) => void audited.push(`${context.tenant} ${action} ${target}`),
    externalURL: 'http://vigie.test',
    nowMs: () => clock.now(),
  });
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function fire(tenant: string, ...sets: Record<string, string>[]): Promise<void> {
  const posted = sets.map((l) => ({ labels: Labels.from(l), annotations: Labels.EMPTY, generatorURL: '' }));
  expect((await service.accept(tenantId(tenant), posted)).problems).toEqual([]);
}
/** Past group_wait, with the files written. */
async function flush(): Promise<void> {
  await clock.advance(11_000);
  const decided = async (): Promise<number> =>
    (await Promise.all(['a', 'b'].map((t) => service.tenant(tenantId(t)))))
      .map((t) => t.history.search({}).length)
      .reduce((x, y) => x + y);
  // a real file is written before each notification: until nothing new was decided for a while
  for (let i = 0, before = -1, quiet = 0; i < 300 && quiet < 5; i++) {
    await settle();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = await decided();
    quiet = now === before && now > 0 ? quiet + 1 : 0;
    before = now;
  }
}
const get = <T>(path: string, tenant = 'a', role: 'viewer' | 'responder' | 'editor' = 'viewer') =>
  callRoute<T>(routes, 'GET', `/vigie/v1${path}`, { tenant, role });
const post = <T>(path: string, body: unknown, tenant = 'a', role: 'viewer' | 'responder' | 'editor' = 'editor') =>
  callRoute<T>(routes, 'POST', `/vigie/v1${path}`, { tenant, role, body });

describe('what was told', () => {
  it('lists notifications, and why others were not sent', async () => {
    await fire(
      'a',
      { alertname: 'Disk', host: 'h', severity: 'critical' },
      { alertname: 'Slow', host: 'h', severity: 'warning' },
    );
    await flush();
    const { json } = await get<NotificationsAnswer>('/notifications');
    expect(json.notifications.map((n) => [n.receiver, n.integration, n.state, n.firing, n.error])).toEqual(
      expect.arrayContaining([
        ['ops', 'webhook/0', 'sent', 1, ''],
        ['ops', 'slack/0', 'sent', 1, ''],
      ]),
    );
    expect(json.notifications).toHaveLength(2);
    const { decisions } = (await get<DecisionsAnswer>('/notifications/decisions?verdict=inhibited')).json;
    expect(decisions).toMatchObject([{ receiver: 'ops', groupLabels: { alertname: 'Slow' }, firing: 1 }]);
    const [fingerprint] = decisions[0]!.fingerprints;
    const of = (await get<DecisionsAnswer>(`/notifications/decisions?fingerprint=${fingerprint}`)).json.decisions;
    expect(of.map((d) => d.verdict)).toEqual(['inhibited']);
    expect((await get<DecisionsAnswer>(`/notifications/decisions?start=${clock.now() + 1}`)).json.decisions).toEqual(
      [],
    );
  });

  it('answers by labels why nobody was told, and names what inhibits', async () => {
    await fire(
      'a',
      { alertname: 'Disk', host: 'h', severity: 'critical' },
      { alertname: 'Slow', host: 'h', severity: 'warning' },
      { alertname: 'Query', team: 'db' },
    );
    await flush();
    const why = async (...filters: string[]): Promise<[string, string][]> => {
      const query = filters.map((f) => `filter=${encodeURIComponent(f)}`).join('&');
      const { decisions } = (await get<DecisionsAnswer>(`/notifications/decisions?${query}`)).json;
      return decisions.map((d) => [d.verdict, d.reason]);
    };
    expect(await why('host="h"', 'severity!=critical')).toEqual([
      ['inhibited', 'inhibited while this fires: {alertname="Disk", host="h", severity="critical"}'],
    ]);
    expect(await why('team=db')).toContainEqual([
      'not_needed',
      'the receiver db sends through nothing: nobody is told',
    ]);
    expect(await why('alertname=Nothing')).toEqual([]);
    expect(await why('alertname=Disk')).toHaveLength(2);
    // an end that is forgotten as an alert is still found by the labels of its group
    const gone = Labels.from({ alertname: 'Disk', host: 'h', severity: 'critical' });
    await (await service.tenant(tenantId('a'))).accept([
      { labels: gone, annotations: Labels.EMPTY, generatorURL: '', endsAtMs: clock.now() },
    ]);
    await clock.advance(3_600_000);
    expect((await why('alertname=Disk')).map(([verdict]) => verdict)).toContain('sent');
    expect(await why('alertname=Disk', 'host=""')).not.toContainEqual(['sent', 'first notification']);
    expect((await get('/notifications/decisions?filter=%7B%7B')).status).toBe(400);
  });

  it.each(['limit=many', 'verdict=pleased', 'start=yesterday'])('refuses ?%s', async (query) => {
    expect((await get(`/notifications/decisions?${query}`)).status).toBe(400);
  });

  it('keeps what could not be delivered, and sends it again', async () => {
    failing = true;
    await fire('a', { alertname: 'Disk', host: 'h' });
    await flush();
    const { deadLetters } = (await get<DeadLettersAnswer>('/notifications/dead-letters')).json;
    expect(deadLetters.map((l) => [l.receiver, l.alerts])).toEqual([
      ['ops', 1],
      ['ops', 1],
    ]);
    expect(JSON.stringify(deadLetters)).not.toContain('geheim');
    expect((await get<NotificationsAnswer>('/notifications')).json.notifications[0]!.state).toBe('failed');
    const path = `/notifications/dead-letters/${deadLetters[0]!.id}/resend`;
    expect((await post(path, {}, 'a', 'viewer')).status).toBe(403);
    expect((await post<ResendAnswer>(path, {}, 'a', 'responder')).json.ok).toBe(false);
    failing = false;
    expect((await post<ResendAnswer>(path, {}, 'a', 'responder')).json).toEqual({ ok: true, attempts: 1, error: '' });
    expect((await post(path, {}, 'a', 'responder')).status).toBe(404);
    expect((await get<DeadLettersAnswer>('/notifications/dead-letters')).json.deadLetters).toHaveLength(1);
    expect(audited.filter((a) => a.startsWith('a notification.resend ops/'))).toHaveLength(2);
  });
});

describe('receivers', () => {
  it('are listed with where they send, without what is secret', async () => {
    const answer = await get<ReceiversAnswer>('/receivers');
    expect(answer.json.receivers).toEqual([
      {
        name: 'ops',
        integrations: expect.arrayContaining([
          { kind: 'webhook', index: 0, detail: 'hooks.example' },
          { kind: 'slack', index: 0, detail: expect.stringContaining('slack.example') },
        ]),
      },
      { name: 'db', integrations: [] },
    ]);
    expect(answer.text).not.toContain('geheim');
  });

  it('are tested one by one', async () => {
    const found = await post<ReceiverTestAnswer>('/receivers/ops/test', {});
    expect(found.json.results.map((r) => [r.ok, r.error])).toEqual([
      [true, ''],
      [true, ''],
    ]);
    expect(sent).toHaveLength(2);
    failing = true;
    const bad = await post<ReceiverTestAnswer>('/receivers/ops/test', { labels: { severity: 'page' } });
    expect(bad.json.results.every((r) => !r.ok && r.error !== '')).toBe(true);
    expect(bad.text).not.toContain('geheim');
    expect((await post('/receivers/nobody/test', {})).status).toBe(404);
    expect((await post('/receivers/ops/test', {}, 'a', 'responder')).status).toBe(403);
    expect((await post('/receivers/ops/test', { label: {} })).status).toBe(400);
    expect(audited).toEqual(['a receiver.test ops', 'a receiver.test ops']);
  });
});

describe('previews', () => {
  it('shows which alerts a silence would mute', async () => {
    await fire(
      'a',
      { alertname: 'Disk', host: 'h1' },
      { alertname: 'Disk', host: 'h2' },
      { alertname: 'Net', host: 'h1' },
    );
    const { json } = await post<SilencePreviewAnswer>(
      '/silences/preview',
      { matchers: ['alertname=Disk'] },
      'a',
      'viewer',
    );
    expect(json.total).toBe(2);
    expect(json.alerts.map((a) => a.labels['host']).sort()).toEqual(['h1', 'h2']);
    expect(json.alerts[0]!.receivers).toEqual(['ops']);
    expect(
      (await post<SilencePreviewAnswer>('/silences/preview', { matchers: ['host=h1,alertname!=Net'] })).json.total,
    ).toBe(1);
    // what Alertmanager would refuse as a silence is no preview either
    expect((await post('/silences/preview', { matchers: ['host=~".*"'] })).status).toBe(400);
    expect((await post('/silences/preview', { matchers: [] })).status).toBe(400);
    expect((await post('/silences/preview', { matchers: ['host'] })).status).toBe(400);
  });

  it('bounds how many alerts it lists', async () => {
    await fire('a', ...Array.from({ length: PREVIEW_ALERTS_MAX + 5 }, (_, i) => ({ alertname: 'Many', i: String(i) })));
    const { json } = await post<SilencePreviewAnswer>('/silences/preview', { matchers: ['alertname=Many'] });
    expect([json.total, json.alerts.length]).toEqual([PREVIEW_ALERTS_MAX + 5, PREVIEW_ALERTS_MAX]);
  });

  it('shows the route tree, with what it holds and what mutes it', async () => {
    await fire('a', { alertname: 'Disk', team: 'db' });
    const { route } = (await get<RoutesAnswer>('/routes')).json;
    expect(route).toMatchObject({ id: '0', receiver: 'ops', groupBy: ['alertname'], groupWaitMs: 10_000, groups: 0 });
    expect(route.routes).toMatchObject([
      { id: '0/0', matchers: ['team="db"'], groupBy: ['...'], continue: true, mutedBy: [], groups: 1 },
      { id: '0/1', continue: false, mutedBy: ['always'], groups: 1 },
    ]);
  });

  it('tells who would get an alert, and what would mute it', async () => {
    const labels = { alertname: 'Slow', host: 'h', severity: 'warning', team: 'db' };
    const quiet = (await post<RouteTestAnswer>('/routes/test', { labels }, 'a', 'viewer')).json;
    expect(quiet.routes.map((r) => [r.id, r.receiver, r.mutedBy])).toEqual([
      ['0/0', 'db', []],
      ['0/1', 'db', ['always']],
    ]);
    expect(quiet.routes[0]!.groupLabels).toEqual(labels);
    expect([quiet.silencedBy, quiet.inhibitedBy]).toEqual([[], []]);
    await fire('a', { alertname: 'Disk', host: 'h', severity: 'critical' });
    const id = await (await service.tenant(tenantId('a'))).setSilence({
      matchers: [{ name: 'alertname', op: '=', value: 'Slow' }],
      startsAtMs: clock.now(),
      endsAtMs: clock.now() + 60_000,
      createdBy: 'me',
      comment: '',
    });
    const loud = (await post<RouteTestAnswer>('/routes/test', { labels })).json;
    expect(loud.silencedBy).toEqual([id]);
    expect(loud.inhibitedBy).toHaveLength(1);
    expect((await post('/routes/test', { labels: {} })).status).toBe(400);
  });

  it('expands a template over made-up or present alerts', async () => {
    const expand = (body: unknown) => post<TemplatePreviewAnswer>('/templates/preview', body);
    expect((await post('/templates/preview', { template: 'x' }, 'a', 'responder')).status).toBe(403);
    expect((await expand({ template: 'plain words' })).json).toEqual({ text: 'plain words' });
    expect((await expand({ template: 'x', alerts: [{ labels: { a: 'b' }, status: 'resolved' }] })).json.text).toBe('x');
    expect((await expand({ template: 'x', kind: 'markdown' })).status).toBe(400);
  });

  it('tells whether the configuration loads', async () => {
    await fire('a', { alertname: 'Disk' });
    expect((await get<AlertingStatusAnswer>('/alerting/status')).json).toEqual({
      problem: '',
      receivers: 2,
      alerts: 1,
      deadLetters: 0,
    });
    const broken = (await get<AlertingStatusAnswer>('/alerting/status', 'broken')).json;
    expect(broken.problem).toMatch(/receiver/);
  });
});

describe('tenants', () => {
  it('see nothing of each other through any of these routes, and change nothing', async () => {
    failing = true;
    await fire('a', { alertname: 'SecretOfA', host: 'only-in-a' });
    await flush();
    const letter = (await get<DeadLettersAnswer>('/notifications/dead-letters')).json.deadLetters[0]!;
    const calls = [
      await get('/notifications', 'b'),
      await get('/notifications/decisions', 'b'),
      await get('/notifications/dead-letters', 'b'),
      await get('/routes', 'b'),
      await get('/receivers', 'b'),
      await get('/alerting/status', 'b'),
      await post('/silences/preview', { matchers: ['alertname=SecretOfA'] }, 'b'),
      await post('/routes/test', { labels: { alertname: 'SecretOfA', host: 'only-in-a' } }, 'b'),
      await post('/templates/preview', { template: 'x' }, 'b'),
      await post(`/notifications/dead-letters/${letter.id}/resend`, {}, 'b', 'responder'),
    ];
    for (const c of calls)
      expect(c.text.replaceAll('{"labels":{"alertname":"SecretOfA","host":"only-in-a"}}', '')).not.toMatch(
        /only-in-a|"total":[1-9]/,
      );
    expect(calls.at(-1)!.status).toBe(404);
    expect((calls[5]!.json as unknown as AlertingStatusAnswer).alerts).toBe(0);
    expect(sent.filter((s) => s.startsWith('b '))).toEqual([]);
    // every route of this table was walked, or sends and is walked above
    expect(routes.length).toBe(calls.length + 1);
  });
});
