import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { silentLogger } from '../lib/logger.ts';
import { tenantId } from '../model/tenant.ts';
import type { IncidentPorts, TenantPicture } from './collections.ts';
import type { Signal } from './incident.ts';
import { IncidentService } from './incident-service.ts';
import type { OutgoingMessage } from './message.ts';
import { readLink } from './signed-link.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 2, 2, 10);
const KEY = new Uint8Array(32).fill(7);
const acme = tenantId('acme');
const other = tenantId('zeta-corp');

const POLICY = {
  version: 1,
  kind: 'escalation_policy',
  name: 'standard',
  steps: [
    { level: 'L1', remediate: true, timeout: '3m' },
    { level: 'L2', notify: [{ receiver: 'slack-team' }, { schedule: 'primary' }], timeout: '5m' },
    { level: 'L3', notify: [{ receiver: 'specialists' }], timeout: '10m' },
    { level: 'L4', notify: [{ receiver: 'vendor' }], timeout: '10m' },
  ],
  repeat: 1,
  fallback: [{ receiver: 'fallback' }],
  idle_after: '30m',
};

interface World {
  readonly clock: FakeClock;
  readonly documents: MemoryDocuments;
  readonly sent: { tenant: string; message: OutgoingMessage; atMs: number }[];
  readonly published: { tenant: string; data: unknown }[];
  service: IncidentService;
  fail: (m: OutgoingMessage) => boolean;
  playbooks: number;
  restart(): Promise<void>;
}

async function world(over: Partial<IncidentPorts> = {}): Promise<World> {
  const clock = new FakeClock(NOW);
  const documents = new MemoryDocuments();
  const w: World = {
    clock,
    documents,
    sent: [],
    published: [],
    fail: () => false,
    playbooks: 0,
    service: undefined as unknown as IncidentService,
    async restart() {
      await w.service?.[Symbol.asyncDispose]();
      w.service = new IncidentService({
        documents,
        clock,
        logger: silentLogger,
        externalURL: 'https://vigie.example',
        linkKey: KEY,
        publish: (tenant, data) => void w.published.push({ tenant, data }),
        send: async (tenant, message) => {
          if (w.fail(message)) throw new Error('503 from the receiver');
          w.sent.push({ tenant, message, atMs: clock.now() });
        },
        remediate: async () => ({ started: w.playbooks, proposed: 0, words: `${w.playbooks} playbooks` }),
        ...over,
      });
      await w.service.start();
    },
  };
  await w.restart();
  return w;
}

async function withPolicy(over: Partial<IncidentPorts> = {}): Promise<World> {
  const w = await world(over);
  const { directory } = await w.service.tenant(acme);
  await directory.putContact({
    version: 1,
    kind: 'contact',
    name: 'ada',
    rules: [{ email: 'ada@example.org' }, { receiver: 'pager-ada', after: '2m' }],
  });
  await directory.putSchedule({
    version: 1,
    kind: 'schedule',
    name: 'primary',
    time_zone: 'Europe/Berlin',
    layers: [{ name: 'weekly', start: '2026-01-05T09:00', rotation: { every: '1w', users: ['ada'] } }],
  });
  await directory.putPolicy(POLICY);
  return w;
}

const signal = (over: Partial<Signal> & { name?: string } = {}, nowMs = NOW): Signal => ({
  labels: { alertname: over.name ?? 'ApiErrorsHigh', service: 'api', severity: 'critical', ...over.labels },
  annotations: { summary: 'errors are high', ...over.annotations },
  status: over.status ?? 'firing',
  startsAtMs: over.startsAtMs ?? nowMs,
  ...(over.endsAtMs === undefined ? {} : { endsAtMs: over.endsAtMs }),
  ...(over.firstBadAtMs === undefined ? {} : { firstBadAtMs: over.firstBadAtMs }),
  source: 'rules',
});
const receiver = (s: { message: OutgoingMessage }): string => s.message.receiver ?? s.message.email!;

