import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { findPeer, freePort, peerMissing, start } from '../../../test/support/peers.ts';
import { serveRoutes } from '../../../test/support/route-server.ts';
import { HookMappings } from '../../incidents/hook-mappings.ts';
import { IncidentService } from '../../incidents/incident-service.ts';
import type { OutgoingMessage } from '../../incidents/message.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';
import { incidentRoutes } from './incidents.ts';
import { onCallRoutes } from './on-call.ts';

const NOW = Date.UTC(2026, 2, 2, 10);
const KEY = new Uint8Array(32).fill(3);

async function served<C extends Clock = FakeClock>(clock: C = new FakeClock(NOW) as Clock as C, tenant = 'acme') {
  const documents = new MemoryDocuments();
  const sent: OutgoingMessage[] = [];
  const audited: string[] = [];
  const silenced: unknown[] = [];
  const answered: unknown[] = [];
  const incidents = new IncidentService({
    documents,
    clock,
    logger: silentLogger,
    externalURL: 'http://vigie.example',
    linkKey: KEY,
    publish: () => {},
    send: async (_t, m) => sent.push(m) > 0,
  });
  await incidents.start();
  const routes = [
    ...incidentRoutes({
      incidents,
      hooks: new HookMappings(documents),
      clock,
      linkKey: KEY,
      callbackSecret: async (t, program) => (t === 'acme' && program !== 'discord' ? 'secret' : undefined),
      silence: async (_t, matchers) => {
        silenced.push(...matchers);
        return ['s1'];
      },
      answerSlack: (url, answer) => void answered.push([url, answer]),
      audit: async (_c, action, target) => void audited.push(`${action} ${target}`),
      auditExternal: async (_t, actor, action, target) => void audited.push(`${actor}: ${action} ${target}`),
    }),
    ...onCallRoutes({
      incidents,
      clock,
      audit: async (_c, action, target) => void audited.push(`${action} ${target}`),
    }),
  ];
  const server = await serveRoutes(routes, tenant);
  const call = async (method: string, at: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${server.url}${at}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : undefined;
    return { status: response.status, text, json };
  };
  return {
    clock,
    incidents,
    sent,
    audited,
    silenced,
    answered,
    server,
    call,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await incidents[Symbol.asyncDispose]();
    },
  };
}

const webhook = (over: object = {}) => ({
  version: '4',
  status: 'firing',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'ApiErrorsHigh', service: 'api', severity: 'critical' },
      annotations: { summary: 'errors <b>high</b>' },
      startsAt: '2026-03-02T09:59:00Z',
      endsAt: '0001-01-01T00:00:00Z',
      ...over,
    },
  ],
});
const POLICY = `version: 1
kind: escalation_policy
name: standard
steps:
  - level: L2
    notify: [{ receiver: slack }]
    timeout: 5m
`;

