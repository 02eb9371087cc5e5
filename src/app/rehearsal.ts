/**
 * What a rehearsal is fed with: when the tenant's own rules fired, or would have fired, over a stored period, and the
 * engines with the present or a proposed configuration. Recorded series that were not recorded yet in that period are
 * computed from their rules, so that a rehearsal reaches back further than the rules do.
 */

import type { Decision } from '../alerting/history.ts';
import { isOfIncident } from '../incidents/message.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { Expr } from '../promql/ast.ts';
import { print } from '../promql/print.ts';
import type { Episode, MakeEngines, Told } from '../replay/rehearsal.ts';
import type { RuleTemplates } from '../rules/ports.ts';
import type { RuleService } from '../rules/rule-service.ts';
import { simulateRule } from '../rules/simulate.ts';
import type { Incidents } from './incidents.ts';
import type { Queries } from './queries.ts';
import { rehearsalEngines } from './rehearsal-engines.ts';
import type { Routing } from './routing.ts';

export const REHEARSED_EPISODES_MAX = 20_000;
/** Steps of one query; a longer period is asked for in pieces. */
const STEPS_PER_QUERY = 10_000;
const STEP_MS_MIN = 60_000;
/** Recorded series of recorded series. */
const EXPANSION_DEPTH_MAX = 6;

export interface RehearsalInput {
  readonly rules: RuleService;
  readonly queries: Queries;
  readonly routing: Routing;
  readonly incidents: Incidents;
  readonly templates: (tenant: TenantId) => RuleTemplates;
}

export function rehearsalPorts(input: RehearsalInput) {
  return {
    episodes: (tenant: TenantId, fromMs: number, toMs: number) => episodesOf(input, tenant, fromMs, toMs),
    engines: (
      tenant: TenantId,
      proposed: { alertmanager?: string; policies?: readonly unknown[]; acknowledgeAfterMs?: number },
    ) => enginesOf(input, tenant, proposed),
    sent: (tenant: TenantId, fromMs: number, toMs: number) => sentOf(input, tenant, fromMs, toMs),
  };
}

async function episodesOf(
  { rules, queries, templates }: RehearsalInput,
  tenant: TenantId,
  fromMs: number,
  toMs: number,
): Promise<readonly Episode[]> {
  const { groups } = rules.view(tenant);
  const recorded = new Map<string, Expr>();
  for (const g of groups)
    for (const r of g.rules)
      if (r.kind === 'recording' && r.labels.size === 0) recorded.set(r.name, queries.engine.parse(r.query));
  const out: Episode[] = [];
  for (const group of groups) {
    const stepMs = Math.max(STEP_MS_MIN, group.intervalMs);
    const startMs = Math.ceil(fromMs / stepMs) * stepMs;
    for (const rule of group.rules) {
      if (rule.kind !== 'alerting') continue;
      const expr = print(expanded(queries.engine.parse(rule.query), recorded, 0));
      const series = await pieces(queries, tenant, expr, startMs, toMs, stepMs);
      const { episodes } = simulateRule({
        rule: { name: rule.name, forMs: rule.forMs, keepFiringForMs: rule.keepFiringForMs, labels: rule.labels },
        series,
        startMs,
        endMs: toMs,
        stepMs,
      });
      for (const e of episodes) {
        if (e.firedAtMs === undefined) continue;
        if (out.length >= REHEARSED_EPISODES_MAX)
          throw new VigieError(
            'query_limit',
            `the period holds more than ${REHEARSED_EPISODES_MAX} firings; choose a shorter one`,
          );
        const annotations: Record<string, string> = {};
        for (const [name, text] of rule.annotations.entries())
          annotations[name] = await templates(tenant).expand(text, {
            name: rule.name,
            labels: e.labels,
            value: e.peak,
            timeMs: e.firedAtMs,
          });
        out.push({
          labels: e.labels.toObject(),
          annotations,
          firstBadAtMs: e.pendingAtMs,
          startsAtMs: e.firedAtMs,
          ...(e.endedAtMs === undefined ? {} : { endsAtMs: e.endedAtMs }),
        });
      }
    }
  }
  return out.sort((a, b) => a.startsAtMs - b.startsAtMs);
}

