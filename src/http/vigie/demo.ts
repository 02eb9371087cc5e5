/** /vigie/v1/demo: the demonstration switched on and off. */
import { tenantId } from '../../model/tenant.ts';
import type { AuditChange, RequestContext } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import { type DemoAnswer, demoInput } from '../contract/demo.ts';
import { PLATFORM, type Route, VIEWER } from '../route.ts';

export interface DemoRoutePorts {
  readonly state: () => DemoAnswer;
  /** Throws `conflict` when a tenant of the same name is somebody's own. */
  readonly enable: () => Promise<void>;
  /** Ends it and removes its tenants. */
  readonly disable: () => Promise<void>;
  readonly audit: AuditChange;
}

export function demoRoutes(ports: DemoRoutePorts): Route[] {
  /** Nobody learns of tenants that are not theirs, not even of synthetic ones. */
  const shown = ({ grants }: RequestContext): DemoAnswer => {
    const state = ports.state();
    return grants === 'all' ? state : { ...state, tenants: state.tenants.filter((t) => grants.has(tenantId(t))) };
  };
  return [
    {
      method: 'GET',
      path: '/vigie/v1/demo',
      family: 'vigie',
      access: VIEWER,
      summary: 'Does the demonstration run?',
      handle: (request) => ({ json: shown(request.context) }),
    },
    {
      method: 'PUT',
      path: '/vigie/v1/demo',
      family: 'vigie',
      access: PLATFORM,
      summary: 'Switch the demonstration on, or off with its tenants and their data',
      input: demoInput,
      handle: async (request) => {
        const { enabled } = parseBody(request, demoInput);
        await ports.audit(request.context, 'demo.switch', 'demo', { enabled: ports.state().enabled }, { enabled });
        await (enabled ? ports.enable() : ports.disable());
        return { json: shown(request.context) };
      },
    },
  ];
}