describe('incidents over HTTP', () => {
  it('goes from a webhook to acknowledged by link, and only the button acts', async () => {
    await using s = await served();
    expect((await s.call('PUT', '/vigie/v1/on-call/policies', { yaml: POLICY })).status).toBe(200);
    const hook = await s.call('POST', '/vigie/v1/hooks/alertmanager', webhook());
    expect(hook.json).toEqual({ incidents: ['INC-1'] });
    await s.incidents.tick();
    const list = await s.call('GET', '/vigie/v1/incidents?live=true');
    expect(list.json.incidents[0]).toMatchObject({
      id: 'INC-1',
      state: 'open',
      alerts: 1,
      criticality: 'P2',
      level: 'L2',
    });
    await s.clock.advance(1_000);
    expect(s.sent.map((m) => m.receiver)).toEqual(['slack']);
    const link = new URL(s.sent[0]!.links.find((l) => l.action === 'acknowledge')!.url);
    await s.call('GET', link.pathname + link.search);
    expect((await s.incidents.get('acme' as never, 'INC-1')).state).toBe('open');
    await s.call('POST', link.pathname + link.search);
    expect((await s.incidents.get('acme' as never, 'INC-1')).acknowledgedBy).toBe('slack');
  });

  it('takes actions and notes, audits them, and says what is possible', async () => {
    await using s = await served();
    await s.call('POST', '/vigie/v1/hooks/alertmanager', webhook());
    const acted = await s.call('POST', '/vigie/v1/incidents/INC-1/actions', { action: 'acknowledge' });
    expect(acted.json.incident).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'local' });
    expect(acted.json.actions).not.toContain('acknowledge');
    const refused = await s.call('POST', '/vigie/v1/incidents/INC-1/actions', { action: 'reopen' });
    expect([refused.status, refused.json.error.code]).toEqual([409, 'conflict']);
    await s.call('POST', '/vigie/v1/incidents/INC-1/actions', { action: 'silence', durationMs: 600_000 });
    expect(s.silenced[0]).toContainEqual({ name: 'alertname', value: 'ApiErrorsHigh' });
    await s.call('POST', '/vigie/v1/incidents/INC-1/notes', { text: 'looking' });
    const detail = await s.call('GET', '/vigie/v1/incidents/INC-1');
    expect(detail.json.incident.timeline.map((e: { text: string }) => e.text)).toContain('looking');
    const text = (await s.call('GET', '/vigie/v1/incidents/INC-1/post-mortem')).text;
    expect(text).toContain('errors \\<b\\>high\\</b\\>');
    expect(s.audited).toEqual([
      'incident.acknowledge INC-1',
      'incident.reopen INC-1',
      'incident.silence INC-1',
      'incident.note INC-1',
    ]);
    const opened = await s.call('POST', '/vigie/v1/incidents', { title: 'Call from a customer', severity: 'error' });
    expect([opened.status, opened.json.incident.title]).toEqual([201, 'Call from a customer']);
    expect((await s.call('GET', '/vigie/v1/incident-statistics')).json).toMatchObject({ incidents: 2, live: 2 });
    for (const bad of ['?live=maybe', '?state=odd', '?from=x'])
      expect((await s.call('GET', `/vigie/v1/incidents${bad}`)).status).toBe(400);
    expect((await s.call('GET', '/vigie/v1/incidents/INC-99')).status).toBe(404);
  });

  it('shows a page for a link, acts on the button, escapes what alerts say, and refuses a forged one', async () => {
    await using s = await served();
    await s.call('POST', '/vigie/v1/hooks/alertmanager', webhook());
    const { signLink } = await import('../../incidents/signed-link.ts');
    const claims = {
      tenant: 'acme',
      incident: 'INC-1',
      action: 'acknowledge',
      addressee: 'ada',
      expiresAtMs: NOW + 1e6,
    } as const;
    const at = `/vigie/v1/act?token=${signLink(KEY, claims)}`;
    const page = await s.call('GET', at, undefined, { 'accept-language': 'de-DE' });
    expect(page.text).toContain('Übernehmen');
    expect(page.text).toContain('errors &lt;b&gt;high');
    expect((await s.incidents.get('acme' as never, 'INC-1')).state).toBe('open');
    expect((await s.call('POST', at)).status).toBe(200);
    expect(await s.incidents.get('acme' as never, 'INC-1')).toMatchObject({
      state: 'acknowledged',
      acknowledgedBy: 'ada',
    });
    expect(s.audited).toContain('ada: incident.acknowledge INC-1');
    expect((await s.call('POST', at)).status).toBe(200); // pressed twice: nothing more
    const forged = signLink(new Uint8Array(32), { ...claims, action: 'resolve' });
    expect((await s.call('POST', `/vigie/v1/act?token=${forged}`)).status).toBe(403);
    expect((await s.call('GET', '/vigie/v1/act')).status).toBe(403);
  });

  it('takes Slack buttons and PagerDuty webhooks of the tenant in the path only', async () => {
    await using s = await served();
    await s.call('POST', '/vigie/v1/hooks/alertmanager', webhook());
    const body = `payload=${encodeURIComponent(JSON.stringify({ user: { name: 'ada' }, actions: [{ value: 'acknowledge:INC-1' }] }))}`;
    const timestamp = String(NOW / 1000);
    const signature = `v0=${createHmac('sha256', 'secret').update(`v0:${timestamp}:${body}`).digest('hex')}`;
    const headers = { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': signature };
    expect((await s.call('POST', '/vigie/v1/callbacks/slack/zeta', body, headers)).status).toBe(404);
    expect((await s.call('POST', '/vigie/v1/callbacks/slack/acme', `${body}x`, headers)).status).toBe(401);
    expect((await s.call('POST', '/vigie/v1/callbacks/slack/acme', body, headers)).json.text).toBe(
      'INC-1: acknowledged',
    );
    expect(s.answered).toEqual([]);
    const url = 'https://hooks.slack.com/actions/T0/1/x';
    const block = `payload=${encodeURIComponent(JSON.stringify({ type: 'block_actions', response_url: url, user: { username: 'ada' }, actions: [{ value: 'snooze:INC-1' }] }))}`;
    const signed = `v0=${createHmac('sha256', 'secret').update(`v0:${timestamp}:${block}`).digest('hex')}`;
    await s.call('POST', '/vigie/v1/callbacks/slack/acme', block, { ...headers, 'x-slack-signature': signed });
    expect(s.answered).toEqual([
      [url, { response_type: 'ephemeral', replace_original: false, text: 'INC-1: snoozed' }],
    ]);
    const event = JSON.stringify({
      event: { event_type: 'incident.resolved', agent: { summary: 'Cy' }, data: { title: 'INC-1' } },
    });
    const pd = { 'x-pagerduty-signature': `v1=${createHmac('sha256', 'secret').update(event).digest('hex')}` };
    expect((await s.call('POST', '/vigie/v1/callbacks/pagerduty/acme', event, pd)).json).toEqual({
      result: 'INC-1: resolved',
    });
    expect((await s.call('POST', '/vigie/v1/callbacks/pagerduty/acme', event, {})).status).toBe(401);
  });

  it('maps any JSON by a stored mapping', async () => {
    await using s = await served();
    const mapping = { version: 1, kind: 'hook_mapping', name: 'shop', labels: { alertname: 'what', service: '=shop' } };
    expect((await s.call('PUT', '/vigie/v1/hook-mappings', mapping)).status).toBe(200);
    expect((await s.call('POST', '/vigie/v1/hooks/shop', { what: 'CheckoutBroken' })).json).toEqual({
      incidents: ['INC-1'],
    });
    expect((await s.call('POST', '/vigie/v1/hooks/none', {})).status).toBe(404);
    expect((await s.call('POST', '/vigie/v1/hooks/shop', '{')).status).toBe(400);
    expect((await s.call('DELETE', '/vigie/v1/hook-mappings/shop')).status).toBe(200);
  });
});

