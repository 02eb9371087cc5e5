/** The rules of all tenants: configuration, scheduling at each group's own offset in fair turns, state over restarts. */
import type { Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Counter, Family, Histogram } from '../lib/self-metrics.ts';
import { Labels } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import { Breather } from './breather.ts';
import type { RuleLimits, RuleServiceOptions, RuleSource, TenantRulesView } from './ports.ts';
import { parseRuleFile, type RuleGroupSpec } from './rule-file.ts';
import { groupKey, readState, restoreGroup, type SavedState, saveState } from './rule-state.ts';
import { type GroupContext, markStale, RunningGroup } from './running-group.ts';
import { RunningRule } from './running-rule.ts';
import { type Scheduled, Scheduler } from './scheduler.ts';

const DEFAULT_LIMITS: RuleLimits = { rulesMax: 10_000, alertsMax: 100_000 };
/** A change of state is saved within this time, an unchanged one so often. */
const SAVE_CHANGED_MS = 5_000;
const SAVE_UNCHANGED_MS = 60_000;
/** Saving takes at most this share of the time. */
const SAVE_SHARE = 20;
/** Rules that are new at the first configuration restore `for` state after this many evaluations, as in Prometheus. */
const RESTORE_AFTER_EVALUATIONS = 2;

interface Tenant {
  readonly id: TenantId;
  readonly context: GroupContext;
  readonly groups: Map<string, { readonly group: RunningGroup; readonly scheduled: Scheduled }>;
  /** Configuration changes one after the other. */
  turn: Promise<unknown>;
  configured: boolean;
  removed: boolean;
  dirty: boolean;
  saveTimer: Timer | undefined;
  /** The timer was set for a change. */
  saveSoon: boolean;
  saving: Promise<void>;
  saveTookMs: number;
}

