/** How bad is it: alert severity, the customer's tier, business impact and blast radius, added up in words. Pure. */
import { componentOf } from './component.ts';
import type { Criticality, IncidentAlert, Verdict } from './incident.ts';

export interface CriticalityInput {
  readonly alerts: readonly IncidentAlert[];
  readonly verdict: Verdict;
  /** Tier of the tenant, or the highest of the tenants hit; '' when not known. */
  readonly tier: string;
}

const SEVERITY: Readonly<Record<string, number>> = {
  emergency: 4,
  page: 3,
  critical: 3,
  error: 2.5,
  high: 2.5,
  warning: 2,
  ticket: 2,
  info: 1,
  none: 0,
};
const TIER: Readonly<Record<string, number>> = {
  platform: 1,
  enterprise: 1,
  premium: 1,
  pro: 0.5,
  team: 0.5,
  basic: 0,
  free: 0,
};
/** Packs whose alerts are about money or promises. */
const BUSINESS_PACKS = new Set(['slo', 'business']);

export function severityOf(alerts: readonly IncidentAlert[]): string {
  let best = '';
  for (const a of alerts) {
    const s = (a.labels['severity'] ?? '').toLowerCase();
    if (best === '' || (SEVERITY[s] ?? 1.5) > (SEVERITY[best] ?? 1.5)) best = s || best;
  }
  return best || 'warning';
}

/** P1 from 4 points, P2 from 3, P3 from 2. Resolved alerts count: what has been bad was bad. */
export function criticalityOf(input: CriticalityInput): { level: Criticality; words: string[] } {
  const severity = severityOf(input.alerts);
  let points = SEVERITY[severity] ?? 1.5;
  const words = [`severity ${severity} gives ${points}`];
  const add = (n: number, text: string): void => {
    if (n === 0) return;
    points += n;
    words.push(`${text} ${n > 0 ? 'adds' : 'takes'} ${Math.abs(n)}`);
  };
  const tier = input.tier.toLowerCase();
  add(TIER[tier] ?? 0, `tier ${tier}`);
  const impact = input.alerts.map((a) => a.labels['business_impact'] ?? '').find((v) => v !== '');
  if (impact === 'high' || impact === 'critical') add(1, `business impact ${impact}`);
  else if (impact === 'low' || impact === 'none') add(-0.5, `business impact ${impact}`);
  else if (input.alerts.some((a) => BUSINESS_PACKS.has(a.labels['pack'] ?? '')))
    add(0.5, 'an objective or business figure');
  if (input.verdict.tenantsKnown > 1 && input.verdict.share >= 0.5)
    add(1, `${Math.round(input.verdict.share * 100)} % of tenants`);
  else if (input.verdict.tenantsHit > 1) add(0.5, `${input.verdict.tenantsHit} tenants`);
  const components = new Set(input.alerts.map((a) => componentOf(a.labels))).size;
  if (components >= 4) add(0.5, `${components} components`);
  const level: Criticality = points >= 4 ? 'P1' : points >= 3 ? 'P2' : points >= 2 ? 'P3' : 'P4';
  return { level, words: [...words, `${points} points: ${level}`] };
}

export const isHigher = (a: Criticality, b: Criticality): boolean => a < b;