/** The expression with plain selectors of recorded series replaced by what records them. */
function expanded(e: Expr, recorded: ReadonlyMap<string, Expr>, depth: number): Expr {
  if (e.kind === 'selector') {
    const only = e.matchers.length === 1 ? e.matchers[0] : undefined;
    const source = only?.name === '__name__' && only.op === '=' ? recorded.get(only.value) : undefined;
    if (!source || e.offset || e.at || depth >= EXPANSION_DEPTH_MAX) return e;
    return { kind: 'paren', expr: expanded(source, recorded, depth + 1), pos: e.pos };
  }
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(e))
    out[key] =
      key === 'expr' || key === 'left' || key === 'right' || (key === 'param' && value)
        ? expanded(value as Expr, recorded, depth)
        : key === 'args'
          ? (value as Expr[]).map((a) => expanded(a, recorded, depth))
          : value;
  return out as unknown as Expr;
}

/** A long range in pieces that one query may have, joined by series. */
async function pieces(
  queries: Queries,
  tenant: TenantId,
  expr: string,
  startMs: number,
  endMs: number,
  stepMs: number,
): Promise<readonly SeriesColumns[]> {
  const joined = new Map<string, { labels: Labels; timestamps: number[]; values: number[] }>();
  for (let from = startMs; from <= endMs; from += STEPS_PER_QUERY * stepMs) {
    const to = Math.min(endMs, from + (STEPS_PER_QUERY - 1) * stepMs);
    for (const s of await queries.matrix(tenant, expr, { startMs: from, endMs: to, stepMs })) {
      let whole = joined.get(s.labels.key);
      if (!whole) joined.set(s.labels.key, (whole = { labels: s.labels, timestamps: [], values: [] }));
      for (let i = 0; i < s.length; i++) {
        whole.timestamps.push(s.timestamps[i]!);
        whole.values.push(s.values[i]!);
      }
    }
  }
  return [...joined.values()].map((w) => ({
    labels: w.labels,
    length: w.timestamps.length,
    timestamps: Float64Array.from(w.timestamps),
    values: Float64Array.from(w.values),
  }));
}

async function enginesOf(
  { routing, incidents }: RehearsalInput,
  tenant: TenantId,
  proposed: { alertmanager?: string; policies?: readonly unknown[]; acknowledgeAfterMs?: number },
): Promise<MakeEngines> {
  const alerting = await routing.service.tenant(tenant);
  const { directory } = await incidents.service.tenant(tenant);
  try {
    return rehearsalEngines({
      tenant,
      alertmanager: proposed.alertmanager ?? alerting.config.original,
      config: routing.portsFor(tenant, proposed.alertmanager !== undefined),
      policies: proposed.policies ?? directory.policies(),
      schedules: directory.schedules(),
      contacts: directory.contacts(),
      services: await incidents.services(tenant),
      edges: await incidents.edges(tenant),
      picture: incidents.picture(tenant),
      ...(proposed.acknowledgeAfterMs === undefined ? {} : { acknowledgeAfterMs: proposed.acknowledgeAfterMs }),
    });
  } catch (cause) {
    throw new VigieError('bad_config', `alertmanager: ${messageOf(cause)}`, { cause });
  }
}

/** What alerting remembers of the period; undefined when its record begins later. */
async function sentOf(
  { routing }: RehearsalInput,
  tenant: TenantId,
  fromMs: number,
  toMs: number,
): Promise<readonly Told[] | undefined> {
  const alerting = await routing.service.tenant(tenant);
  const kept = alerting.history.kept();
  const first = kept[0];
  if (!first || first.atMs > fromMs) return undefined;
  return toldOf(kept.filter((d) => d.atMs >= fromMs && d.atMs <= toMs));
}

/**
 * What routing told, of what alerting decided: one entry for a receiver with several integrations, and none for what
 * incidents said to a receiver themselves, which a rehearsal lists as pages.
 */
export function toldOf(decisions: readonly Decision[]): readonly Told[] {
  const told = new Map<string, Told>();
  for (const d of decisions) {
    if (d.verdict !== 'sent' || isOfIncident(d.groupKey)) continue;
    const resolved = d.firing === 0;
    const key = JSON.stringify([d.atMs, d.receiver, d.groupKey, resolved]);
    const { atMs, receiver: to, groupKey: about, reason } = d;
    if (!told.has(key)) told.set(key, { atMs, to, kind: 'notification', about, reason, rules: [], resolved });
  }
  return [...told.values()];
}