describe('on-call over HTTP', () => {
  const schedule = {
    version: 1,
    kind: 'schedule',
    name: 'primary',
    time_zone: 'Europe/Berlin',
    layers: [{ name: 'w', start: '2026-01-05T09:00', rotation: { every: '1w', users: ['ada', 'ben'] } }],
  };
  it('holds a drill by hand: its link acknowledges it, audited, and no incident is there', async () => {
    await using s = await served();
    const put = (kind: string, document: unknown) => s.call('PUT', `/vigie/v1/on-call/${kind}`, { document });
    await put('schedules', schedule);
    for (const name of ['ada', 'ben'])
      await put('contacts', { version: 1, kind: 'contact', name, rules: [{ email: `${name}@example.org` }] });
    const drill = { version: 1, kind: 'drill', name: 'weekly', schedule: 'primary', cron: '0 10 * * mon' };
    expect((await put('drills', { ...drill, cron: 'never' })).status).toBe(400);
    expect((await put('drills', drill)).status).toBe(200);
    expect((await s.call('POST', '/vigie/v1/on-call/drills/none/runs')).status).toBe(404);
    const held = await s.call('POST', '/vigie/v1/on-call/drills/weekly/runs');
    expect([held.status, held.json.result]).toEqual([201, 'waiting']);
    await s.clock.advance(1_000);
    const link = new URL(s.sent.find((m) => m.kind === 'drill')!.links[0]!.url);
    const page = await s.call('GET', link.pathname + link.search);
    expect(page.text).toContain('weekly');
    const answer = async () => (await s.call('GET', '/vigie/v1/on-call/drills')).json;
    expect((await answer()).runs[0].result).toBe('waiting');
    await s.call('POST', link.pathname + link.search);
    expect(await answer()).toMatchObject({ runs: [{ result: 'acknowledged' }], figures: { held: 1, people: 2 } });
    expect((await s.call('GET', '/vigie/v1/incidents')).json.incidents).toEqual([]);
    expect((await s.call('DELETE', '/vigie/v1/on-call/drills/weekly')).status).toBe(200);
  });

  it('keeps schedules, policies, contacts; refuses what points nowhere or is still used', async () => {
    await using s = await served();
    const put = (kind: string, document: unknown) => s.call('PUT', `/vigie/v1/on-call/${kind}`, { document });
    const policy = {
      version: 1,
      kind: 'escalation_policy',
      name: 'p',
      steps: [{ level: 'L2', notify: [{ schedule: 'primary' }], timeout: '5m' }],
    };
    expect((await put('policies', policy)).json.error.message).toContain('no schedule "primary"');
    expect((await put('schedules', schedule)).status).toBe(200);
    expect(
      (await put('contacts', { version: 1, kind: 'contact', name: 'ada', rules: [{ email: 'a@example.org' }] })).status,
    ).toBe(200);
    expect((await put('policies', policy)).status).toBe(200);
    const now = await s.call('GET', '/vigie/v1/on-call');
    expect(now.json).toMatchObject({
      onCall: [{ schedule: 'primary', user: 'ada', next: { user: 'ben' } }],
      uncovered: [],
    });
    expect((await s.call('DELETE', '/vigie/v1/on-call/schedules/primary')).status).toBe(409);
    expect((await s.call('DELETE', '/vigie/v1/on-call/contacts/ada')).status).toBe(409);
    const ics = await s.call('GET', '/vigie/v1/on-call/schedules/primary/calendar.ics?user=ben');
    expect(ics.text).toMatch(/^BEGIN:VCALENDAR\r\n/);
    expect(ics.text).not.toContain('ada on call');
    const override = { user: 'cy', from: NOW, to: NOW + 3_600_000 };
    expect((await s.call('POST', '/vigie/v1/on-call/schedules/primary/overrides', override)).status).toBe(200);
    expect((await s.call('GET', '/vigie/v1/on-call')).json.onCall[0].user).toBe('cy');
    const shifts = await s.call(
      'GET',
      `/vigie/v1/on-call/schedules/primary/shifts?from=${NOW / 1000}&to=${NOW / 1000 + 86_400}`,
    );
    expect(shifts.json.shifts.map((x: { user: string }) => x.user)).toEqual(['cy', 'ada']);
    expect((await s.call('PUT', '/vigie/v1/on-call/policies', { yaml: 'a: [' })).json.error.message).toMatch(/^yaml: /);
    expect((await put('policies', { ...policy, steps: [{ level: 'L9' }] })).json.error.message).toContain(
      'policy.steps.0.level',
    );
    const window = { id: 'm1', services: ['api'], startsAtMs: NOW, endsAtMs: NOW + 1 };
    expect((await s.call('PUT', '/vigie/v1/maintenance', window)).json).toMatchObject({ createdBy: 'local' });
    expect((await s.call('GET', '/vigie/v1/maintenance')).json.windows).toHaveLength(1);
    expect((await s.call('DELETE', '/vigie/v1/maintenance/m1')).status).toBe(200);
  });
});

