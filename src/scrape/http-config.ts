/** The HTTP client part that scrape jobs and discoveries share: credentials, TLS, redirects, headers; `_file` twins. */
import type { Section } from './config-reader.ts';

export interface TlsClientConfig {
  readonly ca?: string;
  readonly caFile?: string;
  readonly cert?: string;
  readonly certFile?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
}

export interface OAuth2Config {
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly clientSecretFile?: string;
  readonly scopes: readonly string[];
  readonly tokenUrl: string;
  readonly endpointParams: Readonly<Record<string, string>>;
  readonly tls: TlsClientConfig;
}

export interface HttpClientConfig {
  readonly basicAuth?: {
    readonly username?: string;
    readonly usernameFile?: string;
    readonly password?: string;
    readonly passwordFile?: string;
  };
  readonly authorization?: { readonly type: string; readonly credentials?: string; readonly credentialsFile?: string };
  readonly oauth2?: OAuth2Config;
  readonly tls: TlsClientConfig;
  readonly followRedirects: boolean;
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

export const PLAIN_HTTP: HttpClientConfig = { tls: { insecureSkipVerify: false }, followRedirects: true, headers: {} };

const TLS_VERSIONS = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;
/** Headers that the client itself decides. */
const RESERVED =
  /^(authorization|host|content-encoding|content-length|content-type|user-agent|connection|keep-alive|proxy-.*|www-authenticate|accept-encoding|x-prometheus-.*|accept)$/i;

/** Reads the client keys of `s`. `noFiles` refuses every key that names a file of the server. */
export function readHttpClient(s: Section, noFiles: boolean): HttpClientConfig {
  s.refuse('proxy_url', 'scrapes go straight to the target; set no proxy');
  s.refuse('no_proxy', 'scrapes go straight to the target; set no proxy');
  s.refuse('proxy_connect_header', 'scrapes go straight to the target; set no proxy');
  if (s.boolean('proxy_from_environment', false))
    throw s.problem('proxy_from_environment', 'not supported: set no proxy');
  // HTTP/1.1 is spoken either way; `true` is Prometheus' default and asks for no more than "if the server offers it"
  s.boolean('enable_http2', true);
  const basicAuth = readBasic(s, noFiles);
  let authorization = readAuthorization(s, noFiles);
  const bearer = s.secret('bearer_token');
  const bearerFile = file(s, 'bearer_token_file', noFiles);
  if (bearer !== undefined || bearerFile !== undefined) {
    if (authorization) throw s.problem('authorization', 'give authorization or bearer_token, not both');
    authorization = drop({ type: 'Bearer', credentials: bearer, credentialsFile: bearerFile });
  }
  const oauth2 = readOAuth2(s, noFiles);
  if ([basicAuth, authorization, oauth2].filter(Boolean).length > 1)
    throw s.problem(
      basicAuth ? 'basic_auth' : 'authorization',
      'at most one of basic_auth, authorization, oauth2 may be given',
    );
  return drop({
    basicAuth,
    authorization,
    oauth2,
    tls: readTls(s, noFiles),
    followRedirects: s.boolean('follow_redirects', true),
    headers: readHeaders(s, noFiles),
  });
}

function readBasic(s: Section, noFiles: boolean): HttpClientConfig['basicAuth'] {
  const b = s.section('basic_auth');
  if (!b) return undefined;
  const out = drop({
    username: b.string('username'),
    usernameFile: file(b, 'username_file', noFiles),
    password: b.secret('password'),
    passwordFile: file(b, 'password_file', noFiles),
  });
  b.end();
  if (out.username !== undefined && out.usernameFile)
    throw b.problem('username_file', 'give username or username_file, not both');
  if (out.password !== undefined && out.passwordFile)
    throw b.problem('password_file', 'give password or password_file, not both');
  return out;
}

function readAuthorization(s: Section, noFiles: boolean): HttpClientConfig['authorization'] {
  const a = s.section('authorization');
  if (!a) return undefined;
  const out = drop({
    type: a.string('type', 'Bearer'),
    credentials: a.secret('credentials'),
    credentialsFile: file(a, 'credentials_file', noFiles),
  });
  a.end();
  if (out.type.toLowerCase() === 'basic') throw a.problem('type', 'use basic_auth for Basic');
  if (out.credentials !== undefined && out.credentialsFile)
    throw a.problem('credentials_file', 'give credentials or credentials_file, not both');
  return out;
}

function readOAuth2(s: Section, noFiles: boolean): OAuth2Config | undefined {
  const o = s.section('oauth2');
  if (!o) return undefined;
  o.refuse('proxy_url', 'set no proxy');
  const out = drop({
    clientId: o.required('client_id'),
    clientSecret: o.secret('client_secret'),
    clientSecretFile: file(o, 'client_secret_file', noFiles),
    scopes: o.strings('scopes') ?? [],
    tokenUrl: o.required('token_url'),
    endpointParams: o.record('endpoint_params'),
    tls: readTls(o, noFiles),
  });
  o.end();
  if (!URL.canParse(out.tokenUrl)) throw o.problem('token_url', 'not an address');
  return out;
}

function readTls(s: Section, noFiles: boolean): TlsClientConfig {
  const t = s.section('tls_config');
  if (!t) return { insecureSkipVerify: false };
  const version = (key: string) => {
    const v = t.choice(key, Object.keys(TLS_VERSIONS) as (keyof typeof TLS_VERSIONS)[]);
    return v && TLS_VERSIONS[v];
  };
  const out = drop({
    ca: t.string('ca'),
    caFile: file(t, 'ca_file', noFiles),
    cert: t.string('cert'),
    certFile: file(t, 'cert_file', noFiles),
    key: t.secret('key'),
    keyFile: file(t, 'key_file', noFiles),
    serverName: t.string('server_name'),
    insecureSkipVerify: t.boolean('insecure_skip_verify', false),
    minVersion: version('min_version'),
    maxVersion: version('max_version'),
  });
  t.end();
  if (Boolean(out.cert ?? out.certFile) !== Boolean(out.key ?? out.keyFile))
    throw t.problem(undefined, 'a client certificate needs its key, and a key its certificate');
  return out;
}

function readHeaders(s: Section, noFiles: boolean): Readonly<Record<string, readonly string[]>> {
  const section = s.section('http_headers');
  const out: Record<string, readonly string[]> = {};
  for (const name of Object.keys((s.raw('http_headers') as object | undefined) ?? {})) {
    if (RESERVED.test(name)) throw section!.problem(name, 'this header may not be set');
    const h = section!.section(name)!;
    h.refuse(
      'files',
      noFiles
        ? 'a configuration given by API may name no file'
        : 'write the values, or use authorization with credentials_file',
    );
    h.hideSecrets('secrets');
    out[name] = [...(h.strings('values') ?? []), ...(h.strings('secrets') ?? [])];
    h.end();
  }
  return out;
}

function file(s: Section, key: string, noFiles: boolean): string | undefined {
  const name = s.string(key);
  if (name !== undefined && noFiles)
    throw s.problem(key, 'a configuration given by API may name no file of the server');
  return name;
}

/** Leaves out what is undefined. */
function drop<T extends object>(o: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as never;
}