export class RuleService implements AsyncDisposable {
  readonly #o: RuleServiceOptions;
  readonly #tenants = new Map<TenantId, Tenant>();
  readonly #scheduler: Scheduler;
  readonly #breather: Breather;
  readonly #stop = new AbortController();
  readonly #staleTimers = new Set<Timer>();
  readonly #metrics: {
    readonly iterations: Family<Counter>;
    readonly missed: Family<Counter>;
    readonly slow: Family<Counter>;
    readonly evaluations: Family<Counter>;
    readonly failures: Family<Counter>;
    readonly duration: Histogram;
    readonly groupDuration: Histogram;
  };

  constructor(options: RuleServiceOptions) {
    this.#o = options;
    const concurrency = options.concurrency ?? 4;
    this.#scheduler = new Scheduler(options.clock, concurrency, Math.max(1, concurrency >> 1));
    this.#breather = new Breather(() => options.clock.monotonicMs());
    const m = options.metrics;
    const perTenant = (name: string, help: string): Family<Counter> => m.counter(name, help, ['tenant']);
    this.#metrics = {
      iterations: perTenant(
        'vigie_rule_group_iterations_total',
        'Scheduled evaluations of rule groups, run or missed.',
      ),
      missed: perTenant(
        'vigie_rule_group_iterations_missed_total',
        'Evaluations of rule groups missed because of slow ones before.',
      ),
      slow: perTenant(
        'vigie_rule_group_iterations_slow_total',
        'Evaluations of rule groups that took longer than their interval.',
      ),
      evaluations: perTenant('vigie_rule_evaluations_total', 'Evaluations of rules.'),
      failures: perTenant('vigie_rule_evaluation_failures_total', 'Evaluations of rules that failed.'),
      duration: m.histogram('vigie_rule_evaluation_duration_seconds', 'Time one rule took.'),
      groupDuration: m.histogram('vigie_rule_group_duration_seconds', 'Time one evaluation of a rule group took.'),
    };
    const alerts = m.gauge('vigie_rule_alerts', 'Pending and firing alerts.', ['tenant']);
    const rules = m.gauge('vigie_rules', 'Rules by health.', ['tenant', 'health']);
    m.onCollect(() => {
      for (const t of this.#tenants.values()) {
        alerts.labels(t.id).set(t.context.alerts.count);
        const byHealth = { ok: 0, err: 0, unknown: 0 };
        for (const { group } of t.groups.values()) for (const r of group.rules) byHealth[r.health]++;
        for (const [health, n] of Object.entries(byHealth)) rules.labels(t.id, health).set(n);
      }
    });
  }

  /** Throws `bad_config` (file:line), `quota` or `forbidden` when the files are refused. Changes nothing. */
  check(tenant: TenantId, files: readonly RuleSource[]): readonly RuleGroupSpec[] {
    const templates = this.#o.templates(tenant);
    const seen = new Set<string>();
    const groups: RuleGroupSpec[] = [];
    for (const file of files) {
      if (seen.has(file.name)) throw new VigieError('bad_config', `rule file ${file.name} is given twice`);
      seen.add(file.name);
      const parsed = parseRuleFile(file.name, file.text, {
        parse: (text) => this.#o.engine.parse(text),
        checkTemplate: (text, name) => templates.check(text, name),
      });
      groups.push(...parsed.groups);
    }
    for (const g of groups)
      for (const source of g.sourceTenants)
        if (source !== tenant)
          throw new VigieError(
            'forbidden',
            `${g.file}:${g.line}: source_tenants: got ${JSON.stringify(source)}; rules of tenant ${JSON.stringify(tenant)} read its own data only`,
          );
    const count = groups.reduce((n, g) => n + g.rules.length, 0);
    const { rulesMax } = this.#limits(tenant);
    if (count > rulesMax)
      throw new VigieError('quota', `tenant ${tenant}: got ${count} rules, want at most ${rulesMax} (limit rules)`);
    return groups;
  }

  /** Checks all files, then swaps; groups and rules that did not change keep their state. Throws as `check`. */
  async configure(id: TenantId, files: readonly RuleSource[]): Promise<void> {
    const specs = this.check(id, files);
    let tenant = this.#tenants.get(id);
    if (!tenant) {
      tenant = this.#open(id);
      this.#tenants.set(id, tenant);
    }
    const t = tenant;
    const done = t.turn.then(() => this.#swap(t, specs));
    t.turn = done.catch(() => undefined);
    await done;
  }

  /** Forgets a tenant and its state; nothing is sent and no marker written. */
  async remove(id: TenantId): Promise<void> {
    const tenant = this.#tenants.get(id);
    this.#tenants.delete(id);
    if (tenant) {
      tenant.removed = true;
      tenant.saveTimer?.cancel();
      await tenant.turn;
      for (const { scheduled } of tenant.groups.values()) await scheduled.cancel();
      tenant.groups.clear();
      await tenant.saving;
      tenant.context.evaluator?.[Symbol.dispose]();
    }
    await this.#o.state?.remove(id);
  }

  view(id: TenantId): TenantRulesView {
    const groups = [...(this.#tenants.get(id)?.groups.values() ?? [])].map(({ group }) => group);
    groups.sort((a, b) => compare(a.spec.file, b.spec.file) || compare(a.spec.name, b.spec.name));
    let rulesFailing = 0;
    let rulesUnknown = 0;
    let iterationsMissed = 0;
    for (const g of groups) {
      iterationsMissed += g.iterationsMissed;
      for (const r of g.rules) {
        if (r.health === 'err') rulesFailing++;
        else if (r.health === 'unknown' && r.lastEvaluationMs > 0) rulesUnknown++;
      }
    }
    return { groups: groups.map((g) => g.view()), rulesFailing, rulesUnknown, iterationsMissed };
  }

  /** Stops, and saves the alerts so that the next run goes on with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new VigieError('canceled', 'rules are stopping'));
    for (const timer of this.#staleTimers) timer.cancel();
    await this.#scheduler[Symbol.asyncDispose]();
    for (const t of this.#tenants.values()) {
      t.saveTimer?.cancel();
      await t.turn;
      await t.saving;
      await this.#save(t);
      t.context.evaluator?.[Symbol.dispose]();
    }
    this.#tenants.clear();
  }

  #limits(tenant: TenantId): RuleLimits {
    return this.#o.limits?.(tenant) ?? DEFAULT_LIMITS;
  }

  #open(id: TenantId): Tenant {
    const o = this.#o;
    const service = this;
    const m = this.#metrics;
    const evaluations = m.evaluations.labels(id);
    const failures = m.failures.labels(id);
    m.missed.labels(id);
    m.slow.labels(id);
    const tenant: Tenant = {
      id,
      groups: new Map(),
      turn: Promise.resolve(),
      configured: false,
      removed: false,
      dirty: false,
      saveTimer: undefined,
      saveSoon: false,
      saving: Promise.resolve(),
      saveTookMs: 0,
      context: {
        tenant: id,
        clock: o.clock,
        logger: o.logger,
        engine: o.engine,
        source: o.source(id),
        writer: o.writer(id),
        templates: o.templates(id),
        evaluator: o.evaluator?.(id),
        breather: this.#breather,
        get query() {
          const { query } = service.#limits(id);
          return query ? { limits: query } : {};
        },
        notify: (alerts) => this.#notify(id, alerts),
        onTransition: (transition) => {
          tenant.dirty = true;
          o.onTransition?.(transition);
        },
        onHealth: (change) => o.onHealth?.(change),
        onEvaluated: (seconds, failed) => {
          evaluations.inc();
          if (failed) failures.inc();
          m.duration.observe(seconds);
        },
        externalUrl: o.externalUrl,
        get externalLabels() {
          return o.externalLabels?.(id) ?? Labels.EMPTY;
        },
        resendDelayMs: o.resendDelayMs ?? 60_000,
        outageToleranceMs: o.outageToleranceMs ?? 3_600_000,
        forGracePeriodMs: o.forGracePeriodMs ?? 600_000,
        rulesConcurrency: o.rulesConcurrency ?? 4,
        alerts: {
          count: 0,
          get max() {
            return service.#limits(id).alertsMax;
          },
        },
      },
    };
    return tenant;
  }

  #notify(tenant: TenantId, alerts: Parameters<RuleServiceOptions['notify']>[1]): void {
    const failed = (error: unknown): void =>
      this.#o.logger.error('handing alerts on failed', { tenant, error: messageOf(error) });
    try {
      const done = this.#o.notify(tenant, alerts);
      if (done instanceof Promise) done.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  async #swap(t: Tenant, specs: readonly RuleGroupSpec[]): Promise<void> {
    const first = !t.configured;
    const saved = first ? await this.#load(t.id) : undefined;
    if (t.removed || this.#stop.signal.aborted) return;
    t.configured = true;
    const wanted = new Set(specs.map((s) => groupKey(s.file, s.name)));
    for (const [key, { group, scheduled }] of [...t.groups]) {
      if (wanted.has(key)) continue;
      await scheduled.cancel();
      t.groups.delete(key);
      this.#markRemoved(t, group);
      group.forget(t.context);
    }
    for (const spec of specs) await this.#place(t, spec, first, saved);
    t.context.evaluator?.configure([...t.groups.values()].flatMap(({ group }) => group.rules.map((r) => r.spec)));
    t.dirty = true;
    this.#planSave(t);
  }

  async #place(t: Tenant, spec: RuleGroupSpec, first: boolean, saved: SavedState | undefined): Promise<void> {
    const o = this.#o;
    const key = groupKey(spec.file, spec.name);
    const old = t.groups.get(key);
    const fallback = typeof o.evaluationIntervalMs === 'function' ? o.evaluationIntervalMs() : o.evaluationIntervalMs;
    const intervalMs = spec.intervalMs ?? fallback ?? 60_000;
    const queryOffsetMs = spec.queryOffsetMs ?? o.queryOffsetMs ?? 0;
    if (
      old &&
      old.group.intervalMs === intervalMs &&
      old.group.queryOffsetMs === queryOffsetMs &&
      contents(old.group.spec) === contents(spec)
    )
      return;
    const rules = spec.rules.map(
      (r) =>
        new RunningRule(r, t.context.templates, !first, (error) =>
          o.logger.warn('expanding an alert template failed', { tenant: t.id, rule: r.name, error: messageOf(error) }),
        ),
    );
    const group = new RunningGroup(spec, rules, intervalMs, queryOffsetMs);
    if (old) {
      await old.scheduled.cancel();
      group.copyState(old.group);
      old.group.forget(t.context);
    } else if (first) {
      if (saved) restoreGroup(group, saved, o.clock.now(), t.context);
      if (rules.some((r) => r.alerts && !r.restored)) group.restoreIn = RESTORE_AFTER_EVALUATIONS;
    }
    const scheduled = this.#scheduler.add({
      tenant: t.id,
      name: spec.name,
      file: spec.file,
      intervalMs,
      run: async ({ slotMs, missed }) => {
        this.#breather.rested();
        const m = this.#metrics;
        m.iterations.labels(t.id).inc(1 + missed);
        if (missed > 0) {
          m.missed.labels(t.id).inc(missed);
          group.iterationsMissed += missed;
          o.logger.warn('evaluations of a rule group were missed', {
            tenant: t.id,
            file: spec.file,
            group: spec.name,
            missed,
          });
        }
        await group.evaluate(slotMs, t.context, this.#stop.signal);
        m.groupDuration.observe(group.evaluationSeconds);
        if (group.evaluationSeconds * 1000 > intervalMs) m.slow.labels(t.id).inc();
        this.#planSave(t);
      },
    });
    t.groups.set(key, { group, scheduled });
  }

  /** Two intervals later, so that a renamed rule has had time to write the series itself. */
  #markRemoved(t: Tenant, group: RunningGroup): void {
    const series = group.takeSeries();
    if (series.length === 0) return;
    const atMs = this.#o.clock.now() - group.queryOffsetMs;
    const timer = this.#o.clock.setTimer(() => {
      this.#staleTimers.delete(timer);
      if (!t.removed) void markStale(series, atMs, t.context);
    }, 2 * group.intervalMs);
    this.#staleTimers.add(timer);
  }

  async #load(id: TenantId): Promise<SavedState | undefined> {
    try {
      return readState(await this.#o.state?.load(id));
    } catch (error) {
      this.#o.logger.error('reading the saved alerts failed; `for` state comes from ALERTS_FOR_STATE', {
        tenant: id,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #planSave(t: Tenant): void {
    if (!this.#o.state || t.removed || this.#stop.signal.aborted) return;
    if (!t.dirty && t.context.alerts.count === 0) return;
    if (t.saveTimer) {
      if (t.saveSoon || !t.dirty) return;
      t.saveTimer.cancel();
    }
    t.saveSoon = t.dirty;
    const delay = Math.max(t.dirty ? SAVE_CHANGED_MS : SAVE_UNCHANGED_MS, SAVE_SHARE * t.saveTookMs);
    t.saveTimer = this.#o.clock.setTimer(() => {
      t.saveTimer = undefined;
      t.saving = t.saving.then(() => this.#save(t));
    }, delay);
  }

  async #save(t: Tenant): Promise<void> {
    if (!this.#o.state || t.removed || !t.configured) return;
    const began = this.#o.clock.monotonicMs();
    t.dirty = false;
    try {
      const text = saveState(
        [...t.groups.values()].map(({ group }) => group),
        this.#o.clock.now(),
      );
      t.saveTookMs = this.#o.clock.monotonicMs() - began;
      await this.#o.state.save(t.id, text);
    } catch (error) {
      t.dirty = true;
      this.#o.logger.error('saving the state of alerts failed', { tenant: t.id, error: messageOf(error) });
    }
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Equal exactly for groups that act alike. */
function contents(g: RuleGroupSpec): string {
  return JSON.stringify([
    g.limit,
    g.rules.map((r) => [r.kind, r.name, r.text, r.forMs, r.keepFiringForMs, r.labels.flat, r.annotations.flat]),
  ]);
}
