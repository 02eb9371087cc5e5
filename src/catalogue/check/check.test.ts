import { describe, expect, it } from 'vitest';
import { textDiff } from '../text-diff.ts';
import { dashboardQueries, withoutVariables } from './dashboards.ts';
import type { CheckedRule } from './finding.ts';
import { blindWithout } from './rename.ts';
import { checkRoutes } from './routes.ts';
import { checkRules } from './rules.ts';

const rule = (over: Partial<CheckedRule>): CheckedRule => ({
  where: over.name ?? 'A',
  file: 'f',
  group: 'g',
  name: 'A',
  kind: 'alert',
  expr: 'up == 0',
  forMs: 0,
  labels: { severity: 'warning' },
  annotations: {},
  intervalMs: 0,
  ...over,
});
const kinds = (rules: CheckedRule[], metrics?: string[], queries: { where: string; expr: string }[] = []) =>
  checkRules({ rules, queries, metrics: metrics && new Set(metrics), complete: false }).map(
    (f) => `${f.kind} ${f.where}`,
  );

describe('rules', () => {
  it.each<[string, CheckedRule[], string[] | undefined, string[]]>([
    ['a good one', [rule({})], ['x'], []],
    ['a bad expression', [rule({ expr: 'sum(' })], undefined, ['bad-expression A']],
    ['a bad regular expression', [rule({ expr: 'up{a=~"("}' })], undefined, ['bad-expression A']],
    ['an unknown metric', [rule({ expr: 'gone > 1' })], ['there'], ['unknown-metric A']],
    [
      'a histogram known by its base',
      [rule({ expr: 'rate(h_seconds_count[5m]) > 1' })],
      ['h_seconds_bucket', 'h_seconds'],
      [],
    ],
    [
      'what another rule records',
      [rule({ expr: 'a:b > 1' }), rule({ name: 'a:b', kind: 'record', expr: 'sum(x)', labels: {} })],
      ['x'],
      [],
    ],
    [
      'a recording that nothing reads',
      [rule({ name: 'a:b', kind: 'record', expr: 'sum(x)' })],
      ['x'],
      ['unused-recording a:b'],
    ],
    [
      'the same rule twice',
      [rule({}), rule({ name: 'B', expr: '(up) == 0' }), rule({ name: 'C' })],
      undefined,
      ['duplicate-rule C'],
    ],
    [
      'one metric recorded twice',
      [
        rule({ name: 'r', where: '1', kind: 'record', expr: 'sum(x)' }),
        rule({ name: 'r', where: '2', kind: 'record', expr: 'max(x)' }),
        rule({ expr: 'r > 1' }),
      ],
      undefined,
      ['two-recordings 2'],
    ],
    [
      'a shadowed threshold',
      [rule({ expr: 'x > 0.9', forMs: 60_000 }), rule({ name: 'B', expr: 'x > 0.8' })],
      undefined,
      ['shadowed-alert A'],
    ],
    [
      'two steps of severity',
      [rule({ expr: 'x > 0.9', labels: { severity: 'critical' } }), rule({ name: 'B', expr: 'x > 0.8' })],
      undefined,
      [],
    ],
    [
      'thresholds from below',
      [rule({ expr: 'x < 0.1' }), rule({ name: 'B', expr: 'x < 0.2', labels: { severity: 'critical' } })],
      undefined,
      ['shadowed-alert A'],
    ],
    ['thirty days at every interval', [rule({ expr: 'increase(x[30d]) > 1' })], undefined, ['dear-rule A']],
    ['a subquery over a range', [rule({ expr: 'max_over_time(rate(x[10d])[5d:]) > 1' })], undefined, ['dear-rule A']],
    [
      'a recording by user',
      [rule({ name: 'r', kind: 'record', expr: 'sum by (user_id) (x)' }), rule({ expr: 'r > 1' })],
      undefined,
      ['cardinality r'],
    ],
  ])('%s', (_name, rules, metrics, expected) => expect(kinds(rules, metrics)).toEqual(expected));

  it('want what people need when asked for', () => {
    const found = checkRules({
      rules: [rule({ labels: {}, annotations: { summary: 's' } })],
      queries: [],
      metrics: undefined,
      complete: true,
    });
    expect(found[0]!.message).toBe(
      'lacks the label severity, the annotation description, the annotation impact, the annotation runbook_url',
    );
  });
});

