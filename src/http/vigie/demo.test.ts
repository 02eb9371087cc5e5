import { describe, expect, it } from 'vitest';
import { callRoute } from '../../../test/support/call-route.ts';
import { VigieError } from '../../lib/errors.ts';
import type { DemoAnswer } from '../contract/demo.ts';
import { demoRoutes } from './demo.ts';

function world(fails = false) {
  const log: string[] = [];
  let enabled = false;
  const routes = demoRoutes({
    state: () => ({ enabled, tenants: enabled ? ['one', 'two'] : [], progress: enabled ? 0.5 : 0 }),
    enable: async () => {
      if (fails) throw new VigieError('conflict', 'tenant one exists');
      enabled = true;
    },
    disable: async () => {
      enabled = false;
    },
    audit: async (_c, action, _t, before, after) => void log.push(JSON.stringify([action, before, after])),
  });
  return { routes, log };
}

describe('/vigie/v1/demo', () => {
  it('is switched by platform roles only, and audited', async () => {
    const { routes, log } = world();
    const put = (role: 'admin' | 'platform_admin', body: unknown) =>
      callRoute<DemoAnswer>(routes, 'PUT', '/vigie/v1/demo', { role, body });
    expect((await put('admin', { enabled: true })).status).toBe(403);
    expect((await put('platform_admin', { enable: true })).status).toBe(400);
    expect(log).toEqual([]);
    expect((await put('platform_admin', { enabled: true })).json).toEqual({
      enabled: true,
      tenants: ['one', 'two'],
      progress: 0.5,
    });
    expect((await put('platform_admin', { enabled: false })).json.enabled).toBe(false);
    expect(log).toEqual([
      '["demo.switch",{"enabled":false},{"enabled":true}]',
      '["demo.switch",{"enabled":true},{"enabled":false}]',
    ]);
  });
  it('names to each only the tenants that are theirs', async () => {
    const { routes } = world();
    await callRoute(routes, 'PUT', '/vigie/v1/demo', { body: { enabled: true } });
    const asked = await callRoute<DemoAnswer>(routes, 'GET', '/vigie/v1/demo', { role: 'viewer', tenant: 'two' });
    expect(asked.json).toEqual({ enabled: true, tenants: ['two'], progress: 0.5 });
    expect(
      (await callRoute<DemoAnswer>(routes, 'GET', '/vigie/v1/demo', { role: 'viewer', tenant: 'x' })).json.tenants,
    ).toEqual([]);
  });
  it('says why it cannot start', async () => {
    const { routes } = world(true);
    expect((await callRoute(routes, 'PUT', '/vigie/v1/demo', { body: { enabled: true } })).status).toBe(409);
  });
});
