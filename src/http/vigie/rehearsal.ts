/** /vigie/v1/rehearsals and /vigie/v1/on-call/coverage: proof before the night. */
import { parseAllDocuments } from 'yaml';
import { coverage } from '../../incidents/coverage.ts';
import type { IncidentService } from '../../incidents/incident-service.ts';
import { policySchema } from '../../incidents/policy.ts';
import { checkZone, localTime } from '../../incidents/zone.ts';
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import { yamlProblem, yamlValue } from '../../lib/nesting.ts';
import type { TenantId } from '../../model/tenant.ts';
import { type Episode, type MakeEngines, type Rehearsal, rehearse, type Told } from '../../replay/rehearsal.ts';
import { diffTold, pageBudgets } from '../../replay/rehearsal-diff.ts';
import { checked, parseBody } from '../body.ts';
import { type RehearsalAnswer, type RehearsalSide, rehearsalInput } from '../contract/rehearsal.ts';
import { RESPONDER, type Route, VIEWER } from '../route.ts';
import { secondsOf } from './incidents.ts';

export interface RehearsalRoutePorts {
  readonly incidents: IncidentService;
  readonly clock: Clock;
  /** Stored firings of a period: from the history of transitions, or from a backtest of the rules over stored data. */
  readonly episodes: (tenant: TenantId, fromMs: number, toMs: number) => Promise<readonly Episode[]>;
  /** Engines with the present configuration, or with parts of it replaced. Throws `bad_config`. */
  readonly engines: (
    tenant: TenantId,
    proposed: {
      readonly alertmanager?: string;
      readonly policies?: readonly unknown[];
      readonly acknowledgeAfterMs?: number;
    },
  ) => Promise<MakeEngines>;
  /** What alerting really sent in the period; undefined when its record does not reach back that far. */
  readonly sent?: (tenant: TenantId, fromMs: number, toMs: number) => Promise<readonly Told[] | undefined>;
}

/** Rehearsals at a time, over all tenants: each may take seconds of CPU. */
export const REHEARSALS_MAX = 2;
const TOLD_LISTED_MAX = 1_000;
const BUDGET_PER_WEEK = 14;
const WEEK_MS = 7 * 86_400_000;

export function rehearsalRoutes(ports: RehearsalRoutePorts): Route[] {
  const running = new Set<TenantId>();
  return [
    {
      family: 'vigie',
      method: 'POST',
      path: '/vigie/v1/rehearsals',
      access: RESPONDER,
      summary: 'Who would have been told: stored history through the present and a proposed configuration',
      input: rehearsalInput,
      bodyBytesMax: 4 * 1024 * 1024,
      handle: async (request) => {
        const input = parseBody(request, rehearsalInput);
        const { tenant } = request.context;
        if (running.has(tenant)) throw new VigieError('quota', 'a rehearsal of this tenant is under way');
        if (running.size >= REHEARSALS_MAX)
          throw new VigieError('unavailable', `${REHEARSALS_MAX} rehearsals are under way; try again shortly`);
        running.add(tenant);
        try {
          return { json: await rehearsed(ports, tenant, input) };
        } finally {
          running.delete(tenant);
        }
      },
    },
    {
      family: 'vigie',
      method: 'GET',
      path: '/vigie/v1/on-call/coverage',
      access: VIEWER,
      summary: 'For each hour and criticality: would an escalation reach somebody, and how soon',
      handle: async ({ context, query }) => {
        const fromMs = secondsOf(query, 'from') ?? ports.clock.now();
        const toMs = secondsOf(query, 'to') ?? fromMs + WEEK_MS;
        if (!(toMs > fromMs)) throw new VigieError('bad_data', 'to: want an end after from');
        const { directory } = await ports.incidents.tenant(context.tenant);
        return { json: coverage(directory, fromMs, toMs) };
      },
    },
  ];
}

async function rehearsed(
  ports: RehearsalRoutePorts,
  tenant: TenantId,
  input: ReturnType<typeof rehearsalInput.parse>,
): Promise<RehearsalAnswer> {
  const startMs = ports.clock.monotonicMs();
  checkZone(input.timeZone);
  const period = { fromMs: input.fromMs, toMs: input.toMs };
  const proposal = input.proposed && proposalOf(input.proposed);
  // what is proposed must load before anything is lived through
  const proposedEngines = proposal && (await ports.engines(tenant, proposal));
  const presentEngines = await ports.engines(tenant, {});
  const episodes = await ports.episodes(tenant, input.fromMs, input.toMs);
  const side = (r: Rehearsal): RehearsalSide => ({
    messages: r.told.length,
    pages: r.told.filter((t) => t.kind === 'page' && !t.resolved).length,
    budgets: pageBudgets(
      r.told,
      r.toMs - r.fromMs,
      (to) => input.budgets[to] ?? BUDGET_PER_WEEK,
      (atMs) => localTime(input.timeZone, atMs).hour,
    ),
    told: r.told.slice(0, TOLD_LISTED_MAX),
  });
  const present = await rehearse(episodes, period, presentEngines);
  const proposed = proposedEngines && (await rehearse(episodes, period, proposedEngines));
  const sent = await ports.sent?.(tenant, input.fromMs, input.toMs);
  const real =
    sent &&
    diffTold(
      sent,
      present.told.filter((t) => t.kind === 'notification'),
    );
  return {
    ...period,
    episodes: episodes.length,
    present: side(present),
    ...(proposed ? { proposed: side(proposed), diff: diffTold(present.told, proposed.told) } : {}),
    ...(real && sent
      ? { reality: { sent: sent.length, agreeing: real.same, missing: real.removedCount, extra: real.addedCount } }
      : {}),
    tookMs: Math.round(ports.clock.monotonicMs() - startMs),
  };
}

function proposalOf(p: NonNullable<ReturnType<typeof rehearsalInput.parse>['proposed']>) {
  const { policies: yaml, ...rest } = p;
  if (yaml === undefined) return clean(rest);
  const policies = parseAllDocuments(yaml).map((doc, i) => {
    const problem = doc.errors[0];
    if (problem) throw new VigieError('bad_data', `proposed.policies ${i}: ${yamlProblem(problem)}`);
    const value = yamlValue(doc, 50);
    checked(policySchema, value, `proposed.policies.${i}`);
    return value;
  });
  return { ...clean(rest), policies };
}

function clean(p: { alertmanager?: string | undefined; acknowledgeAfterMs?: number | undefined }) {
  return {
    ...(p.alertmanager === undefined ? {} : { alertmanager: p.alertmanager }),
    ...(p.acknowledgeAfterMs === undefined ? {} : { acknowledgeAfterMs: p.acknowledgeAfterMs }),
  };
}
