import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { type LogFields, type Logger, silentLogger } from '../lib/logger.ts';
import { parseWebConfig, WEB_CONFIG_CHECK_MS, WebConfig } from './web-config.ts';
import { CHECKS_WAITING_MAX, WebPasswords } from './web-passwords.ts';
import { clientCertificateProblem, subjectAltNames } from './web-tls.ts';

/** crypt(3) of libxcrypt 4.4.33, cost 4 to keep the test quick: perl -e 'print crypt("secret", q($2b$04$abcdefghijklmnopqrstuv))'. */
const SECRET = '$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';

describe('parseWebConfig', () => {
  it('takes headers and users', () => {
    const found = parseWebConfig(
      'web.yml',
      `http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: ''\nbasic_auth_users:\n  alice: ${SECRET}\n`,
    );
    expect(found).toMatchObject({ tls: undefined, headers: { 'x-frame-options': 'deny' }, notes: [] });
    expect([...found.users]).toEqual([['alice', SECRET]]);
  });

  it('says that HTTP/2 is not served, instead of ignoring it', () => {
    expect(parseWebConfig('web.yml', 'http_server_config:\n  http2: true\n').notes).toHaveLength(1);
    expect(parseWebConfig('web.yml', 'http_server_config:\n  http2: false\n').notes).toEqual([]);
  });

  it('takes an empty file', () => {
    expect(parseWebConfig('web.yml', '')).toMatchObject({ tls: undefined, headers: {} });
  });

  it.each([
    ['\n\ntls: 1\n', /web\.yml: line 3: tls: field tls not found/],
    [
      '\ntls_server_config:\n  cert_file: a\n  keyfile: b\n',
      /web\.yml: line 4: tls_server_config\.keyfile: field keyfile not found/,
    ],
    ['tls_server_config: {}\n', /missing one of cert or cert_file/],
    ['tls_server_config:\n  cert: a\n  cert_file: b\n', /line 3: .*at most one of cert and cert_file/],
    ['tls_server_config:\n  cert_file: /does/not/exist\n', /line 2: .*cannot read \/does\/not\/exist/],
    [
      'tls_server_config:\n  cert: a\n  key: b\n',
      /web\.yml: line 2: tls_server_config: the certificate, key or client CA does not load/,
    ],
    ['tls_server_config:\n  cert: a\n  key: b\n  client_auth_type: Always\n', /unknown client_auth_type "Always"/],
    ['tls_server_config:\n  cert: a\n  key: b\n  client_ca: c\n', /client CAs have been configured without/],
    ['tls_server_config:\n  cert: a\n  key: b\n  min_version: SSL3\n', /line 4: .*unknown TLS version "SSL3"/],
    ['tls_server_config:\n  cert: a\n  key: b\n  min_version: TLS13\n  max_version: TLS12\n', /min_version is above/],
    [
      'tls_server_config:\n  cert: a\n  key: b\n  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n',
      /TLS_RSA_WITH_RC4_128_SHA/,
    ],
    ['tls_server_config:\n  cert: a\n  key: b\n  curve_preferences: [toString]\n', /curve_preferences\[0\]: unknown/],
    ['http_server_config:\n  headers:\n    Set-Cookie: a\n', /line 3: .*header "Set-Cookie" cannot be configured/],
    ['http_server_config:\n  headers:\n    X-Frame-Options: maybe\n', /invalid value "maybe", want deny or sameorigin/],
    ['basic_auth_users:\n  alice: secret\n', /line 2: basic_auth_users\.alice: want a bcrypt hash/],
    ['basic_auth_users: [a]\n', /expected a mapping/],
    ['a: [\n', /web\.yml: line \d+: /],
  ])('names file, line and path: %j', (text, message) => {
    expect(() => parseWebConfig('web.yml', text)).toThrow(message);
  });

  it('never repeats a password or a key', () => {
    for (const text of ['basic_auth_users:\n  alice: hunter2\n', 'tls_server_config:\n  cert: x\n  key: hunter2\n']) {
      try {
        parseWebConfig('web.yml', text);
        expect.unreachable();
      } catch (error) {
        expect(String(error)).not.toContain('hunter2');
      }
    }
  });
});

