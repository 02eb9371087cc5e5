import { describe, expect, it } from 'vitest';
import { CoOccurrence, TOGETHER_MS } from './co-occurrence.ts';
import { componentOf } from './component.ts';
import { CORRELATION_DEFAULTS, correlate, judge } from './correlate.ts';
import { criticalityOf } from './criticality.ts';
import type { Incident, Signal } from './incident.ts';
import { newAlert, newIncident } from './judgement.ts';
import { LabelRarity } from './label-rarity.ts';
import { rankCauses } from './root-cause.ts';
import { ServiceGraph } from './service-graph.ts';
import { towardsTenant, VERDICT_UNKNOWN, verdictOf } from './verdict.ts';

const NOW = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const signal = (labels: Record<string, string>, startsAtMs = NOW, summary = ''): Signal => ({
  labels: { severity: 'warning', ...labels },
  annotations: summary === '' ? {} : { summary },
  status: 'firing',
  startsAtMs,
  source: 'rules',
});
const alertOf = (s: Signal) => newAlert(s, JSON.stringify(s.labels), { score: 1, words: [] }, s.startsAtMs);
const incidentOf = (...signals: Signal[]): Incident => ({
  ...newIncident(1, alertOf(signals[0]!), 'x', NOW),
  alerts: signals.map(alertOf),
});
const context = (over: Partial<Parameters<typeof judge>[2]> = {}) => ({
  graph: new ServiceGraph([]),
  learned: new CoOccurrence(),
  rarity: new LabelRarity(),
  settings: CORRELATION_DEFAULTS,
  ...over,
});

describe('components', () => {
  it.each([
    [{ alertname: 'X', service: 'api', instance: 'n1' }, 'service:api'],
    [{ alertname: 'PostgresDown', instance: 'db:9187' }, 'database:db:9187'],
    [{ alertname: 'X', instance: 'db:9187', datname: 'a' }, 'database:db:9187'],
    [{ alertname: 'X', instance: 'n1' }, 'host:n1'],
    [{ alertname: 'X', provider: 'p', model: 'm' }, 'provider:p'],
    [{ alertname: 'X', namespace: 'ns', pod: 'p-1' }, 'workload:ns/p-1'],
    [{ alertname: 'SignInAttack', pack: 'security' }, 'area:security'],
    [{ alertname: 'X' }, 'alert:X'],
    [{}, 'alert:unnamed'],
  ])('%j is %s', (labels, id) => {
    expect(componentOf(labels as Record<string, string>)).toBe(id);
  });
});

describe('correlation', () => {
  const incident = incidentOf(signal({ alertname: 'A', service: 'api' }));
  const decide = (s: Signal, c = context(), list = [incident]) => correlate(s, 'other', list, c, NOW);

  it('joins the same component, a neighbour in the graph, and what was learned; each in words', () => {
    expect(decide(signal({ alertname: 'B', service: 'api' })).incident).toBe('INC-1');
    const graph = new ServiceGraph([{ name: 'web', dependsOn: ['api'] }]);
    const near = decide(signal({ alertname: 'B', service: 'web' }, NOW + 6 * MINUTE), context({ graph }));
    expect(near.incident).toBe('INC-1');
    expect(near.words.join()).toContain('1 hop from api');
    expect(near.words.join()).not.toContain('declared');
    const seen = new ServiceGraph([], [{ from: 'web', to: 'api', origin: 'service graph metrics' }]);
    const found = decide(signal({ alertname: 'B', service: 'web' }, NOW + 6 * MINUTE), context({ graph: seen }));
    expect(found).toMatchObject({ incident: 'INC-1', score: near.score });
    expect(found.words.join()).toContain('1 hop from api in the service graph (service graph metrics)');
    const learned = new CoOccurrence();
    for (let day = 10; day > 0; day--) {
      learned.learn('A', NOW - day * 86_400_000);
      learned.learn('B', NOW - day * 86_400_000 + MINUTE);
    }
    const known = decide(signal({ alertname: 'B', service: 'shop' }, NOW + 8 * MINUTE), context({ learned }));
    expect(known.incident).toBe('INC-1');
    expect(known.words.join()).toContain('came with A in 10 of 10');
  });

  it('keeps apart what is far in time, another customer, or unrelated; the reason names the nearest', () => {
    const late = decide(signal({ alertname: 'B', service: 'shop' }, NOW + 3 * 3_600_000));
    expect(late.incident).toBeUndefined();
    expect(late.words[0]).toContain('the nearest, INC-1, reached');
    const theirs = incidentOf(signal({ alertname: 'A', service: 'x', tenant_id: 'one' }));
    expect(
      decide(signal({ alertname: 'B', service: 'y', tenant_id: 'two' }, NOW + MINUTE), context(), [theirs]).incident,
    ).toBeUndefined();
    expect(decide(signal({ alertname: 'B', service: 'shop' }, NOW + 20 * MINUTE)).incident).toBeUndefined();
  });

  it('gives time less weight where alerts begin all the time', () => {
    const busy = new CoOccurrence();
    for (let i = 0; i < 600; i++) busy.learn(`N${i % 50}`, NOW - 600 * MINUTE + i * MINUTE);
    const quiet = judge(signal({ alertname: 'B', service: 's' }, NOW + 2 * MINUTE), incident, context());
    const noisy = judge(
      signal({ alertname: 'B', service: 's' }, NOW + 2 * MINUTE),
      incident,
      context({ learned: busy }),
    );
    expect(noisy.score).toBeLessThan(quiet.score / 2);
  });

  it('learns only what comes together more than by chance', () => {
    const c = new CoOccurrence();
    for (let i = 0; i < 200; i++) c.learn('Always', NOW + i * 10 * MINUTE);
    for (let i = 0; i < 20; i++) c.learn('Rare', NOW + 2_000 * MINUTE + i * 60 * MINUTE);
    expect(c.strength('Always', 'Rare').strength).toBeLessThan(0.3);
    expect(new CoOccurrence(c.state()).strength('Always', 'Rare')).toEqual(c.strength('Always', 'Rare'));
    // PostgreSQL keeps no NUL
    expect(JSON.stringify(c.state())).not.toContain('\\u0000');
    expect(TOGETHER_MS).toBe(15 * MINUTE);
  });

  it('gives shared label values weight by rarity', () => {
    const rarity = new LabelRarity();
    for (let i = 0; i < 100; i++) rarity.learn({ cluster: 'eu', node: `n${i}` });
    expect(rarity.rarity('cluster', 'eu')).toBe(0);
    expect(rarity.rarity('node', 'n5')).toBeCloseTo(0.99);
  });
});

