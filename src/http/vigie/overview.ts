/** /vigie/v1/overview, /features, /first-run: one cheap answer for the first page. */
import type { RequestContext } from '../../tenancy/context.ts';
import type { FeatureItem, FirstRunAnswer, OverviewAnswer } from '../contract/overview.ts';
import { type Route, VIEWER } from '../route.ts';

export interface OverviewPorts {
  readonly overview: (context: RequestContext) => Promise<OverviewAnswer>;
  readonly features: () => readonly FeatureItem[];
  readonly firstRun: (context: RequestContext) => Promise<FirstRunAnswer>;
}

export function overviewRoutes(ports: OverviewPorts): Route[] {
  const base = { method: 'GET', family: 'vigie', access: VIEWER } as const;
  return [
    {
      ...base,
      path: '/vigie/v1/overview',
      summary: 'Health, alerts, ingest, rules and targets of the tenant',
      handle: async (request) => ({ json: await ports.overview(request.context) }),
    },
    {
      ...base,
      path: '/vigie/v1/features',
      summary: 'Which features run',
      handle: () => ({ json: { features: ports.features() } }),
    },
    {
      ...base,
      path: '/vigie/v1/first-run',
      summary: 'Which first steps are done',
      handle: async (request) => ({ json: await ports.firstRun(request.context) }),
    },
  ];
}
