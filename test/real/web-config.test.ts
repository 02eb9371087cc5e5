/**
 * The same web configuration file for Debian's Prometheus and for us: who is let in, by certificate and by password,
 * which versions of TLS are spoken, which headers come back; then new certificates while the server runs.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer, request, type Server } from 'node:https';
import path from 'node:path';
import type { ConnectionOptions, SecureVersion, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseWebConfig, WEB_CONFIG_CHECK_MS, WebConfig } from '../../src/app/web-config.ts';
import { CLIENT_AUTH_TYPES } from '../../src/app/web-tls.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { findPeer, freePort, peerMissing, peerVersion, start, temporaryFolder } from '../support/peers.ts';

const missing = peerMissing('openssl');
const folder = temporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder.path, stdio: 'pipe' });

/** name.crt and name.key signed by `ca` (its own when undefined). */
function certificate(name: string, ca: string | undefined, san: string): void {
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
  );
  writeFileSync(at(`${name}.ext`), `${san === '' ? 'basicConstraints=critical,CA:TRUE' : `subjectAltName=${san}`}\n`);
  const signer = ca ? ['-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-CAcreateserial'] : ['-signkey', `${name}.key`];
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...signer,
    '-days',
    '2',
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.crt`,
  );
}

beforeAll(() => {
  if (missing) return;
  certificate('ca', undefined, '');
  certificate('stranger-ca', undefined, '');
  certificate('server', 'ca', 'DNS:localhost,IP:127.0.0.1');
  certificate('server2', 'ca', 'DNS:localhost,IP:127.0.0.1');
  certificate('client', 'ca', 'DNS:client.example');
  certificate('stranger', 'stranger-ca', 'DNS:client.example');
});
afterAll(() => folder[Symbol.dispose]());

/** 'secret' at cost 5, by crypt(3): perl -e 'print crypt("secret", q($2b$05$abcdefghijklmnopqrstuv))'. */
/** Go refuses to serve HTTP/2 without a suite that its specification demands. */
const NO_HTTP2 = 'http_server_config:\n  http2: false\n';
const USERS = 'basic_auth_users:\n  alice: HASH\n';
const tls = (more = ''): string => `tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n${more}`;

interface Try {
  readonly client?: 'client' | 'stranger';
  readonly user?: string;
  readonly options?: Pick<ConnectionOptions, 'minVersion' | 'maxVersion' | 'ciphers'>;
}
/** `200`, `401` or `refused`, with the header X-Frame-Options when there is one. */
function attempt(port: number, t: Try): Promise<string> {
  return new Promise((resolve) => {
    const keys = t.client
      ? { cert: readFileSync(at(`${t.client}.crt`)), key: readFileSync(at(`${t.client}.key`)) }
      : {};
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path: '/-/healthy',
        agent: false,
        ca: readFileSync(at('ca.crt')),
        ...(t.user ? { auth: t.user } : {}),
        ...keys,
        ...t.options,
      },
      (answer) => {
        answer.resume();
        answer.once('end', () => resolve(`${answer.statusCode} ${answer.headers['x-frame-options'] ?? ''}`.trim()));
        answer.once('error', () => resolve('refused'));
      },
    );
    outgoing.once('error', () => resolve('refused'));
    outgoing.setTimeout(5_000, () => outgoing.destroy(new Error('no answer')));
    outgoing.end();
  });
}

/** Our side: the file on a plain HTTPS server that asks for Basic users as the file says. */
async function serveOurs(file: string, clock = new FakeClock()) {
  const config = new WebConfig({ file, clock, logger: silentLogger });
  const server: Server = createHttpsServer((config.tls as { https: object }).https, async (incoming, answer) => {
    const basic = Buffer.from((incoming.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
    const colon = basic.indexOf(':');
    const allowed = !config.usesBasic || (await config.checkBasic(basic.slice(0, colon), basic.slice(colon + 1)));
    answer.writeHead(allowed ? 200 : 401, config.headers).end();
  });
  const detach = config.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    config,
    clock,
    async [Symbol.asyncDispose]() {
      detach();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await config.close();
    },
  };
}

async function servePrometheus(file: string) {
  writeFileSync(at('prometheus.yml'), '');
  const port = await freePort();
  const started = await start(findPeer('prometheus')!, {
    args: [
      `--config.file=${at('prometheus.yml')}`,
      `--storage.tsdb.path=${at(`data-${port}`)}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--web.config.file=${file}`,
    ],
    ready: async () => listens(port),
  });
  return { port, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
}
/** Anything that is not "connection refused by the system" means that it listens. */
async function listens(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const TRIES: readonly Try[] = [{}, { client: 'client' }, { client: 'stranger' }];

describe.skipIf(missing || peerMissing('prometheus'))('a web configuration file, beside Prometheus', () => {
  let compared = 0;
  async function compare(text: string, tries: readonly Try[]): Promise<string[]> {
    const file = at(`web-${compared}.yml`);
    writeFileSync(file, text);
    await using theirs = await servePrometheus(file);
    await using ours = await serveOurs(file);
    const answers: string[] = [];
    for (const t of tries) {
      const [want, got] = [await attempt(theirs.port, t), await attempt(ours.port, t)];
      expect(got, `${JSON.stringify(t)} under\n${text}\nby ${peerVersion(findPeer('prometheus')!)}`).toBe(want);
      answers.push(got);
      compared++;
    }
    return answers;
  }

  it.each(CLIENT_AUTH_TYPES)('client_auth_type %s', async (type) => {
    const ca = type === 'NoClientCert' ? '' : '  client_ca_file: ca.crt\n';
    const answers = await compare(tls(`  client_auth_type: ${type}\n${ca}`), TRIES);
    expect(answers).toContain('200');
    if (type.startsWith('Require')) expect(answers[0]).toBe('refused');
  });

  it.each([
    ['  min_version: TLS13\n', ['200', 'refused', '200']],
    ['  max_version: TLS12\n', ['200', '200', 'refused']],
    [
      `  min_version: TLS12\n  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n${NO_HTTP2}`,
      ['200', '200', 'refused'],
    ],
    ['  curve_preferences: [CurveP384]\n', ['200', '200', '200']],
  ])('versions and ciphers: %j', async (more, wanted) => {
    const only = (v: SecureVersion): Try => ({ options: { minVersion: v, maxVersion: v } });
    expect(await compare(tls(more), [{}, only('TLSv1.2'), only('TLSv1.3')])).toEqual(wanted);
  });

  it('cipher_suites leave out what they do not name', async () => {
    const text =
      tls('  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n') + NO_HTTP2;
    const answers = await compare(text, [
      { options: { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' } },
      { options: { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } },
    ]);
    expect(answers).toEqual(['200', 'refused']);
  });

  it('basic_auth_users and headers', async () => {
    const hash = '$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a';
    const text = `${tls()}http_server_config:\n  headers:\n    X-Frame-Options: deny\n${USERS.replace('HASH', hash)}`;
    const answers = await compare(text, [
      {},
      { user: 'alice:secret' },
      { user: 'alice:secret' },
      { user: 'alice:Secret' },
      { user: 'bob:secret' },
      { user: 'alice:' },
    ]);
    expect(answers).toEqual(['401 deny', '200 deny', '200 deny', '401 deny', '401 deny', '401 deny']);
  });

  it('compared enough to mean something', () => expect(compared).toBeGreaterThanOrEqual(35));

  it('would see a server that ignores the file', async () => {
    const file = at('strict.yml');
    writeFileSync(file, tls('  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n'));
    writeFileSync(at('loose.yml'), tls());
    await using theirs = await servePrometheus(file);
    await using ours = await serveOurs(at('loose.yml'));
    expect(await attempt(ours.port, {})).not.toBe(await attempt(theirs.port, {}));
  });
});

describe.skipIf(missing)('a web configuration file, alone', () => {
  it('lets in only names of client_allowed_sans', async () => {
    const auth = '  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n';
    for (const [san, wanted] of [
      ['client.example', '200'],
      ['other.example', 'refused'],
    ] as const) {
      writeFileSync(at('sans.yml'), tls(`${auth}  client_allowed_sans: [${san}]\n`));
      await using ours = await serveOurs(at('sans.yml'));
      expect(await attempt(ours.port, { client: 'client' })).toBe(wanted);
    }
  });

  it('refuses a key that does not belong to the certificate', () => {
    expect(() =>
      parseWebConfig(at('x.yml'), 'tls_server_config:\n  cert_file: server.crt\n  key_file: client.key\n'),
    ).toThrow(/x\.yml: line 2: tls_server_config: the certificate, key or client CA does not load/);
  });

  it('serves a new certificate to new connections, and keeps the old one when the new is broken', async () => {
    writeFileSync(at('live.crt'), readFileSync(at('server.crt')));
    writeFileSync(at('live.key'), readFileSync(at('server.key')));
    writeFileSync(at('live.yml'), 'tls_server_config:\n  cert_file: live.crt\n  key_file: live.key\n');
    await using ours = await serveOurs(at('live.yml'));
    const subject = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          { host: '127.0.0.1', port: ours.port, agent: false, ca: readFileSync(at('ca.crt')) },
          (a) => {
            const { CN } = (a.socket as TLSSocket).getPeerCertificate().subject;
            a.resume();
            a.once('end', () => resolve(String(CN)));
          },
        );
        outgoing.once('error', reject).end();
      });
    expect(await subject()).toBe('server');
    writeFileSync(at('live.crt'), readFileSync(at('server2.crt')));
    await ours.clock.advance(WEB_CONFIG_CHECK_MS); // certificate and key do not match yet
    expect(await subject()).toBe('server');
    writeFileSync(at('live.key'), readFileSync(at('server2.key')));
    await ours.clock.advance(WEB_CONFIG_CHECK_MS);
    expect(await subject()).toBe('server2');
  });
});
