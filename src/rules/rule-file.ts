/**
 * Prometheus rule files: text to checked groups. What promtool accepts is accepted, with what Mimir and Thanos add to a
 * group; what promtool refuses is refused with file, line, column, path, and what was wanted. Knows nothing of running.
 */
import { messageOf, VigieError } from '../lib/errors.ts';
import { compareUtf8, Labels, METRIC_NAME } from '../model/labels.ts';
import type { Expr } from '../promql/ast.ts';
import { print } from '../promql/print.ts';
import { NO_DATA_ANNOTATION, RESOLVE_ANNOTATION, RESOLVE_ON_ANNOTATION, withResolveExpression } from './hysteresis.ts';
import { type Problem, YamlFile, type YamlValue } from './yaml-file.ts';

export const RULES_PER_FILE_MAX = 20_000;

export interface RuleSpec {
  readonly kind: 'alerting' | 'recording';
  /** Alert name or recorded metric. */
  readonly name: string;
  /** As written. */
  readonly text: string;
  /** What is evaluated; with `vigie_resolve_expr` woven in. */
  readonly expr: Expr;
  /** `expr` as Prometheus prints it. */
  readonly query: string;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** Of group and rule together; templates unexpanded. */
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Hold firing alerts while the data of the expression is missing. */
  readonly keepWithoutData: boolean;
  readonly line: number;
}

export interface RuleGroupSpec {
  readonly name: string;
  readonly file: string;
  /** Absent: the service's default. */
  readonly intervalMs?: number;
  readonly queryOffsetMs?: number;
  /** 0: none. */
  readonly limit: number;
  readonly sourceTenants: readonly string[];
  readonly rules: readonly RuleSpec[];
  readonly line: number;
}

export interface RuleFile {
  readonly name: string;
  readonly groups: readonly RuleGroupSpec[];
}

export interface RuleFileOptions {
  /** Throws `bad_query`. */
  readonly parse: (text: string) => Expr;
  /** Throws when a template does not parse; absent: templates are not checked. */
  readonly checkTemplate?: (text: string, name: string) => void;
  /** Refuse what only Mimir and Thanos know, as promtool does. Default false. */
  readonly strict?: boolean;
}

const GROUP_FIELDS = ['name', 'interval', 'query_offset', 'limit', 'rules', 'labels'] as const;
/** Accepted beside Prometheus' own; the last three change nothing here. */
const GROUP_EXTRA_FIELDS = [
  'source_tenants',
  'evaluation_delay',
  'partial_response_strategy',
  'align_evaluation_time_on_interval',
  'concurrency',
] as const;
const RULE_FIELDS = ['record', 'alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations'] as const;

/** The groups of a rule file. Throws `bad_config` listing every problem. */
export function parseRuleFile(name: string, text: string, options: RuleFileOptions): RuleFile {
  const file = new YamlFile(name, text);
  const groups: RuleGroupSpec[] = [];
  const seen = new Set<string>();
  let rules = 0;
  for (const value of file.root.fields(['groups']).groups.list()) {
    const group = readGroup(file, value, options);
    if (seen.has(group.name)) value.problem(`group ${JSON.stringify(group.name)} is repeated in the same file`);
    seen.add(group.name);
    rules += group.rules.length;
    groups.push(group);
  }
  if (rules > RULES_PER_FILE_MAX)
    file.problemAt({ line: 1, column: 1 }, 'groups', `got ${rules} rules, want at most ${RULES_PER_FILE_MAX}`);
  file.throwProblems();
  return { name, groups };
}

/** The problems of a file as data, for editors; empty when it is good. */
export function ruleFileProblems(name: string, text: string, options: RuleFileOptions): readonly Problem[] {
  try {
    parseRuleFile(name, text, options);
    return [];
  } catch (error) {
    if (!(error instanceof VigieError)) throw error;
    return (
      (error.details['problems'] as Problem[] | undefined) ?? [{ line: 1, column: 1, path: '', message: error.message }]
    );
  }
}

function readGroup(file: YamlFile, value: YamlValue, options: RuleFileOptions): RuleGroupSpec {
  const f = value.fields(options.strict ? GROUP_FIELDS : [...GROUP_FIELDS, ...GROUP_EXTRA_FIELDS]) as Readonly<
    Record<(typeof GROUP_FIELDS)[number], YamlValue> & Partial<Record<(typeof GROUP_EXTRA_FIELDS)[number], YamlValue>>
  >;
  const name = f.name.text();
  if (name === '') value.problem('got no group name, want one that is not empty');
  const labels = readLabels(f.labels);
  const intervalMs = f.interval.durationMs();
  const queryOffsetMs = f.query_offset.durationMs() ?? f.evaluation_delay?.durationMs();
  return {
    name,
    file: file.name,
    ...(intervalMs ? { intervalMs } : {}),
    ...(queryOffsetMs === undefined ? {} : { queryOffsetMs }),
    limit: Math.max(0, f.limit.integer()),
    sourceTenants: f.source_tenants?.list().map((v) => v.text()) ?? [],
    rules: f.rules.list().map((v) => readRule(file, v, name, labels, options)),
    line: value.line,
  };
}

