import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import type { AlertTransition, PostableAlert } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import { isStale } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import { QueryEngine } from '../promql/engine.ts';
import { compileMatcher } from '../regex/matcher.ts';
import { compileRe2 } from '../regex/re2.ts';
import type { RuleHealthChange, RuleServiceOptions, RuleStateStore } from './ports.ts';
import { RuleService } from './rule-service.ts';
import { createRuleTemplates } from './templates.ts';
import { MemorySamples } from './testing/memory-samples.ts';

const A = 'a' as TenantId;
const B = 'b' as TenantId;

class World {
  readonly clock = new FakeClock();
  readonly stores = new Map<TenantId, MemorySamples>();
  readonly metrics = new SelfMetrics();
  readonly sent: { tenant: TenantId; alerts: readonly PostableAlert[]; atMs: number }[] = [];
  readonly transitions: AlertTransition[] = [];
  readonly health: RuleHealthChange[] = [];
  readonly saved = new Map<TenantId, string>();
  readonly state: RuleStateStore = {
    load: async (t) => this.saved.get(t),
    save: async (t, text) => void this.saved.set(t, text),
    remove: async (t) => void this.saved.delete(t),
  };

  store(tenant: TenantId): MemorySamples {
    let s = this.stores.get(tenant);
    if (!s) this.stores.set(tenant, (s = new MemorySamples(compileMatcher)));
    return s;
  }

  service(more: Partial<RuleServiceOptions> = {}): RuleService {
    return new RuleService({
      clock: this.clock,
      logger: silentLogger,
      metrics: this.metrics,
      engine: new QueryEngine({
        compileRegex: (p) => {
          const re = compileRe2(p, { anchored: true });
          return { matches: (t) => re.test(t), replace: (t, x) => re.expand(t, x) };
        },
        monotonicMs: () => this.clock.monotonicMs(),
      }),
      source: (t) => this.store(t),
      writer: (t) => this.store(t),
      notify: (tenant, alerts) => void this.sent.push({ tenant, alerts, atMs: this.clock.now() }),
      onTransition: (t) => void this.transitions.push(t),
      onHealth: (h) => void this.health.push(h),
      templates: () => createRuleTemplates({ externalUrl: 'http://vigie.test', externalLabels: Labels.EMPTY }),
      externalUrl: 'http://vigie.test',
      state: this.state,
      ...more,
    });
  }

  /** Advances in steps of 15 s, writing `values` of each series at each. */
  async run(
    ms: number,
    tenant: TenantId,
    series: Readonly<Record<string, number | (() => number | undefined)>>,
  ): Promise<void> {
    for (let done = 0; done < ms; done += 15_000) {
      for (const [text, v] of Object.entries(series)) {
        const value = typeof v === 'function' ? v() : v;
        if (value === undefined) continue;
        const m = /^(\w+)(?:\{(\w+)="(\w+)"\})?$/.exec(text)!;
        this.store(tenant).add({
          labels: Labels.from({ __name__: m[1]!, ...(m[2] ? { [m[2]]: m[3]! } : {}) }),
          timestampMs: this.clock.now(),
          value,
        });
      }
      await this.clock.advance(15_000);
    }
  }

  last(tenant: TenantId, name: string): { labels: string; value: number; stale: boolean }[] {
    return this.store(tenant)
      .select([{ name: '__name__', op: '=', value: name }], { startMs: 0, endMs: this.clock.now() })
      .map((s) => ({
        labels: s.labels.without('__name__').toString(),
        value: s.values[s.length - 1]!,
        stale: isStale(s.values, s.length - 1),
      }));
  }
}

const file = (rules: string, group = 'interval: 15s'): { name: string; text: string } => ({
  name: 'f.yml',
  text: `groups:\n- name: g\n  ${group}\n  rules:\n${rules}`,
});
const HIGH = `  - alert: High
    expr: x > 5
    for: 1m
    labels: { severity: page }
    annotations: { summary: "{{ $value }}" }
`;
const steps = (w: World): string[] => w.transitions.map((t) => `${t.from}>${t.to}`);

