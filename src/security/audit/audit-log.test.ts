import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { tenantId } from '../../model/tenant.ts';
import { AUDIT, type AuditEntry, AuditLog } from './audit-log.ts';

const t = tenantId('a');
const input = (i: number) => ({
  actor: `user${i % 2}`,
  actorName: `User ${i % 2}`,
  action: 'thing.change',
  target: `thing ${i}`,
  before: { i },
  after: { i: i + 1, password: 'hunter2 hunter2' },
  requestId: `r${i}`,
});

async function written(n: number) {
  const documents = new MemoryDocuments();
  const clock = new FakeClock();
  const log = new AuditLog(documents, clock);
  await Promise.all(Array.from({ length: n }, (_, i) => log.append(t, input(i))));
  return { documents, clock, log, rows: documents.collection<AuditEntry>(t, AUDIT) };
}
const id = (n: number): string => String(n).padStart(12, '0');

describe('AuditLog', () => {
  it('numbers without gaps, masks secrets, lists newest first with filters', async () => {
    const { log } = await written(25);
    expect(await log.verify(t)).toEqual({ ok: true, entries: 25 });
    const page = await log.list(t, { limit: 10, actor: 'user1' });
    expect(page[0]!.target).toBe('thing 23');
    expect(page).toHaveLength(10);
    expect(await log.list(t, { limit: 10, actor: 'user1', beforeSequence: page.at(-1)!.sequence })).toHaveLength(2);
    expect(JSON.stringify(page)).not.toContain('hunter2');
  });

  it('keeps the chains of tenants apart', async () => {
    const { log } = await written(3);
    const b = tenantId('b');
    await log.append(b, input(1));
    expect(await log.list(b)).toHaveLength(1);
    expect(log.head(t)!.sequence).toBe(3);
    expect(await log.verify(b)).toEqual({ ok: true, entries: 1 });
  });

  it('goes on with one chain when two writers share the store', async () => {
    const { documents, clock, log } = await written(2);
    const other = new AuditLog(documents, clock);
    for (let i = 0; i < 10; i++) await (i % 2 ? log : other).append(t, input(i));
    expect(await log.verify(t)).toEqual({ ok: true, entries: 12 });
  });

  it('finds any edit, removal, exchange or addition', async () => {
    const fault = fc.record({
      kind: fc.constantFrom('edit', 'remove', 'swap', 'append', 'rehash', 'cut'),
      at: fc.integer({ min: 1, max: 11 }),
      field: fc.constantFrom('actor', 'action', 'target', 'atMs', 'after', 'requestId', 'previous', 'sequence'),
    });
    await fc.assert(
      fc.asyncProperty(fault, async ({ kind, at, field }) => {
        const { documents, clock, rows } = await written(12);
        const one = (await rows.get(id(at)))!.body;
        const two = (await rows.get(id(at + 1)))!.body;
        if (kind === 'edit') await rows.put(id(at), { ...one, [field]: 'x' } as never);
        else if (kind === 'remove') await rows.delete(id(at));
        else if (kind === 'swap') {
          await rows.put(id(at), two);
          await rows.put(id(at + 1), one);
        } else if (kind === 'append') await rows.put(id(13), { ...one, sequence: 13 });
        else if (kind === 'rehash') await rows.put(id(at), { ...one, actor: 'x', hash: two.hash });
        else await rows.delete(id(12));
        // a reader that remembers nothing, as after a restart
        expect((await new AuditLog(documents, clock).verify(t)).ok).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});
