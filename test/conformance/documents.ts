/** What every document store must do; run over memory, SQLite and PostgreSQL. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VigieError } from '../../src/lib/errors.ts';
import { tenantId } from '../../src/model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../../src/store/documents.ts';

const a = tenantId('a');
const b = tenantId('b');
const THINGS: CollectionSpec = { name: 'things', indexed: ['kind', 'size'] };
interface Thing {
  kind: string;
  size?: number;
  note?: string;
}

/** Each test gets a store; ids are made unique by the test, since a store may be shared. */
export function documentsConformance(open: () => Promise<DocumentStore>, runs = 30): void {
  const withStore = async (work: (store: DocumentStore) => Promise<void>): Promise<void> => {
    await using store = await open();
    for (const t of await store.tenants()) await store.deleteTenant(t);
    await work(store);
  };

  it('keeps what was put, with versions', () =>
    withStore(async (store) => {
      const things = store.collection<Thing>(a, THINGS);
      expect(await things.get('x')).toBeUndefined();
      expect(await things.put('x', { kind: 'k', note: 'é " \\ 🎵' })).toMatchObject({
        id: 'x',
        version: 1,
        tenant: 'a',
      });
      expect(await things.put('x', { kind: 'k2' })).toMatchObject({ version: 2 });
      expect((await things.get('x'))!.body).toEqual({ kind: 'k2' });
      await expect(things.put('x', { kind: 'k' }, 'absent')).rejects.toThrow(/exists already/);
      await expect(things.put('x', { kind: 'k' }, 1)).rejects.toThrow(/has version 2, expected 1/);
      await expect(things.put('y', { kind: 'k' }, 1)).rejects.toThrow(/has version none, expected 1/);
      expect(await things.put('x', { kind: 'k3' }, 2)).toMatchObject({ version: 3 });
      await expect(things.delete('x', 1)).rejects.toThrow(VigieError);
      expect(await things.delete('x', 3)).toBe(true);
      expect(await things.delete('x')).toBe(false);
    }));

  it('filters, ranges, orders and pages by indexed fields, numbers by value', () =>
    withStore(async (store) => {
      const things = store.collection<Thing>(a, THINGS);
      const sizes = [10, 9, -5, 0, 1e12, -0.5, 2.25, 100];
      await Promise.all(sizes.map((size, i) => things.put(`t${i}`, { kind: i % 2 ? 'odd' : 'even', size })));
      await things.put('none', { kind: 'even' });
      const all = (
        await things.list({ orderBy: { field: 'size', direction: 'asc' }, range: { size: { from: -1e300 } } })
      ).items.map((d) => d.body.size);
      expect(all).toEqual([...sizes].sort((x, y) => x - y));
      expect(
        (await things.list({ where: { kind: 'odd' }, orderBy: { field: 'size', direction: 'desc' } })).items.map(
          (d) => d.body.size,
        ),
      ).toEqual([100, 9, 0, -0.5]);
      expect(
        (
          await things.list({ range: { size: { from: 0, to: 10 } }, orderBy: { field: 'size', direction: 'asc' } })
        ).items.map((d) => d.body.size),
      ).toEqual([0, 2.25, 9]);
      expect(await things.count({ kind: 'even' })).toBe(5);
      for (const direction of ['asc', 'desc'] as const) {
        const seen: string[] = [];
        let after: string | undefined;
        do {
          const page = await things.list({
            limit: 2,
            orderBy: { field: 'kind', direction },
            ...(after ? { after } : {}),
          });
          seen.push(...page.items.map((d) => d.id));
          after = page.next;
        } while (after);
        expect(new Set(seen).size).toBe(9);
        expect(seen).toHaveLength(9);
      }
      await expect(things.list({ where: { note: 'x' } })).rejects.toThrow(/not indexed/);
    }));

  it('runs transactions all or nothing', () =>
    withStore(async (store) => {
      await expect(
        store.transaction(async (tx) => {
          await tx.collection<Thing>(a, THINGS).put('x', { kind: 'k' });
          await tx.collection<Thing>(b, THINGS).put('y', { kind: 'k' });
          throw new VigieError('bad_data', 'no');
        }),
      ).rejects.toThrow('no');
      expect(await store.tenants()).toEqual([]);
      await store.transaction(async (tx) => {
        await tx.collection<Thing>(a, THINGS).put('x', { kind: 'k' });
      });
      expect(await store.collection(a, THINGS).count()).toBe(1);
    }));

  it('lets exactly one of many concurrent writers win', () =>
    withStore(async (store) => {
      const things = store.collection<Thing>(a, THINGS);
      await things.put('x', { kind: 'k' });
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => things.put('x', { kind: `k${i}` }, 1)),
      );
      expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
      expect((await things.get('x'))!.version).toBe(2);
    }));

  it('never lets a tenant see, count, change or lose to another, whatever is done', () =>
    withStore(async (store) => {
      const operation = fc.record({
        tenant: fc.constantFrom('a', 'b'),
        id: fc.constantFrom('1', '2', '3'),
        what: fc.constantFrom('put', 'delete', 'wipe'),
        kind: fc.string({ maxLength: 5 }).filter((s) => !s.includes('\u0000')),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
          for (const t of [a, b]) await store.deleteTenant(t);
          const expected = { a: new Map<string, string>(), b: new Map<string, string>() };
          for (const o of operations) {
            const mine = expected[o.tenant as 'a' | 'b'];
            const things = store.collection<Thing>(tenantId(o.tenant), THINGS);
            if (o.what === 'put') {
              await things.put(o.id, { kind: o.kind });
              mine.set(o.id, o.kind);
            } else if (o.what === 'delete') {
              await things.delete(o.id);
              mine.delete(o.id);
            } else {
              await store.deleteTenant(tenantId(o.tenant));
              mine.clear();
            }
          }
          for (const t of [a, b]) {
            const mine = expected[t as unknown as 'a' | 'b'];
            const stored = (await store.collection<Thing>(t, THINGS).list()).items;
            expect(Object.fromEntries(stored.map((d) => [d.id, d.body.kind]))).toEqual(Object.fromEntries(mine));
            const exported: string[] = [];
            for await (const { document } of store.exportTenant(t)) exported.push(document.id);
            expect(exported.sort()).toEqual([...mine.keys()].sort());
            expect(await store.collection(t, THINGS).count()).toBe(mine.size);
          }
        }),
        { numRuns: runs },
      );
    }));
}
