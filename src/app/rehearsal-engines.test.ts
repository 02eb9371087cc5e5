/** A rehearsal says what really would have been sent: compared with the engine living through the same time. */
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { plainTemplates } from '../../test/support/plain-templates.ts';
import { parseAlertingConfig } from '../alerting/config.ts';
import type { Decision } from '../alerting/history.ts';
import { TenantAlerting } from '../alerting/tenant-alerting.ts';
import { Random } from '../demo/random.ts';
import { groupKeyOf } from '../incidents/message.ts';
import { policySchema } from '../incidents/policy.ts';
import { silentLogger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import { tenantId } from '../model/tenant.ts';
import { type Episode, rehearse, type Told } from '../replay/rehearsal.ts';
import { diffTold, episodesOf, pageBudgets } from '../replay/rehearsal-diff.ts';
import { toldOf } from './rehearsal.ts';
import { rehearsalEngines } from './rehearsal-engines.ts';

const NOW = Date.UTC(2026, 2, 2);
const MINUTE = 60_000;
const DAY = 86_400_000;
const YAML = `
route:
  receiver: team
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
    - matchers: [severity="critical"]
      receiver: pager
      group_wait: 10s
      continue: true
    - matchers: [service="media"]
      receiver: media
receivers:
  - name: team
    webhook_configs: [{ url: 'http://hook.test/' }]
  - name: pager
    webhook_configs: [{ url: 'http://hook.test/', send_resolved: true }]
  - name: media
    webhook_configs: [{ url: 'http://hook.test/', send_resolved: false }]
inhibit_rules:
  - source_matchers: [alertname="HostDown"]
    target_matchers: [severity="warning"]
    equal: [service]
`;
const POLICY = {
  version: 1,
  kind: 'escalation_policy',
  name: 'p',
  steps: [
    { level: 'L2', notify: [{ receiver: 'pager' }], timeout: '10m' },
    { level: 'L3', notify: [{ receiver: 'specialists' }], timeout: '30m' },
  ],
  repeat: 0,
};

const options = (over: Record<string, unknown> = {}) => ({
  tenant: tenantId('acme'),
  alertmanager: YAML,
  config: { templates: plainTemplates },
  policies: [POLICY],
  schedules: [],
  contacts: [],
  services: [],
  picture: { tier: 'pro', population: [] },
  ...over,
});

/** Random alerts of a few services over a period, on whole evaluation steps as rules have them. */
function episodes(seed: string, days: number, count: number): Episode[] {
  const random = new Random(seed);
  const out: Episode[] = [];
  const busyUntil = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const labels = {
      alertname: random.pick(['HostDown', 'ApiSlow', 'Errors', 'QueueStuck', 'DiskFull']),
      service: random.pick(['api', 'media', 'planner']),
      severity: random.pick(['critical', 'warning', 'warning']),
      instance: `n${random.integer(0, 3)}`,
    };
    const key = JSON.stringify(labels);
    const startsAtMs = NOW + Math.floor(random.between(0, days * DAY) / 15_000) * 15_000;
    if (startsAtMs < (busyUntil.get(key) ?? 0)) continue;
    const endsAtMs = startsAtMs + Math.ceil(random.between(1, 240)) * MINUTE;
    busyUntil.set(key, endsAtMs + 10 * MINUTE);
    out.push({ labels, annotations: { summary: labels.alertname }, startsAtMs, endsAtMs });
  }
  return out.sort((a, b) => a.startsAtMs - b.startsAtMs);
}

