import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { PLATFORM_TENANT, tenantId } from '../model/tenant.ts';
import type { MetricsReader } from '../store/metrics.ts';
import type { RequestContext } from './context.ts';
import { platformReader, platformViewContext } from './platform-reader.ts';
import { TenantDirectory } from './tenant-directory.ts';

const a = tenantId('a');
const context = (role: RequestContext['role']): RequestContext => ({
  tenant: a,
  principal: { id: 'p', kind: 'key', name: 'p' },
  role,
  grants: new Map([[a, role]]),
  requestId: 'r',
});

describe('TenantDirectory', () => {
  it('keeps what is not named, has versions, tells listeners, and reads back after a restart', async () => {
    const documents = new MemoryDocuments();
    const clock = new FakeClock();
    let directory = await TenantDirectory.open(documents, clock, [a]);
    expect(directory.list().map((t) => t.id)).toEqual(['a', PLATFORM_TENANT]);
    const heard: unknown[] = [];
    directory.onChange((t) => heard.push(typeof t === 'string' ? t : `${t.id} ${t.tier}`));
    await directory.put(a, { tier: 'pro', limits: { active_series: 10 } });
    await directory.put(a, { displayName: 'A' });
    await expect(directory.put(a, {}, 1)).rejects.toThrow(/has version 3, expected 1/);
    directory = await TenantDirectory.open(documents, clock, [a]);
    expect(directory.get(a)).toMatchObject({ tier: 'pro', displayName: 'A', version: 3 });
    expect(directory.limits(a)).toMatchObject({ active_series: 10, rules: 10_000 });
    expect(heard).toEqual(['a pro', 'a pro']);
    const [one, two] = await Promise.all([directory.ensure(tenantId('new')), directory.ensure(tenantId('new'))]);
    expect(one).toEqual(two);
    await expect(directory.markDeleting(PLATFORM_TENANT)).rejects.toThrow(/cannot be deleted/);
  });
});

describe('reading across tenants', () => {
  it('needs a platform role, is audited first, and covers only the named tenants', async () => {
    const audited: unknown[] = [];
    const ports = {
      reader: (t: string) => ({ of: t }) as unknown as MetricsReader,
      audit: async (_c: RequestContext, action: string, target: string) => void audited.push([action, target]),
    };
    await expect(platformReader(context('admin'), 'p', [a], ports)).rejects.toThrow(/needs a platform role/);
    expect(audited).toEqual([]);
    const reader = await platformReader(context('platform_admin'), 'noisy neighbour', [a], ports);
    expect(audited).toEqual([['platform.read', 'noisy neighbour']]);
    expect(reader.reader(a)).toEqual({ of: 'a' });
    expect(() => reader.reader(tenantId('b'))).toThrow(/not made for tenant b/);
  });

  it('gives a tenant its declared view of the platform, read-only, and nothing without one', async () => {
    const directory = await TenantDirectory.open(new MemoryDocuments(), new FakeClock(), [a]);
    expect(() => platformViewContext(context('admin'), directory.get(a))).toThrow(/no view/);
    await directory.put(a, { platformView: { label: 'tenant_id', value: 'a' } });
    const view = platformViewContext(context('admin'), directory.get(a));
    expect(view).toMatchObject({
      tenant: PLATFORM_TENANT,
      role: 'viewer',
      view: { tenantLabel: 'tenant_id', tenantValue: 'a' },
    });
    expect([...view.scopes!]).toEqual(['query']);
    await directory.put(a, { platformView: null });
    expect(directory.get(a)!.platformView).toBeUndefined();
  });
});
