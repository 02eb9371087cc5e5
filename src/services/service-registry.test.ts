import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { tenantId } from '../model/tenant.ts';
import { ServiceRegistry } from './service-registry.ts';

const a = tenantId('a');
const b = tenantId('b');

describe('ServiceRegistry', () => {
  it('joins declared and discovered services; silence is unknown, not gone', async () => {
    let measured = new Map([
      ['api', { down: false }],
      ['worker', { down: true }],
    ]);
    const clock = new FakeClock();
    const registry = new ServiceRegistry({
      documents: new MemoryDocuments(),
      measured: async (t) => (t === a ? measured : new Map()),
      clock,
    });
    await registry.declare(a, { name: 'api', owner: 'team-red', dependsOn: ['db'] });
    await registry.declare(a, { name: 'billing' });
    const states = async () => (await registry.list(a)).map((s) => `${s.name} ${s.source} ${s.state}`);
    expect(await states()).toEqual(['api declared up', 'billing declared unknown', 'worker discovered down']);
    measured = new Map();
    await clock.advance(3_600_000);
    expect(await states()).toEqual(['api declared unknown', 'billing declared unknown', 'worker discovered unknown']);
    expect(await registry.list(b)).toEqual([]);
    await registry.declare(a, { name: 'api', owner: 'team-blue' });
    expect((await registry.list(a))[0]).toMatchObject({ owner: 'team-blue' });
    expect((await registry.list(a))[0]!.lastSeenMs).toBeDefined();
    await registry.remove(a, 'worker');
    expect(await states()).toHaveLength(2);
  });

  it('refuses names that could not be a label or a path', async () => {
    const registry = new ServiceRegistry({
      documents: new MemoryDocuments(),
      measured: async () => new Map(),
      clock: new FakeClock(),
    });
    await expect(registry.declare(a, { name: '../x' })).rejects.toThrow(/service name/);
    await expect(registry.declare(a, { name: 'ok', dependsOn: [''] })).rejects.toThrow(/service name/);
  });
});