/** What the engine sends when alerts are posted again each minute with a short end, as rules do. */
async function reality(
  list: readonly Episode[],
  days: number,
  yaml = YAML,
  seen: (d: Decision) => void = () => {},
): Promise<Told[]> {
  const clock = new FakeClock(NOW);
  const told: Told[] = [];
  const alerting = new TenantAlerting({
    config: parseAlertingConfig(yaml, { templates: plainTemplates }),
    state: {
      records: [],
      cutBytes: 0,
      log: { sizeBytes: 0, append: async () => {}, rewrite: async () => {}, close: async () => {} },
    },
    clock,
    logger: silentLogger,
    ports: { http: async () => ({ status: 200, headers: {}, body: '' }), mail: async () => {} },
    externalURL: '',
    orphanResolve: true,
    onDecision: (d) => {
      seen(d);
      if (d.verdict === 'sent')
        told.push({
          atMs: d.atMs,
          to: d.receiver,
          kind: 'notification',
          about: d.groupKey,
          reason: d.reason,
          rules: [],
          resolved: d.firing === 0,
        });
    },
  });
  const post = (e: Episode, nowMs: number) => {
    const over = e.endsAtMs !== undefined && nowMs >= e.endsAtMs;
    return {
      labels: Labels.from(e.labels),
      annotations: Labels.from(e.annotations),
      startsAtMs: e.startsAtMs,
      endsAtMs: over ? e.endsAtMs! : nowMs + 4 * MINUTE,
      generatorURL: '',
    };
  };
  const endMs = NOW + days * DAY;
  // begin, end, and each minute between
  const due = new Map<number, Episode[]>();
  for (const e of list)
    for (let t = e.startsAtMs; t < e.endsAtMs! + MINUTE; t += MINUTE) {
      const at = Math.min(t, e.endsAtMs!);
      if (at < endMs) due.set(at, [...(due.get(at) ?? []), e]);
    }
  for (const t of [...due.keys()].sort((a, b) => a - b)) {
    await clock.advance(t - clock.now());
    await alerting.accept(due.get(t)!.map((e) => post(e, t)));
  }
  await clock.advance(endMs - clock.now());
  await alerting.close();
  return told;
}