describe('WebPasswords', () => {
  it('knows right from wrong, and unknown users from known ones, by a hash made elsewhere', async () => {
    const passwords = new WebPasswords();
    passwords.set(new Map([['alice', SECRET]]));
    expect(await passwords.check('alice', 'secret')).toBe(true);
    expect(await passwords.check('alice', 'secret')).toBe(true);
    expect(await passwords.check('alice', 'Secret')).toBe(false);
    expect(await passwords.check('bob', 'secret')).toBe(false);
    expect(await passwords.check('alice', `secret${'x'.repeat(72)}`)).toBe(false);
    passwords.set(new Map());
    expect(await passwords.check('alice', 'secret')).toBe(false);
    await passwords.close();
  });

  it('refuses more than it can queue', async () => {
    const passwords = new WebPasswords();
    passwords.set(new Map([['alice', SECRET]]));
    const all = await Promise.allSettled(
      Array.from({ length: CHECKS_WAITING_MAX + 3 }, (_, i) => passwords.check('alice', `wrong ${i}`)),
    );
    expect(all.filter((a) => a.status === 'rejected')).toHaveLength(3);
    expect(all.filter((a) => a.status === 'fulfilled').every((a) => a.value === false)).toBe(true);
    await passwords.close();
  });
});

describe('clientCertificateProblem', () => {
  const none = { authorized: false, authorizationError: new Error('none'), getPeerCertificate: () => ({}) };
  const bad = { ...none, getPeerCertificate: () => ({ subject: {}, subjectaltname: 'DNS:a.example' }) };
  const good = { ...bad, authorized: true };
  it.each([
    ['NoClientCert', [true, true, true]],
    ['RequestClientCert', [true, true, true]],
    ['RequireAnyClientCert', [false, true, true]],
    ['VerifyClientCertIfGiven', [true, false, true]],
    ['RequireAndVerifyClientCert', [false, false, true]],
  ] as const)('%s: without, unverified, verified', (clientAuth, wanted) => {
    const admits = [none, bad, good].map(
      (s) => clientCertificateProblem({ clientAuth, allowedSans: [] }, s) === undefined,
    );
    expect(admits).toEqual(wanted);
  });
  it('asks for one of the allowed names', () => {
    const tls = { clientAuth: 'RequireAndVerifyClientCert' } as const;
    expect(clientCertificateProblem({ ...tls, allowedSans: ['b.example', 'a.example'] }, good)).toBeUndefined();
    expect(clientCertificateProblem({ ...tls, allowedSans: ['example'] }, good)).toMatch(/client_allowed_sans/);
  });
  it('cannot be told two names by one that holds a comma', () => {
    expect(subjectAltNames('DNS:a, IP Address:10.0.0.1, URI:spiffe://x/y')).toEqual(['a', '10.0.0.1', 'spiffe://x/y']);
    // Node quotes such values as JSON
    expect(subjectAltNames('DNS:"evil\\u002c DNS:good.example", DNS:b')).toEqual(['evil, DNS:good.example', 'b']);
    expect(subjectAltNames('DNS:"evil, DNS:good.example"')).toEqual(['evil, DNS:good.example']);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const shown = JSON.stringify(text);
        expect(subjectAltNames(`URI:${shown}, DNS:z`)).toEqual([text, 'z']);
      }),
    );
  });
});

describe('WebConfig', () => {
  it('reloads a changed file, keeps the last good one, and tells a fault once', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'web.yml');
    const clock = new FakeClock();
    const told: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      error: (_m: string, f?: LogFields) => void told.push(String(f?.['error'])),
    };
    writeFileSync(file, `basic_auth_users:\n  alice: ${SECRET}\n`);
    const config = new WebConfig({ file, clock, logger });
    expect(config.usesBasic).toBe(true);
    expect(await config.checkBasic('alice', 'secret')).toBe(true);
    writeFileSync(file, 'basic_auth_user: {}\n');
    await clock.advance(3 * WEB_CONFIG_CHECK_MS);
    expect(told).toHaveLength(1);
    expect(await config.checkBasic('alice', 'secret')).toBe(true);
    writeFileSync(file, `basic_auth_users:\n  carol: ${SECRET}\n`);
    await clock.advance(WEB_CONFIG_CHECK_MS);
    expect(await config.checkBasic('alice', 'secret')).toBe(false);
    expect(await config.checkBasic('carol', 'secret')).toBe(true);
    expect(() => new WebConfig({ file: `${file}.none`, clock, logger })).toThrow(/cannot read the web configuration/);
    await config.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
