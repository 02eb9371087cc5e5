/** Everything that can be known of a rendered catalogue without a server. */
import { createHash } from 'node:crypto';
import { messageOf } from '../../lib/errors.ts';
import { parseDuration } from '../../model/duration.ts';
import type { RenderedPack } from '../pack.ts';
import { silentLevels } from '../render/alertmanager.ts';
import type { RenderContext } from '../render/context.ts';
import { platformScope, type Scope, STAND_IN, tenantScope } from '../scope.ts';
import { ruleFileFor } from '../tenant-rules.ts';
import { dashboardQueries } from './dashboards.ts';
import type { CheckedQuery, CheckedRule, Finding } from './finding.ts';
import { checkRules } from './rules.ts';

export interface CheckPorts {
  /** Runs the unit tests of a pack on its rules with their defaults: test file -> failures, none when they pass. */
  readonly testPack?: (pack: string) => Promise<ReadonlyMap<string, readonly string[]>>;
  /** Throws when a template of a label or annotation does not parse. */
  readonly checkTemplate?: (text: string, name: string) => void;
}

export interface CheckReport {
  readonly findings: readonly Finding[];
  readonly rules: number;
  readonly queries: number;
  readonly tests: number;
  readonly scopes: number;
}

/** Findings that are kept; a fault of the configuration can repeat in every tenant. */
export const FINDINGS_MAX = 20_000;

/** Tenants that are tuned alike are checked once. `onScope` is called after the operators' part and after each tenant. */
export async function checkCatalogue(
  context: RenderContext,
  ports: CheckPorts,
  tenants?: readonly string[],
  onScope?: () => void,
): Promise<CheckReport> {
  const findings = new Findings();
  const { config, environment } = context;
  const platform = platformScope(config, environment);
  const packs = context.allPacks(platform);
  const metrics = knownMetrics(packs);
  const queries = packs.flatMap((pack) =>
    [...pack.dashboards].flatMap(([file, dashboard]) => {
      const found = dashboardQueries(file, dashboard);
      findings.push(...found.findings);
      return found.queries;
    }),
  );
  const uses = [...queries, ...assetQueries(packs)];
  const platformRules = packs.flatMap((pack) => rulesOf(context, pack, platform));
  findings.push(...checkRules({ rules: platformRules, queries: uses, metrics, complete: true }));
  findings.push(...templates(platformRules, ports));
  findings.push(...packFacts(packs));
  onScope?.();
  const checked = new Set<string>();
  let scopes = 1;
  for (const id of (tenants ?? Object.keys(config.tenants)).toSorted()) {
    const scope = tenantScope(config, environment, id);
    scopes++;
    const key = JSON.stringify([
      scope.overrides,
      scope.settings?.packs,
      scope.settings?.labels,
      scope.settings?.receivers,
      scope.settings?.levels,
    ]);
    const digest = createHash('sha256').update(key).digest('base64');
    onScope?.();
    if (checked.has(digest)) continue;
    checked.add(digest);
    // for the stand-in: the expressions of all tenants are the same text then, and parsed once
    const stand = { ...scope, ...STAND_IN };
    const rules = context.packs(scope).flatMap((pack) => rulesOf(context, pack, stand));
    // queries were judged with the operators' part
    const found = checkRules({ rules, queries: [], metrics, complete: true }).filter(
      (f) => f.kind !== 'unused-recording',
    );
    findings.pushOf(id, found);
    if (config.kubernetes.matcher_strategy === 'OnNamespace')
      findings.pushOf(
        id,
        rules
          .filter((r) => r.kind === 'alert' && r.labels['namespace'] !== STAND_IN.namespace)
          .map((r) => ({
            level: 'error',
            kind: 'namespace-label',
            where: r.where,
            message: `carries namespace=${JSON.stringify(r.labels['namespace'])}, and the operator routes the tenant by ${JSON.stringify(scope.namespace)}`,
          })),
      );
    findings.push(...silent(context, scope, `catalogue.tenants.${id}`));
  }
  findings.push(...silent(context, platform, 'catalogue.receivers'));
  let tests = 0;
  if (ports.testPack)
    for (const pack of packs)
      for (const [test, failures] of await ports.testPack(pack.manifest.pack)) {
        tests++;
        for (const message of failures) findings.push({ level: 'error', kind: 'failed-test', where: test, message });
      }
  for (const p of context.problems)
    findings.push({ level: 'error', kind: 'bad-pack', where: p.where, message: p.message });
  return { findings: findings.list(), rules: platformRules.length, queries: queries.length, tests, scopes };
}

/** Metrics that some pack says its exporters have. */
export function knownMetrics(packs: readonly RenderedPack[]): ReadonlySet<string> {
  return new Set(packs.flatMap((p) => p.manifest.needs.metrics));
}

