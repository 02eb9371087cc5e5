/**
 * Rule files and Alertmanager configurations that other people wrote: generated ones, good and with one planted fault
 * each, judged by promtool 2.42 and amtool 0.33 and by ours. What they accept is accepted, what they refuse is refused,
 * and where promtool names a line, ours names the same.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAlertingConfig } from '../../src/alerting/config.ts';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { parseChecked } from '../../src/catalogue/check/expression.ts';
import { messageOf } from '../../src/lib/errors.ts';
import { Labels } from '../../src/model/labels.ts';
import { parseRuleFile } from '../../src/rules/rule-file.ts';
import { createRuleTemplates } from '../../src/rules/templates.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

type Random = () => number;
/** Mulberry32. */
function random(seed: number): Random {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const pick = <T>(r: Random, of: readonly T[]): T => of[Math.floor(r() * of.length)]!;
const times = (r: Random, max: number): number => 1 + Math.floor(r() * max);

interface Made {
  readonly text: string;
  /** What was planted; '' in a good one. */
  readonly fault: string;
}

const EXPRESSIONS = [
  'up == 0',
  'sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / ignoring(code) group_left sum by (job) (rate(x[5m])) > 0.1',
  'histogram_quantile(0.99, sum by (le) (rate(h_bucket[10m]))) > 2',
  'predict_linear(free_bytes[1h], 4 * 3600) < 0 unless on (instance) maintenance',
  'max_over_time(deriv(q[5m])[1h:1m] offset 1d) > bool 3',
  'absent(up{job="a"}) or up @ end()',
  'label_replace(up, "a", "$1", "b", "(.*)x")',
  'topk(3, count_values("v", version)) and on () hour() > 8',
  '{__name__=~"node_.+", job!~"a|b"} > 1e3',
  '-(1 + 2) ^ 3 % 4',
];
const DURATIONS = ['30s', '5m', '1h30m', '2d', '0s', '1w', '1y2w3d4h5m6s7ms'];
const TEMPLATES = [
  'plain',
  '{{ $labels.instance }} is at {{ $value | humanizePercentage }}',
  '{{ with query "up" }}{{ . | first | value }}{{ end }}',
  '{{ range query "up" }}{{ .Labels.job }},{{ end }}{{ $externalURL }}',
  '{{ if gt $value 1.5 }}high{{ else }}low{{ end }}: {{ printf "%.2f" $value }}',
];
/** A rule as lines, so that a fault sits where an editor would see it. */
function ruleLines(r: Random, n: number, fault?: string): string[] {
  const alerting = fault?.startsWith('alert') || (!fault?.startsWith('record') && r() < 0.7);
  const expr = fault?.endsWith('expr') ? pick(r, BAD_EXPRESSIONS) : pick(r, EXPRESSIONS);
  const lines = alerting
    ? [`      - alert: Alert${n}`]
    : [`      - record: ${fault === 'record name' ? '"bad name{"' : `level:metric${n}:sum`}`];
  if (r() < 0.3) lines.unshift('      # written by a person');
  if (fault !== 'alert no expression' && fault !== 'record no expression')
    lines.push(r() < 0.3 ? `        expr: |\n          ${expr}` : `        expr: ${JSON.stringify(expr)}`);
  if (alerting && r() < 0.7) lines.push(`        for: ${pick(r, DURATIONS)}`);
  if (alerting && r() < 0.2) lines.push(`        keep_firing_for: ${pick(r, DURATIONS)}`);
  if (fault === 'alert for') lines.push(`        keep_firing_for: ${pick(r, ['5 minutes', '5x', '-5m', '1.5h'])}`);
  if (fault === 'record for') lines.push('        for: 5m');
  if (fault === 'record annotations') lines.push('        annotations: { a: b }');
  if (r() < 0.6 || fault === 'alert label') {
    lines.push('        labels:', `          severity: ${pick(r, ['page', 'warning', '"{{ $labels.a }}"'])}`);
    if (fault === 'alert label')
      lines.push(pick(r, ['          __name__: x', '          "": y', '          a: "{{ .x"']));
  }
  if (alerting && (r() < 0.7 || fault === 'alert template')) {
    lines.push('        annotations:', `          summary: ${JSON.stringify(pick(r, TEMPLATES))}`);
    if (fault === 'alert template')
      lines.push(
        `          d: ${JSON.stringify(pick(r, ['{{ $labels.x', '{{ nope $value }}', '{{ end }}', '{{ $undeclared }}']))}`,
      );
  }
  if (fault === 'alert key' || fault === 'record key')
    lines.push(`        ${pick(r, ['exprs: up', 'labls: {}', 'form: 5m'])}`);
  if (fault === 'alert both') lines.push('        record: a:b');
  return lines;
}
const BAD_EXPRESSIONS = [
  'sum(up',
  'rate(up)',
  'up[5m]',
  'up{a="b"',
  'sum by job (up)',
  'foo(up)',
  'up + on (a) group_left',
  'up == "x"',
  'up{a=~"("}',
  'rate(up[5])x',
  'histogram_quantile(up)',
  '"text',
  '1 and 2',
  '{}',
];
const RULE_FAULTS = [
  'alert expr',
  'record expr',
  'record name',
  'alert no expression',
  'record no expression',
  'alert for',
  'record for',
  'record annotations',
  'alert label',
  'alert template',
  'alert key',
  'record key',
  'alert both',
  'group key',
  'group interval',
  'group twice',
  'group no name',
  'top key',
  'yaml',
] as const;

function ruleFile(r: Random, fault?: (typeof RULE_FAULTS)[number]): Made {
  const lines = r() < 0.3 ? ['# rules of a team'] : [];
  lines.push('groups:');
  const groups = times(r, 3);
  const faulty = Math.floor(r() * groups);
  let n = 0;
  for (let g = 0; g < groups; g++) {
    const here = fault !== undefined && g === faulty ? fault : undefined;
    lines.push(
      here === 'group no name'
        ? '  - interval: 1m'
        : `  - name: group${here === 'group twice' && groups > 1 ? (g + 1) % groups : g}`,
    );
    if (here === 'group twice' && groups === 1) lines.push('    rules: []', '  - name: group0');
    if (here === 'group interval') lines.push(`    interval: ${pick(r, ['soon', '5 m', '1.5m'])}`);
    else if (here !== 'group no name' && r() < 0.4) lines.push(`    interval: ${pick(r, ['15s', '1m', '1h'])}`);
    if (r() < 0.2) lines.push('    limit: 10');
    if (here === 'group key') lines.push(`    ${pick(r, ['intervall: 1m', 'partial: true'])}`);
    lines.push('    rules:');
    const rules = times(r, 4);
    const bad = Math.floor(r() * rules);
    for (let i = 0; i < rules; i++)
      lines.push(...ruleLines(r, n++, i === bad && here && /^(alert|record)/.test(here) ? here : undefined));
    if (here === 'yaml') lines.push(pick(r, ['      - alert: "open', '  \t- x: y', '      - {a: b']));
  }
  if (fault === 'top key') lines.push(pick(r, ['group: []', 'rules: []']));
  return { text: `${lines.join('\n')}\n`, fault: fault ?? '' };
}

/** Without a fault amtool accepts it. Lines are in a fixed order; what is planted replaces or follows one. */
function alertmanagerFile(r: Random, fault?: (typeof AM_FAULTS)[number]): Made {
  const matcher = (): string =>
    pick(r, ['severity="critical"', 'team=~"a|b.*"', 'env!=dev', '\'x !~ "y"\'', '"foo" = "bar"']).replace(
      /^([^'].*)$/,
      "'$1'",
    );
  const duration = (): string => pick(r, ['10s', '5m', '3h', '1d']);
  const receivers = ['team-a', 'team-b', 'pager'];
  const route = (depth: number, indent: string): string[] => {
    const out = [`${indent}receiver: ${pick(r, receivers)}`];
    if (r() < 0.5) out.push(`${indent}group_by: ${pick(r, ['[alertname]', "['...']", '[cluster, job]'])}`);
    if (r() < 0.5) out.push(`${indent}group_wait: ${duration()}`);
    if (r() < 0.5) out.push(`${indent}repeat_interval: ${duration()}`);
    if (depth > 0) {
      out.push(`${indent}matchers: [${matcher()}${r() < 0.3 ? `, ${matcher()}` : ''}]`);
      if (r() < 0.3) out.push(`${indent}continue: true`);
      if (r() < 0.3) out.push(`${indent}mute_time_intervals: [nights]`);
    }
    if (depth < 2 && r() < 0.7) {
      out.push(`${indent}routes:`);
      for (let i = times(r, 2); i > 0; i--) {
        const child = route(depth + 1, `${indent}    `);
        out.push(`${indent}  - ${child[0]!.trim()}`, ...child.slice(1));
      }
    }
    return out;
  };
  const root = route(0, '  ');
  const plant: Record<string, string | undefined> = {
    'unknown receiver': '  receiver: nobody',
    'root matcher': '  matchers: [a=b]',
    'bad duration': '  group_interval: soon',
    'zero interval': '  group_interval: 0s',
    'unknown key': '  grup_by: [a]',
    'duplicate label': '  group_by: [a, a]',
  };
  if (fault === 'unknown receiver') root[0] = plant[fault]!;
  else if (fault === 'duplicate label') root.splice(0, root.length, root[0]!, plant[fault]!);
  else if (fault && plant[fault]) root.splice(1, 0, plant[fault]);
  const lines = [
    ...(r() < 0.5 ? ['global:', `  resolve_timeout: ${duration()}`] : []),
    'route:',
    ...root,
    ...(fault === 'bad child matcher' ? ['---never'] : []),
    'receivers:',
    ...(fault === 'receiver twice' ? [...receivers, 'pager'] : receivers).map(
      (name) => `  - name: ${name}${r() < 0.5 ? "\n    webhook_configs: [{ url: 'http://x/' }]" : ''}`,
    ),
    'time_intervals:',
    '  - name: nights',
    '    time_intervals:',
    `      - times: [{ start_time: '${fault === 'bad time' ? pick(r, ['25:00', '9:5', '18:00']) : '01:00'}', end_time: '${fault === 'bad time' ? '17:00' : '06:00'}' }]`,
    `        weekdays: ['${fault === 'bad weekday' ? 'monday:someday' : 'monday:friday'}']`,
    // amtool takes any number for a month
    ...(fault === undefined && r() < 0.4
      ? [`        months: ['${pick(r, ['13', '0:3', '-1', 'march:april', '2'])}']`]
      : []),
    ...(fault === 'bad month' ? [`        months: ['${pick(r, ['smarch', '11:2', '3:1:2', '5:-2'])}']`] : []),
    ...(fault === 'bad zone' ? ['        location: Nowhere/Town'] : []),
    ...(r() < 0.6 || fault === 'bad inhibit'
      ? [
          'inhibit_rules:',
          `  - source_matchers: [${fault === 'bad inhibit' ? pick(r, ['\'a=~"("\'', "'=b'", "'a'"]) : matcher()}]`,
          `    target_matchers: [${matcher()}]`,
          '    equal: [cluster]',
        ]
      : []),
    ...(fault === 'top key' ? ['routes: []'] : []),
    ...(fault === 'interval twice' ? ['mute_time_intervals:', '  - name: nights', '    time_intervals: []'] : []),
  ].filter((l) => l !== '---never');
  if (fault === 'bad child matcher') {
    const at = lines.indexOf('receivers:');
    if (!root.some((l) => l.trim() === 'routes:')) lines.splice(at, 0, '  routes:');
    lines.splice(
      lines.indexOf('receivers:'),
      0,
      `    - receiver: pager\n      matchers: [${pick(r, ['\'a=~"["\'', "'a b'", "'{a=b'"])}]`,
    );
  }
  return { text: `${lines.join('\n')}\n`, fault: fault ?? '' };
}
const AM_FAULTS = [
  'unknown receiver',
  'root matcher',
  'bad duration',
  'zero interval',
  'unknown key',
  'duplicate label',
  'bad child matcher',
  'receiver twice',
  'bad time',
  'bad weekday',
  'bad month',
  'bad zone',
  'bad inhibit',
  'top key',
  'interval twice',
] as const;

const templates = createRuleTemplates({ externalUrl: '', externalLabels: Labels.from({}) });
const oursOfRules = (file: string, text: string): string | undefined => {
  try {
    parseRuleFile(file, text, { parse: parseChecked, checkTemplate: (t, name) => templates.check(t, name) });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
};
const oursOfAlertmanager = (text: string): string | undefined => {
  try {
    parseAlertingConfig(text, { templates: goTemplates, readFiles: () => [] });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
};

/** Files written, judged by one run of the program: file -> what it said after naming it, undefined when it was good. */
function judge(program: string, args: readonly string[], made: readonly Made[], end: string): (string | undefined)[] {
  using folder = temporaryFolder();
  const files = made.map((m, i) => {
    const file = path.join(folder.path, `f${String(i).padStart(4, '0')}.${end}`);
    writeFileSync(file, m.text);
    return file;
  });
  const run = spawnSync('bash', ['-c', '"$0" "$@" 2>&1', program, ...args, ...files], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 120_000,
  });
  return files.map((file, i) => {
    const from = run.stdout.indexOf(`Checking ${JSON.stringify(file).slice(1, -1)}`);
    const at = from >= 0 ? from : run.stdout.indexOf(`Checking '${file}'`);
    expect(at, `the program did not look at file ${i}: ${run.stdout.slice(-500)}`).toBeGreaterThanOrEqual(0);
    const next = run.stdout.indexOf('Checking ', at + 9);
    const said = run.stdout.slice(at, next < 0 ? undefined : next);
    return /SUCCESS/.test(said) && !/FAILED/.test(said) ? undefined : said;
  });
}

interface Verdicts {
  readonly good: number;
  readonly bad: number;
  readonly differences: readonly string[];
}
function compare(
  made: readonly Made[],
  theirs: readonly (string | undefined)[],
  ours: (m: Made) => string | undefined,
): Verdicts {
  let good = 0;
  const differences: string[] = [];
  made.forEach((m, i) => {
    const own = ours(m);
    if (theirs[i] === undefined) good++;
    if ((own === undefined) !== (theirs[i] === undefined))
      differences.push(
        `planted ${JSON.stringify(m.fault)}\ntheirs: ${theirs[i] ?? 'good'}\nours: ${own ?? 'good'}\n${m.text}`,
      );
  });
  return { good, bad: made.length - good, differences };
}

const GOOD = 150;
const EACH_FAULT = 8;
function files<F extends string>(make: (r: Random, fault?: F) => Made, faults: readonly F[]): Made[] {
  const r = random(20_261_126);
  return [
    ...Array.from({ length: GOOD }, () => make(r)),
    ...faults.flatMap((fault) => Array.from({ length: EACH_FAULT }, () => make(r, fault))),
  ];
}

describe('files of third parties', { timeout: 180_000 }, () => {
  it.skipIf(peerMissing('promtool'))('rule files: the verdict of promtool, and its line', () => {
    const made = files(ruleFile, RULE_FAULTS);
    const theirs = judge(findPeer('promtool')!, ['check', 'rules', '--lint=none'], made, 'yml');
    const v = compare(made, theirs, (m) => oursOfRules('f.yml', m.text));
    expect(v.differences.slice(0, 12).join('\n----\n')).toBe('');
    expect(v.good).toBeGreaterThanOrEqual(GOOD);
    expect(v.bad).toBeGreaterThanOrEqual(RULE_FAULTS.length * EACH_FAULT * 0.8);
    // for a block of text promtool names the line of its key, ours the line of the block where it goes wrong
    let lines = 0;
    const elsewhere: string[] = [];
    made.forEach((m, i) => {
      const theirLine = Number(/\.yml: (\d+):\d+: group/.exec(theirs[i] ?? '')?.[1] ?? 0);
      if (theirLine === 0 || !m.fault.endsWith('expr')) return;
      lines++;
      const own = oursOfRules('f.yml', m.text)!;
      const after = Number(/^f\.yml:(\d+)/.exec(own)?.[1] ?? 0) - theirLine;
      const block = m.text.split('\n')[theirLine - 1]?.trim() === 'expr: |';
      if (block ? after < 1 || after > 2 : after !== 0)
        elsewhere.push(`planted ${m.fault}\ntheirs: ${theirs[i]}\nours: ${own}\n${m.text}`);
    });
    expect(lines).toBeGreaterThanOrEqual(12);
    expect(elsewhere.slice(0, 6).join('\n----\n')).toBe('');
    // the comparison itself: a judge that accepts everything is found out
    expect(compare(made, theirs, () => undefined).differences.length).toBe(v.bad);
  });

  it.skipIf(peerMissing('amtool', 'sid'))('Alertmanager configurations: the verdict of amtool', () => {
    const made = files(alertmanagerFile, AM_FAULTS);
    const theirs = judge(findPeer('amtool', 'sid')!, ['check-config'], made, 'yml');
    const v = compare(made, theirs, (m) => oursOfAlertmanager(m.text));
    expect(v.differences.slice(0, 12).join('\n----\n')).toBe('');
    expect(v.good).toBeGreaterThanOrEqual(GOOD);
    expect(v.bad).toBeGreaterThanOrEqual(AM_FAULTS.length * EACH_FAULT * 0.8);
    // every refusal of ours says what it is about, not only that it refuses
    for (const [i, m] of made.entries())
      if (theirs[i] !== undefined) expect(oursOfAlertmanager(m.text)!.length, m.fault).toBeGreaterThan(15);
    expect(compare(made, theirs, () => undefined).differences.length).toBe(v.bad);
  });
});
