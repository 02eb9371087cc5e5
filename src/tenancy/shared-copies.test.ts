import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { PLATFORM_TENANT, tenantId } from '../model/tenant.ts';
import type { CollectionSpec } from '../store/documents.ts';
import { Accounts, SESSION_IDLE_MS } from './accounts.ts';
import { API_KEYS, ApiKeys } from './api-keys.ts';
import { DocumentMirror } from './document-mirror.ts';
import { keepCopiesFresh, REFRESH_EVERY_MS } from './shared-copies.ts';
import { TenantDirectory } from './tenant-directory.ts';

const a = tenantId('a');
const settled = async () => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

/** Two processes over one database. */
async function two() {
  const documents = new MemoryDocuments();
  const clock = new FakeClock();
  const process = async () => ({
    keys: await ApiKeys.open(documents, clock),
    accounts: await Accounts.open(documents, clock),
    directory: await TenantDirectory.open(documents, clock, [a]),
  });
  return { documents, clock, one: await process(), other: await process() };
}
const NEW = { name: 'k', grants: { a: 'viewer' }, tenant: a, createdBy: 'test' } as const;

describe('several processes over one database', () => {
  it('the "last used" of one process never undoes a revocation by another', async () => {
    const { documents, clock, one, other } = await two();
    const { key, info } = await one.keys.create(NEW);
    await other.keys.refresh();
    await other.keys.revoke(info.id);
    const gone: string[] = [];
    one.keys.onRevoke((id) => gone.push(id));
    expect(one.keys.verify(key)?.id).toBe(info.id); // has not heard yet, and writes "last used"
    await settled();
    const stored = await documents.collection<{ revokedAtMs?: number }>(PLATFORM_TENANT, API_KEYS).get(info.id);
    expect(stored?.body.revokedAtMs).toBe(clock.now());
    // the lost write taught this process as well
    expect(one.keys.verify(key)).toBeUndefined();
    expect(gone).toEqual([info.id]);
  });

  it('records the last use when nobody interferes, and revokes after it', async () => {
    const { one, other } = await two();
    const { key, info } = await one.keys.create(NEW);
    one.keys.verify(key);
    await settled();
    await other.keys.refresh();
    expect(other.keys.get(info.id)?.lastUsedAtMs).toBeGreaterThan(0);
    await one.keys.revoke(info.id);
    expect(one.keys.verify(key)).toBeUndefined();
    await expect(one.keys.revoke('nope')).rejects.toThrow(/no key/);
  });

  it('an extended session does not come back after it ended elsewhere', async () => {
    const { clock, one, other } = await two();
    const { cookie, session } = await one.accounts.openSession({ kind: 'key', id: 'x' });
    await other.accounts.refresh();
    await clock.advance(SESSION_IDLE_MS * 0.5);
    await other.accounts.endSessions((s) => s.id === session.id);
    expect(one.accounts.session(cookie)).toBeDefined();
    await settled();
    expect(one.accounts.session(cookie)).toBeUndefined();
    await other.accounts.refresh();
    expect(other.accounts.session(cookie)).toBeUndefined();
  });

  it('refresh brings tenants, keys and users of others, and takes what they removed', async () => {
    const { one, other } = await two();
    const heard: string[] = [];
    one.directory.onChange((t) => heard.push(typeof t === 'string' ? `-${t}` : `+${t.id}`));
    await other.directory.put(tenantId('b'), { tier: 'pro' });
    await other.accounts.putUser({ name: 'u', password: 'long enough 123', grants: { a: 'viewer' } });
    const { key, info } = await other.keys.create(NEW);
    expect(one.keys.verify(key)).toBeUndefined();
    await Promise.all([one.keys.refresh(), one.accounts.refresh(), one.directory.refresh()]);
    expect(one.keys.verify(key)?.id).toBe(info.id);
    expect(one.accounts.user('u')?.grants).toEqual({ a: 'viewer' });
    expect(one.directory.get(tenantId('b'))?.tier).toBe('pro');
    await other.directory.remove(tenantId('b'));
    await other.accounts.removeUser('u');
    await Promise.all([one.accounts.refresh(), one.directory.refresh()]);
    expect(one.accounts.user('u')).toBeUndefined();
    expect(one.directory.get(tenantId('b'))).toBeUndefined();
    expect(heard).toEqual(['+b', '-b']);
  });

  it('keeps what is written here while a refresh reads', async () => {
    const documents = new MemoryDocuments();
    const spec: CollectionSpec = { name: 'things' };
    const real = documents.collection<{ n: number }>(PLATFORM_TENANT, spec);
    let hold: Promise<void> = Promise.resolve();
    const mirror = new DocumentMirror<{ n: number }>('things', () => ({
      ...real,
      get: (id) => real.get(id),
      put: (id, body, expect) => real.put(id, body, expect),
      delete: (id, expect) => real.delete(id, expect),
      list: async (o) => {
        const page = await real.list(o);
        await hold;
        return page;
      },
    }));
    await mirror.put('old', { n: 1 });
    let release = (): void => {};
    hold = new Promise((r) => {
      release = r;
    });
    const refreshing = mirror.refresh();
    await settled();
    await mirror.put('new', { n: 2 });
    await mirror.put('old', { n: 3 });
    release();
    await refreshing;
    expect([mirror.get('old'), mirror.get('new')]).toEqual([{ n: 3 }, { n: 2 }]);
  });

  it('passes run every few seconds, go on after a failure, and end', async () => {
    const { clock, one, other } = await two();
    const errors: unknown[] = [];
    let broken = true;
    const flaky = {
      name: 'flaky',
      refresh: async () => {
        if (broken) throw new Error('away');
      },
      reload: async () => undefined,
      onWrite: () => () => {},
    };
    const fresh = await keepCopiesFresh({
      copies: [one.keys.mirror, flaky],
      clock,
      onError: (e) => errors.push(e),
    });
    const { key } = await other.keys.create(NEW);
    await clock.advance(REFRESH_EVERY_MS);
    await settled();
    expect(errors).toHaveLength(1);
    expect(one.keys.verify(key)).toBeDefined();
    broken = false;
    await clock.advance(REFRESH_EVERY_MS);
    await settled();
    expect(errors).toHaveLength(1);
    await fresh[Symbol.asyncDispose]();
    expect(clock.pendingTimers).toBe(0);
  });

  it('a revocation announced over the bus arrives without a pass', async () => {
    const { clock, one, other } = await two();
    const listeners = new Set<(m: string) => void>();
    const bus = {
      publish: async (_t: unknown, _c: string, m: string) => {
        for (const l of listeners) l(m);
      },
      subscribe: async (_t: unknown, _c: string, l: (m: string) => void) => {
        listeners.add(l);
        return async () => void listeners.delete(l);
      },
    };
    const options = { clock, bus, onError: () => {} };
    const fresh = [
      await keepCopiesFresh({ ...options, copies: [one.keys.mirror] }),
      await keepCopiesFresh({ ...options, copies: [other.keys.mirror] }),
    ];
    const { key, info } = await one.keys.create(NEW);
    await settled();
    expect(other.keys.verify(key)).toBeDefined();
    await settled();
    await one.keys.revoke(info.id);
    await settled();
    expect(other.keys.verify(key)).toBeUndefined();
    for (const f of fresh) await f[Symbol.asyncDispose]();
    expect(listeners.size).toBe(0);
  });
});
