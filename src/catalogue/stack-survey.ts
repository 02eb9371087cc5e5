/** What a running stack has and where packs overlap with it: the same expression, the same name, the same metrics. */
import { print } from '../promql/print.ts';
import { parseChecked, selectionsOf } from './check/expression.ts';
import type { RenderedPack } from './pack.ts';

export interface FoundRule {
  readonly kind: 'alert' | 'record';
  readonly name: string;
  readonly expr: string;
}
export interface PackOverlap {
  readonly pack: string;
  readonly title: string;
  /** Needed metrics that have series there, of all that the pack needs. */
  readonly metricsFound: number;
  readonly metricsNeeded: number;
  readonly missing: readonly string[];
  /** Rules of the pack that the stack has already. */
  readonly same: readonly {
    readonly rule: string;
    readonly as: string;
    readonly by: 'expression' | 'name' | 'metrics';
  }[];
  /** Alerts of the pack that nothing there covers. */
  readonly adds: readonly string[];
}

export function surveyPacks(
  packs: readonly RenderedPack[],
  rules: readonly FoundRule[],
  metricNames: ReadonlySet<string>,
): readonly PackOverlap[] {
  const theirs = rules.flatMap((r) => {
    try {
      const parsed = parseChecked(r.expr);
      return [{ ...r, printed: print(parsed), metrics: metricsOf(selectionsOf(parsed)) }];
    } catch {
      return [];
    }
  });
  return packs
    .filter((p) => p.rules.size > 0)
    .map((pack): PackOverlap => {
      const same: { rule: string; as: string; by: 'expression' | 'name' | 'metrics' }[] = [];
      const adds: string[] = [];
      for (const rule of [...pack.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules))) {
        const name = rule.alert ?? rule.record ?? '';
        const parsed = parseChecked(rule.expr);
        const printed = print(parsed);
        const metrics = metricsOf(selectionsOf(parsed));
        const kind = rule.alert ? 'alert' : 'record';
        const found =
          theirs.find((t) => t.kind === kind && t.printed === printed) ??
          theirs.find((t) => t.kind === kind && t.name === name) ??
          theirs.find((t) => kind === 'alert' && t.kind === 'alert' && metrics !== '' && t.metrics === metrics);
        if (found)
          same.push({
            rule: name,
            as: found.name,
            by: found.printed === printed ? 'expression' : found.name === name ? 'name' : 'metrics',
          });
        else if (rule.alert) adds.push(name);
      }
      const needs = pack.manifest.needs.metrics;
      const missing = needs.filter((m) => !metricNames.has(m));
      return {
        pack: pack.manifest.pack,
        title: pack.manifest.title,
        metricsNeeded: needs.length,
        metricsFound: needs.length - missing.length,
        missing,
        same,
        adds,
      };
    })
    .toSorted((a, b) => share(b) - share(a) || (a.pack < b.pack ? -1 : 1));
}

const share = (o: PackOverlap): number => (o.metricsNeeded === 0 ? 0 : o.metricsFound / o.metricsNeeded);

const metricsOf = (selections: ReturnType<typeof selectionsOf>): string =>
  [...new Set(selections.map((s) => s.metric).filter((m) => m !== ''))].sort().join(',');

export interface SeenAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: string;
}
export interface AlertComparison {
  readonly both: number;
  readonly onlyThere: readonly string[];
  readonly onlyHere: readonly string[];
}

/** Firing alerts of two systems by their labels; `ignore` are labels that only one side adds. */
export function compareAlerts(
  there: readonly SeenAlert[],
  here: readonly SeenAlert[],
  ignore: readonly string[] = [],
): AlertComparison {
  const key = (a: SeenAlert): string =>
    Object.entries(a.labels)
      .filter(([n]) => !ignore.includes(n))
      .sort(([x], [y]) => (x < y ? -1 : 1))
      .map(([n, v]) => `${n}=${JSON.stringify(v)}`)
      .join(', ');
  const firing = (list: readonly SeenAlert[]): Set<string> =>
    new Set(list.filter((a) => a.state === 'firing').map(key));
  const [a, b] = [firing(there), firing(here)];
  return {
    both: [...a].filter((k) => b.has(k)).length,
    onlyThere: [...a].filter((k) => !b.has(k)).sort(),
    onlyHere: [...b].filter((k) => !a.has(k)).sort(),
  };
}
