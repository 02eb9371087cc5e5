/**
 * What a channel is: the fields of its configuration as data, and one function that sends. Reading, defaults, secrets,
 * template checks, retries and logging are done once for all channels elsewhere.
 */
import type { SecureVersion } from 'node:tls';
import type { Alert } from '../alert.ts';
import type { TemplateData, Templates } from './template-data.ts';

/**
 * template: text with Go template syntax, checked at load. secret: never shown; has a `_file` twin. url: absolute http
 * or https. secretTemplateUrl: as secretUrl, and may hold templates. json: any YAML value, scalars as they were written,
 * whose strings are templates. goDuration: as Go writes it, `1h30m`.
 * tls: a `tls_config`, read to TlsConfig.
 */
export type FieldKind =
  | 'string'
  | 'template'
  | 'html'
  | 'secret'
  | 'url'
  | 'secretUrl'
  | 'secretTemplateUrl'
  | 'bool'
  | 'int'
  | 'duration'
  | 'goDuration'
  | 'strings'
  | 'templateMap'
  | 'json'
  | 'tls';

export interface Field {
  readonly kind: FieldKind;
  readonly default?: unknown;
  /** The key of `global` that stands in when this is not set. */
  readonly global?: string;
  /** May be given by a `_file` too, as secrets may. */
  readonly fileTwin?: true;
  /** Another field that makes this one dispensable; without either the configuration is refused. */
  readonly required?: true | readonly string[];
  /** Keys accepted in this mapping, or in each mapping of this list; others are refused by name. */
  readonly keys?: readonly string[];
  /** Values accepted, for plain strings. */
  readonly oneOf?: readonly string[];
}

export type ChannelConfig = Readonly<Record<string, unknown>>;

/** PEM texts. */
export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
  /** In Node's words. */
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

/** OAuth 2 client credentials: where a token comes from. */
export interface OAuth2 {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  readonly endpointParams: Readonly<Record<string, string>>;
  readonly tls?: TlsConfig;
}

export interface HttpConfig {
  readonly basicAuth?: { readonly username: string; readonly password: string };
  readonly authorization?: { readonly type: string; readonly credentials: string };
  readonly oauth2?: OAuth2;
  readonly tls?: TlsConfig;
  readonly headers?: Readonly<Record<string, string>>;
  readonly followRedirects: boolean;
}

export interface OutgoingRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly http: HttpConfig;
  readonly signal: AbortSignal;
}
export interface OutgoingResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** At most RESPONSE_BYTES_MAX of it. */
  readonly body: string;
}
export type HttpSend = (request: OutgoingRequest) => Promise<OutgoingResponse>;

export interface MailMessage {
  readonly config: ChannelConfig;
  readonly from: string;
  readonly to: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  readonly dateMs: number;
  readonly signal: AbortSignal;
}
export type MailSend = (message: MailMessage) => Promise<void>;

export interface SendPorts {
  readonly http: HttpSend;
  readonly mail: MailSend;
}

/** What a person can do from the message itself. */
export interface Button {
  readonly label: string;
  /** A page that asks first: for programs whose presses do not come back to us. */
  readonly url: string;
  /** What a press sends back: `acknowledge:INC-12`. */
  readonly value: string;
}

/** One notification on its way through one integration. */
export interface Notification {
  readonly config: ChannelConfig;
  readonly http: HttpConfig;
  readonly receiver: string;
  readonly groupKey: string;
  readonly data: TemplateData;
  readonly alerts: readonly Alert[];
  readonly resolved: boolean;
  readonly templates: Templates;
  /** Of this try. */
  readonly nowMs: number;
  /** Of the flush: what has ended by then is resolved. */
  readonly flushedAtMs: number;
  readonly signal: AbortSignal;
  readonly ports: SendPorts;
  /** The same for every try of one notification, also after a restart. */
  readonly idempotencyKey: string;
  /** Headers of a mail besides, and before, those of the configuration: threading. */
  readonly mailHeaders?: Readonly<Record<string, string>>;
  readonly buttons?: readonly Button[];
  /** Presses come back from this kind of program: its callbacks are set up. */
  readonly pressable?: boolean;
  /** Not news of alerts: somebody took them, or what was said is over. Only channels that say so in `acknowledges` are given it. */
  readonly event?: 'acknowledge' | 'resolve';
}

export type Outcome =
  | { readonly kind: 'sent' }
  /** `retry`: worth another try before the flush's deadline. */
  | {
      readonly kind: 'failed';
      readonly retry: boolean;
      readonly error: string;
      readonly retryAfterMs?: number;
      /** The receiver has said no; absent when it may have heard all the same. */
      readonly refused?: boolean;
    };

export interface Channel {
  /** `slack`; the configuration key is this plus `_configs`. */
  readonly kind: string;
  readonly sendResolved: boolean;
  /** The program keeps incidents of its own and can be told that one was taken. */
  readonly acknowledges?: true;
  readonly fields: Readonly<Record<string, Field>>;
  /**
   * Further checks and derived defaults. `fail` names field and reason; `own` tells whether the integration itself sets
   * a field, rather than `global`.
   */
  check?(
    config: Record<string, unknown>,
    fail: (field: string, message: string) => never,
    http: HttpConfig,
    own: (field: string) => boolean,
  ): void;
  send(notification: Notification): Promise<Outcome>;
}

export const SENT: Outcome = { kind: 'sent' };
