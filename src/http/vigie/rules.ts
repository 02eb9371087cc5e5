/** /vigie/v1/rules/preview, /vigie/v1/rules/files and /vigie/v1/alerts/history. */
import { VigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import { children, type Expr, injectMatchers } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import type { StoredTransition } from '../../rules/alert-history.ts';
import { simulateRule } from '../../rules/simulate.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { checked, parseBody } from '../body.ts';
import {
  type AlertHistoryAnswer,
  PREVIEW_STEPS_MAX,
  type RuleFilesAnswer,
  type RulePreviewAnswer,
  ruleFileInput,
  rulePreviewInput,
} from '../contract/alerting.ts';
import { configFileName } from '../contract/tenant-config.ts';
import { type PrometheusQueryPorts, viewMatchers } from '../prometheus/query.ts';
import { timeParam } from '../prometheus/query-params.ts';
import { EDITOR, type HttpRequest, type Route, VIEWER } from '../route.ts';
import type { TenantConfigPorts } from './tenant-config.ts';

export interface VigieRulesPorts {
  readonly query: PrometheusQueryPorts;
  readonly config: Pick<TenantConfigPorts, 'get' | 'put' | 'audit'>;
  /** Transitions in the closed range, newest first. */
  readonly history: (
    context: RequestContext,
    filter: { readonly startMs: number; readonly endMs: number; readonly rule?: string; readonly limit: number },
  ) => Promise<readonly StoredTransition[]>;
}

const HISTORY_LIMIT_MAX = 1_000;
const HISTORY_DEFAULT_MS = 7 * 86_400_000;

export function vigieRulesRoutes(ports: VigieRulesPorts): Route[] {
  const fileName = (request: HttpRequest): string => checked(configFileName, request.params['name'] ?? '', 'name');
  const change = async (request: HttpRequest, name: string, yaml: string | null): Promise<void> => {
    const { context } = request;
    const current = await ports.config.get(context.tenant);
    const before = Object.hasOwn(current.rules, name) ? { yaml: current.rules[name] } : {};
    if (yaml === null && !('yaml' in before))
      throw new VigieError('not_found', `no rule file ${JSON.stringify(name)} of this tenant`);
    if (current.files.rules.some((f) => f.name === name))
      throw new VigieError(
        'conflict',
        `rule file ${JSON.stringify(name)} comes from the operator's files or the catalogue; choose another name`,
      );
    await ports.config.audit(context, 'rules.file', name, before, yaml === null ? {} : { yaml });
    await ports.config.put(context.tenant, { rules: { [name]: yaml } }, context.principal.id, current.version);
  };
  return [
    {
      method: 'POST',
      path: '/vigie/v1/rules/preview',
      family: 'vigie',
      access: VIEWER,
      summary: 'When a rule would have fired over stored history',
      input: rulePreviewInput,
      handle: async (request) => ({ json: await preview(request, ports.query) }),
    },
    {
      method: 'GET',
      path: '/vigie/v1/rules/files',
      family: 'vigie',
      access: VIEWER,
      summary: "The tenant's rule files",
      handle: async (request) => {
        if (request.context.view) return { json: { files: [] } satisfies RuleFilesAnswer };
        const config = await ports.config.get(request.context.tenant);
        const own = Object.entries(config.rules).map(([name, yaml]) => ({ name, editable: true, yaml }));
        const given = config.files.rules.map(({ name, text }) => ({ name, editable: false, yaml: text }));
        const files = [...own, ...given].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
        return { json: { files } satisfies RuleFilesAnswer };
      },
    },
    {
      method: 'PUT',
      path: '/vigie/v1/rules/files/:name',
      family: 'vigie',
      access: EDITOR,
      bodyBytesMax: 2 * 1024 * 1024,
      summary: 'Check, store and load a rule file',
      input: ruleFileInput,
      handle: async (request) => {
        const { yaml } = parseBody(request, ruleFileInput);
        await change(request, fileName(request), yaml);
        return { status: 204 };
      },
    },
    {
      method: 'DELETE',
      path: '/vigie/v1/rules/files/:name',
      family: 'vigie',
      access: EDITOR,
      summary: 'Remove a rule file',
      handle: async (request) => {
        await change(request, fileName(request), null);
        return { status: 204 };
      },
    },
    {
      method: 'GET',
      path: '/vigie/v1/alerts/history',
      family: 'vigie',
      access: VIEWER,
      summary: 'Transitions of alerts, newest first',
      handle: async (request) => ({ json: await history(request, ports) }),
    },
  ];
}

async function history(request: HttpRequest, ports: VigieRulesPorts): Promise<AlertHistoryAnswer> {
  const { query, context } = request;
  const now = ports.query.clock.now();
  const endMs = timeParam(query, 'end', now);
  const startMs = timeParam(query, 'start', endMs - HISTORY_DEFAULT_MS);
  const limitText = query.get('limit') ?? '200';
  const limit = Number(limitText);
  if (!Number.isInteger(limit) || limit < 1)
    throw new VigieError(
      'bad_data',
      `limit: want a whole number from 1 on, got ${JSON.stringify(limitText.slice(0, 40))}`,
    );
  const rule = query.get('rule') || undefined;
  const found = await ports.history(context, {
    startMs,
    endMs,
    limit: Math.min(limit, HISTORY_LIMIT_MAX),
    ...(rule === undefined ? {} : { rule }),
  });
  const { view } = context;
  return {
    transitions: found
      .filter((t) => !view || t.labels[view.tenantLabel] === view.tenantValue)
      .map((t) => ({ ...t, value: Number(t.value) })),
  };
}

async function preview(request: HttpRequest, ports: PrometheusQueryPorts): Promise<RulePreviewAnswer> {
  const input = parseBody(request, rulePreviewInput);
  const { context } = request;
  const { startMs, endMs, stepMs } = input;
  if (endMs < startMs) throw new VigieError('bad_data', 'body.endMs: want a time not before startMs');
  const steps = Math.floor((endMs - startMs) / stepMs) + 1;
  if (steps > PREVIEW_STEPS_MAX)
    throw new VigieError(
      'bad_data',
      `the preview needs ${steps} evaluations; at most ${PREVIEW_STEPS_MAX} are made. Shorten the range or lengthen stepMs`,
    );
  const parsed = ports.engine.parse(input.expr);
  if (typeOf(parsed) !== 'vector' && typeOf(parsed) !== 'scalar')
    throw new VigieError(
      'bad_query',
      `the expression is a ${typeOf(parsed)}; a rule needs an instant vector or a scalar`,
    );
  if (context.view && callsInfo(parsed))
    throw new VigieError(
      'forbidden',
      'info() reads series that a restricted view cannot narrow; it is not available here',
    );
  const expr = injectMatchers(parsed, viewMatchers(context));
  const admit = ports.admit ?? (<T>(_c: RequestContext, go: () => Promise<T>): Promise<T> => go());
  const limits = ports.limits?.(context);
  const result = await admit(context, () =>
    ports.engine.range(
      ports.reader(context),
      expr,
      { startMs, endMs, stepMs },
      {
        text: input.expr,
        signal: request.signal,
        ...(limits && { limits }),
      },
    ),
  );
  if (result.value.type !== 'matrix')
    throw new VigieError('internal', `BUG: a range query answered a ${result.value.type}`);
  const simulation = simulateRule({
    rule: {
      name: 'preview',
      forMs: input.forMs,
      keepFiringForMs: input.keepFiringForMs,
      labels: Labels.from(input.labels),
    },
    series: result.value.series,
    startMs,
    endMs,
    stepMs,
  });
  return {
    evaluations: simulation.evaluations,
    episodes: simulation.episodes.map((e) => ({ ...e, labels: e.labels.without('alertname').toObject() })),
    truncated: simulation.truncated,
  };
}

const callsInfo = (e: Expr): boolean => (e.kind === 'call' && e.func === 'info') || children(e).some(callsInfo);
