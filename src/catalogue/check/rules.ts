/** Checks over a set of rules: syntax, duplicates, shadowed alerts, unknown and unused metrics, and what people need. */
import { messageOf } from '../../lib/errors.ts';
import type { Expr } from '../../promql/ast.ts';
import { print } from '../../promql/print.ts';
import { groupingLabels, parseChecked, SYNTHETIC, selectionsOf, thresholdOf } from './expression.ts';
import type { CheckedQuery, CheckedRule, Finding } from './finding.ts';

export interface RuleCheckInput {
  readonly rules: readonly CheckedRule[];
  /** Dashboard panels, KPIs, scalers: they too read what rules record. */
  readonly queries: readonly CheckedQuery[];
  /** Metrics that exporters are known to have; undefined: not known, so nothing is called unknown. */
  readonly metrics: ReadonlySet<string> | undefined;
  /** Ask for severity, summary, description, impact and runbook, as the catalogue promises. */
  readonly complete: boolean;
}

/** Labels whose values are as many as users or requests: a recording by one of them is a flood. */
const UNBOUNDED = new Set([
  'user_id',
  'user',
  'email',
  'session_id',
  'request_id',
  'trace_id',
  'span_id',
  'ip',
  'client_ip',
  'path',
  'url',
  'query',
]);
/** Samples one series costs in one evaluation, above which a rule is called dear. 4 h at 15 s is 960. */
export const SAMPLES_PER_SERIES_MAX = 50_000;
const SCRAPE_MS = 15_000;
const SEVERITY_RANK: Readonly<Record<string, number>> = { none: 0, info: 1, warning: 2, critical: 3, emergency: 4 };

interface ParsedRule extends CheckedRule {
  readonly parsed: Expr;
  readonly printed: string;
}

export function checkRules(input: RuleCheckInput): readonly Finding[] {
  const findings: Finding[] = [];
  const parsed: ParsedRule[] = [];
  for (const rule of input.rules) {
    try {
      const expr = parseChecked(rule.expr);
      parsed.push({ ...rule, parsed: expr, printed: print(expr) });
    } catch (error) {
      findings.push({ level: 'error', kind: 'bad-expression', where: rule.where, message: messageOf(error) });
    }
  }
  const recorded = new Set(parsed.filter((r) => r.kind === 'record').map((r) => r.name));
  const read = new Set<string>();
  for (const rule of parsed) {
    for (const s of selectionsOf(rule.parsed)) {
      read.add(s.metric);
      if (input.metrics && s.metric !== '' && !knows(input.metrics, recorded, s.metric))
        findings.push({
          level: 'error',
          kind: 'unknown-metric',
          where: rule.where,
          message: `reads ${s.metric}, which no exporter of the catalogue has and no rule records`,
        });
    }
    findings.push(...costOf(rule), ...peopleNeed(rule, input.complete));
  }
  for (const q of input.queries)
    try {
      for (const s of selectionsOf(parseChecked(q.expr))) {
        read.add(s.metric);
        if (input.metrics && s.metric !== '' && !knows(input.metrics, recorded, s.metric))
          findings.push({
            level: 'error',
            kind: 'query-of-nothing',
            where: q.where,
            message: `asks for ${s.metric}, which no exporter of the catalogue has and no rule records`,
          });
      }
    } catch (error) {
      findings.push({ level: 'error', kind: 'bad-expression', where: q.where, message: messageOf(error) });
    }
  for (const rule of parsed)
    if (rule.kind === 'record' && !read.has(rule.name))
      findings.push({
        level: 'warning',
        kind: 'unused-recording',
        where: rule.where,
        message: `nothing reads ${rule.name}`,
      });
  findings.push(...duplicates(parsed), ...shadowed(parsed));
  return findings;
}

const knows = (metrics: ReadonlySet<string>, recorded: ReadonlySet<string>, name: string): boolean =>
  metrics.has(name) ||
  recorded.has(name) ||
  SYNTHETIC.has(name) ||
  metrics.has(name.replace(/_(bucket|sum|count)$/, '')) ||
  metrics.has(`${name}_bucket`);

