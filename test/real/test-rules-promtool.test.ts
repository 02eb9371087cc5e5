/**
 * `vigie test-rules` against the real promtool: the catalogue's rule tests, seeded mutants of tests and rules, and cases
 * written for the corners of the format. Verdicts must agree on every one.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadCatalogue, packNames } from '../../src/catalogue/load.ts';
import { runTestFile } from '../../src/cli/test-rules.ts';
import { Labels } from '../../src/model/labels.ts';
import { parse } from '../../src/promql/parse.ts';
import { parseRuleFile } from '../../src/rules/rule-file.ts';
import { createRuleTemplates } from '../../src/rules/templates.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');
const missing = peerMissing('promtool');

function promtool(...args: string[]): { readonly ok: boolean; readonly text: string } {
  try {
    return { ok: true, text: execFileSync(findPeer('promtool')!, args, { stdio: 'pipe' }).toString() };
  } catch (error) {
    const e = error as { stdout?: Buffer; stderr?: Buffer };
    return { ok: false, text: `${e.stdout ?? ''}${e.stderr ?? ''}` };
  }
}

/** Mulberry32: small, seeded, good enough to choose mutations. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Pair {
  readonly name: string;
  readonly rules: string;
  readonly tests: string;
}

function cataloguePairs(): Pair[] {
  const { packs } = loadCatalogue(TEMPLATES, packNames(TEMPLATES));
  const out: Pair[] = [];
  for (const pack of packs)
    for (const test of pack.manifest.files.tests) {
      const base = path.basename(test);
      const rules = [...pack.rules].find(([f]) => path.basename(f) === base)?.[1];
      if (!rules) continue;
      const tests = readFileSync(path.join(TEMPLATES, test), 'utf8').replace(
        /rule_files:.*/,
        'rule_files: [rules.yml]',
      );
      out.push({ name: base, rules: stringify(rules), tests });
    }
  return out;
}

/** Each changes one place of a text, or answers undefined when it finds none. */
const MUTATORS: readonly ((text: string, pick: (n: number) => number) => string | undefined)[] = [
  replaceOne(/\b\d+(\.\d+)?\b(?=[^:]*$)/gm, (m) => String(Number(m) + 1)),
  replaceOne(/eval_time: (\d+)m/g, (m) => m.replace(/\d+/, (d) => String(Math.max(0, Number(d) - 3)))),
  replaceOne(/severity: \w+/g, () => 'severity: other'),
  replaceOne(/for: \d+m/g, () => 'for: 7m'),
  replaceOne(/ > /g, () => ' < '),
  replaceOne(/x\d+/g, (m) => `x${Number(m.slice(1)) + 5}`),
  replaceOne(/exp_alerts: \[\]/g, () => 'exp_alerts: [{ exp_labels: { a: b } }]'),
  replaceOne(/instance: \w+/g, () => 'instance: zz'),
  replaceOne(/summary: .*/g, (m) => `${m}!`),
  replaceOne(/expr: /g, () => 'exprs: '),
];

function replaceOne(pattern: RegExp, by: (match: string) => string) {
  return (text: string, pick: (n: number) => number): string | undefined => {
    const found = [...text.matchAll(pattern)];
    if (found.length === 0) return undefined;
    const m = found[pick(found.length)]!;
    return text.slice(0, m.index) + by(m[0]) + text.slice(m.index + m[0].length);
  };
}

async function verdicts(
  folder: string,
  pair: Pair,
): Promise<{ readonly ours: string[]; readonly theirs: boolean; readonly text: string }> {
  writeFileSync(path.join(folder, 'rules.yml'), pair.rules);
  writeFileSync(path.join(folder, 'test.yml'), pair.tests);
  const theirs = promtool('test', 'rules', path.join(folder, 'test.yml'));
  const ours = await runTestFile(path.join(folder, 'test.yml'));
  return { ours: [...ours], theirs: theirs.ok, text: theirs.text };
}

