/**
 * `tls_server_config` of a Prometheus web configuration file as options of Node's TLS server. Go's names of suites,
 * curves and versions are translated; one that OpenSSL does not have is refused by name.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  createSecureContext,
  type PeerCertificate,
  type SecureVersion,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import type { ConfigNode } from '../alerting/config-reader.ts';
import { messageOf } from '../lib/errors.ts';

const TLS_KEYS = [
  'cert',
  'key',
  'client_ca',
  'cert_file',
  'key_file',
  'client_ca_file',
  'client_auth_type',
  'client_allowed_sans',
  'min_version',
  'max_version',
  'cipher_suites',
  'prefer_server_cipher_suites',
  'curve_preferences',
];

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'prime256v1',
  CurveP384: 'secp384r1',
  CurveP521: 'secp521r1',
  X25519: 'X25519',
};
/** Go's names (crypto/tls) that OpenSSL 3 still has; the suites of TLS 1.3 are always on in Go and are so here. */
const SUITES: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
};
const TLS13_SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

export const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;
export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number];

export interface WebTls {
  /** For Fastify's `https`, and `setSecureContext` of a running server. */
  readonly options: TlsOptions;
  readonly clientAuth: ClientAuthType;
  /** A client certificate must carry one of these (dNSName, IP, email or URI); empty: any. */
  readonly allowedSans: readonly string[];
  /** Files it was read from. */
  readonly files: readonly string[];
}

/** Reads and proves the section: certificate, key and CA belong together. Throws `bad_config` with line and path. */
export function readWebTls(n: ConfigNode, folder: string): WebTls {
  n.mapping(TLS_KEYS);
  const files: string[] = [];
  const pem = (inline: string, file: string): string | undefined => {
    const given = n.get(inline).string();
    const name = n.get(file).string();
    if (given && name) n.get(file).fail(`at most one of ${inline} and ${file} may be given`);
    if (!name) return given || undefined;
    const full = path.resolve(folder, name);
    files.push(full);
    try {
      return readFileSync(full, 'utf8');
    } catch (cause) {
      return n.get(file).fail(`cannot read ${full}: ${messageOf(cause)}`, cause);
    }
  };
  const cert = pem('cert', 'cert_file') ?? n.fail('missing one of cert or cert_file');
  const key = pem('key', 'key_file') ?? n.fail('missing one of key or key_file');
  const ca = pem('client_ca', 'client_ca_file');
  const clientAuth = readClientAuth(n.get('client_auth_type'));
  const allowedSans = n.get('client_allowed_sans').strings() ?? [];
  if (ca !== undefined && clientAuth === 'NoClientCert')
    n.fail('client CAs have been configured without a client auth type');
  if (allowedSans.length > 0 && !VERIFYING.has(clientAuth))
    n.get('client_allowed_sans').fail('needs a client_auth_type that verifies certificates');
  const options: TlsOptions = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    ...readVersions(n),
    ...readCiphers(n),
    requestCert: clientAuth !== 'NoClientCert',
    rejectUnauthorized: clientAuth === 'RequireAndVerifyClientCert',
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    n.fail(`the certificate, key or client CA does not load: ${messageOf(cause)}`, cause);
  }
  return { options, clientAuth, allowedSans, files };
}

const VERIFYING: ReadonlySet<ClientAuthType> = new Set(['VerifyClientCertIfGiven', 'RequireAndVerifyClientCert']);

function readClientAuth(n: ConfigNode): ClientAuthType {
  const text = n.string() || 'NoClientCert';
  // Go accepts this spelling too
  const name = text === 'RequireClientCert' ? 'RequireAnyClientCert' : text;
  return (
    CLIENT_AUTH_TYPES.find((t) => t === name) ??
    n.fail(`unknown client_auth_type ${JSON.stringify(text)}, want one of ${CLIENT_AUTH_TYPES.join(', ')}`)
  );
}

function readVersions(n: ConfigNode): Pick<TlsOptions, 'minVersion' | 'maxVersion'> {
  const version = (key: string, fallback: string): SecureVersion => {
    const text = n.get(key).string() || fallback;
    const found = Object.hasOwn(VERSIONS, text) ? VERSIONS[text] : undefined;
    return (
      found ?? n.get(key).fail(`unknown TLS version ${JSON.stringify(text)}, want ${Object.keys(VERSIONS).join(', ')}`)
    );
  };
  const [minVersion, maxVersion] = [version('min_version', 'TLS12'), version('max_version', 'TLS13')];
  if (minVersion > maxVersion) n.get('min_version').fail('min_version is above max_version');
  return { minVersion, maxVersion };
}

function readCiphers(n: ConfigNode): Pick<TlsOptions, 'ciphers' | 'honorCipherOrder' | 'ecdhCurve'> {
  const named = (key: string, known: Readonly<Record<string, string>>): string[] =>
    n
      .get(key)
      .list()
      .map((item) => {
        const name = item.string() ?? '';
        const found = Object.hasOwn(known, name) ? known[name] : undefined;
        return (
          found ??
          item.fail(
            `unknown or not available here: ${JSON.stringify(name)}, want one of ${Object.keys(known).join(', ')}`,
          )
        );
      });
  const suites = named('cipher_suites', SUITES);
  const curves = named('curve_preferences', CURVES);
  return {
    honorCipherOrder: n.get('prefer_server_cipher_suites').bool() ?? true,
    ...(suites.length > 0 ? { ciphers: [...new Set([...TLS13_SUITES, ...suites])].join(':') } : {}),
    ...(curves.length > 0 ? { ecdhCurve: curves.join(':') } : {}),
  };
}

/** Why a connection may not go on; undefined when it may. Node itself has refused unverified ones where that is asked. */
export function clientCertificateProblem(
  tls: Pick<WebTls, 'clientAuth' | 'allowedSans'>,
  socket: Pick<TLSSocket, 'authorized' | 'authorizationError'> & { getPeerCertificate(): PeerCertificate | object },
): string | undefined {
  const { clientAuth, allowedSans } = tls;
  if (clientAuth === 'NoClientCert' || clientAuth === 'RequestClientCert') return undefined;
  const certificate = socket.getPeerCertificate() as Partial<PeerCertificate>;
  const given = Object.keys(certificate).length > 0;
  if (!given) return clientAuth === 'VerifyClientCertIfGiven' ? undefined : 'no client certificate was given';
  if (clientAuth === 'RequireAnyClientCert') return undefined;
  if (!socket.authorized) return `the client certificate does not verify: ${String(socket.authorizationError)}`;
  if (allowedSans.length === 0) return undefined;
  const names = subjectAltNames(certificate.subjectaltname ?? '');
  return names.some((name) => allowedSans.includes(name))
    ? undefined
    : 'the client certificate has none of client_allowed_sans';
}

/** `DNS:a, IP Address:1.2.3.4, URI:x` as values; quoted ones (they hold a comma) are taken as JSON, as Node writes them. */
export function subjectAltNames(text: string): string[] {
  const out: string[] = [];
  for (const m of text.matchAll(/(?:^|, )(?:DNS|IP Address|email|URI):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    const raw = m[1]!;
    try {
      out.push(raw.startsWith('"') ? (JSON.parse(raw) as string) : raw);
    } catch {
      // a value that Node quoted in a way that is no JSON never matches
    }
  }
  return out;
}
