/**
 * Tokens by OAuth 2 client credentials: asked for once, kept until shortly before they end. Credentials go in the
 * header first and, where a server wants them there, in the form, as the original's client does. What a token server
 * says is not repeated: it may hold the secret.
 */
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import type { HttpSend, OAuth2, OutgoingResponse } from './channel.ts';
import { escaped, parseAnswer, query } from './http-post.ts';

/** Tokens kept; the oldest goes first. */
const TOKENS_MAX = 1_000;
/** A token is asked for anew this long before it ends. */
const EARLY_MS = 10_000;
/** Where the credentials stand. */
type Style = 'header' | 'form';

export interface Token {
  readonly type: string;
  readonly credentials: string;
}

type Given = Token & { readonly endsAtMs: number };

export class OAuth2Tokens {
  readonly #send: HttpSend;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #kept = new Map<string, Promise<Given>>();

  constructor(send: HttpSend, clock: Pick<Clock, 'now'>) {
    this.#send = send;
    this.#clock = clock;
  }

  /** Throws `unavailable` or `address_refused` as any request does, `upstream` when the server gives no token. */
  async get(config: OAuth2, signal: AbortSignal): Promise<Token> {
    const key = keyOf(config);
    for (let kept = this.#kept.get(key); kept; kept = this.#kept.get(key)) {
      const token = await kept.catch(() => undefined);
      if (token && token.endsAtMs - EARLY_MS > this.#clock.now()) return token;
      // whoever waited for the same one asks anew once
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
    }
    const token = this.#ask(config, signal);
    this.#kept.set(key, token);
    if (this.#kept.size > TOKENS_MAX) this.#kept.delete(this.#kept.keys().next().value!);
    return token;
  }

  forget(config: OAuth2): void {
    this.#kept.delete(keyOf(config));
  }

  async #ask(config: OAuth2, signal: AbortSignal): Promise<Given> {
    const host = new URL(config.tokenUrl).host;
    let response: OutgoingResponse | undefined;
    for (const style of ['header', 'form'] as const) {
      response = await this.#post(config, style, signal);
      if (response.status >= 200 && response.status < 300) break;
    }
    const answer = response!.status < 300 ? parseAnswer(response!.body) : undefined;
    const credentials = answer?.['access_token'];
    if (typeof credentials !== 'string' || credentials === '')
      throw new VigieError('upstream', `the token server ${host} gave no token: status ${response!.status}`);
    const type = String(answer!['token_type'] ?? 'Bearer');
    const seconds = Number(answer!['expires_in'] ?? 0);
    return {
      type: type.toLowerCase() === 'bearer' ? 'Bearer' : type,
      credentials,
      endsAtMs: seconds > 0 ? this.#clock.now() + seconds * 1_000 : Number.POSITIVE_INFINITY,
    };
  }

  #post(config: OAuth2, style: Style, signal: AbortSignal): Promise<OutgoingResponse> {
    const { clientId, clientSecret, scopes, tls } = config;
    return this.#send({
      method: 'POST',
      url: config.tokenUrl,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'Vigie' },
      body: query({
        ...config.endpointParams,
        grant_type: 'client_credentials',
        ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
        ...(style === 'form' ? { client_id: clientId, client_secret: clientSecret } : {}),
      }),
      http: {
        followRedirects: true,
        ...(style === 'header' ? { basicAuth: { username: escaped(clientId), password: escaped(clientSecret) } } : {}),
        ...(tls ? { tls } : {}),
      },
      signal,
    });
  }
}

const keyOf = (config: OAuth2): string => JSON.stringify(config);