describe('the whole way', () => {
  it('goes from alert over L1 and L2 to acknowledged by link and resolved', async () => {
    const w = await withPolicy();
    w.playbooks = 1;
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(0);
    expect((await w.service.get(acme, id!)).escalation).toMatchObject({ status: 'waiting', level: 'L1', step: 1 });
    expect(w.sent).toEqual([]);
    await w.clock.advance(3 * MINUTE);
    expect(w.sent.map(receiver).sort()).toEqual(['ada@example.org', 'slack-team']);
    await w.clock.advance(2 * MINUTE);
    expect(w.sent.map(receiver)).toContain('pager-ada');
    const link = w.sent[0]!.message.links.find((l) => l.action === 'acknowledge')!;
    const claims = readLink(KEY, new URL(link.url).searchParams.get('token')!, w.clock.now());
    expect(claims).toMatchObject({ tenant: 'acme', incident: id, action: 'acknowledge' });
    const acked = await w.service.act(acme, id!, 'acknowledge', 'ada', 'by link');
    expect(acked).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'ada' });
    await w.clock.advance(8 * MINUTE);
    expect(w.sent).toHaveLength(3);
    await w.service.observe(acme, [signal({ status: 'resolved', endsAtMs: w.clock.now() })]);
    await w.clock.advance(119_000);
    expect((await w.service.get(acme, id!)).state).toBe('acknowledged');
    await w.clock.advance(1_000);
    const done = await w.service.get(acme, id!);
    expect(done).toMatchObject({ state: 'resolved', recoveredAtMs: NOW + 13 * MINUTE, live: 0 });
    await w.clock.advance(1_000);
    expect(w.sent.slice(3).map(receiver).sort()).toEqual(['ada@example.org', 'pager-ada', 'slack-team']);
    expect(w.sent.at(-1)!.message).toMatchObject({ status: 'resolved' });
    expect(await w.service.statistics(acme, 0, NOW * 2)).toMatchObject({
      incidents: 1,
      acknowledge: { count: 1, meanMs: 5 * MINUTE },
      resolve: { count: 1, meanMs: 13 * MINUTE },
      withinObjective: 0,
    });
    const text = await w.service.postMortem(acme, id!);
    expect(text).toContain('| Time to resolution | 13 min (objective 5 min: missed) |');
    expect(text.match(/^- 2026/gm)!.length).toBe((await w.service.get(acme, id!)).timeline.length);
  });

  it('goes through every level and round when nobody answers, and says when that was all', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(120 * MINUTE);
    const levels = w.sent.filter((s) => s.message.contact === '').map((s) => [receiver(s), (s.atMs - NOW) / MINUTE]);
    // no playbook: L1 takes no time; the second round begins at L2
    expect(levels).toEqual([
      ['slack-team', 0],
      ['specialists', 5],
      ['vendor', 15],
      ['slack-team', 25],
      ['specialists', 30],
      ['vendor', 40],
    ]);
    const incident = await w.service.get(acme, id!);
    expect(incident.escalation.status).toBe('exhausted');
    expect(incident.timeline.map((e) => e.text)).toContain('standard: that was the last step');
    expect(new Set(w.sent.map((s) => s.message.id)).size).toBe(w.sent.length);
  });

  it('wakes nobody for what L1 repaired, and goes on at once when that did not hold', async () => {
    const w = await withPolicy();
    w.playbooks = 1;
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(2 * MINUTE);
    await w.service.observe(acme, [signal({ status: 'resolved' })]);
    await w.clock.advance(1.9 * MINUTE);
    expect(w.sent).toEqual([]); // the step was due a minute ago
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    expect(w.sent.map(receiver)).toContain('slack-team');
    await w.service.observe(acme, [signal({ status: 'resolved' })]);
    await w.clock.advance(30 * MINUTE);
    expect((await w.service.get(acme, id!)).state).toBe('resolved');
    expect(w.sent.map(receiver)).not.toContain('specialists');
  });

  it('comes back when it is acknowledged and nothing happens; a note counts as something', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(MINUTE);
    await w.service.act(acme, id!, 'acknowledge', 'ada', 'on it');
    await w.clock.advance(29 * MINUTE);
    await w.service.note(acme, id!, { kind: 'note', text: 'looking at the database', actor: 'ada' });
    await w.clock.advance(29 * MINUTE);
    expect((await w.service.get(acme, id!)).state).toBe('acknowledged');
    const before = w.sent.length;
    await w.clock.advance(MINUTE);
    expect(await w.service.get(acme, id!)).toMatchObject({ state: 'open', escalation: { generation: 2 } });
    await w.clock.advance(1_000);
    expect(w.sent.length).toBeGreaterThan(before);
  });
});