describe.skipIf(peerMissing('prometheus-alertmanager'))('a real Alertmanager', () => {
  it('needs no configuration beyond the address: its alert opens and ends an incident', async () => {
    await using s = await served(systemClock);
    const folder = mkdtempSync(path.join(tmpdir(), 'vigie-am-'));
    const config = path.join(folder, 'am.yml');
    writeFileSync(
      config,
      `route: { receiver: vigie, group_wait: 0s, group_interval: 1s }\nreceivers:\n  - name: vigie\n    webhook_configs: [{ url: '${s.server.url}/vigie/v1/hooks/alertmanager', send_resolved: true }]\n`,
    );
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    await using _am = await start(findPeer('prometheus-alertmanager')!, {
      args: [
        `--config.file=${config}`,
        `--storage.path=${folder}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--cluster.listen-address=',
      ],
      ready: async () => (await fetch(`${url}/-/ready`)).ok,
    });
    const post = (endsAt?: string) =>
      fetch(`${url}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify([
          {
            labels: { alertname: 'RealOne', service: 'api', severity: 'critical' },
            annotations: { summary: 'real' },
            ...(endsAt ? { endsAt } : {}),
          },
        ]),
      });
    await post();
    await expect
      .poll(async () => (await s.incidents.list('acme' as never)).incidents.length, { timeout: 10_000 })
      .toBe(1);
    const [incident] = (await s.incidents.list('acme' as never)).incidents;
    expect(incident).toMatchObject({ title: 'real', services: ['api'], state: 'open' });
    await post(new Date(Date.now() - 1).toISOString());
    await expect
      .poll(async () => (await s.incidents.get('acme' as never, incident!.id)).alerts[0]!.state, { timeout: 10_000 })
      .toBe('resolved');
    rmSync(folder, { recursive: true });
  });
});
