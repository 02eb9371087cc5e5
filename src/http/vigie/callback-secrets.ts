/** /vigie/v1/callback-secrets: what a tenant's Slack app, Discord application or PagerDuty subscription signs with. */
import { z } from 'zod';
import { VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { ADMIN, type Route } from '../route.ts';

export const CALLBACK_PROGRAMS = ['slack', 'discord', 'pagerduty'] as const;
export type CallbackProgram = (typeof CALLBACK_PROGRAMS)[number];

/** Slack: the signing secret. Discord: the application's public key. PagerDuty: the subscription's secret. */
export const callbackSecretInput = z.strictObject({ secret: z.string().min(8).max(500) });

export interface CallbackSecretPorts {
  readonly configured: (tenant: TenantId) => Promise<readonly CallbackProgram[]>;
  readonly put: (tenant: TenantId, program: CallbackProgram, secret: string | undefined) => Promise<void>;
  readonly audit: AuditChange;
}

export function callbackSecretRoutes({ configured, put, audit }: CallbackSecretPorts): Route[] {
  const base = { family: 'vigie', access: ADMIN } as const;
  const named = (name: string | undefined): CallbackProgram => {
    const found = CALLBACK_PROGRAMS.find((p) => p === name);
    if (!found) throw new VigieError('not_found', `no such program; want one of ${CALLBACK_PROGRAMS.join(', ')}`);
    return found;
  };
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/callback-secrets',
      summary: 'Programs whose callbacks are set up; never the secrets',
      handle: async ({ context }) => ({ json: { configured: await configured(context.tenant) } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/callback-secrets/:program',
      summary: 'Set what a program signs its callbacks with',
      input: callbackSecretInput,
      bodyBytesMax: 8 * 1024,
      handle: async (request) => {
        const program = named(request.params['program']);
        const { secret } = parseBody(request, callbackSecretInput);
        await audit(request.context, 'callback.secret', program, undefined, { secret: 'changed' });
        await put(request.context.tenant, program, secret);
        return { status: 204 };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/callback-secrets/:program',
      summary: 'Refuse the callbacks of a program from now on',
      handle: async (request) => {
        const program = named(request.params['program']);
        await audit(request.context, 'callback.secret', program, undefined, { secret: 'removed' });
        await put(request.context.tenant, program, undefined);
        return { status: 204 };
      },
    },
  ];
}