describe('missing data, flapping, hysteresis', () => {
  it('never resolves on missing data (I1)', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal(), signal({ name: 'ApiSlow' })]);
    await w.service.observe(acme, [
      signal({ status: 'resolved', endsAtMs: NOW }),
      signal({ name: 'ApiSlow', status: 'unknown' }),
    ]);
    await w.clock.advance(24 * 60 * MINUTE);
    expect((await w.service.get(acme, id!)).live).toBe(1);
    await w.service.observe(acme, [signal({ name: 'ApiSlow', status: 'resolved' })]);
    await w.clock.advance(3 * MINUTE);
    expect((await w.service.get(acme, id!)).state).toBe('resolved');
  });

  it('waits longer when an alert flaps or asks for it, and starts the wait anew when it fires again', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    for (let i = 0; i < 4; i++) {
      await w.clock.advance(MINUTE);
      await w.service.observe(acme, [signal({ status: i % 2 === 0 ? 'resolved' : 'firing' })]);
    }
    await w.clock.advance(MINUTE);
    await w.service.observe(acme, [signal({ status: 'resolved' })]);
    expect(await w.service.get(acme, id!)).toMatchObject({ flapping: true, reopenings: 0 });
    await w.clock.advance(9 * MINUTE);
    expect((await w.service.get(acme, id!)).live).toBe(1);
    await w.clock.advance(MINUTE);
    expect((await w.service.get(acme, id!)).state).toBe('resolved');

    const slow = {
      name: 'Asks',
      labels: { service: 'unrelated' },
      annotations: { resolve_after: '15m', summary: 'x' },
    };
    const [second] = await w.service.observe(other, [signal(slow)]);
    await w.service.observe(other, [signal({ ...slow, status: 'resolved' })]);
    await w.clock.advance(14 * MINUTE);
    expect((await w.service.get(other, second!)).live).toBe(1);
    await w.clock.advance(MINUTE);
    expect((await w.service.get(other, second!)).live).toBe(0);
  });

  it('reopens within the window, and opens a new one later', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.service.observe(acme, [signal({ status: 'resolved' })]);
    await w.clock.advance(10 * MINUTE);
    expect(await w.service.observe(acme, [signal()])).toEqual([id]);
    expect(await w.service.get(acme, id!)).toMatchObject({ state: 'reopened', reopenings: 1 });
    await w.service.observe(acme, [signal({ status: 'resolved' })]);
    await w.clock.advance(45 * MINUTE);
    expect((await w.service.observe(acme, [signal()]))[0]).not.toBe(id);
  });
});

