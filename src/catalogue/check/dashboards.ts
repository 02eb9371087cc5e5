/** The queries of Grafana dashboards, with variables replaced by what stands for all their values. */
import type { CheckedQuery, Finding } from './finding.ts';

const PANELS_MAX = 2_000;

interface Panel {
  readonly title?: string;
  readonly type?: string;
  readonly panels?: readonly Panel[];
  readonly targets?: readonly { readonly expr?: unknown; readonly refId?: string; readonly hide?: boolean }[];
  readonly options?: { readonly content?: string };
}

export interface DashboardQueries {
  readonly queries: readonly CheckedQuery[];
  readonly findings: readonly Finding[];
}

/** `name` is the file; panels that show neither a query nor a text are findings. */
export function dashboardQueries(name: string, dashboard: Readonly<Record<string, unknown>>): DashboardQueries {
  const queries: CheckedQuery[] = [];
  const findings: Finding[] = [];
  const walk = (panels: readonly Panel[] | undefined, depth: number): void => {
    for (const panel of (panels ?? []).slice(0, PANELS_MAX)) {
      const where = `${name}: panel ${JSON.stringify(panel.title ?? '')}`;
      if (panel.type === 'row') {
        if (depth < 3) walk(panel.panels, depth + 1);
        continue;
      }
      const targets = (panel.targets ?? []).filter((t) => typeof t.expr === 'string' && t.expr.trim() !== '');
      for (const t of targets)
        queries.push({ where: `${where} ${t.refId ?? ''}`.trim(), expr: withoutVariables(t.expr as string) });
      if (targets.length === 0 && !(panel.type === 'text' && panel.options?.content))
        findings.push({ level: 'error', kind: 'empty-panel', where, message: 'queries nothing and says nothing' });
    }
  };
  walk(dashboard['panels'] as readonly Panel[] | undefined, 0);
  const templating = dashboard['templating'] as { list?: readonly { name?: string; query?: unknown }[] } | undefined;
  for (const variable of templating?.list ?? []) {
    const query =
      typeof variable.query === 'string' ? variable.query : (variable.query as { query?: string } | undefined)?.query;
    const metric = /^label_values\(\s*(.+)\s*,\s*[a-zA-Z_]\w*\s*\)$/.exec(query ?? '')?.[1];
    if (metric) queries.push({ where: `${name}: variable ${variable.name ?? ''}`, expr: withoutVariables(metric) });
  }
  return { queries, findings };
}

/** Grafana's own intervals become five minutes, everything else a pattern that matches all. */
export function withoutVariables(expr: string): string {
  return expr
    .replace(/\[\s*\$\{?(?:__)?[a-z_]+\}?\s*(:[^\]]*)?\]/gi, (_m, step?: string) => `[5m${step ? ':1m' : ''}]`)
    .replace(/\$\{?(?:__rate_interval|__interval|__range|interval)(?::[a-z]+)?\}?/g, '5m')
    .replace(/\$\{?[A-Za-z_][A-Za-z0-9_]*(?::[a-z]+)?\}?/g, '.*');
}