/** Rules and one test each, for the corners; `values` etc. are put into a frame. */
const RULES = `groups:
- name: a
  rules:
  - record: job:x:sum
    expr: sum by (job) (x)
    labels: { source: "rule" }
  - alert: High
    expr: x > 2
    for: 2m
    keep_firing_for: 3m
    labels: { severity: page, who: "{{ $labels.job }}" }
    annotations: { summary: "{{ $value | humanize }} on {{ $labels.job }} of {{ $externalLabels.cluster }}", plain: text }
  - alert: Now
    expr: job:x:sum{source="rule"} > 3
- name: b
  interval: 5m
  rules:
  - record: late
    expr: job:x:sum * 2
  - alert: Gone
    expr: absent(y)
    for: 1m
`;
const CASES: readonly (readonly [string, string])[] = [
  [
    'linear values',
    'input_series: [{ series: \'x{job="a"}\', values: "0+1x10" }]\n  promql_expr_test: [{ expr: x, eval_time: 5m, exp_samples: [{ labels: \'x{job="a"}\', value: 5 }] }]',
  ],
  [
    'repeat counts one more',
    'input_series: [{ series: x, values: "1x2 7" }]\n  promql_expr_test: [{ expr: x, eval_time: 3m, exp_samples: [{ labels: x, value: 7 }] }]',
  ],
  [
    'gaps',
    'input_series: [{ series: x, values: "1 _x2 4" }]\n  promql_expr_test: [{ expr: count_over_time(x[10m]), eval_time: 5m, exp_samples: [{ labels: "{}", value: 2 }] }]',
  ],
  [
    'stale',
    'input_series: [{ series: x, values: "1 stale" }]\n  promql_expr_test: [{ expr: x, eval_time: 2m, exp_samples: [] }]',
  ],
  [
    'rounding of repeated addition',
    'input_series: [{ series: x, values: "0.1+0.1x10" }]\n  promql_expr_test: [{ expr: x, eval_time: 9m, exp_samples: [{ labels: x, value: 0.9999999999999999 }] }]',
  ],
  [
    'multiplied instead',
    'input_series: [{ series: x, values: "0.1+0.1x10" }]\n  promql_expr_test: [{ expr: x, eval_time: 9m, exp_samples: [{ labels: x, value: 1 }] }]',
  ],
  [
    'negative step',
    'input_series: [{ series: x, values: "-2-3x4" }]\n  promql_expr_test: [{ expr: x, eval_time: 4m, exp_samples: [{ labels: x, value: -14 }] }]',
  ],
  [
    'infinity',
    'input_series: [{ series: x, values: "Inf -Inf NaN" }]\n  promql_expr_test: [{ expr: x, eval_time: 1m, exp_samples: [{ labels: x, value: -.inf }] }]',
  ],
  [
    'NaN expected',
    'input_series: [{ series: x, values: "NaN" }]\n  promql_expr_test: [{ expr: x, eval_time: 0m, exp_samples: [{ labels: x, value: .nan }] }]',
  ],
  [
    'exponents',
    'input_series: [{ series: x, values: "1e3 1e-2+1e-2x2" }]\n  promql_expr_test: [{ expr: x, eval_time: 1m, exp_samples: [{ labels: x, value: 1e-2 }] }]',
  ],
  [
    'a word is no value',
    'input_series: [{ series: x, values: "one" }]\n  promql_expr_test: [{ expr: x, eval_time: 1m, exp_samples: [] }]',
  ],
  [
    'blanks inside an item',
    'input_series: [{ series: x, values: "1 + 2x3" }]\n  promql_expr_test: [{ expr: x, eval_time: 1m, exp_samples: [{ labels: x, value: 3 }] }]',
  ],
  [
    'hexadecimal',
    'input_series: [{ series: x, values: "0x10" }]\n  promql_expr_test: [{ expr: x, eval_time: 3m, exp_samples: [{ labels: x, value: 0 }] }]',
  ],
  ['scalar', 'promql_expr_test: [{ expr: 1 + 1, eval_time: 1m, exp_samples: [{ labels: "{}", value: 2 }] }]'],
  ['string result', 'promql_expr_test: [{ expr: \'"a"\', eval_time: 1m, exp_samples: [] }]'],
  [
    'missing metric name in expectation',
    'input_series: [{ series: x, values: "1" }]\n  promql_expr_test: [{ expr: x, eval_time: 0m, exp_samples: [{ labels: "{}", value: 1 }] }]',
  ],
  [
    'subquery default step',
    'input_series: [{ series: x, values: "0+1x20" }]\n  promql_expr_test: [{ expr: "count_over_time(x[9m30s:])", eval_time: 15m, exp_samples: [{ labels: "{}", value: 10 }] }]',
  ],
  [
    'firing at two minutes',
    'input_series: [{ series: \'x{job="a"}\', values: "5x20" }]\n  external_labels: { cluster: eu }\n  alert_rule_test: [{ eval_time: 2m, alertname: High, exp_alerts: [{ exp_labels: { job: a, severity: page, who: a }, exp_annotations: { summary: "5 on a of eu", plain: text } }] }]',
  ],
  [
    'not yet firing',
    'input_series: [{ series: \'x{job="a"}\', values: "5x20" }]\n  alert_rule_test: [{ eval_time: 1m, alertname: High, exp_alerts: [] }]',
  ],
  [
    'between two evaluations',
    'input_series: [{ series: \'x{job="a"}\', values: "5x20" }]\n  alert_rule_test: [{ eval_time: 1m59s, alertname: High, exp_alerts: [] }]',
  ],
  [
    'kept firing',
    'input_series: [{ series: \'x{job="a"}\', values: "5x3 0x20" }]\n  external_labels: { cluster: eu }\n  alert_rule_test: [{ eval_time: 6m, alertname: High, exp_alerts: [{ exp_labels: { job: a, severity: page, who: a }, exp_annotations: { summary: "5 on a of eu", plain: text } }] }]',
  ],
  [
    'no longer kept',
    'input_series: [{ series: \'x{job="a"}\', values: "5x3 0x20" }]\n  alert_rule_test: [{ eval_time: 7m, alertname: High, exp_alerts: [] }]',
  ],
  [
    'alert on a recorded series of the same group',
    'input_series: [{ series: \'x{job="a"}\', values: "2x9" }, { series: \'x{job="a", i="2"}\', values: "2x9" }]\n  alert_rule_test: [{ eval_time: 0m, alertname: Now, exp_alerts: [{ exp_labels: { job: a, source: rule } }] }]',
  ],
  [
    'ALERTS',
    'input_series: [{ series: \'x{job="a"}\', values: "5x20" }]\n  promql_expr_test: [{ expr: \'ALERTS{alertname="High"}\', eval_time: 1m, exp_samples: [{ labels: \'ALERTS{alertname="High", alertstate="pending", job="a", severity="page", who="a"}\', value: 1 }] }]',
  ],
  [
    'ALERTS go stale',
    'input_series: [{ series: \'x{job="a"}\', values: "5 5 0x9" }]\n  promql_expr_test: [{ expr: \'ALERTS{alertname="High"}\', eval_time: 3m, exp_samples: [] }]',
  ],
  [
    'ALERTS_FOR_STATE',
    'input_series: [{ series: \'x{job="a"}\', values: "0 0 5x20" }]\n  promql_expr_test: [{ expr: \'ALERTS_FOR_STATE{alertname="High"}\', eval_time: 4m, exp_samples: [{ labels: \'ALERTS_FOR_STATE{alertname="High", job="a", severity="page", who="a"}\', value: 120 }] }]',
  ],
  ['absent', 'alert_rule_test: [{ eval_time: 1m, alertname: Gone, exp_alerts: [{}] }]'],
  [
    'absent, wrong labels',
    'alert_rule_test: [{ eval_time: 1m, alertname: Gone, exp_alerts: [{ exp_labels: { y: z } }] }]',
  ],
  [
    'other group, group interval ignored',
    'input_series: [{ series: \'x{job="a"}\', values: "1+1x20" }]\n  promql_expr_test: [{ expr: late, eval_time: 3m, exp_samples: [{ labels: \'late{job="a", source="rule"}\', value: 8 }] }]',
  ],
  ['unknown alert name', 'alert_rule_test: [{ eval_time: 1m, alertname: Nope, exp_alerts: [] }]'],
  ['alert without a name', 'alert_rule_test: [{ eval_time: 1m, exp_alerts: [] }]'],
  ['unknown field', 'nonsense: 1\n  alert_rule_test: []'],
  ['bad duration', 'alert_rule_test: [{ eval_time: 1 minute, alertname: High, exp_alerts: [] }]'],
  [
    'two series of one name',
    'input_series: [{ series: x, values: "1" }, { series: x, values: "1" }]\n  promql_expr_test: [{ expr: x, eval_time: 0m, exp_samples: [{ labels: x, value: 1 }] }]',
  ],
  [
    'written series given as input',
    'input_series: [{ series: \'x{job="a"}\', values: "1x5" }, { series: \'job:x:sum{job="a", source="rule"}\', values: "9x5" }]\n  promql_expr_test: [{ expr: "1", eval_time: 2m, exp_samples: [{ labels: "{}", value: 1 }] }]',
  ],
  [
    'label name twice',
    'input_series: [{ series: \'x{a="1", a="2"}\', values: "1" }]\n  promql_expr_test: [{ expr: "1", eval_time: 0m, exp_samples: [{ labels: "{}", value: 1 }] }]',
  ],
];