describe('people', () => {
  it('snoozes, mitigates, merges and splits, and refuses what makes no sense', async () => {
    const w = await withPolicy();
    const far = { name: 'DiskFull', labels: { service: 'media' }, startsAtMs: NOW - 5 * 3_600_000 };
    const [a] = await w.service.observe(acme, [signal()]);
    const [b] = await w.service.observe(acme, [signal(far)]);
    expect(a).not.toBe(b);
    await w.service.act(acme, a!, 'snooze', 'ada', 'later', { snoozeUntilMs: NOW + 10 * MINUTE });
    await w.clock.advance(9 * MINUTE);
    expect((await w.service.get(acme, a!)).state).toBe('snoozed');
    await w.clock.advance(MINUTE);
    expect((await w.service.get(acme, a!)).state).toBe('open');
    const t = await w.service.tenant(acme);
    const merged = await t.merge(b!, a!, 'ada');
    expect(merged.alerts).toHaveLength(2);
    expect(await w.service.get(acme, b!)).toMatchObject({ state: 'merged', mergedInto: a, alerts: [], live: 0 });
    await expect(w.service.act(acme, b!, 'acknowledge', 'ada', 'x')).rejects.toThrow(/makes no sense/);
    const disk = merged.alerts.find((x) => x.labels['alertname'] === 'DiskFull')!;
    const split = await t.split(a!, [disk.fingerprint], 'ada');
    expect(split).toMatchObject({ splitFrom: a, state: 'open' });
    expect((await w.service.get(acme, a!)).alerts).toHaveLength(1);
    const last = await t.split(a!, [(await t.get(a!)).alerts[0]!.fingerprint], 'ada');
    expect((await w.service.get(acme, a!)).state).toBe('split');
    expect(last.alerts).toHaveLength(1);
    await w.service.act(acme, last.id, 'mitigate', 'ada', 'traffic moved');
    await w.service.observe(acme, [signal({ status: 'resolved' }), signal()]);
    expect((await w.service.get(acme, last.id)).state).toBe('reopened');
  });

  it('tells nobody during maintenance, and begins when it ends', async () => {
    const w = await withPolicy();
    const t = await w.service.tenant(acme);
    await t.directory.putMaintenance({ id: 'm1', services: ['api'], startsAtMs: NOW, endsAtMs: NOW + 30 * MINUTE });
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(29 * MINUTE);
    expect(w.sent).toEqual([]);
    expect((await w.service.get(acme, id!)).hushed).toContain('maintenance m1');
    await w.clock.advance(2 * MINUTE);
    expect(w.sent.map(receiver)).toContain('slack-team');
    expect((await w.service.get(acme, id!)).hushed).toBe('');
  });

  it('falls back when a receiver does not take the message, and goes on at once', async () => {
    const w = await withPolicy();
    w.fail = (m) => m.receiver === 'slack-team' || m.email !== undefined || m.receiver === 'pager-ada';
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(4.9 * MINUTE);
    expect(w.sent.map(receiver)).toContain('fallback');
    expect(w.sent.map(receiver)).toContain('specialists'); // before the five minutes of the step were over
    const texts = (await w.service.get(acme, id!)).timeline.map((e) => e.text);
    expect(texts.some((t) => t.startsWith('could not tell slack-team: 503'))).toBe(true);
  });

  it('falls back when nobody is on call', async () => {
    const w = await withPolicy();
    const { directory } = await w.service.tenant(acme);
    await directory.putSchedule({ version: 1, kind: 'schedule', name: 'empty', time_zone: 'UTC' });
    await directory.putPolicy({
      ...POLICY,
      steps: [{ level: 'L2', notify: [{ schedule: 'empty' }], timeout: '5m' }],
    });
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    expect(w.sent.map((s) => [receiver(s), s.message.kind])).toEqual([['fallback', 'fallback']]);
  });
});

describe('criticality', () => {
  it('never falls, and a rise takes the incident back from who took less (I8)', async () => {
    const w = await withPolicy();
    const mild = signal({ labels: { severity: 'warning' } });
    const [id] = await w.service.observe(acme, [mild]);
    await w.service.act(acme, id!, 'acknowledge', 'ada', 'a warning');
    const before = await w.service.get(acme, id!);
    await w.service.observe(acme, [signal({ name: 'ApiDown' })]);
    const raised = await w.service.get(acme, id!);
    expect([before.criticality, raised.criticality]).toEqual(['P3', 'P2']);
    expect(raised).toMatchObject({ state: 'open', escalation: { generation: before.escalation.generation + 1 } });
    await w.service.observe(acme, [signal({ name: 'ApiDown', status: 'resolved' })]);
    expect((await w.service.get(acme, id!)).criticality).toBe('P2');
  });
});

