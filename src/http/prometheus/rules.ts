/** Prometheus' /api/v1/rules and /api/v1/alerts over a tenant's rules. Only encodes; what rules do is theirs. */
import { createHash } from 'node:crypto';
import { VigieError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../model/matcher.ts';
import type { AlertView, RuleGroupView, RuleView, TenantRulesView } from '../../rules/ports.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { formValues } from '../body.ts';
import { type HttpAnswer, type HttpRequest, type Route, VIEWER } from '../route.ts';

/** Go's zero time: not evaluated yet. */
const NEVER = '0001-01-01T00:00:00Z';

export interface PrometheusRulesPorts {
  readonly view: (context: RequestContext) => TenantRulesView;
  /** The matchers of a selector such as `{severity="page"}`. Throws `bad_data`. */
  readonly parseSelector: (text: string) => readonly Matcher[];
  readonly compileMatcher: (matcher: Matcher) => CompiledMatcher;
}

export function prometheusRulesRoutes(ports: PrometheusRulesPorts): readonly Route[] {
  const route = (path: string, handle: (request: HttpRequest) => HttpAnswer): Route => ({
    method: 'GET',
    path,
    family: 'prometheus',
    access: VIEWER,
    handle,
  });
  return [
    route('/api/v1/rules', (request) => success(rules(request, ports))),
    route('/api/v1/alerts', (request) => success({ alerts: alerts(request, ports) })),
  ];
}

const success = (data: unknown): HttpAnswer => ({ json: { status: 'success', data } });

/** In a restricted view only alerts about the viewer are shown; rules and their expressions belong to the owner. */
function visible(context: RequestContext, labels: Labels): boolean {
  return !context.view || labels.get(context.view.tenantLabel) === context.view.tenantValue;
}

function alerts(request: HttpRequest, ports: PrometheusRulesPorts): unknown[] {
  const order = { firing: 0, pending: 1, inactive: 2 };
  return ports
    .view(request.context)
    .groups.flatMap((g) =>
      g.rules
        .filter((r) => r.kind === 'alerting')
        .sort((a, b) => order[a.state] - order[b.state] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    )
    .flatMap((r) => r.alerts)
    .filter((a) => visible(request.context, a.labels))
    .map(alertJson);
}

function rules(request: HttpRequest, ports: PrometheusRulesPorts): unknown {
  const form = formValues(request);
  const type = (form.get('type') ?? '').toLowerCase();
  if (type !== '' && type !== 'alert' && type !== 'record')
    throw invalid('type', `not supported value ${JSON.stringify(type)}`);
  const names = new Set(form.getAll('rule_name[]'));
  const groupNames = new Set(form.getAll('rule_group[]'));
  const files = new Set(form.getAll('file[]'));
  const withoutAlerts = boolParam(form, 'exclude_alerts');
  const sets = form.getAll('match[]').map((text) => ports.parseSelector(text).map((m) => ports.compileMatcher(m)));
  const { limit, token } = page(form);
  const wanted = (r: RuleView): boolean =>
    (type === '' || r.kind === (type === 'alert' ? 'alerting' : 'recording')) &&
    (names.size === 0 || names.has(r.name)) &&
    (sets.length === 0 || sets.some((set) => set.every((m) => m.matches(r.labels.get(m.name)))));

  let found = token === '';
  let nextToken = '';
  const groups: unknown[] = [];
  for (const group of request.context.view ? [] : ports.view(request.context).groups) {
    if (!found) {
      if (groupToken(group) !== token) continue;
      found = true;
    }
    if (groupNames.size > 0 && !groupNames.has(group.name)) continue;
    if (files.size > 0 && !files.has(group.file)) continue;
    const chosen = group.rules.filter(wanted);
    if (chosen.length === 0) continue;
    if (limit > 0 && groups.length === limit) {
      nextToken = groupToken(group);
      break;
    }
    groups.push(groupJson(group, chosen, withoutAlerts));
  }
  if (!found) throw invalid('group_next_token', `invalid group_next_token '${token}'. were rule groups changed?`);
  return { groups, ...(nextToken === '' ? {} : { groupNextToken: nextToken }) };
}

function page(form: URLSearchParams): { readonly limit: number; readonly token: string } {
  const text = form.get('group_limit') ?? '';
  const token = form.get('group_next_token') ?? '';
  if (text === '') {
    if (token !== '')
      throw invalid('group_limit', 'group_limit needs to be present in order to paginate over the groups');
    return { limit: 0, token: '' };
  }
  if (!/^[-+]?\d+$/.test(text))
    throw invalid(
      'group_limit',
      `group_limit needs to be a valid number: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  const limit = Number(text);
  if (limit <= 0) throw invalid('group_limit', 'group_limit needs to be greater than 0');
  return { limit, token };
}

function boolParam(form: URLSearchParams, name: string): boolean {
  const text = form.get(name) ?? '';
  if (text === '' || ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  throw invalid(name, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

const invalid = (name: string, what: string): VigieError =>
  new VigieError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${what}`);

const groupToken = (g: RuleGroupView): string => createHash('sha1').update(`${g.file};${g.name}`).digest('hex');

function groupJson(g: RuleGroupView, rules: readonly RuleView[], withoutAlerts: boolean): unknown {
  return {
    name: g.name,
    file: g.file,
    rules: rules.map((r) => ruleJson(r, withoutAlerts)),
    interval: g.intervalMs / 1000,
    limit: g.limit,
    evaluationTime: g.evaluationSeconds,
    lastEvaluation: timeText(g.lastEvaluationMs),
  };
}

function ruleJson(r: RuleView, withoutAlerts: boolean): unknown {
  const end = {
    health: r.health,
    ...(r.lastError === '' ? {} : { lastError: r.lastError }),
    evaluationTime: r.evaluationSeconds,
    lastEvaluation: timeText(r.lastEvaluationMs),
    type: r.kind,
  };
  if (r.kind === 'recording')
    return { name: r.name, query: r.query, ...(r.labels.size === 0 ? {} : { labels: r.labels }), ...end };
  return {
    state: r.state,
    name: r.name,
    query: r.query,
    duration: r.forMs / 1000,
    keepFiringFor: r.keepFiringForMs / 1000,
    labels: r.labels,
    annotations: r.annotations,
    alerts: withoutAlerts ? null : r.alerts.map(alertJson),
    ...end,
  };
}

function alertJson(a: AlertView): unknown {
  return {
    labels: a.labels,
    annotations: a.annotations,
    state: a.state,
    activeAt: timeText(a.activeAtMs),
    ...(a.keepFiringSinceMs === undefined ? {} : { keepFiringSince: timeText(a.keepFiringSinceMs) }),
    value: exponent(a.value),
  };
}

/** RFC 3339 as Go prints it: no trailing zeros. */
export function timeText(ms: number): string {
  if (ms === 0) return NEVER;
  return new Date(ms)
    .toISOString()
    .replace(/\.(\d*?)0+Z$/, (_all, digits: string) => (digits === '' ? 'Z' : `.${digits}Z`));
}

/** Go's FormatFloat(v, 'e', -1, 64). */
export function exponent(v: number): string {
  if (Number.isNaN(v)) return 'NaN';
  if (!Number.isFinite(v)) return v > 0 ? '+Inf' : '-Inf';
  const text = Object.is(v, -0) ? '-0e+0' : v.toExponential();
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}
