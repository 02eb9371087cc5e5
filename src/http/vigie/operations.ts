/** Health, readiness, own metrics, reload, OpenAPI: what operators and their probes ask. */
import type { HealthItem } from '../contract/overview.ts';
import { PLATFORM, PUBLIC, type Route } from '../route.ts';

export interface OperationsPorts {
  /** Undefined when it can serve; else what it waits for. */
  readonly notReady: () => string | undefined;
  readonly expose: () => string;
  readonly reload: () => Promise<unknown>;
  readonly openApi: () => unknown;
  readonly health: () => Promise<readonly HealthItem[]>;
}

export function operationsRoutes(ports: OperationsPorts): Route[] {
  const text = (status: number, body: string) => ({
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body,
  });
  const ready: Route['handle'] = () => {
    const waiting = ports.notReady();
    return waiting === undefined ? text(200, 'Vigie is Ready.\n') : text(503, `not ready: ${waiting}\n`);
  };
  const base = { family: 'vigie', access: PUBLIC } as const;
  return [
    { ...base, method: 'GET', path: '/-/ready', handle: ready },
    { ...base, method: 'HEAD', path: '/-/ready', handle: ready },
    { ...base, method: 'GET', path: '/-/healthy', handle: () => text(200, 'Vigie is Healthy.\n') },
    { ...base, method: 'HEAD', path: '/-/healthy', handle: () => text(200, 'Vigie is Healthy.\n') },
    {
      ...base,
      method: 'POST',
      path: '/-/reload',
      access: PLATFORM,
      handle: async () => ({ json: await ports.reload() }),
    },
    {
      ...base,
      method: 'GET',
      path: '/metrics',
      access: PLATFORM,
      handle: () => ({ headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, body: ports.expose() }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/openapi.json',
      summary: 'This description',
      handle: () => ({ json: ports.openApi() }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/health',
      access: PLATFORM,
      summary: 'Health of Vigie and what it is connected to',
      handle: async () => ({ json: { health: await ports.health() } }),
    },
  ];
}