describe('a rise while people are being told', () => {
  it('goes on by the same policy, and begins anew by another', async () => {
    const w = await withPolicy();
    const mild = signal({ labels: { severity: 'warning' } });
    const [id] = await w.service.observe(acme, [mild]);
    await w.clock.advance(1_000);
    await w.service.observe(acme, [signal({ name: 'ApiDown' })]);
    await w.clock.advance(1_000);
    expect((await w.service.get(acme, id!)).escalation.generation).toBe(1);
    expect(w.sent.filter((s) => s.message.receiver === 'slack-team')).toHaveLength(1);
    const { directory } = await w.service.tenant(acme);
    await directory.putPolicy({ ...POLICY, name: 'urgent', match: { criticality: ['P1'] } });
    await w.service.observe(acme, [
      signal({ name: 'Outage', labels: { severity: 'critical', business_impact: 'high' } }),
    ]);
    expect((await w.service.get(acme, id!)).escalation).toMatchObject({ generation: 2, policy: 'urgent' });
  });
});

describe('tenants', () => {
  it('see nothing of each other: lists, links, live stream, verdicts (I9)', async () => {
    const picture = async (): Promise<TenantPicture> => ({
      tier: 'pro',
      population: [
        { id: 'acme', plan: 'pro' },
        { id: 'zeta-corp', plan: 'free' },
      ],
    });
    const w = await withPolicy({ picture });
    await w.service.observe(other, [signal({ labels: { secret: 'of-zeta' } })]);
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(2_000);
    const mine = await w.service.get(acme, id!);
    expect(mine.verdict).toMatchObject({
      kind: 'everybody',
      tenantsHit: 2,
      tenants: ['acme'],
      words: 'everybody: you and 1 others',
    });
    expect(JSON.stringify(mine)).not.toContain('zeta-corp');
    expect((await w.service.list(acme)).incidents).toHaveLength(1);
    await expect((await w.service.tenant(acme)).get('INC-2')).rejects.toThrow(/no incident/);
    expect(JSON.stringify(w.published.filter((p) => p.tenant === 'acme'))).not.toContain('of-zeta');
    expect(w.sent.every((s) => s.tenant === 'acme')).toBe(true); // only acme has a policy that tells people
    expect((await w.service.tenant(other)).directory.policies()).toEqual([]);
  });
});