function duplicates(rules: readonly ParsedRule[]): Finding[] {
  const findings: Finding[] = [];
  const seen = new Map<string, ParsedRule>();
  const names = new Map<string, ParsedRule>();
  for (const rule of rules) {
    const labels = JSON.stringify(Object.entries(rule.labels).sort());
    const same = `${rule.kind}\0${rule.printed}\0${labels}\0${rule.forMs}`;
    const first = seen.get(same);
    if (first && (rule.kind === 'alert' || first.name === rule.name))
      findings.push({
        level: 'error',
        kind: 'duplicate-rule',
        where: rule.where,
        message: `has the same expression, labels and duration as ${first.name} (${first.where})`,
      });
    else seen.set(same, rule);
    if (rule.kind !== 'record') continue;
    const target = `${rule.name}\0${labels}`;
    const other = names.get(target);
    if (other && other.printed !== rule.printed)
      findings.push({
        level: 'error',
        kind: 'two-recordings',
        where: rule.where,
        message: `records ${rule.name} with the same labels as ${other.where}; the samples would collide`,
      });
    names.set(target, rule);
  }
  return findings;
}

/** A threshold alert is shadowed when another on the same left side fires whenever it does, no later, no milder. */
function shadowed(rules: readonly ParsedRule[]): Finding[] {
  const findings: Finding[] = [];
  const byLeft = new Map<string, { rule: ParsedRule; value: number }[]>();
  for (const rule of rules) {
    if (rule.kind !== 'alert') continue;
    const t = thresholdOf(rule.parsed);
    if (!t) continue;
    const key = `${print(t.left)}\0${t.op[0]}`;
    byLeft.set(key, [...(byLeft.get(key) ?? []), { rule, value: t.op[0] === '>' ? t.value : -t.value }]);
  }
  const severity = (r: ParsedRule): number => SEVERITY_RANK[r.labels['severity'] ?? ''] ?? 2;
  for (const group of byLeft.values())
    for (const a of group)
      for (const b of group) {
        if (a === b || b.value > a.value || b.rule.forMs > a.rule.forMs || severity(b.rule) < severity(a.rule))
          continue;
        if (b.value === a.value && b.rule.forMs === a.rule.forMs && severity(a.rule) === severity(b.rule)) continue;
        findings.push({
          level: 'warning',
          kind: 'shadowed-alert',
          where: a.rule.where,
          message: `never says anything that ${b.rule.name} (${b.rule.where}) does not say first: weaker threshold, no longer wait, no lower severity there`,
        });
      }
  return findings;
}

function costOf(rule: ParsedRule): Finding[] {
  const findings: Finding[] = [];
  const samples = selectionsOf(rule.parsed).reduce((sum, s) => sum + Math.max(1, s.rangeMs / SCRAPE_MS), 0);
  if (samples > SAMPLES_PER_SERIES_MAX)
    findings.push({
      level: rule.intervalMs > 0 && rule.intervalMs >= 300_000 ? 'note' : 'warning',
      kind: 'dear-rule',
      where: rule.where,
      message: `reads about ${Math.round(samples).toLocaleString('en')} samples per series and evaluation; record a shorter window first, or give the group a longer interval`,
    });
  const wide = groupingLabels(rule.parsed).filter((l) => UNBOUNDED.has(l));
  if (rule.kind === 'record' && wide.length > 0)
    findings.push({
      level: 'warning',
      kind: 'cardinality',
      where: rule.where,
      message: `records by ${wide.join(', ')}: as many series as there are users or requests`,
    });
  return findings;
}

function peopleNeed(rule: CheckedRule, complete: boolean): Finding[] {
  if (!complete || rule.kind !== 'alert') return [];
  const missing = [
    ...(rule.labels['severity'] ? [] : ['the label severity']),
    ...['summary', 'description', 'impact', 'runbook_url']
      .filter((k) => !rule.annotations[k])
      .map((k) => `the annotation ${k}`),
  ];
  const findings: Finding[] = [];
  if (missing.length > 0)
    findings.push({
      level: 'error',
      kind: 'incomplete-alert',
      where: rule.where,
      message: `lacks ${missing.join(', ')}`,
    });
  // an unknown one would go to L1 in silence
  const severity = rule.labels['severity'];
  if (severity !== undefined && !severity.includes('{{') && SEVERITY_RANK[severity] === undefined)
    findings.push({
      level: 'error',
      kind: 'unknown-severity',
      where: rule.where,
      message: `severity: got ${JSON.stringify(severity)}, want ${Object.keys(SEVERITY_RANK).join(', ')}: no level is meant for another`,
    });
  return findings;
}