describe('verdict', () => {
  const population = [
    ...['a', 'b', 'c'].map((id) => ({ id, plan: 'free', region: 'eu' })),
    ...['d', 'e', 'f', 'g'].map((id) => ({ id, plan: 'pro', region: id === 'g' ? 'us' : 'eu' })),
  ];
  const verdict = (hit: string[], models: string[] = []) =>
    verdictOf({ hit: new Set(hit), population, models: new Set(models) });
  it.each([
    [['a'], [], 'one_tenant', 'a'],
    [['a', 'b', 'c'], [], 'plan', 'free'],
    [['a', 'b', 'c', 'd', 'e', 'f'], [], 'everybody', ''],
    [['a', 'd'], ['m1'], 'model', 'm1'],
    [['a', 'd'], ['m1', 'm2'], 'several', ''],
    [[], [], 'unknown', ''],
  ])('%j is %s', (hit, models, kind, name) => {
    expect(verdict(hit as string[], models as string[])).toMatchObject({ kind, name });
  });

  it('names a noisy neighbour, and tells a tenant counts only (I9)', () => {
    const usage = [
      { tenant: 'g', share: 0.7, usualShare: 0.2 },
      { tenant: 'a', share: 0.1, usualShare: 0.3 },
    ];
    const v = verdictOf({ hit: new Set(['a', 'b', 'c']), population, models: new Set(), usage });
    expect(v.noisyNeighbour!.tenant).toBe('g');
    const seen = towardsTenant(v, 'a');
    expect(seen).toMatchObject({ tenants: ['a'], name: '', words: 'you and 2 of 6 others' });
    expect(JSON.stringify(seen)).not.toMatch(/"(b|c|g|free)"/);
    expect(towardsTenant(v, 'g').words).toContain('your own use is 70 %');
    expect(towardsTenant(verdict(['a']), 'a').words).toBe('you alone');
    expect(towardsTenant(VERDICT_UNKNOWN, 'a').kind).toBe('unknown');
  });
});

describe('criticality', () => {
  const of = (labels: Record<string, string>, tier = '', share = 0) =>
    criticalityOf({
      alerts: [alertOf(signal(labels))],
      verdict: { ...VERDICT_UNKNOWN, tenantsKnown: 10, tenantsHit: share * 10, share },
      tier,
    });
  it.each([
    [{ severity: 'critical' }, 'enterprise', 0.1, 'P1'],
    [{ severity: 'critical' }, 'free', 0.1, 'P2'],
    [{ severity: 'warning' }, 'free', 0.1, 'P3'],
    [{ severity: 'warning' }, 'enterprise', 0.6, 'P1'],
    [{ severity: 'info' }, 'free', 0.1, 'P4'],
    [{ severity: 'warning', business_impact: 'high' }, 'free', 0.1, 'P2'],
    [{ severity: 'warning', pack: 'slo' }, 'pro', 0.1, 'P2'],
  ])('%j of tier %s with %d of tenants is %s', (labels, tier, share, level) => {
    const got = of(labels as Record<string, string>, tier as string, share as number);
    expect(got.level).toBe(level);
    expect(got.words.at(-1)).toContain(level);
  });
});

describe('root cause', () => {
  const graph = new ServiceGraph([
    { name: 'web', dependsOn: ['api'] },
    { name: 'api', dependsOn: ['database:db', 'cache'] },
  ]);
  const alerts = [
    signal({ alertname: 'Slow', service: 'web' }, NOW),
    signal({ alertname: 'Slow', service: 'api' }, NOW + MINUTE),
    signal({ alertname: 'PostgresSlow', instance: 'db' }, NOW + 2 * MINUTE),
  ].map(alertOf);

  it('goes down the graph although the symptom alerted first', () => {
    const causes = rankCauses({ alerts, graph });
    expect(causes[0]!.component).toBe('database:db');
    expect(causes[0]!.evidence.join()).toContain('2 of 2 other affected need it: web, api'.slice(0, 30));
    expect(causes.reduce((s, c) => s + c.score, 0)).toBeLessThanOrEqual(1.001);
  });

  it('finds a dependency that has no alert of its own, by its metrics or a deploy', () => {
    const some = alerts.slice(0, 2);
    const metrics = [{ component: 'cache', metric: 'evictions', z: 20, before: 1, after: 90, sinceMs: NOW - MINUTE }];
    expect(rankCauses({ alerts: some, graph, metrics })[0]!.component).toBe('service:cache');
    const changes = [{ id: '1', atMs: NOW - 5 * MINUTE, type: 'deploy', subject: 'api', source: 'ci' }];
    expect(rankCauses({ alerts: some, graph, changes })[0]).toMatchObject({ component: 'service:api' });
    expect(rankCauses({ alerts: [], graph })).toEqual([]);
  });
});
