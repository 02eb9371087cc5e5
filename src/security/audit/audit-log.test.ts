import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { tenantId } from '../../model/tenant.ts';
import { AUDIT, AUDIT_HEAD, type AuditEntry, AuditLog, canonicalJson } from './audit-log.ts';

const t = tenantId('a');
const entry = (i: number, tenant = t) => ({
  tenant,
  who: `user${i % 2}`,
  action: 'thing.change',
  target: `thing ${i}`,
  before: { i },
  after: { i: i + 1, password: 'hunter2 hunter2' },
  requestId: `r${i}`,
});

async function written(n: number) {
  const documents = new MemoryDocuments();
  const clock = new FakeClock();
  const log = new AuditLog({ documents, clock });
  await Promise.all(Array.from({ length: n }, (_, i) => log.record(entry(i))));
  return { documents, clock, log, rows: documents.collection<AuditEntry>(t, AUDIT) };
}
const id = (n: number): string => String(n).padStart(16, '0');

describe('AuditLog', () => {
  it('numbers without gaps, masks secrets, lists newest first with filters', async () => {
    const { log } = await written(25);
    expect(await log.verify(t)).toEqual({ ok: true, entries: 25 });
    const page = await log.list(t, { limit: 10, who: 'user1' });
    expect(page.entries.map((e) => e.target)[0]).toBe('thing 23');
    expect(page.entries).toHaveLength(10);
    expect((await log.list(t, { limit: 10, who: 'user1', before: page.next! })).entries).toHaveLength(2);
    expect(JSON.stringify(page)).not.toContain('hunter2');
  });

  it('keeps chains of tenants apart', async () => {
    const { log } = await written(3);
    const b = tenantId('b');
    await log.record(entry(1, b));
    expect((await log.list(b)).entries).toHaveLength(1);
    expect((await log.head(t)).sequence).toBe(3);
    expect(await log.verify(b)).toEqual({ ok: true, entries: 1 });
  });

  it('goes on with one chain when two writers share the store', async () => {
    const { documents, clock, log } = await written(2);
    const other = new AuditLog({ documents, clock });
    for (let i = 0; i < 10; i++) await (i % 2 ? log : other).record(entry(i));
    expect(await log.verify(t)).toEqual({ ok: true, entries: 12 });
  });

  it('finds any edit, removal, exchange or addition', async () => {
    const fault = fc.record({
      kind: fc.constantFrom('edit', 'remove', 'swap', 'append', 'rehash', 'head'),
      at: fc.integer({ min: 1, max: 11 }),
      field: fc.constantFrom('who', 'action', 'target', 'atMs', 'after', 'requestId', 'previous', 'sequence'),
    });
    await fc.assert(
      fc.asyncProperty(fault, async ({ kind, at, field }) => {
        const { documents, log, rows } = await written(12);
        const one = (await rows.get(id(at)))!.body;
        const two = (await rows.get(id(at + 1)))!.body;
        if (kind === 'edit') await rows.put(id(at), { ...one, [field]: 'x' } as never);
        else if (kind === 'remove') await rows.delete(id(at));
        else if (kind === 'swap') {
          await rows.put(id(at), two);
          await rows.put(id(at + 1), one);
        } else if (kind === 'append') await rows.put(id(13), { ...one, sequence: 13 });
        else if (kind === 'rehash') await rows.put(id(at), { ...one, who: 'x', hash: two.hash });
        else await documents.collection(t, AUDIT_HEAD).put('head', { ...(await log.head(t)), sequence: at });
        expect((await log.verify(t)).ok).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it('prunes what is old, on record, and the rest still verifies', async () => {
    const { clock, log } = await written(450);
    await clock.advance(10_000);
    await log.record(entry(1));
    expect(await log.prune(t, 5_000)).toBe(450);
    expect((await log.list(t)).entries.map((e) => e.action)).toEqual(['audit.prune', 'thing.change']);
    expect(await log.verify(t)).toEqual({ ok: true, entries: 2 });
    expect(await log.prune(t, 5_000)).toBe(0);
  });

  it('keeps size and hash of states that are too large', async () => {
    const { log } = await written(1);
    const big = await log.record({ ...entry(1), after: { text: 'x'.repeat(100_000) } });
    expect(big.after).toMatchObject({ truncated: true });
    expect(await log.verify(t)).toMatchObject({ ok: true });
  });
});

describe('canonicalJson', () => {
  it('gives equal values equal texts, whatever the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