describe('a rehearsal', () => {
  it('agrees with what the engine sends when it lives through the same days', async () => {
    const days = 2;
    const list = episodes('agree', days, 120);
    const real = await reality(list, days);
    const rehearsed = await rehearse(list, { fromMs: NOW, toMs: NOW + days * DAY }, rehearsalEngines(options()));
    const mine = rehearsed.told.filter((t) => t.kind === 'notification');
    const diff = diffTold(real, mine, 1);
    expect(real.length).toBeGreaterThan(150);
    expect({ added: diff.added, removed: diff.removed }).toEqual({ added: [], removed: [] });
    // planted fault: another repeat interval must show
    const other = YAML.replace('group_interval: 5m', 'group_interval: 7m');
    const wrong = await rehearse(
      list,
      { fromMs: NOW, toMs: NOW + days * DAY },
      rehearsalEngines(options({ alertmanager: other })),
    );
    const notifications = wrong.told.filter((t) => t.kind === 'notification');
    expect(diffTold(real, notifications, 1).addedCount).toBeGreaterThan(10);
  });

  it('agrees with what was sent also where receivers have several integrations and incidents speak to them', async () => {
    const twice = YAML.replace(
      "webhook_configs: [{ url: 'http://hook.test/', send_resolved: true }]",
      "webhook_configs: [{ url: 'http://hook.test/' }, { url: 'http://other.test/' }]",
    );
    const decisions: Decision[] = [];
    const list = episodes('twice', 2, 60);
    await reality(list, 2, twice, (d) => decisions.push(d));
    const direct = { ...decisions[0]!, verdict: 'sent' as const, groupKey: groupKeyOf('acme', 'INC-1') };
    const real = toldOf([...decisions, direct]);
    const period = { fromMs: NOW, toMs: NOW + 2 * DAY };
    const rehearsed = await rehearse(list, period, rehearsalEngines(options({ alertmanager: twice })));
    const mine = rehearsed.told.filter((t) => t.kind === 'notification');
    expect(decisions.filter((d) => d.verdict === 'sent').length).toBeGreaterThan(real.length + 10);
    const diff = diffTold(real, mine, 1);
    expect([diff.same, diff.added, diff.removed]).toEqual([real.length, [], []]);
  });

  it('agrees over 21 days of the demonstration’s pace with what the engine sent', async () => {
    const list = episodes('three weeks', 21, 224);
    const decisions: Decision[] = [];
    await reality(list, 21, YAML, (d) => decisions.push(d));
    const real = toldOf(decisions);
    const rehearsed = await rehearse(list, { fromMs: NOW, toMs: NOW + 21 * DAY }, rehearsalEngines(options()));
    const diff = diffTold(
      real,
      rehearsed.told.filter((t) => t.kind === 'notification'),
      1,
    );
    expect(real.length).toBeGreaterThan(200);
    expect([diff.same, diff.addedCount, diff.removedCount]).toEqual([real.length, 0, 0]);
  }, 120_000);

  it('lives through 21 days in under a minute of CPU', async () => {
    const list = episodes('long', 21, 600);
    const before = process.cpuUsage();
    const r = await rehearse(list, { fromMs: NOW, toMs: NOW + 21 * DAY }, rehearsalEngines(options()));
    const used = process.cpuUsage(before);
    const seconds = (used.user + used.system) / 1e6;
    console.log(
      `rehearsal of 21 days: ${list.length} episodes, ${r.told.length} messages, ${r.timers} timers, ${seconds.toFixed(1)} s CPU`,
    );
    expect(r.told.filter((t) => t.kind === 'page').length).toBeGreaterThan(50);
    expect(seconds).toBeLessThan(60);
  }, 120_000);

  it('shows what a proposed policy or an acknowledgement changes', async () => {
    const list = episodes('small', 1, 30);
    const period = { fromMs: NOW, toMs: NOW + DAY };
    const present = await rehearse(list, period, rehearsalEngines(options()));
    // as a directory hands it out: durations read already
    const read = policySchema.parse(POLICY);
    const quick = await rehearse(
      list,
      period,
      rehearsalEngines(options({ policies: [read], acknowledgeAfterMs: 5 * MINUTE })),
    );
    const diff = diffTold(present.told, quick.told);
    const specialists = diff.byReceiver.find((r) => r.to === 'specialists')!;
    expect(specialists.before).toBeGreaterThan(0);
    expect(specialists.after).toBe(0);
    const budgets = pageBudgets(
      present.told,
      DAY,
      (to) => (to === 'pager' ? 7 : 1_000),
      (ms) => new Date(ms).getUTCHours(),
    );
    const pager = budgets.find((b) => b.to === 'pager')!;
    expect(pager).toMatchObject({ over: true, budgetPerWeek: 7, perWeek: pager.pages * 7 });
    expect(pager.rules[0]!.pages).toBeGreaterThanOrEqual(pager.rules.at(-1)!.pages);
    expect(() => rehearsalEngines(options({ alertmanager: 'route: {}' }))).toThrow();
    await expect(rehearse(list, { fromMs: 2, toMs: 1 }, rehearsalEngines(options()))).rejects.toThrow(/period/);
  });

  it('makes episodes of transitions', () => {
    const t = (atMs: number, from: string, to: string, fingerprint = 'f') =>
      ({ atMs, from, to, fingerprint, labels: { alertname: fingerprint } }) as never;
    expect(
      episodesOf(
        [
          t(3, 'firing', 'inactive'),
          t(1, 'inactive', 'pending'),
          t(2, 'pending', 'firing'),
          t(5, 'firing', 'inactive', 'g'),
          t(6, 'inactive', 'firing', 'h'),
        ],
        0,
      ),
    ).toEqual([
      { labels: { alertname: 'g' }, annotations: {}, startsAtMs: 0, endsAtMs: 5 },
      { labels: { alertname: 'f' }, annotations: {}, startsAtMs: 2, firstBadAtMs: 1, endsAtMs: 3 },
      { labels: { alertname: 'h' }, annotations: {}, startsAtMs: 6 },
    ]);
  });
});
