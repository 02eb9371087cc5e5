import { describe, expect, it } from 'vitest';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { parse } from '../../promql/parse.ts';
import { compileMatcher } from '../../regex/matcher.ts';
import type { RuleGroupView, RuleView, TenantRulesView } from '../../rules/ports.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import type { HttpRequest } from '../route.ts';
import { exponent, prometheusRulesRoutes, timeText } from './rules.ts';

const rule = (name: string, more: Partial<RuleView> = {}): RuleView => ({
  kind: 'alerting',
  name,
  query: 'x > 1',
  labels: Labels.from({ severity: name === 'A' ? 'page' : 'info' }),
  annotations: Labels.EMPTY,
  forMs: 60_000,
  keepFiringForMs: 0,
  health: 'ok',
  lastError: '',
  missing: [],
  state: 'inactive',
  alerts: [],
  evaluationSeconds: 0.001,
  lastEvaluationMs: 1_000,
  ...more,
});
const group = (name: string, rules: readonly RuleView[]): RuleGroupView => ({
  name,
  file: 'f.yml',
  intervalMs: 15_000,
  limit: 0,
  queryOffsetMs: 0,
  evaluationSeconds: 0.002,
  lastEvaluationMs: 0,
  iterations: 0,
  iterationsMissed: 0,
  failures: 0,
  rules,
});
const firing = {
  labels: Labels.from({ alertname: 'A', tenant_id: 'one' }),
  annotations: Labels.from({ s: 'text' }),
  state: 'firing' as const,
  activeAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 120),
  value: 0.5,
};
const VIEW: TenantRulesView = {
  groups: [
    group('a', [
      rule('A', { state: 'firing', alerts: [firing] }),
      rule('r', { kind: 'recording', labels: Labels.EMPTY }),
    ]),
    group('b', [rule('B')]),
    group('c', [rule('A')]),
  ],
  rulesFailing: 0,
  rulesUnknown: 0,
  iterationsMissed: 0,
};
const routes = prometheusRulesRoutes({
  view: (c) => (c.tenant === 'a' ? VIEW : { groups: [], rulesFailing: 0, rulesUnknown: 0, iterationsMissed: 0 }),
  parseSelector: (text): readonly Matcher[] => {
    const e = parse(text);
    return e.kind === 'selector' ? e.matchers : [];
  },
  compileMatcher,
});

function ask(path: string, context: Partial<RequestContext> = {}): Record<string, never> {
  const url = new URL(path, 'http://x');
  const route = routes.find((r) => r.path === url.pathname)!;
  const request = { context: { tenant: 'a', ...context }, method: 'GET', query: url.searchParams, headers: {} };
  const answer = route.handle(request as unknown as HttpRequest) as { json: { data: unknown } };
  return JSON.parse(JSON.stringify(answer.json.data)) as Record<string, never>;
}
const shape = (data: { groups: { name: string; rules: { name: string }[] }[] }): string =>
  data.groups.map((g) => `${g.name}:${g.rules.map((r) => r.name).join('')}`).join(' ');

describe('/api/v1/rules', () => {
  it.each([
    ['', 'a:Ar b:B c:A'],
    ['?type=alert', 'a:A b:B c:A'],
    ['?type=record', 'a:r'],
    ['?rule_name[]=A&rule_name[]=r', 'a:Ar c:A'],
    ['?rule_group[]=b', 'b:B'],
    ['?file[]=other.yml', ''],
    ['?match[]={severity="page"}', 'a:A c:A'],
    ['?match[]={severity="page"}&match[]={severity=~"in.*"}', 'a:A b:B c:A'],
    ['?group_limit=2', 'a:Ar b:B'],
  ])('answers %s', (query, wanted) => {
    expect(shape(ask(`/api/v1/rules${query}`) as never)).toBe(wanted);
  });

  it('pages through groups', () => {
    const first = ask('/api/v1/rules?group_limit=2') as unknown as { groupNextToken: string };
    const second = ask(`/api/v1/rules?group_limit=2&group_next_token=${first.groupNextToken}`);
    expect(shape(second as never)).toBe('c:A');
    expect('groupNextToken' in second).toBe(false);
  });

  it('has the keys of Prometheus in their order', () => {
    const data = ask('/api/v1/rules?rule_group[]=a') as unknown as { groups: { rules: object[] }[] };
    expect(Object.keys(data.groups[0]!)).toEqual([
      'name',
      'file',
      'rules',
      'interval',
      'limit',
      'evaluationTime',
      'lastEvaluation',
    ]);
    expect(Object.keys(data.groups[0]!.rules[0]!)).toEqual(
      'state name query duration keepFiringFor labels annotations alerts health evaluationTime lastEvaluation type'.split(
        ' ',
      ),
    );
    expect(Object.keys(data.groups[0]!.rules[1]!)).toEqual(
      'name query health evaluationTime lastEvaluation type'.split(' '),
    );
    expect(data.groups[0]).toMatchObject({ lastEvaluation: '0001-01-01T00:00:00Z', interval: 15 });
    const bare = ask('/api/v1/rules?exclude_alerts=true&rule_group[]=a') as unknown as typeof data;
    expect(bare.groups[0]!.rules[0]).toMatchObject({ alerts: null });
  });

  it.each([
    ['?type=both', 'invalid parameter "type": not supported value "both"'],
    ['?group_limit=x', 'group_limit needs to be a valid number'],
    ['?group_limit=0', 'group_limit needs to be greater than 0'],
    ['?group_next_token=x', 'group_limit needs to be present'],
    ['?group_limit=1&group_next_token=x', "invalid group_next_token 'x'"],
    ['?exclude_alerts=maybe', 'invalid parameter "exclude_alerts"'],
  ])('refuses %s', (query, message) => {
    expect(() => ask(`/api/v1/rules${query}`)).toThrow(message);
  });

  it('shows a restricted view its own alerts and no rules, another tenant nothing', () => {
    const view = { name: 'v', tenantLabel: 'tenant_id', tenantValue: 'one' };
    expect((ask('/api/v1/alerts', { view }) as unknown as { alerts: unknown[] }).alerts).toHaveLength(1);
    expect(ask('/api/v1/alerts', { view: { ...view, tenantValue: 'two' } })).toEqual({ alerts: [] });
    expect(ask('/api/v1/rules', { view })).toEqual({ groups: [] });
    expect(ask('/api/v1/rules', { tenant: 'b' as never })).toEqual({ groups: [] });
    expect(ask('/api/v1/alerts', { tenant: 'b' as never })).toEqual({ alerts: [] });
  });

  it('writes numbers and times as Go does', () => {
    expect(ask('/api/v1/alerts')).toEqual({
      alerts: [
        {
          labels: { alertname: 'A', tenant_id: 'one' },
          annotations: { s: 'text' },
          state: 'firing',
          activeAt: '2026-01-01T00:00:00.12Z',
          value: '5e-01',
        },
      ],
    });
    expect([1, 0, -0, 123456, 1e100, 2.5e-7, Number.NaN, -Infinity].map(exponent)).toEqual([
      '1e+00',
      '0e+00',
      '-0e+00',
      '1.23456e+05',
      '1e+100',
      '2.5e-07',
      'NaN',
      '-Inf',
    ]);
    expect([0, 1_000, 1_001, 1_500].map(timeText)).toEqual([
      '0001-01-01T00:00:00Z',
      '1970-01-01T00:00:01Z',
      '1970-01-01T00:00:01.001Z',
      '1970-01-01T00:00:01.5Z',
    ]);
  });
});