describe('RuleService', () => {
  it('takes an alert through pending, firing and resolved, writes ALERTS and sends it', async () => {
    const w = new World();
    await using service = w.service();
    await service.configure(A, [file(HIGH)]);
    let x = 9;
    await w.run(45_000, A, { 'x{i="1"}': () => x });
    expect(service.view(A).groups[0]!.rules[0]).toMatchObject({ state: 'pending', health: 'ok', query: 'x > 5' });
    expect(w.last(A, 'ALERTS')[0]).toMatchObject({
      labels: '{alertname="High", alertstate="pending", i="1", severity="page"}',
      value: 1,
    });
    await w.run(60_000, A, { 'x{i="1"}': () => x });
    expect(service.view(A).groups[0]!.rules[0]!.alerts[0]).toMatchObject({ state: 'firing', value: 9 });
    expect(w.sent).toHaveLength(1);
    const sent = w.sent[0]!.alerts[0]!;
    expect(sent.labels.toString()).toBe('{alertname="High", i="1", severity="page"}');
    expect(sent.annotations.toObject()).toEqual({ summary: '9' });
    expect(sent.endsAtMs! - sent.startsAtMs!).toBe(4 * 60_000);
    expect(sent.generatorURL).toBe('http://vigie.test/graph?g0.expr=x+%3E+5&g0.tab=1');
    await w.run(75_000, A, { 'x{i="1"}': () => x });
    expect(w.sent).toHaveLength(2); // again after the resend delay
    x = 1;
    await w.run(30_000, A, { 'x{i="1"}': () => x });
    expect(steps(w)).toEqual(['inactive>pending', 'pending>firing', 'firing>inactive']);
    const resolved = w.sent.at(-1)!.alerts[0]!;
    expect(resolved.endsAtMs!).toBeLessThanOrEqual(w.clock.now());
    expect(w.last(A, 'ALERTS').find((s) => s.labels.includes('firing'))).toMatchObject({ stale: true });
  });

  it('records with the labels of group and rule, and marks series stale that vanish or whose rule goes', async () => {
    const w = new World();
    await using service = w.service();
    const rule = '  - record: y\n    expr: sum by (i) (x)\n    labels: { r: "1" }\n';
    await service.configure(A, [file(rule, 'interval: 15s\n  labels: { g: "2", r: "0" }')]);
    let two: number | undefined = 2;
    await w.run(60_000, A, { 'x{i="1"}': 1, 'x{i="2"}': () => two });
    expect(w.last(A, 'y')).toEqual([
      { labels: '{g="2", i="1", r="1"}', value: 1, stale: false },
      { labels: '{g="2", i="2", r="1"}', value: 2, stale: false },
    ]);
    two = undefined;
    w.store(A).add({
      labels: Labels.from({ __name__: 'x', i: '2' }),
      timestampMs: w.clock.now(),
      value: 0,
      stale: true,
    });
    await w.run(30_000, A, { 'x{i="1"}': 1 });
    expect(w.last(A, 'y').map((s) => s.stale)).toEqual([false, true]);
    await service.configure(A, []);
    await w.run(60_000, A, { 'x{i="1"}': 1 });
    expect(w.last(A, 'y').map((s) => s.stale)).toEqual([true, true]);
    expect(service.view(A).groups).toEqual([]);
  });

  it('keeps state over a reload that changes another rule, and refuses a bad file as a whole', async () => {
    const w = new World();
    await using service = w.service();
    await service.configure(A, [file(HIGH)]);
    await w.run(105_000, A, { 'x{i="1"}': 9 });
    await service.configure(A, [file(`${HIGH}  - record: z\n    expr: x * 2\n`)]);
    await w.run(30_000, A, { 'x{i="1"}': 9 });
    expect(steps(w)).toEqual(['inactive>pending', 'pending>firing']);
    expect(w.last(A, 'z')).toHaveLength(1);
    await expect(service.configure(A, [file('  - record: z\n    expr: "sum("\n')])).rejects.toThrow(/^f\.yml:6:11: /);
    expect(service.view(A).groups[0]!.rules).toHaveLength(2);
  });

  it('goes on firing over a restart, without a false resolve and without sending twice', async () => {
    const w = new World();
    {
      await using service = w.service();
      await service.configure(A, [file(HIGH)]);
      await w.run(90_000, A, { 'x{i="1"}': 9 });
    }
    expect(steps(w)).toEqual(['inactive>pending', 'pending>firing']);
    const sentBefore = w.sent.length;
    await w.run(15_000, A, {});
    await using service = w.service();
    await service.configure(A, [file(HIGH)]);
    expect(service.view(A).groups[0]!.rules[0]!.state).toBe('firing');
    await w.run(15_000, A, { 'x{i="1"}': 9 });
    expect(service.view(A).groups[0]!.rules[0]!.alerts[0]).toMatchObject({ state: 'firing' });
    expect(w.sent.length).toBe(sentBefore);
    await w.run(60_000, A, { 'x{i="1"}': 1 });
    expect(steps(w)).toEqual(['inactive>pending', 'pending>firing', 'firing>inactive']);
  });

  it('keeps what was watched over restarts that come before the next evaluation', async () => {
    const w = new World();
    const long = HIGH.replace('1m', '30m');
    {
      await using service = w.service();
      await service.configure(A, [file(long)]);
      await w.run(15 * 60_000, A, { 'x{i="1"}': 9 });
    }
    for (let restart = 0; restart < 3; restart++) {
      await w.clock.advance(60_000);
      await using service = w.service();
      await service.configure(A, [file(long)]);
      const alert = service.view(A).groups[0]!.rules[0]!.alerts[0]!;
      // 15 minutes were watched, however often it was started since
      expect((w.clock.now() - alert.activeAtMs) / 60_000).toBeGreaterThan(14);
      expect((w.clock.now() - alert.activeAtMs) / 60_000).toBeLessThan(16);
    }
    await using service = w.service();
    await service.configure(A, [file(long)]);
    await w.run(16 * 60_000, A, { 'x{i="1"}': 9 });
    expect(service.view(A).groups[0]!.rules[0]!.state).toBe('firing');
  });

  it('restores `for` from ALERTS_FOR_STATE when no state was saved', async () => {
    const w = new World();
    const long = HIGH.replace('1m', '30m');
    {
      await using service = w.service({
        state: { load: async () => undefined, save: async () => {}, remove: async () => {} },
      });
      await service.configure(A, [file(long)]);
      await w.run(15 * 60_000, A, { 'x{i="1"}': 9 });
    }
    w.saved.clear();
    await w.run(120_000, A, {});
    await using service = w.service();
    await service.configure(A, [file(long)]);
    const restartedAt = w.clock.now();
    await w.run(16 * 60_000, A, { 'x{i="1"}': 9 });
    const firing = w.transitions.filter((t) => t.to === 'firing');
    expect(firing).toHaveLength(1);
    // 15 of the 30 minutes were watched before
    expect((firing[0]!.atMs - restartedAt) / 60_000).toBeGreaterThan(13);
    expect((firing[0]!.atMs - restartedAt) / 60_000).toBeLessThan(16);
  });

  it('shows missing data as unknown, and holds a firing alert when the rule asks for it', async () => {
    const w = new World();
    await using service = w.service();
    const keep = HIGH.replace('{ summary', '{ vigie_no_data: keep, summary').replace('High', 'Kept');
    await service.configure(A, [file(HIGH + keep)]);
    await w.run(30_000, A, {});
    expect(service.view(A)).toMatchObject({ rulesUnknown: 2 });
    expect(service.view(A).groups[0]!.rules[0]).toMatchObject({ health: 'unknown', missing: ['x'] });
    await w.run(120_000, A, { 'x{i="1"}': 9 });
    expect(service.view(A).groups[0]!.rules.map((r) => [r.state, r.health])).toEqual([
      ['firing', 'ok'],
      ['firing', 'ok'],
    ]);
    await w.run(6 * 60_000, A, {});
    expect(service.view(A).groups[0]!.rules.map((r) => [r.state, r.health])).toEqual([
      ['inactive', 'unknown'],
      ['firing', 'unknown'],
    ]);
    expect(w.health.map((h) => h.health)).toEqual(['unknown', 'unknown', 'ok', 'ok', 'unknown', 'unknown']);
  });

  it('has hysteresis by annotation', async () => {
    const w = new World();
    await using service = w.service();
    await service.configure(A, [file(HIGH.replace('{ summary', '{ vigie_resolve_expr: "x > 2", summary'))]);
    let x = 3;
    await w.run(120_000, A, { 'x{i="1"}': () => x });
    expect(service.view(A).groups[0]!.rules[0]!.state).toBe('inactive');
    x = 9;
    await w.run(105_000, A, { 'x{i="1"}': () => x });
    x = 3;
    await w.run(120_000, A, { 'x{i="1"}': () => x });
    expect(service.view(A).groups[0]!.rules[0]!.state).toBe('firing');
    x = 1;
    await w.run(30_000, A, { 'x{i="1"}': () => x });
    expect(service.view(A).groups[0]!.rules[0]!.state).toBe('inactive');
  });

  it('lets a rule see what an earlier rule of its group wrote in the same evaluation', async () => {
    const w = new World();
    await using service = w.service();
    await service.configure(A, [
      file('  - record: y\n    expr: x + 1\n  - record: z\n    expr: y + 1\n  - alert: Z\n    expr: z > 0\n'),
    ]);
    await w.run(15_000, A, { x: 1 });
    expect(w.last(A, 'z')).toEqual([{ labels: '{}', value: 3, stale: false }]);
    expect(w.last(A, 'ALERTS')).toHaveLength(0); // a first configuration writes ALERTS after restoring only
    await w.run(45_000, A, { x: 1 });
    expect(w.last(A, 'ALERTS')).toHaveLength(1);
  });

  it('reports duplicate labels, limits and failing rules as their health', async () => {
    const w = new World();
    await using service = w.service();
    await service.configure(A, [
      file(
        '  - alert: Same\n    expr: x\n    labels: { i: same }\n  - record: two\n    expr: x\n  - record: good\n    expr: count(x)\n',
        'interval: 15s\n  limit: 1',
      ),
    ]);
    await w.run(15_000, A, { 'x{i="1"}': 1, 'x{i="2"}': 1 });
    expect(service.view(A).groups[0]!.rules.map((r) => r.lastError)).toEqual([
      'vector contains metrics with the same labelset after applying alert labels',
      'exceeded limit of 1 with 2 series',
      '',
    ]);
    expect(w.metrics.expose()).toContain('vigie_rule_evaluation_failures_total{tenant="a"} 2');
  });

  it('keeps tenants apart: data, alerts, state, views and removal', async () => {
    const w = new World();
    await using service = w.service();
    await service.configure(A, [file(HIGH)]);
    await service.configure(B, [file(HIGH)]);
    await w.run(120_000, A, { 'x{i="1"}': 9 });
    expect(service.view(A).groups[0]!.rules[0]!.state).toBe('firing');
    expect(service.view(B).groups[0]!.rules[0]).toMatchObject({ state: 'inactive', health: 'unknown' });
    expect(new Set(w.sent.map((s) => s.tenant))).toEqual(new Set([A]));
    expect(w.last(B, 'ALERTS')).toEqual([]);
    await service.remove(A);
    expect(service.view(A).groups).toEqual([]);
    expect(w.saved.has(A)).toBe(false);
    expect(service.view(B).groups).toHaveLength(1);
    await expect(service.configure(B, [file(HIGH, 'source_tenants: [a]')])).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  it('counts missed evaluations and lets other tenants have their turn while one is slow', async () => {
    const w = new World();
    let slow = true;
    await using service = w.service({
      concurrency: 2,
      source: (t) => ({
        select: async (matchers, range) => {
          if (t === A && slow) {
            await new Promise<void>((resolve) => w.clock.setTimer(resolve, 50_000));
          }
          return w.store(t).select(matchers, range);
        },
      }),
    });
    await service.configure(A, [
      file('  - record: y\n    expr: x\n'),
      { ...file('  - record: y2\n    expr: x\n'), name: 'g.yml' },
    ]);
    await service.configure(B, [file('  - record: y\n    expr: x\n')]);
    await w.run(300_000, B, { x: 1 });
    await settle();
    const b = service.view(B).groups[0]!;
    expect(b.iterationsMissed).toBe(0);
    expect(b.iterations).toBeGreaterThanOrEqual(19);
    expect(service.view(A).iterationsMissed).toBeGreaterThan(5);
    expect(w.metrics.expose()).toMatch(/vigie_rule_group_iterations_slow_total\{tenant="a"\} [1-9]/);
    slow = false;
    await w.clock.advance(200_000);
  });
});
