/**
 * /vigie/v1/catalogue/-/jobs: what rendering would change, and bringing the systems in line, as jobs with progress.
 * An editor may compare its tenant's part; applying it takes an admin and the operator's leave (`by_tenants`), and the
 * operators' part a platform role: whoever applies puts templates into programs that may not know tenants.
 */
import { type ApplyService, type JobSummary, ownerOf } from '../../catalogue/apply/apply-service.ts';
import { VigieError } from '../../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../../model/tenant.ts';
import { type RequestContext, roleAtLeast } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import {
  type CatalogueJob,
  type CatalogueJobsAnswer,
  jobConfirmInput,
  jobStartInput,
} from '../contract/catalogue-jobs.ts';
import { ADMIN, EDITOR, type HttpRequest, type Route } from '../route.ts';

export interface CatalogueJobRoutePorts {
  readonly jobs: ApplyService;
  /** Whether admins of a tenant may apply its own part. */
  readonly byTenants: () => boolean;
  readonly audit: (
    context: RequestContext,
    action: string,
    target: string,
    before: unknown,
    after: unknown,
  ) => Promise<void>;
}

const BASE = '/vigie/v1/catalogue/-/jobs';

export function catalogueJobRoutes({ jobs, byTenants, audit }: CatalogueJobRoutePorts): Route[] {
  const base = { family: 'vigie' } as const;
  const mayApply = (context: RequestContext): boolean =>
    isPlatform(context) || (byTenants() && roleAtLeast(context.role, 'admin'));
  /** The list that the job stands in: the tenant's own, and the operators' for their roles. */
  const find = async (request: HttpRequest): Promise<{ owner: TenantId; job: CatalogueJob }> => {
    const id = request.params['id'] ?? '';
    for (const owner of listsOf(request.context)) {
      const job = await jobs.get(owner, id).catch((error: unknown) => {
        if (error instanceof VigieError && error.code === 'not_found') return undefined;
        throw error;
      });
      if (job && visible(request.context, job)) return { owner, job };
    }
    throw new VigieError('not_found', `no job ${id.slice(0, 80)}`);
  };
  return [
    {
      ...base,
      method: 'GET',
      path: BASE,
      access: EDITOR,
      summary: 'Diff and apply jobs of the catalogue, newest first',
      handle: async ({ context }) => {
        const lists = await Promise.all(listsOf(context).map((owner) => jobs.list(owner)));
        const platform = isPlatform(context);
        return {
          json: {
            jobs: lists
              .flat()
              .filter((job) => visible(context, job))
              .sort((a, b) => b.startedAtMs - a.startedAtMs),
            systems: jobs.systems(),
            ...(platform ? { output: jobs.output } : {}),
            may: { apply: mayApply(context), platform },
          } satisfies CatalogueJobsAnswer,
        };
      },
    },
    {
      ...base,
      method: 'POST',
      path: BASE,
      access: EDITOR,
      summary: 'Compare with the last render, or dry-run against the live systems',
      input: jobStartInput,
      handle: async (request) => {
        const { context } = request;
        const { scope, against, targets } = parseBody(request, jobStartInput);
        demand(scope === 'tenant' || isPlatform(context), `scope ${scope} needs a platform role`);
        // a dry run asks the operator's systems with the operator's credential
        demand(against === 'render' || mayApply(context), whyNot(byTenants()));
        const job = await jobs.start({
          tenant: context.tenant,
          scope,
          mode: against === 'render' ? 'files' : 'plan',
          targets,
          by: context.principal.name,
        });
        return { status: 202, json: job satisfies CatalogueJob };
      },
    },
    {
      ...base,
      method: 'POST',
      path: `${BASE}/apply`,
      access: ADMIN,
      summary: 'Do what a finished dry run showed',
      input: jobConfirmInput,
      handle: async (request) => {
        const { context } = request;
        const { plan } = parseBody(request, jobConfirmInput);
        demand(mayApply(context), whyNot(byTenants()));
        const { owner, job: shown } = await find({ ...request, params: { id: plan } });
        // before anything is written; how it ended follows
        await audit(context, 'catalogue.apply', shown.scope, undefined, { plan, files: shown.filesChanged });
        const job = await jobs.confirm(owner, plan, context.principal.name, (ended) =>
          audit(context, 'catalogue.applied', shown.scope, undefined, resultOf(ended)),
        );
        return { status: 202, json: job satisfies CatalogueJob };
      },
    },
    {
      ...base,
      method: 'GET',
      path: `${BASE}/:id`,
      access: EDITOR,
      summary: 'One job: its progress, differences and steps',
      handle: async (request) => ({ json: (await find(request)).job }),
    },
    {
      ...base,
      method: 'DELETE',
      path: `${BASE}/:id`,
      access: EDITOR,
      summary: 'Stop a running job; the next one goes on from there',
      handle: async (request) => {
        const { owner, job } = await find(request);
        demand(job.mode !== 'apply' || mayApply(request.context), whyNot(byTenants()));
        jobs.cancel(owner, job.id);
        if (job.mode === 'apply')
          await audit(request.context, 'catalogue.apply_stop', job.scope, undefined, { job: job.id });
        return { status: 204 };
      },
    },
  ];
}

const isPlatform = (context: RequestContext): boolean => context.role === 'platform_admin';

/** Lists that a principal may look into; which of their jobs it sees is `visible`. */
function listsOf(context: RequestContext): readonly TenantId[] {
  const own = ownerOf('tenant', context.tenant);
  return isPlatform(context) && own !== PLATFORM_TENANT ? [own, PLATFORM_TENANT] : [own];
}

/** Jobs of the operators' part show every tenant's files, also in the list of the tenant `platform`. */
const visible = (context: RequestContext, job: JobSummary): boolean => job.scope === 'tenant' || isPlatform(context);

function demand(allowed: boolean, message: string): void {
  if (!allowed) throw new VigieError('forbidden', message);
}
const whyNot = (byTenants: boolean): string =>
  byTenants
    ? 'the live systems are for admins of the tenant'
    : 'the live systems are for platform roles; catalogue.apply.by_tenants lets admins of a tenant apply its own part';

function resultOf(job: JobSummary): unknown {
  return {
    job: job.id,
    plan: job.plan,
    state: job.state,
    files: job.filesChanged,
    systems: job.systems.map((s) => ({ system: s.system, address: s.address, ...s.report })),
    ...(job.error ? { error: job.error.message } : {}),
  };
}
