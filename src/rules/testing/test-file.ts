/** Reads promtool's unit-test files for rules: text to checked data. */
import { DURATION_MS_MAX } from '../../model/duration.ts';
import { Labels } from '../../model/labels.ts';
import { YamlFile, type YamlValue } from '../yaml-file.ts';

export interface AlertCase {
  readonly evalTimeMs: number;
  readonly alertname: string;
  readonly expected: readonly { readonly labels: Labels; readonly annotations: Labels }[];
  readonly line: number;
}
export interface ExprCase {
  readonly expr: string;
  readonly evalTimeMs: number;
  readonly expected: readonly { readonly labels: string; readonly value: number; readonly histogram: string }[];
  readonly line: number;
}
export interface RuleTest {
  readonly name: string;
  readonly intervalMs: number;
  readonly inputSeries: readonly { readonly series: string; readonly values: string; readonly line: number }[];
  readonly alertCases: readonly AlertCase[];
  readonly exprCases: readonly ExprCase[];
  readonly externalLabels: Labels;
  readonly externalUrl: string;
  /** Time stamp of the first sample; default 0. */
  readonly startMs: number;
  readonly line: number;
}
export interface RuleTestFile {
  readonly name: string;
  readonly ruleFiles: readonly string[];
  readonly evaluationIntervalMs: number;
  readonly groupEvalOrder: readonly string[];
  /** Compare values to within 1 part in 1e15, as promtool's fuzzy_compare. */
  readonly fuzzyCompare: boolean;
  readonly tests: readonly RuleTest[];
}

/** Throws `bad_config` listing every problem with file and line. */
export function parseTestFile(name: string, text: string): RuleTestFile {
  const file = new YamlFile(name, text);
  const f = file.root.fields(['rule_files', 'evaluation_interval', 'group_eval_order', 'tests', 'fuzzy_compare']);
  const order = f.group_eval_order.list().map((v) => v.text());
  for (const [i, group] of order.entries())
    if (order.indexOf(group) !== i) f.group_eval_order.problem(`group name repeated in evaluation order: ${group}`);
  const out: RuleTestFile = {
    name,
    ruleFiles: f.rule_files.list().map((v) => v.text()),
    evaluationIntervalMs: f.evaluation_interval.durationMs() || 60_000,
    groupEvalOrder: order,
    fuzzyCompare: f.fuzzy_compare.boolean(),
    tests: f.tests.list().map((t) => readTest(t)),
  };
  file.throwProblems();
  return out;
}

const labelsOf = (v: YamlValue): Labels => Labels.fromPairs(v.texts());

function readTest(value: YamlValue): RuleTest {
  const f = value.fields([
    'name',
    'interval',
    'input_series',
    'alert_rule_test',
    'promql_expr_test',
    'external_labels',
    'external_url',
    'start_timestamp',
  ]);
  return {
    name: f.name.text(),
    intervalMs: f.interval.durationMs() || 60_000,
    inputSeries: f.input_series.list().map((v) => {
      const s = v.fields(['series', 'values']);
      return { series: s.series.text(), values: s.values.text(), line: v.line };
    }),
    alertCases: f.alert_rule_test.list().map((v) => {
      const c = v.fields(['eval_time', 'alertname', 'exp_alerts']);
      const evalTimeMs = c.eval_time.durationMs() ?? 0;
      const alertname = c.alertname.text();
      if (alertname === '') v.problem('an item under alert_rule_test misses the required attribute alertname');
      return {
        evalTimeMs,
        alertname,
        expected: c.exp_alerts.list().map((a) => {
          const e = a.fields(['exp_labels', 'exp_annotations']);
          return {
            labels: labelsOf(e.exp_labels).with('alertname', alertname),
            annotations: textLabels(e.exp_annotations),
          };
        }),
        line: v.line,
      };
    }),
    exprCases: f.promql_expr_test.list().map((v) => {
      const c = v.fields(['expr', 'eval_time', 'exp_samples']);
      return {
        expr: c.expr.text(),
        evalTimeMs: c.eval_time.durationMs() ?? 0,
        expected: c.exp_samples.list().map((s) => {
          const e = s.fields(['labels', 'value', 'histogram']);
          return { labels: e.labels.text(), value: e.value.float(), histogram: e.histogram.text() };
        }),
        line: v.line,
      };
    }),
    externalLabels: labelsOf(f.external_labels),
    externalUrl: f.external_url.text(),
    startMs: startTime(f.start_timestamp),
    line: value.line,
  };
}

/** Annotations may be empty and are compared as they are. */
function textLabels(value: YamlValue): Labels {
  const sorted = [...value.texts()].sort(([a], [b]) => (a < b ? -1 : 1));
  return Labels.fromSorted(sorted.flat());
}

function startTime(value: YamlValue): number {
  if (!value.present) return 0;
  const text = value.text();
  const ms = /^[-+]?\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(ms) || Math.abs(ms) > DURATION_MS_MAX)
    value.problem(`got ${JSON.stringify(text)}, want RFC 3339 or Unix seconds`);
  return ms;
}