const frame = (body: string): string =>
  `rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  ${body}\n`;

describe.skipIf(missing)('vigie test-rules and promtool', () => {
  it('agree on the catalogue, on mutants of it, and on written cases', { timeout: 900_000 }, async () => {
    using folder = temporaryFolder();
    const differences: string[] = [];
    let passed = 0;
    let failed = 0;
    const compare = async (pair: Pair): Promise<void> => {
      const { ours, theirs, text } = await verdicts(folder.path, pair);
      if (theirs) passed++;
      else failed++;
      if ((ours.length === 0) !== theirs)
        differences.push(
          `${pair.name}: promtool ${theirs ? 'passes' : 'fails'}:\n${text.slice(0, 600)}\nours:\n${ours.join('\n').slice(0, 600)}`,
        );
    };
    const pairs = cataloguePairs();
    expect(pairs.length).toBeGreaterThanOrEqual(9);
    for (const pair of pairs) await compare(pair);
    for (const [name, body] of CASES) await compare({ name, rules: RULES, tests: frame(body) });
    const next = random(20261125);
    for (const pair of pairs.filter((p) => p.tests.length < 5_000).slice(0, 10)) {
      if (pair.name === 'slo.yml') continue; // takes promtool seconds a run
      for (let i = 0; i < 4; i++) {
        const pick = (n: number): number => Math.floor(next() * n);
        const mutate = MUTATORS[pick(MUTATORS.length)]!;
        const inTests = next() < 0.7;
        const changed = mutate(inTests ? pair.tests : pair.rules, pick);
        if (changed === undefined) continue;
        await compare({
          ...pair,
          name: `${pair.name} mutant ${i}`,
          ...(inTests ? { tests: changed } : { rules: changed }),
        });
      }
    }
    expect(differences).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(30);
    expect(failed).toBeGreaterThanOrEqual(18);
  });

  it('name the same rule as the one whose results were refused, and list alerts in the same order', async () => {
    using folder = temporaryFolder();
    const rules = `groups:
- name: g
  rules:
  - { alert: Twice, expr: x > 0, for: 2m }
  - { alert: Twice, expr: x > 0 }
  - { alert: Ordered, expr: '{__name__=~"x|y"}', annotations: { v: "{{ $value }}" } }
  - { record: a, expr: x }
  - { record: b, expr: x }
  - { record: a, expr: 'x + (time() > bool 200)' }
  - { record: c, expr: x }
`;
    const tests = frame(
      'input_series: [{ series: \'x{job="a"}\', values: "1x20" }, { series: \'y{job="a",z="b"}\', values: "1x20" }]\n  alert_rule_test: [{ eval_time: 3m, alertname: Ordered, exp_alerts: [] }, { eval_time: 3m, alertname: Twice, exp_alerts: [{ exp_labels: { job: a } }, { exp_labels: { job: a } }] }, { eval_time: 5m, alertname: Twice, exp_alerts: [] }]',
    );
    const { ours, text } = await verdicts(folder.path, { name: 'refused', rules, tests });
    const plain = (t: string): string[] => t.split('\n').flatMap((l) => (l.trim() === '' ? [] : [l.trim()]));
    expect(plain(ours.join('\n'))).toEqual(plain(text).filter((l) => !/^(?:Unit Testing|FAILED)/.test(l)));
    expect(text).toContain('rule: a, time: 4m0s, err: duplicate sample for timestamp');
  });

  it('would see a runner that is one evaluation late', { timeout: 120_000 }, async () => {
    using folder = temporaryFolder();
    const late = (text: string): string =>
      text.replace(/eval_time: (\d+)m/g, (_m, d: string) => `eval_time: ${Number(d) + 1}m`);
    let differ = 0;
    for (const [name, body] of CASES) {
      const { theirs } = await verdicts(folder.path, { name, rules: RULES, tests: frame(body) });
      writeFileSync(path.join(folder.path, 'test.yml'), late(frame(body)));
      if (((await runTestFile(path.join(folder.path, 'test.yml'))).length === 0) !== theirs) differ++;
    }
    expect(differ).toBeGreaterThan(5);
  });
});