/** The rules of a pack as they are rendered for a scope. */
export function rulesOf(context: RenderContext, pack: RenderedPack, scope: Scope): readonly CheckedRule[] {
  const options = { scope, config: context.config, namespaceLabel: true };
  return [...pack.rules].flatMap(([file, content]) =>
    ruleFileFor(pack, content, options).groups.flatMap((group) =>
      group.rules.map((rule): CheckedRule => {
        const name = rule.alert ?? rule.record ?? '';
        return {
          where: `${scope.tenant === undefined ? '' : `tenant ${scope.tenant}: `}${file}: ${name}`,
          file,
          group: group.name,
          name,
          kind: rule.alert === undefined ? 'record' : 'alert',
          expr: rule.expr,
          forMs: rule.for ? parseDuration(rule.for) : 0,
          labels: rule.labels ?? {},
          annotations: rule.annotations ?? {},
          intervalMs: group.interval ? parseDuration(group.interval) : 0,
        };
      }),
    ),
  );
}

/** KPIs read recordings too. */
export function assetQueries(packs: readonly RenderedPack[]): CheckedQuery[] {
  return packs.flatMap((p) =>
    [...p.assets].flatMap(([file, value]) => {
      const kpis = (value as { kpis?: { id: string; expr?: string; judged_from?: { expr?: string } }[] } | null)?.kpis;
      return (Array.isArray(kpis) ? kpis : []).flatMap((k) =>
        [k.expr, k.judged_from?.expr]
          .filter((e): e is string => typeof e === 'string')
          .map((expr) => ({ where: `${file}: ${k.id}`, expr })),
      );
    }),
  );
}

function templates(rules: readonly CheckedRule[], ports: CheckPorts): Finding[] {
  if (!ports.checkTemplate) return [];
  return rules.flatMap((r) =>
    [...Object.entries(r.labels), ...Object.entries(r.annotations)].flatMap(([key, text]): Finding[] => {
      try {
        ports.checkTemplate!(text, r.name);
        return [];
      } catch (error) {
        return [{ level: 'error', kind: 'bad-template', where: `${r.where}: ${key}`, message: messageOf(error) }];
      }
    }),
  );
}

function packFacts(packs: readonly RenderedPack[]): Finding[] {
  const uids = new Set(packs.flatMap((p) => [...p.dashboards.values()].map((d) => d['uid'])));
  return packs.flatMap((p): Finding[] => {
    const where = `packs/${p.manifest.pack}.yaml`;
    const alerts = new Set([...p.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules.map((r) => r.alert))));
    return [
      ...(p.manifest.dashboard && !uids.has(p.manifest.dashboard)
        ? [
            {
              level: 'error' as const,
              kind: 'no-dashboard',
              where,
              message: `links to ${p.manifest.dashboard}, which no pack has`,
            },
          ]
        : []),
      ...(p.rules.size > 0 && p.manifest.files.tests.length === 0
        ? [{ level: 'warning' as const, kind: 'no-tests', where, message: 'has rules and no unit tests' }]
        : []),
      ...p.manifest.inhibit
        .filter((i) => i.source['alertname'] && !i.source['alertname'].split('|').some((name) => alerts.has(name)))
        .map((i) => ({
          level: 'warning' as const,
          kind: 'dead-inhibition',
          where,
          message: `no alert ${i.source['alertname']} in this pack`,
        })),
    ];
  });
}

function silent(context: RenderContext, scope: Scope, where: string): Finding[] {
  const levels = silentLevels(context, scope);
  return levels.length === 0
    ? []
    : [
        {
          level: 'warning',
          kind: 'silent-level',
          where,
          message: `alerts of ${levels.join(', ')} reach nobody: no channel of these levels is set up`,
        },
      ];
}

/** Each finding once, up to a limit that says how many are left out. */
class Findings {
  readonly #seen = new Map<string, { finding: Finding; tenant: string | undefined; others: number }>();
  #more = 0;

  push(...findings: readonly Finding[]): void {
    for (const f of findings) this.#add(f, undefined);
  }
  /** Of a tenant, in words of the stand-in: what many tenants have is said once. */
  pushOf(tenant: string, findings: readonly Finding[]): void {
    for (const f of findings) this.#add(f, tenant);
  }
  #add(finding: Finding, tenant: string | undefined): void {
    const key = `${finding.kind}\0${finding.where}\0${finding.message}`;
    const seen = this.#seen.get(key);
    if (seen) seen.others++;
    else if (this.#seen.size < FINDINGS_MAX) this.#seen.set(key, { finding, tenant, others: 0 });
    else this.#more++;
  }
  list(): readonly Finding[] {
    const all = [...this.#seen.values()].map(({ finding, tenant, others }): Finding => {
      if (tenant === undefined) return finding;
      const named = (text: string): string => text.replaceAll(STAND_IN.tenant, () => tenant);
      const more = others === 0 ? '' : ` (and in ${others} other tunings)`;
      return { ...finding, where: named(finding.where), message: `${named(finding.message)}${more}` };
    });
    if (this.#more === 0) return all;
    const message = `${this.#more} more findings are not listed; at most ${FINDINGS_MAX} are`;
    return [...all, { level: 'error', kind: 'too-many', where: 'catalogue', message }];
  }
}
