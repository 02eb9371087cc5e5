import { describe, expect, it } from 'vitest';
import {
  acme,
  KEY,
  MINUTE,
  NOW,
  other,
  POLICY,
  receiver,
  signal,
  withPolicy,
} from '../../test/support/incident-world.ts';
import { readLink } from './signed-link.ts';

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

  it('tells programs that keep incidents of their own who took it, unless it was taken there', async () => {
    const w = await withPolicy();
    const { directory } = await w.service.tenant(acme);
    await directory.putPolicy({
      ...POLICY,
      steps: [{ level: 'L2', notify: [{ receiver: 'pagerduty' }], timeout: '5m' }],
    });
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    await w.service.act(acme, id!, 'acknowledge', 'ada', 'by link');
    await w.clock.advance(1_000);
    const kinds = () => w.sent.map((s) => s.message.kind);
    expect(kinds()).toEqual(['escalation', 'acknowledged']);
    await w.service.act(acme, id!, 'unacknowledge', 'ada', 'not mine');
    await w.clock.advance(1_000);
    await w.service.act(acme, id!, 'acknowledge', 'pagerduty:Cy', 'there');
    await w.clock.advance(1_000);
    expect(kinds()).toEqual(['escalation', 'acknowledged', 'escalation']);
    await w.service.act(acme, id!, 'unacknowledge', 'ada', 'not mine');
    await w.service.act(acme, id!, 'acknowledge', 'ben', 'again');
    await w.clock.advance(1_000);
    expect(new Set(w.sent.map((s) => s.message.id)).size).toBe(w.sent.length);
    expect(kinds().filter((k) => k === 'acknowledged')).toHaveLength(2);
    const { timeline } = await w.service.get(acme, id!);
    expect(timeline.filter((e) => e.text.startsWith('told pagerduty')).length).toBeGreaterThan(2);
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