const FILES: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['no groups', 'groups: []'],
  ['group without rules', 'groups: [{ name: a }]'],
  ['group without a name', 'groups: [{ rules: [] }]'],
  ['repeated group', 'groups: [{ name: a, rules: [] }, { name: a, rules: [] }]'],
  ['unknown top field', 'group: []'],
  ['unknown group field', 'groups: [{ name: a, rule: [] }]'],
  ['unknown rule field', 'groups: [{ name: a, rules: [{ record: x, expr: y, For: 1m }] }]'],
  ['repeated key', 'groups: [{ name: a, name: b, rules: [] }]'],
  ['both kinds', 'groups: [{ name: a, rules: [{ record: x, alert: y, expr: z }] }]'],
  ['neither kind', 'groups: [{ name: a, rules: [{ expr: z }] }]'],
  ['no expression', 'groups: [{ name: a, rules: [{ record: x }] }]'],
  ['bad expression', 'groups: [{ name: a, rules: [{ record: x, expr: "sum(" }] }]'],
  ['type error', 'groups: [{ name: a, rules: [{ record: x, expr: "rate(y)" }] }]'],
  ['matrix result', 'groups: [{ name: a, rules: [{ record: x, expr: "y[5m]" }] }]'],
  ['number as expression', 'groups: [{ name: a, rules: [{ record: x, expr: 1 }] }]'],
  ['for in recording', 'groups: [{ name: a, rules: [{ record: x, expr: y, for: 1m }] }]'],
  ['zero for in recording', 'groups: [{ name: a, rules: [{ record: x, expr: y, for: 0s }] }]'],
  ['annotations in recording', 'groups: [{ name: a, rules: [{ record: x, expr: y, annotations: { a: b } }] }]'],
  ['bad for', 'groups: [{ name: a, rules: [{ alert: x, expr: y, for: 1x }] }]'],
  ['number as for', 'groups: [{ name: a, rules: [{ alert: x, expr: y, for: 5 }] }]'],
  ['zero as for', 'groups: [{ name: a, rules: [{ alert: x, expr: y, for: 0 }] }]'],
  ['label __name__', 'groups: [{ name: a, rules: [{ alert: x, expr: y, labels: { __name__: z } }] }]'],
  ['number as label', 'groups: [{ name: a, rules: [{ alert: x, expr: y, labels: { a: 1, b: true, c: } }] }]'],
  ['list as label', 'groups: [{ name: a, rules: [{ alert: x, expr: y, labels: { a: [1] } }] }]'],
  ['template error', 'groups: [{ name: a, rules: [{ alert: x, expr: y, annotations: { a: "{{ $label.x }}" } }] }]'],
  [
    'template function unknown',
    'groups: [{ name: a, rules: [{ alert: x, expr: y, annotations: { a: "{{ nope 1 }}" } }] }]',
  ],
  [
    'template in recording label',
    'groups: [{ name: a, rules: [{ record: x, expr: y, labels: { a: "{{ nope 1 }}" } }] }]',
  ],
  [
    'good template',
    'groups: [{ name: a, rules: [{ alert: x, expr: y, annotations: { a: "{{ $labels.x | toUpper }} {{ printf \\"%.2f\\" $value }}" } }] }]',
  ],
  ['limit', 'groups: [{ name: a, limit: 5, interval: 30s, rules: [] }]'],
  ['bad limit', 'groups: [{ name: a, limit: many, rules: [] }]'],
  ['anchors and merges', 'x: &l { severity: page }\ngroups: []'],
  [
    'alias',
    'groups: [{ name: a, rules: [{ alert: x, expr: y, labels: &l { s: p } }, { alert: z, expr: y, labels: *l }] }]',
  ],
  ['broken YAML', 'groups: [{ name: a'],
  ['tab', 'groups:\n\t- name: a'],
  ['top list', '- a'],
  ['braces in record', 'groups: [{ name: a, rules: [{ record: "x{a=\\"b\\"}", expr: y }] }]'],
];

describe.skipIf(missing)('rule files and promtool check rules', () => {
  it('are accepted and refused alike', { timeout: 120_000 }, () => {
    using folder = temporaryFolder();
    const templates = createRuleTemplates({ externalUrl: '', externalLabels: Labels.EMPTY });
    const ours = (text: string): string => {
      try {
        parseRuleFile('f', text, {
          parse: (t) => parse(t),
          checkTemplate: (t, n) => templates.check(t, n),
          strict: true,
        });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const differences: string[] = [];
    let refused = 0;
    for (const [name, text] of FILES) {
      const file = path.join(folder.path, 'rules.yml');
      writeFileSync(file, text);
      const theirs = promtool('check', 'rules', file);
      const mine = ours(text);
      if (!theirs.ok) refused++;
      if (theirs.ok !== (mine === ''))
        differences.push(`${name}: promtool ${theirs.ok ? 'accepts' : theirs.text}; ours ${mine || 'accepts'}`);
      if (mine !== '') expect(mine, name).toMatch(/^f:\d+:\d+: /);
    }
    expect(differences).toEqual([]);
    expect(refused).toBeGreaterThanOrEqual(20);
    expect(FILES.length - refused).toBeGreaterThanOrEqual(10);
  });
});
