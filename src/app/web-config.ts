/**
 * A Prometheus web configuration file (exporter-toolkit's format): TLS with client certificates, response headers,
 * Basic users. Read at start and again when it, a certificate or a key changes; a bad one leaves the last good one.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Server, TLSSocket } from 'node:tls';
import { ConfigNode } from '../alerting/config-reader.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { isVigieError, messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { BCRYPT_HASH, WebPasswords } from './web-passwords.ts';
import { clientCertificateProblem, readWebTls, type WebTls } from './web-tls.ts';

/** The files are looked at this often. */
export const WEB_CONFIG_CHECK_MS = 5_000;
/** Users in one file. */
export const WEB_USERS_MAX = 10_000;

/** Headers that may be set, and the values that some are limited to, as exporter-toolkit has it. */
const HEADERS: Readonly<Record<string, readonly string[] | undefined>> = {
  'Strict-Transport-Security': undefined,
  'X-Content-Type-Options': ['', 'nosniff'],
  'X-Frame-Options': ['', 'deny', 'sameorigin'],
  'X-XSS-Protection': undefined,
  'Content-Security-Policy': undefined,
};

export interface ParsedWebConfig {
  readonly tls: WebTls | undefined;
  /** Lower-case names; for every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name -> bcrypt hash. */
  readonly users: ReadonlyMap<string, string>;
  /** What the file asks for and is served otherwise; one sentence each, for the log at start. */
  readonly notes: readonly string[];
}

/** Reads `text` of `file`; certificates are read relative to its folder. Throws `bad_config` with file, line and path. */
export function parseWebConfig(file: string, text: string): ParsedWebConfig {
  try {
    const root = ConfigNode.parse(text).mapping(['tls_server_config', 'http_server_config', 'basic_auth_users']);
    const tlsNode = root.get('tls_server_config');
    const http = root.get('http_server_config').mapping(['http2', 'headers']);
    const notes: string[] = [];
    if (http.get('http2').bool() === true) notes.push(`${file}: http2 is asked for; Vigie serves HTTP/1.1`);
    return {
      tls: tlsNode.present ? readWebTls(tlsNode, path.dirname(path.resolve(file))) : undefined,
      headers: readHeaders(http.get('headers')),
      users: readUsers(root.get('basic_auth_users')),
      notes,
    };
  } catch (error) {
    if (!isVigieError(error, 'bad_config')) throw error;
    throw new VigieError('bad_config', `${file}: ${error.message}`, { cause: error });
  }
}

function readHeaders(n: ConfigNode): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of n.keys()) {
    if (!Object.hasOwn(HEADERS, name))
      n.get(name).fail(`header ${JSON.stringify(name)} cannot be configured; want ${Object.keys(HEADERS).join(', ')}`);
    const value = n.get(name).string() ?? '';
    const allowed = HEADERS[name];
    if (allowed && !allowed.includes(value.toLowerCase()))
      n.get(name).fail(`invalid value ${JSON.stringify(value)}, want ${allowed.filter((v) => v !== '').join(' or ')}`);
    if (/[\r\n\0]/.test(value)) n.get(name).fail('a header value has no line breaks');
    // '' means not to send it
    out[name.toLowerCase()] = value;
  }
  return Object.fromEntries(Object.entries(out).filter(([, v]) => v !== ''));
}

function readUsers(n: ConfigNode): Map<string, string> {
  const names = n.keys();
  if (names.length > WEB_USERS_MAX) n.fail(`more than ${WEB_USERS_MAX} users`);
  return new Map(
    names.map((name) => {
      const hash = n.get(name).string() ?? '';
      // the hash is a secret: it is not repeated
      if (!BCRYPT_HASH.test(hash))
        n.get(name).fail('want a bcrypt hash, such as `htpasswd -nBC 10 "" | tr -d ":\\n"` prints');
      return [name, hash];
    }),
  );
}

export interface WebConfigOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The file while the server runs. */
export class WebConfig {
  readonly #options: WebConfigOptions;
  readonly #passwords = new WebPasswords();
  readonly #servers = new Set<Server>();
  #current: ParsedWebConfig;
  #signature: string;
  #timer: Timer | undefined;
  /** Why the last automatic reload failed; it is tried again, and told again only when the reason changes. */
  #failed: string | undefined;

  /** Reads the file and starts to look after it. Throws `bad_config`. */
  constructor(options: WebConfigOptions) {
    this.#options = options;
    this.#current = parseWebConfig(options.file, readText(options.file));
    this.#signature = this.#sign();
    this.#passwords.set(this.#current.users);
    for (const note of this.#current.notes) options.logger.warn(note);
    this.#watch();
  }

  /** For Fastify: `{ https: ... }` when TLS is configured. */
  get tls(): { readonly https: object } | undefined {
    return this.#current.tls && { https: { ...this.#current.tls.options } };
  }

  /** For every answer; those of the last good file. */
  get headers(): Readonly<Record<string, string>> {
    return this.#current.headers;
  }

  /** Does the file name users? Then every request needs one of them, or a key. */
  get usesBasic(): boolean {
    return this.#passwords.size > 0;
  }

  /** Does the file ask clients for certificates that are verified? */
  get verifiesClients(): boolean {
    return this.#current.tls?.clientAuth === 'RequireAndVerifyClientCert';
  }

  /** Throws `quota` when too many are being checked. */
  checkBasic(user: string, password: string): Promise<boolean> {
    return this.#passwords.check(user, password);
  }

  /** Gives `server` new certificates as they come, and ends connections whose client certificate is not enough. */
  attach(server: Server): () => void {
    const onSecure = (socket: TLSSocket): void => {
      const problem = this.#current.tls && clientCertificateProblem(this.#current.tls, socket);
      if (problem === undefined) return;
      this.#options.logger.debug('a connection was refused', { problem });
      socket.destroy();
    };
    server.on('secureConnection', onSecure);
    this.#servers.add(server);
    return () => {
      server.off('secureConnection', onSecure);
      this.#servers.delete(server);
    };
  }

  /** Reads the file again, now. Throws `bad_config`; the old one stays then. */
  reload(): void {
    const next = parseWebConfig(this.#options.file, readText(this.#options.file));
    const before = this.#current.tls;
    if ((before === undefined) !== (next.tls === undefined) || before?.clientAuth !== next.tls?.clientAuth)
      throw new VigieError('bad_config', `${this.#options.file}: switching TLS or client_auth_type needs a restart`);
    if (next.tls) for (const server of this.#servers) server.setSecureContext(next.tls.options);
    this.#current = next;
    this.#passwords.set(next.users);
    this.#signature = this.#sign();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#passwords.close();
  }

  #watch(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.#failed !== undefined || this.#sign() !== this.#signature) this.#reloadQuietly();
      this.#watch();
    }, WEB_CONFIG_CHECK_MS);
  }

  #reloadQuietly(): void {
    const { file, logger } = this.#options;
    try {
      this.reload();
      this.#failed = undefined;
      logger.info('web configuration reloaded', { file });
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== this.#failed)
        logger.error('web configuration does not load; the last good one stays', { file, error: reason });
      this.#failed = reason;
    }
  }

  /** Digest of the file and of all it names. */
  #sign(): string {
    const hash = createHash('sha256');
    for (const file of [this.#options.file, ...(this.#current.tls?.files ?? [])]) {
      try {
        hash.update(readFileSync(file)).update('\0');
      } catch (error) {
        hash.update(messageOf(error));
      }
    }
    return hash.digest('hex');
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read the web configuration file ${file}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
