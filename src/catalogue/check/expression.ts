/** What an expression reads: metrics, labels and how far back, for checks, rename-check and cost. */
import { children, type DurationNode, type Expr, unwrap, type VectorSelector } from '../../promql/ast.ts';
import { parse } from '../../promql/parse.ts';
import { compileRe2 } from '../../regex/re2.ts';

export interface Selection {
  /** '' when only matchers name the metric. */
  readonly metric: string;
  /** The expression over names, where `__name__` is matched by one. */
  readonly nameRegex?: string;
  readonly labels: readonly string[];
  /** Length of the range read, 0 for an instant. A subquery around it is added. */
  readonly rangeMs: number;
}

/** Series that Prometheus and Vigie make themselves. */
export const SYNTHETIC = new Set([
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
  'scrape_timeout_seconds',
  'scrape_sample_limit',
  'scrape_body_size_bytes',
  'ALERTS',
  'ALERTS_FOR_STATE',
]);

/** Parses with RE2 behind it, so that a bad expression in a matcher is found here. Throws `bad_query`. */
export function parseChecked(text: string): Expr {
  return parse(text, {
    compileRegex: (pattern) => {
      const re = compileRe2(pattern, { anchored: true });
      return { matches: (t) => re.test(t), replace: (t, template) => re.expand(t, template) };
    },
  });
}

export function selectionsOf(expr: Expr): readonly Selection[] {
  const out: Selection[] = [];
  const visit = (e: Expr, outerMs: number): void => {
    if (e.kind === 'selector') out.push(selection(e, outerMs));
    else if (e.kind === 'matrix') out.push(selection(e.selector, outerMs + durationMs(e.range)));
    else if (e.kind === 'subquery') visit(e.expr, outerMs + durationMs(e.range));
    else for (const child of children(e)) visit(child, outerMs);
  };
  visit(expr, 0);
  return out;
}

function selection(s: VectorSelector, rangeMs: number): Selection {
  const nameMatcher = s.matchers.find((m) => m.name === '__name__');
  return {
    metric: s.name || (nameMatcher?.op === '=' ? nameMatcher.value : ''),
    ...(nameMatcher?.op === '=~' ? { nameRegex: nameMatcher.value } : {}),
    labels: [...new Set(s.matchers.filter((m) => m.name !== '__name__').map((m) => m.name))],
    rangeMs,
  };
}

/** Does the selection read `metric`? A classic histogram is read by its three series. */
export function reads(s: Selection, metric: string): boolean {
  if (s.metric !== '') return s.metric === metric || HISTOGRAM_PARTS.some((part) => s.metric === metric + part);
  return s.nameRegex !== undefined && compileRe2(s.nameRegex, { anchored: true }).test(metric);
}
const HISTOGRAM_PARTS = ['_bucket', '_sum', '_count'] as const;

/** Labels that an expression groups or joins by. */
export function groupingLabels(expr: Expr): readonly string[] {
  const out = new Set<string>();
  const visit = (e: Expr): void => {
    if (e.kind === 'aggregate' && !e.without) for (const l of e.grouping) out.add(l);
    if (e.kind === 'binary' && e.matching)
      for (const l of [...(e.matching.on ? e.matching.labels : []), ...e.matching.include]) out.add(l);
    for (const child of children(e)) visit(child);
  };
  visit(expr);
  return [...out];
}

/** `left op number` at the top: what a threshold alert is. */
export function thresholdOf(
  expr: Expr,
): { readonly left: Expr; readonly op: string; readonly value: number } | undefined {
  const e = unwrap(expr);
  if (e.kind !== 'binary' || !['>', '>=', '<', '<='].includes(e.op)) return undefined;
  const value = numberOf(e.right);
  return value === undefined ? undefined : { left: e.left, op: e.op, value };
}

function numberOf(expr: Expr): number | undefined {
  const e = unwrap(expr);
  if (e.kind === 'number') return e.value;
  if (e.kind === 'unary') {
    const inner = numberOf(e.expr);
    return inner === undefined ? undefined : e.op === '-' ? -inner : inner;
  }
  if (e.kind === 'binary' && (e.op === '*' || e.op === '/')) {
    const l = numberOf(e.left);
    const r = numberOf(e.right);
    return l === undefined || r === undefined ? undefined : e.op === '*' ? l * r : l / r;
  }
  return undefined;
}

/** Written durations only; what asks for step() or range() counts as nothing. */
function durationMs(node: DurationNode): number {
  switch (node.kind) {
    case 'number':
      return node.seconds * 1_000;
    case 'paren':
      return durationMs(node.inner);
    case 'unary':
      return node.op === '-' ? -durationMs(node.inner) : durationMs(node.inner);
    default:
      return 0;
  }
}
