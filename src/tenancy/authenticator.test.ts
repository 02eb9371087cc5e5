import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, tenantId } from '../model/tenant.ts';
import { Accounts } from './accounts.ts';
import { ApiKeys } from './api-keys.ts';
import { Authenticator, type AuthRequest, CSRF_HEADER } from './authenticator.ts';
import { TenantDirectory } from './tenant-directory.ts';

const a = tenantId('a');
const b = tenantId('b');

async function setup(
  over: {
    environment?: 'dev' | 'prod';
    listenHost?: string;
    trustedProxies?: string[];
    webUsers?: Record<string, string>;
    clientCertificates?: boolean;
  } = {},
) {
  const documents = new MemoryDocuments();
  const clock = new FakeClock();
  const directory = await TenantDirectory.open(documents, clock, [tenantId('default'), a, b]);
  const keys = await ApiKeys.open(documents, clock);
  const accounts = await Accounts.open(documents, clock);
  const authenticator = new Authenticator({
    environment: over.environment ?? 'prod',
    listenHost: over.listenHost ?? '127.0.0.1',
    externalUrl: 'https://vigie.example.com',
    defaultTenant: tenantId('default'),
    trustedProxies: over.trustedProxies ?? [],
    verifyKey: (k) => keys.verify(k),
    keyById: (id) => keys.get(id),
    session: (c) => accounts.session(c),
    csrfMatches: (s, t) => accounts.csrfMatches(s, t),
    user: (n) => accounts.user(n),
    tenant: (id) => directory.get(id),
    createTenant: (id) => directory.ensure(id),
    ...(over.webUsers ? { webUser: async (user: string, pw: string) => over.webUsers?.[user] === pw } : {}),
    ...(over.clientCertificates ? { clientCertificates: true } : {}),
  });
  const ask = async (over: Partial<AuthRequest> & { scope?: 'ingest' | 'query' | 'admin' } = {}) => {
    const { scope, ...rest } = over;
    try {
      const c = await authenticator.authenticate({
        method: 'GET',
        path: '/',
        pathTenant: undefined,
        headers: {},
        remoteAddress: '127.0.0.1',
        access: { kind: 'tenant', scope: scope ?? 'query' },
        requestId: 'r',
        ...rest,
      });
      return `${c.principal.id.replace(/[0-9a-f]{16}/, 'ID')} ${c.tenant} ${c.role}`;
    } catch (error) {
      expect(error).toBeInstanceOf(VigieError);
      return (error as VigieError).code;
    }
  };
  return { clock, directory, keys, accounts, authenticator, ask };
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('Authenticator with keys', () => {
  it('takes a key in every form, and a named tenant only within its grants', async () => {
    const { keys, ask } = await setup();
    const { key } = await keys.create({ name: 'k', grants: { a: 'editor', b: 'viewer' }, tenant: a, createdBy: 't' });
    const bearer = { authorization: `Bearer ${key}` };
    expect(await ask({ headers: bearer })).toBe('key:ID a editor');
    expect(await ask({ headers: { ...bearer, 'x-scope-orgid': 'b' } })).toBe('key:ID b viewer');
    expect(await ask({ headers: bearer, pathTenant: 'b' })).toBe('key:ID b viewer');
    expect(await ask({ headers: { authorization: basic('b', key) } })).toBe('key:ID b viewer');
    expect(await ask({ headers: { authorization: basic('', key) } })).toBe('key:ID a editor');
    expect(await ask({ headers: { authorization: `ApiKey ${Buffer.from(`id:${key}`).toString('base64')}` } })).toBe(
      'key:ID a editor',
    );
    expect(await ask({ headers: { ...bearer, 'x-scope-orgid': 'default' } })).toBe('forbidden');
    expect(await ask({ headers: { ...bearer, 'x-scope-orgid': 'unknown' } })).toBe('forbidden');
    expect(await ask({ headers: { ...bearer, 'x-scope-orgid': 'a|b' } })).toBe('bad_data');
    expect(await ask({ headers: { ...bearer, 'x-scope-orgid': '../a' } })).toBe('bad_data');
    expect(await ask({ headers: { ...bearer, 'x-scope-orgid': 'a' }, pathTenant: 'b' })).toBe('bad_data');
  });

  it('refuses wrong, cut, expired and revoked keys alike, and nothing without one', async () => {
    const { keys, ask, clock } = await setup();
    const { key, info } = await keys.create({
      name: 'k',
      grants: { a: 'viewer' },
      tenant: a,
      createdBy: 't',
      expiresAtMs: clock.now() + 1_000,
    });
    for (const wrong of [`${key}x`, key.slice(0, -1), 'vg_0000000000000000_' + 'A'.repeat(43), '', 'x'])
      expect(await ask({ headers: { authorization: `Bearer ${wrong}` } }), wrong).toBe('unauthenticated');
    expect(await ask({ headers: { authorization: 'Negotiate x' } })).toBe('unauthenticated');
    expect(await ask()).toBe('unauthenticated');
    expect(await ask({ headers: { authorization: `Bearer ${key}` } })).toBe('key:ID a viewer');
    await clock.advance(1_000);
    expect(await ask({ headers: { authorization: `Bearer ${key}` } })).toBe('unauthenticated');
    const second = await keys.create({ name: 'k2', grants: { a: 'viewer' }, tenant: a, createdBy: 't' });
    const revoked: string[] = [];
    keys.onRevoke((id) => revoked.push(id));
    await keys.revoke(second.info.id);
    expect(revoked).toEqual([second.info.id]);
    expect(await ask({ headers: { authorization: `Bearer ${second.key}` } })).toBe('unauthenticated');
    expect(JSON.stringify([info, keys.list()])).not.toContain(key.slice(20));
  });

  it('gives the bootstrap key the platform, once', async () => {
    const { keys, ask } = await setup();
    const key = await keys.bootstrap('cli');
    expect(await ask({ headers: { authorization: `Bearer ${key}` } })).toBe(`key:ID ${PLATFORM_TENANT} platform_admin`);
    expect(await ask({ headers: { authorization: `Bearer ${key}`, 'x-scope-orgid': 'b' } })).toBe(
      'key:ID b platform_admin',
    );
    expect(await ask({ headers: { authorization: `Bearer ${key}`, 'x-scope-orgid': 'nobody' } })).toBe('not_found');
    await expect(keys.bootstrap('cli')).rejects.toThrow(/exists already/);
  });

  it('honours suspended and deleting tenants', async () => {
    const { keys, ask, directory } = await setup();
    const { key } = await keys.create({ name: 'k', grants: { a: 'admin' }, tenant: a, createdBy: 't' });
    const headers = { authorization: `Bearer ${key}` };
    await directory.put(a, { state: 'suspended' });
    expect(await ask({ headers })).toBe('key:ID a admin');
    expect(await ask({ headers, scope: 'ingest' })).toBe('forbidden');
    await directory.markDeleting(a);
    expect(await ask({ headers })).toBe('not_found');
  });
});

describe('Authenticator in dev', () => {
  it('asks for nothing on loopback, creates a tenant on its first write only, and refuses rebinding', async () => {
    const { ask, directory } = await setup({ environment: 'dev' });
    const host = { host: '127.0.0.1:9390' };
    expect(await ask({ headers: host })).toBe('local default platform_admin');
    expect(await ask({ headers: { ...host, 'x-scope-orgid': 'fresh' } })).toBe('local fresh platform_admin');
    expect(directory.get(tenantId('fresh'))).toBeUndefined();
    expect(await ask({ headers: { ...host, 'x-scope-orgid': 'fresh' }, scope: 'ingest' })).toBe(
      'local fresh platform_admin',
    );
    expect(directory.get(tenantId('fresh'))).toBeDefined();
    expect(await ask({ headers: { host: 'evil.example:9390' } })).toBe('forbidden');
    expect(await ask({ headers: { host: '[::1]:9390' } })).toBe('local default platform_admin');
    expect(await ask({ headers: { host: 'vigie.example.com' } })).toBe('local default platform_admin');
    expect(await ask({ headers: { ...host, origin: 'http://evil.example' } })).toBe('forbidden');
    expect(await ask({ headers: { ...host, origin: 'null' } })).toBe('forbidden');
    expect(await ask({ headers: { ...host, origin: 'http://127.0.0.1:1234' } })).toBe('forbidden');
    expect(await ask({ headers: { ...host, origin: 'http://127.0.0.1:9390' } })).toBe('local default platform_admin');
    for (const origin of ['null', 'http://evil.example'])
      expect(await ask({ headers: { ...host, origin }, access: { kind: 'public' } })).toBe('anonymous default viewer');
    // a credential that is sent must be right, even where none is needed
    expect(await ask({ headers: { ...host, authorization: 'Bearer nonsense' } })).toBe('unauthenticated');
  });

  it.each([
    [{ environment: 'dev', listenHost: '0.0.0.0' }],
    [{ environment: 'prod', listenHost: '127.0.0.1' }],
  ] as const)('asks for a credential with %j', async (over) => {
    const { ask } = await setup(over);
    expect(await ask({ headers: { host: '127.0.0.1' } })).toBe('unauthenticated');
    expect(await ask({ headers: { host: '127.0.0.1' }, access: { kind: 'public' } })).toBe('anonymous default viewer');
  });
});

describe('Authenticator with sessions and proxies', () => {
  it('takes a cookie for reading, a CSRF token for changes, and ends with the key or the user', async () => {
    const { accounts, keys, ask, clock } = await setup();
    const { key, info } = await keys.create({ name: 'k', grants: { a: 'admin' }, tenant: a, createdBy: 't' });
    expect(keys.verify(key)).toBeDefined();
    const { cookie, csrf } = await accounts.openSession({ kind: 'key', id: info.id });
    const headers = { cookie: `x=1; vigie_session=${cookie}` };
    expect(await ask({ headers })).toBe('key:ID a admin');
    expect(await ask({ headers, method: 'POST' })).toBe('forbidden');
    expect(await ask({ headers: { ...headers, [CSRF_HEADER]: 'wrong' }, method: 'POST' })).toBe('forbidden');
    expect(await ask({ headers: { ...headers, [CSRF_HEADER]: csrf }, method: 'POST' })).toBe('key:ID a admin');
    await keys.revoke(info.id);
    expect(await ask({ headers })).toBe('unauthenticated');
    await accounts.putUser({ name: 'ann', password: 'correct horse battery', grants: { b: 'responder' } });
    const second = await accounts.openSession({ kind: 'user', name: 'ann' });
    expect(await ask({ headers: { cookie: `vigie_session=${second.cookie}` } })).toBe('user:ann b responder');
    await accounts.putUser({ name: 'ann', disabled: true });
    expect(await ask({ headers: { cookie: `vigie_session=${second.cookie}` } })).toBe('unauthenticated');
    await accounts.putUser({ name: 'ann', disabled: false });
    const third = await accounts.openSession({ kind: 'user', name: 'ann' });
    await clock.advance(13 * 3_600_000);
    expect(await ask({ headers: { cookie: `vigie_session=${third.cookie}` } })).toBe('unauthenticated');
  });

  it('believes proxy headers only from a trusted address', async () => {
    const { ask } = await setup({ trustedProxies: ['10.1.0.0/16', '::1'] });
    const headers = { 'x-vigie-user': 'ann', 'x-vigie-role': 'editor', 'x-vigie-tenant': 'a, b' };
    expect(await ask({ headers, remoteAddress: '10.1.2.3' })).toBe('proxy:ann a editor');
    expect(await ask({ headers, remoteAddress: '::ffff:10.1.2.3' })).toBe('proxy:ann a editor');
    expect(await ask({ headers: { ...headers, 'x-scope-orgid': 'b' }, remoteAddress: '10.1.2.3' })).toBe(
      'proxy:ann b editor',
    );
    expect(await ask({ headers: { ...headers, 'x-scope-orgid': 'default' }, remoteAddress: '10.1.2.3' })).toBe(
      'forbidden',
    );
    expect(await ask({ headers, remoteAddress: '10.2.0.1' })).toBe('unauthenticated');
    expect(await ask({ headers: { ...headers, 'x-vigie-role': 'god' }, remoteAddress: '10.1.2.3' })).toBe('forbidden');
  });
});

describe('Accounts', () => {
  it('checks passwords, slows guessing, and keeps no password', async () => {
    const { accounts } = await setup();
    await expect(accounts.putUser({ name: 'ann', password: 'short' })).rejects.toThrow(/12 to/);
    await accounts.putUser({ name: 'ann', password: 'correct horse battery' });
    expect(await accounts.checkPassword('ann', 'correct horse battery')).toMatchObject({ name: 'ann' });
    for (let i = 0; i < 10; i++) expect(await accounts.checkPassword('ann', 'wrong')).toBeUndefined();
    await expect(accounts.checkPassword('ann', 'correct horse battery')).rejects.toThrow(/too many failed/);
    expect(await accounts.checkPassword('bob', 'whatever')).toBeUndefined();
    expect(JSON.stringify(accounts.users())).not.toMatch(/hash|salt/i);
  });
});

describe('Authenticator with a web configuration file', () => {
  it('takes its users as operators, beside keys, and leaves nothing open', async () => {
    const { keys, ask } = await setup({ environment: 'dev', webUsers: { ops: 'pass' } });
    const { key } = await keys.create({ name: 'k', grants: { a: 'viewer' }, tenant: a, createdBy: 't' });
    expect(await ask({ headers: { authorization: basic('ops', 'pass') } })).toBe('web:ops default platform_admin');
    expect(await ask({ headers: { authorization: basic('ops', 'pass'), 'x-scope-orgid': 'b' } })).toBe(
      'web:ops b platform_admin',
    );
    expect(await ask({ headers: { authorization: basic('ops', 'wrong') } })).toBe('unauthenticated');
    expect(await ask({ headers: { authorization: basic('b', 'pass') } })).toBe('unauthenticated');
    expect(await ask({ headers: { authorization: basic('a', key) } })).toBe('key:ID a viewer');
    expect(await ask({ headers: { host: '127.0.0.1' } })).toBe('unauthenticated');
  });

  it('takes a verified client certificate where no other credential is given', async () => {
    const { keys, ask } = await setup({ clientCertificates: true });
    const { key } = await keys.create({ name: 'k', grants: { a: 'viewer' }, tenant: a, createdBy: 't' });
    expect(await ask({})).toBe('client-certificate default platform_admin');
    expect(await ask({ headers: { authorization: `Bearer ${key}` } })).toBe('key:ID a viewer');
    expect(await ask({ headers: { authorization: 'Bearer nonsense' } })).toBe('unauthenticated');
  });
});
