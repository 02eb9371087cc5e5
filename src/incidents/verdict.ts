/**
 * Whose trouble is it: one tenant, one plan, model or region, or everybody; and is one neighbour so busy that it
 * explains it. Pure. Names are for the platform tenant; `towardsTenant` leaves counts only.
 */
import type { Verdict } from './incident.ts';

export interface TenantFacts {
  readonly id: string;
  readonly plan?: string;
  readonly region?: string;
}
/** Share of the shared resource a tenant uses now, and usually; both 0..1 of the whole. */
export interface UsageShare {
  readonly tenant: string;
  readonly share: number;
  readonly usualShare: number;
}

export interface VerdictInput {
  /** Tenants with alerts of this incident. */
  readonly hit: ReadonlySet<string>;
  readonly population: readonly TenantFacts[];
  /** Values of the label `model` on its alerts. */
  readonly models: ReadonlySet<string>;
  readonly usage?: readonly UsageShare[];
}

/** From this share of all tenants on it is everybody's. */
const EVERYBODY_SHARE = 0.8;
/** A group counts as "the" plan or region when most of it is hit and hardly anyone else. */
const INSIDE_SHARE = 0.75;
const OUTSIDE_SHARE = 0.1;
/** A neighbour is noisy with this share of all use and this many times its usual share. */
const NOISY_SHARE = 0.4;
const NOISY_TIMES = 2;

export const VERDICT_UNKNOWN: Verdict = {
  kind: 'unknown',
  name: '',
  tenantsHit: 0,
  tenantsKnown: 0,
  share: 0,
  tenants: [],
  words: 'not known which tenants are hit',
};

export function verdictOf(input: VerdictInput): Verdict {
  const known = new Set(input.population.map((t) => t.id));
  for (const t of input.hit) known.add(t);
  const hit = [...input.hit].sort();
  if (hit.length === 0) return { ...VERDICT_UNKNOWN, tenantsKnown: known.size };
  const share = hit.length / known.size;
  const noisy = noisyOf(input.usage ?? []);
  const base = {
    tenantsHit: hit.length,
    tenantsKnown: known.size,
    share,
    tenants: hit,
    ...(noisy ? { noisyNeighbour: noisy } : {}),
  };
  const tail = noisy
    ? `; ${noisy.tenant} uses ${percent(noisy.share)} of the whole, usually ${percent(noisy.usualShare)}`
    : '';
  const count = `${hit.length} of ${known.size} tenants`;
  if (known.size > 1 && share >= EVERYBODY_SHARE)
    return { ...base, kind: 'everybody', name: '', words: `everybody: ${count}${tail}` };
  if (hit.length === 1) return { ...base, kind: 'one_tenant', name: hit[0]!, words: `one tenant: ${hit[0]}${tail}` };
  for (const [kind, of] of [
    ['plan', (t: TenantFacts) => t.plan],
    ['region', (t: TenantFacts) => t.region],
  ] as const) {
    const name = groupOf(input, of);
    if (name !== undefined) return { ...base, kind, name, words: `${kind} ${name}: ${count}${tail}` };
  }
  if (input.models.size === 1) {
    const model = [...input.models][0]!;
    return { ...base, kind: 'model', name: model, words: `model ${model}: ${count}${tail}` };
  }
  return { ...base, kind: 'several', name: '', words: `${count}, with no plan, region or model in common${tail}` };
}

/** The group that holds nearly all who are hit and few who are not; undefined without one that tells tenants apart. */
function groupOf(input: VerdictInput, of: (t: TenantFacts) => string | undefined): string | undefined {
  const groups = new Map<string, { hit: number; all: number }>();
  for (const t of input.population) {
    const name = of(t);
    if (name === undefined || name === '') continue;
    const g = groups.get(name) ?? { hit: 0, all: 0 };
    groups.set(name, { hit: g.hit + (input.hit.has(t.id) ? 1 : 0), all: g.all + 1 });
  }
  if (groups.size < 2) return undefined;
  for (const [name, g] of groups) {
    const outsideAll = input.population.length - g.all;
    const outsideHit = input.hit.size - g.hit;
    if (g.hit / g.all >= INSIDE_SHARE && (outsideAll === 0 || outsideHit / outsideAll <= OUTSIDE_SHARE)) return name;
  }
  return undefined;
}

function noisyOf(usage: readonly UsageShare[]): Verdict['noisyNeighbour'] {
  const most = [...usage].sort((a, b) => b.share - a.share)[0];
  return most && usage.length > 1 && most.share >= NOISY_SHARE && most.share >= NOISY_TIMES * most.usualShare
    ? most
    : undefined;
}

/** What a tenant may know: itself by name, others as a count. */
export function towardsTenant(verdict: Verdict, tenant: string): Verdict {
  const { noisyNeighbour: noisy, ...rest } = verdict;
  const others = verdict.tenantsHit - (verdict.tenants.includes(tenant) ? 1 : 0);
  const words =
    verdict.kind === 'unknown'
      ? verdict.words
      : others === 0
        ? 'you alone'
        : verdict.kind === 'everybody'
          ? `everybody: you and ${others} others`
          : `you and ${others} of ${Math.max(0, verdict.tenantsKnown - 1)} others`;
  const group = verdict.kind === 'plan' || verdict.kind === 'region' || verdict.kind === 'model';
  return {
    ...rest,
    kind: others === 0 && verdict.kind !== 'unknown' ? 'one_tenant' : verdict.kind,
    // which plan or region others are on says something about them
    name: group ? '' : verdict.kind === 'one_tenant' && verdict.name === tenant ? tenant : '',
    tenants: verdict.tenants.filter((t) => t === tenant),
    ...(noisy?.tenant === tenant ? { noisyNeighbour: noisy } : {}),
    words: noisy?.tenant === tenant ? `${words}; your own use is ${percent(noisy.share)} of the whole` : words,
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