function readLabels(value: YamlValue): Map<string, string> {
  const out = new Map<string, string>();
  for (const [name, v] of value.entries()) {
    if (!isLabelName(name) || name === METRIC_NAME) v.problem(`invalid label name: ${name}`);
    const text = v.text();
    if (!text.isWellFormed()) v.problem(`invalid label value: ${text}`);
    out.set(name, text);
  }
  return out;
}

const isLabelName = (name: string): boolean => name !== '' && name.isWellFormed();

function readRule(
  file: YamlFile,
  value: YamlValue,
  group: string,
  groupLabels: ReadonlyMap<string, string>,
  options: RuleFileOptions,
): RuleSpec {
  const f = value.fields(RULE_FIELDS);
  const record = f.record.text();
  const alert = f.alert.text();
  const name = alert === '' ? record : alert;
  const say = (v: YamlValue, message: string): void =>
    (v.node ? v : value).problem(`group ${JSON.stringify(group)}, ${JSON.stringify(name)}: ${message}`);
  if (record !== '' && alert !== '') say(f.record, "only one of 'record' and 'alert' must be set");
  if (record === '' && alert === '') say(f.record, "one of 'record' or 'alert' must be set");
  const text = f.expr.text();
  let expr: Expr = { kind: 'number', value: 0, duration: false, pos: { start: 0, end: 0 } };
  if (text === '') say(f.expr, "field 'expr' must be set in rule");
  else
    try {
      expr = options.parse(text);
    } catch (error) {
      sayExpression(file, f.expr, error, (m) => `group ${JSON.stringify(group)}, ${JSON.stringify(name)}: ${m}`);
    }
  const forMs = f.for.durationMs() ?? 0;
  const keepFiringForMs = f.keep_firing_for.durationMs() ?? 0;
  const own = readLabels(f.labels);
  const annotations = f.annotations.texts();
  if (alert === '' && record !== '') {
    if (annotations.size > 0) say(f.annotations, "invalid field 'annotations' in recording rule");
    if (forMs !== 0) say(f.for, "invalid field 'for' in recording rule");
    if (keepFiringForMs !== 0) say(f.keep_firing_for, "invalid field 'keep_firing_for' in recording rule");
    if (!record.isWellFormed()) say(f.record, `invalid recording rule name: ${record}`);
    if (/[{}]/.test(record))
      say(f.record, `braces present in the recording rule name; should it be in expr?: ${record}`);
  }
  for (const [n, v] of f.annotations.entries()) if (!isLabelName(n)) say(v, `invalid annotation name: ${n}`);
  if (alert !== '' && options.checkTemplate) {
    const check = (t: string): void => options.checkTemplate!(t, alert);
    checkTemplates(f.labels, 'label', check, say);
    checkTemplates(f.annotations, 'annotation', check, say);
  }
  const labels = sorted(new Map([...groupLabels, ...own]));
  if (alert !== '' && annotations.get(RESOLVE_ANNOTATION))
    try {
      expr = withResolveExpression({
        expr,
        alert,
        labels,
        hold: annotations.get(RESOLVE_ANNOTATION)!,
        on: annotations.get(RESOLVE_ON_ANNOTATION),
        parse: options.parse,
      });
    } catch (error) {
      say(f.annotations, `${RESOLVE_ANNOTATION}: ${messageOf(error)}`);
    }
  const noData = annotations.get(NO_DATA_ANNOTATION);
  if (noData !== undefined && noData !== 'keep' && noData !== 'resolve')
    say(f.annotations, `${NO_DATA_ANNOTATION}: got ${JSON.stringify(noData)}, want keep or resolve`);
  return {
    kind: alert === '' ? 'recording' : 'alerting',
    name,
    text,
    expr,
    query: print(expr),
    forMs,
    keepFiringForMs,
    labels,
    annotations: sorted(annotations),
    keepWithoutData: noData === 'keep',
    line: value.line,
  };
}

/** Keeps empty values: an empty label of a rule takes the sample's away, an empty annotation is shown. */
function sorted(map: ReadonlyMap<string, string>): Labels {
  return Labels.fromSorted([...map].sort(([a], [b]) => compareUtf8(a, b)).flat());
}

/** A parse error at the line and column of the file where the expression is wrong, when that can be told. */
function sayExpression(file: YamlFile, at: YamlValue, error: unknown, say: (message: string) => string): void {
  const message = messageOf(error);
  const m = /^(\d+):(\d+): (.*)$/s.exec(message);
  const start = file.position(at.node);
  if (!m || Number(m[1]) + at.textLineOffset === 1) {
    file.problemAt(start, at.path, say(`could not parse expression: ${message}`));
    return;
  }
  const line = start.line + at.textLineOffset + Number(m[1]) - 1;
  file.problemAt({ line, column: start.column }, at.path, say(`could not parse expression: ${message}`));
}

function checkTemplates(
  value: YamlValue,
  what: string,
  check: (text: string) => void,
  say: (v: YamlValue, message: string) => void,
): void {
  for (const [name, v] of value.entries()) {
    const text = v.text();
    if (!text.includes('{{')) continue;
    try {
      check(text);
    } catch (error) {
      say(v, `${what} ${JSON.stringify(name)}: ${messageOf(error)}`);
    }
  }
}
