import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { serveRoutes } from '../../../test/support/route-server.ts';
import { performer } from '../../automation/perform.ts';
import { Remediation } from '../../automation/remediation.ts';
import { rehearsalText } from '../../cli/rehearse.ts';
import { IncidentService } from '../../incidents/incident-service.ts';
import { silentLogger } from '../../lib/logger.ts';
import type { Told } from '../../replay/rehearsal.ts';
import { onCallRoutes } from './on-call.ts';
import { rehearsalRoutes } from './rehearsal.ts';
import { remediationRoutes } from './remediation.ts';

const NOW = Date.UTC(2026, 2, 2, 10);
const DAY = 86_400_000;

async function served(tenant = 'platform') {
  const documents = new MemoryDocuments();
  const clock = new FakeClock(NOW);
  const ran: string[] = [];
  const incidents = new IncidentService({
    documents,
    clock,
    logger: silentLogger,
    externalURL: '',
    linkKey: new Uint8Array(32),
    publish: () => {},
    send: async () => true,
  });
  const remediation = new Remediation({
    documents,
    clock,
    logger: silentLogger,
    performer: performer(async (file, args) => {
      ran.push([file, ...args].join(' '));
      return 'active';
    }, clock),
    query: async () => 'yes',
    signal: async () => 'firing',
    audit: async () => {},
    report: async () => {},
    enabled: true,
  });
  const told = (to: string, atMs: number): Told => ({
    atMs,
    to,
    kind: 'notification',
    about: 'g',
    reason: 'r',
    rules: ['A'],
    resolved: false,
  });
  const server = await serveRoutes(
    [
      ...rehearsalRoutes({
        incidents,
        clock,
        episodes: async () => [
          { labels: { alertname: 'A' }, annotations: {}, startsAtMs: NOW - DAY + 1, endsAtMs: NOW - DAY + 2 },
        ],
        // engines of its own: what the real ones say is tested in src/app
        engines: async (_t, proposed) => async (c, tell) => ({
          accept: async () => tell(told(proposed.alertmanager === undefined ? 'old' : 'new', c.now())),
          close: async () => {},
        }),
        sent: async () => [told('old', NOW - DAY + 1), told('old', NOW - DAY + 10 * 60_000)],
      }),
      ...remediationRoutes({ remediation, incidents, enabled: true, audit: async () => {} }),
      ...onCallRoutes({ incidents, clock, audit: async () => {} }),
    ],
    tenant,
  );
  const call = async (method: string, at: string, body?: unknown) => {
    const r = await fetch(`${server.url}${at}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await r.text();
    return { status: r.status, json: text === '' ? undefined : JSON.parse(text) };
  };
  return { call, incidents, ran, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe('rehearsal over HTTP', () => {
  it('answers present, proposed, the difference and reality', async () => {
    await using s = await served();
    const period = { fromMs: NOW - DAY, toMs: NOW };
    const { json } = await s.call('POST', '/vigie/v1/rehearsals', {
      ...period,
      proposed: { alertmanager: 'x' },
      budgets: { old: 1 },
    });
    expect(json).toMatchObject({
      episodes: 1,
      present: { messages: 2, budgets: [{ to: 'old', over: true, budgetPerWeek: 1 }] },
      diff: {
        same: 0,
        addedCount: 2,
        removedCount: 2,
        byReceiver: [
          { to: 'new', before: 0, after: 2 },
          { to: 'old', before: 2, after: 0 },
        ],
      },
      reality: { sent: 2, agreeing: 1, missing: 1, extra: 1 },
    });
    expect(rehearsalText(json)).toContain('1 of 2 agree, 1 missing, 1 extra');
    for (const bad of [
      { ...period, toMs: 0 },
      { ...period, proposed: { policies: 'kind: x' } },
      { ...period, timeZone: 'Mars' },
      {},
    ])
      expect((await s.call('POST', '/vigie/v1/rehearsals', bad)).status, JSON.stringify(bad)).toBe(400);
  });

  it('shows the hours in which nobody would be reached', async () => {
    await using s = await served();
    const put = (kind: string, document: unknown) => s.call('PUT', `/vigie/v1/on-call/${kind}`, { document });
    const bare = await s.call('GET', '/vigie/v1/on-call/coverage');
    expect(bare.json.byCriticality[0]).toMatchObject({ criticality: 'P1', share: 0, policy: 'default' });
    await put('contacts', { version: 1, kind: 'contact', name: 'ada', rules: [{ receiver: 'r' }] });
    const office = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00' };
    await put('schedules', {
      version: 1,
      kind: 'schedule',
      name: 'office',
      time_zone: 'UTC',
      layers: [
        { name: 'l', start: '2026-01-05T09:00', rotation: { every: '1w', users: ['ada'] }, restrictions: [office] },
      ],
    });
    await put('policies', {
      version: 1,
      kind: 'escalation_policy',
      name: 'p',
      steps: [{ level: 'L2', notify: [{ schedule: 'office' }], timeout: '5m' }],
    });
    const { json } = await s.call('GET', '/vigie/v1/on-call/coverage');
    expect(json.hours).toBe(168);
    expect(json.byCriticality[0].share).toBeCloseTo(40 / 168, 5);
    expect(json.holes[0].why).toContain('nobody is on call');
  });
});

describe('playbooks over HTTP', () => {
  it('puts, dry-runs, arms and refuses', async () => {
    await using s = await served();
    const yaml =
      'version: 1\nkind: playbook\nname: unit\nmatch: { labels: { alertname: Down } }\nact: [{ do: restart_unit, unit: x.service }]\nverify: { within: 1s }\n';
    const [id] = await s.incidents.observe('platform' as never, [
      { labels: { alertname: 'Down' }, annotations: {}, status: 'firing', startsAtMs: NOW, source: 'rules' },
    ]);
    expect((await s.call('PUT', '/vigie/v1/playbooks', { yaml })).json).toMatchObject({ objection: 'not armed' });
    const dry = await s.call('POST', '/vigie/v1/playbooks/unit/runs', { incident: id });
    expect(dry.json).toMatchObject({ state: 'planned', dryRun: true });
    expect((await s.call('POST', '/vigie/v1/playbooks/unit/runs', { incident: id, dryRun: false })).status).toBe(409);
    expect(s.ran).toEqual([]);
    expect((await s.call('POST', '/vigie/v1/playbooks/unit/arm', { armed: true })).json).toMatchObject({
      armedBy: 'local',
      objection: '',
    });
    expect((await s.call('GET', '/vigie/v1/playbook-runs')).json.runs).toHaveLength(1);
    expect((await s.call('GET', '/vigie/v1/playbooks')).json.playbooks).toHaveLength(1);
    expect((await s.call('PUT', '/vigie/v1/playbooks', { yaml: `${yaml}x: 1` })).status).toBe(400);
    expect((await s.incidents.get('platform' as never, id!)).timeline.map((e) => e.text).join()).toContain(
      'would restart the unit x.service',
    );
    await using other = await served('acme');
    expect((await other.call('PUT', '/vigie/v1/playbooks', { yaml })).status).toBe(403);
  });
});
