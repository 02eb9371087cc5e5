/** The state without a server, and the first key both ways: offline, and handed to a running server. */
import { chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { PLATFORM_TENANT, tenantId } from '../model/tenant.ts';
import { BootstrapInbox, LOOK_MS, offerFirstKey, WAIT_MS_MAX } from './bootstrap-inbox.ts';
import { openDataFolder } from './data-folder.ts';
import { openOffline } from './offline.ts';
import { resolveOptions } from './options.ts';

const open = (dataDir: string, uid: number | undefined = 1000) =>
  openOffline({
    options: resolveOptions({ flags: { data_dir: dataDir, tenant: 'acme' }, env: {} }).options,
    clock: systemClock,
    pid: 1,
    uid,
    whenLocked: 'Do something else.',
  });

describe('openOffline', () => {
  it('opens what the server would, keeps it, and lets the folder go', async () => {
    using folder = temporaryFolder();
    let key: string;
    {
      await using offline = await open(folder.path);
      expect(offline.directory.list().map((t) => t.id)).toEqual(['acme', 'platform']);
      key = await offline.keys.bootstrap('test');
      await offline.auditLog.append(PLATFORM_TENANT, {
        actor: 'a',
        actorName: 'a',
        action: 'x',
        target: 'y',
        requestId: 'r',
      });
      await expect(open(folder.path)).rejects.toThrow(/in use by another Vigie .*Do something else\./);
    }
    await using again = await open(folder.path);
    expect(again.keys.verify(key)?.grants).toBe('all');
    await expect(again.keys.bootstrap('test')).rejects.toThrow(/exists already/);
    expect(await again.auditLog.verify(PLATFORM_TENANT)).toEqual({ ok: true, entries: 1 });
  });

  it('does not let root leave its files in the folder of another user', async () => {
    using folder = temporaryFolder();
    if (process.getuid?.() !== 0) return; // only root gives folders away
    chownSync(folder.path, 12_345, 12_345);
    await expect(open(folder.path, 0)).rejects.toThrow(/belongs to user 12345, and root would leave files/);
    expect(readdirSync(folder.path)).toEqual([]);
    await using _ = await open(folder.path, 12_345);
  });

  it('gives the lock back when the rest does not open', async () => {
    using folder = temporaryFolder();
    mkdirSync(path.join(folder.path, 'documents/documents.sqlite'), { recursive: true });
    await expect(open(folder.path)).rejects.toThrow();
    openDataFolder(folder.path, 2).release();
  });
});

describe('the first key of a running server', () => {
  async function server() {
    const folder = temporaryFolder();
    const offline = await open(folder.path);
    const clock = new FakeClock();
    const inbox = new BootstrapInbox({
      dataDir: folder.path,
      keys: offline.keys,
      audit: (tenant, entry) => offline.auditLog.append(tenant, entry),
      clock,
      logger: silentLogger,
    });
    /** Moves the clock until the command has its answer; the store writes real files, so real time bounds it. */
    const offer = async (): Promise<string> => {
      const asked = offerFirstKey(folder.path, clock);
      let settled = false;
      asked.then(
        () => (settled = true),
        () => (settled = true),
      );
      for (const end = performance.now() + 10_000; performance.now() < end && !settled; )
        await clock.advance(200).then(() => new Promise((resolve) => setTimeout(resolve, 1)));
      return asked;
    };
    return {
      folder: folder.path,
      offline,
      clock,
      inbox,
      offer,
      left: () => readdirSync(path.join(folder.path, 'bootstrap')),
      async [Symbol.asyncDispose]() {
        inbox.stop();
        await offline[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      },
    };
  }

  it('is taken once, works at once, and is audited; a second one is refused with the reason', async () => {
    await using s = await server();
    const key = await s.offer();
    expect(s.offline.keys.verify(key)).toMatchObject({ name: 'bootstrap', grants: 'all' });
    expect(await s.offline.auditLog.list(PLATFORM_TENANT)).toMatchObject([{ action: 'key.create' }]);
    expect(s.left()).toEqual([]);
    await expect(s.offer()).rejects.toThrow(/a platform-admin key exists already \(bootstrap/);
    expect(s.left()).toEqual([]);
    expect(s.offline.keys.list()).toHaveLength(1);
  });

  it('follows no link where the offers belong', async () => {
    await using s = await server();
    const victim = path.join(s.folder, 'victim');
    mkdirSync(victim);
    symlinkSync(victim, path.join(s.folder, 'bootstrap'));
    await expect(s.offer()).rejects.toThrow(/it is no folder/);
    expect(readdirSync(victim)).toEqual([]);
  });

  it('is not made of a tenant’s keys: those do not stand in the way', async () => {
    await using s = await server();
    await s.offline.keys.create({ name: 't', grants: { acme: 'admin' }, tenant: tenantId('acme'), createdBy: 'x' });
    expect(s.offline.keys.verify(await s.offer())?.grants).toBe('all');
  });

  it('is nobody’s when no server takes it: the offer is withdrawn', async () => {
    await using s = await server();
    s.inbox.stop();
    await expect(s.offer()).rejects.toThrow(/did not take the key within/);
    expect(s.left()).toEqual([]);
    await s.inbox.look();
    expect(s.offline.keys.list()).toEqual([]);
  });

  it('takes nothing that is old, malformed, large or a link', async () => {
    await using s = await server();
    const at = path.join(s.folder, 'bootstrap');
    mkdirSync(at);
    const good = { id: 'a'.repeat(16), hash: 'b'.repeat(64), atMs: s.clock.now() };
    const offers: Record<string, string> = {
      old: JSON.stringify({ ...good, atMs: s.clock.now() - WAIT_MS_MAX * 3 }),
      future: JSON.stringify({ ...good, atMs: s.clock.now() + WAIT_MS_MAX * 3 }),
      role: JSON.stringify({ ...good, grants: 'all' }),
      id: JSON.stringify({ ...good, id: '../../x' }),
      text: 'not json',
      large: `${JSON.stringify(good)}${' '.repeat(5_000)}`,
    };
    for (const [name, text] of Object.entries(offers)) writeFileSync(path.join(at, `${name}.offer`), text);
    writeFileSync(path.join(s.folder, 'elsewhere'), JSON.stringify(good));
    symlinkSync(path.join(s.folder, 'elsewhere'), path.join(at, 'link.offer'));
    await s.clock.advance(3 * LOOK_MS);
    expect(s.offline.keys.list()).toEqual([]);
    expect(s.left()).toEqual([]);
  });
});