describe('restarts, crashes and clock steps', () => {
  it('takes what was due while it was away, once', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    await w.service[Symbol.asyncDispose]();
    await w.clock.advance(7 * MINUTE);
    const before = w.sent.length;
    await w.restart();
    await w.clock.advance(1_000);
    expect(w.sent.slice(before).map(receiver)).toContain('specialists');
    expect((await w.service.get(acme, id!)).escalation.step).toBe(3);
    expect(new Set(w.sent.map((s) => s.message.id)).size).toBe(w.sent.length);
  });

  it('loses no step and takes none twice, over random orders of restarts, clock steps and store failures (I5, I6)', async () => {
    const move = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 6 * MINUTE }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('restart' as const), ms: fc.integer({ min: 0, max: 4 * MINUTE }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('step' as const),
          ms: fc.integer({ min: -60 * MINUTE, max: 60 * MINUTE }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('outage' as const), ms: fc.integer({ min: 1, max: 3 * MINUTE }) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 20 }), async (moves) => {
        const w = await withPolicy();
        const original = w.documents.transaction.bind(w.documents);
        const [id] = await w.service.observe(acme, [signal()]);
        for (const m of moves) {
          if (m.kind === 'advance') await w.clock.advance(m.ms);
          else if (m.kind === 'restart') {
            await w.service[Symbol.asyncDispose]();
            await w.clock.advance(m.ms);
            await w.restart();
          } else if (m.kind === 'step') w.clock.step(m.ms);
          else {
            w.documents.transaction = () => Promise.reject(new Error('disk full'));
            await w.clock.advance(m.ms);
            w.documents.transaction = original;
          }
        }
        await w.clock.advance(3 * 60 * MINUTE);
        await settle();
        const incident = await w.service.get(acme, id!);
        expect(incident.escalation.status).toBe('exhausted');
        const steps = w.sent.filter((s) => s.message.contact === '').map(receiver);
        expect(steps).toEqual(['slack-team', 'specialists', 'vendor', 'slack-team', 'specialists', 'vendor']);
        expect(new Set(w.sent.map((s) => s.message.id)).size).toBe(w.sent.length);
        await w.service[Symbol.asyncDispose]();
      }),
      { numRuns: 80 },
    );
  }, 120_000);

  it('tells of an end that a crash kept from being told', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    w.fail = () => true;
    await w.service.act(acme, id!, 'resolve', 'ada', 'done');
    await w.clock.advance(1_000);
    await w.service[Symbol.asyncDispose]();
    w.fail = () => false;
    const before = w.sent.length;
    await w.restart();
    await w.clock.advance(10_000);
    expect(w.sent.slice(before).map((s) => s.message.kind)).toContain('resolved');
  });

  it('is not held up by a clock that was set back while it was away', async () => {
    const w = await withPolicy();
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    await w.service[Symbol.asyncDispose]();
    w.clock.step(-5 * 60 * MINUTE);
    await w.restart();
    await w.clock.advance(10 * MINUTE + 1_000);
    expect(w.sent.map(receiver)).toContain('specialists');
  });

  it('keeps the pace of steps when the clock is set', async () => {
    const w = await withPolicy();
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(MINUTE);
    w.clock.step(55 * MINUTE);
    await w.clock.advance(3 * MINUTE);
    expect(w.sent.map(receiver)).not.toContain('specialists');
    await w.clock.advance(MINUTE);
    expect(w.sent.map(receiver)).toContain('specialists');
    w.clock.step(-3 * 60 * MINUTE);
    await w.clock.advance(10 * MINUTE + 1_000);
    expect(w.sent.map(receiver)).toContain('vendor');
  });
});

describe('correlation in the service', () => {
  it('joins by the service graph, says why, and ranks the dependency as the cause', async () => {
    const w = await withPolicy({
      services: async () => [{ name: 'api', dependsOn: ['database:db-1'] }],
      changes: async () => [
        { id: '1', atMs: NOW - 5 * MINUTE, type: 'deploy', subject: 'database:db-1', source: '/ci' },
      ],
    });
    const db = { name: 'PostgresConnectionsLow', labels: { service: '', instance: 'db-1', job: 'postgres' } };
    const [a] = await w.service.observe(acme, [signal()]);
    const [b] = await w.service.observe(acme, [signal({ ...db, startsAtMs: NOW + 30_000 })]);
    expect(b).toBe(a);
    await w.clock.advance(2_000);
    const incident = await w.service.get(acme, a!);
    expect(incident.alerts[1]!.why.join(' ')).toContain('1 hop from api in the service graph');
    expect(incident.causes[0]!.component).toBe('database:db-1');
    expect(incident.causes[0]!.evidence.join(' ')).toContain('deploy 5 min before');
  });

  it('keeps an alert with a NUL in it, without the NUL', async () => {
    const w = await world();
    const odd = signal({ labels: { path: 'a\0b' }, annotations: { summary: 'x\0y' } });
    const [id] = await w.service.observe(acme, [odd]);
    expect(JSON.stringify(await w.service.get(acme, id!))).not.toContain('\\u0000');
    expect(await w.service.observe(acme, [{ ...odd, status: 'resolved' }])).toEqual([id]);
  });

  it('takes a storm of 10,000 alerts in a bounded time and loses none', async () => {
    const w = await world();
    const storm = Array.from({ length: 10_000 }, (_, i) => signal({ name: `Rule${i % 50}`, labels: { pod: `p${i}` } }));
    const startMs = performance.now();
    const ids = await w.service.observe(acme, storm);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(ids.every((id) => id !== '')).toBe(true);
    const { incidents } = await w.service.list(acme);
    expect(incidents.reduce((n, i) => n + i.alerts.length, 0)).toBe(10_000);
    expect(incidents.length).toBeLessThanOrEqual(20);
  });
});