describe('dashboards', () => {
  it('lose their variables without losing their meaning', () => {
    expect(withoutVariables('rate(x{a=~"$tenant", b="${env:regex}"}[$__rate_interval]) > $threshold')).toBe(
      'rate(x{a=~".*", b=".*"}[5m]) > .*',
    );
    expect(withoutVariables('max_over_time(x[$__range:$interval])')).toBe('max_over_time(x[5m:1m])');
  });
  it('are walked to the last panel', () => {
    const { queries, findings } = dashboardQueries('d', {
      panels: [
        { type: 'row', panels: [{ title: 'in', type: 'stat', targets: [{ expr: 'up', refId: 'A' }] }] },
        { title: 'text', type: 'text', options: { content: 'why' } },
        { title: 'empty', type: 'timeseries', targets: [{ expr: ' ' }] },
      ],
      templating: { list: [{ name: 't', query: { query: 'label_values(up, job)' } }] },
    });
    expect(queries.map((q) => q.expr)).toEqual(['up', 'up']);
    expect(findings.map((f) => f.where)).toEqual(['d: panel "empty"']);
  });
});

describe('routes', () => {
  it('that nothing can reach, and receivers that tell nobody', () => {
    const found = checkRoutes('am.yml', {
      route: {
        receiver: 'a',
        routes: [
          { receiver: 'b', matchers: ['severity="critical"'], routes: [{ matchers: ['severity="warning"'] }] },
          { receiver: 'c', match: { severity: 'critical' }, matchers: ['team=x'] },
          { receiver: 'c', matchers: ['team="y"'], continue: true },
          { receiver: 'd', matchers: ['team="y"'] },
        ],
      },
      receivers: [
        { name: 'a' },
        { name: 'b', x_configs: [] },
        { name: 'c', x_configs: [] },
        { name: 'd', x: [] },
        { name: 'e', x: [] },
      ],
    });
    expect(found.map((f) => `${f.kind} ${f.where}`)).toEqual([
      'dead-route am.yml: route.routes[0].routes[0]',
      'dead-route am.yml: route.routes[1]',
      'silent-receiver am.yml: receiver "a"',
      'unused-receiver am.yml: receiver "e"',
    ]);
  });
});

describe('renaming', () => {
  it('is followed through recordings', () => {
    const blind = blindWithout(
      'h_seconds',
      [
        rule({
          name: 'p95',
          where: 'p95',
          kind: 'record',
          expr: 'histogram_quantile(0.9, rate(h_seconds_bucket[5m]))',
        }),
        rule({ name: 'Slow', where: 'Slow', expr: 'p95 > 1' }),
        rule({ name: 'Other', where: 'Other' }),
      ],
      [
        { where: 'panel', expr: 'max(p95)' },
        { where: 'all', expr: '{__name__=~"h_.*"}' },
      ],
    );
    expect(blind.map((b) => [b.kind, b.where, b.through.join()])).toEqual([
      ['recording', 'p95', ''],
      ['query', 'all', ''],
      ['alert', 'Slow', 'p95'],
      ['query', 'panel', 'p95'],
    ]);
  });
});

describe('differences of texts', () => {
  it('show what changed with three lines around', () => {
    const a = Array.from({ length: 20 }, (_, i) => `l${i}`);
    const b = a.with(5, 'new').toSpliced(15, 1);
    expect(textDiff(a.join('\n'), b.join('\n'), 'f')).toBe(
      '--- f\n+++ f\n@@ line 6 @@\n l2\n l3\n l4\n-l5\n+new\n l6\n l7\n l8\n@@ ... @@\n l12\n l13\n l14\n-l15\n l16\n l17\n l18\n',
    );
    expect(textDiff('a', 'a', 'f')).toBeUndefined();
  });
});
