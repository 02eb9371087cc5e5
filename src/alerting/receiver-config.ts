/** Reads `global` and `receivers` by the field tables of the channels: defaults, secrets, files, template checks. */

import type { SecureVersion } from 'node:tls';
import { Labels } from '../model/labels.ts';
import type { ConfigPorts } from './config-ports.ts';
import { ConfigNode } from './config-reader.ts';
import type { Channel, ChannelConfig, Field, HttpConfig, OAuth2, TlsConfig } from './notify/channel.ts';
import { CHANNELS } from './notify/channels.ts';
import { email } from './notify/email.ts';
import type { Templates } from './notify/template-data.ts';

export interface Integration {
  readonly channel: Channel;
  /** Position among the receiver's integrations of this kind. */
  readonly index: number;
  readonly config: ChannelConfig;
  readonly http: HttpConfig;
  readonly sendResolved: boolean;
}
/** `slack/0`: kind and position, the name under which an integration is remembered. */
export const nameOf = (i: Integration): string => `${i.channel.kind}/${i.index}`;

export interface Receiver {
  readonly name: string;
  /** What the configuration says about it, and always its name: the API finds receivers by these. */
  readonly labels: Labels;
  readonly integrations: readonly Integration[];
}

export interface Scope {
  readonly global: Readonly<Record<string, unknown>>;
  readonly templates: Templates;
  readonly ports: Pick<ConfigPorts, 'readFiles'>;
}

const GLOBAL_FIELDS: Readonly<Record<string, Field>> = {
  resolve_timeout: { kind: 'duration', default: 300_000 },
  smtp_from: { kind: 'string' },
  smtp_smarthost: { kind: 'string' },
  smtp_hello: { kind: 'string', default: 'localhost' },
  smtp_auth_username: { kind: 'string' },
  smtp_auth_password: { kind: 'secret' },
  smtp_auth_secret: { kind: 'secret' },
  smtp_require_tls: { kind: 'bool', default: true },
  smtp_tls_config: { kind: 'tls' },
  smtp_force_implicit_tls: { kind: 'bool' },
  slack_api_url: { kind: 'secretUrl' },
  slack_app_token: { kind: 'secret' },
  slack_app_url: { kind: 'url', default: 'https://slack.com/api/chat.postMessage' },
  pagerduty_url: { kind: 'url', default: 'https://events.pagerduty.com/v2/enqueue' },
  telegram_bot_token: { kind: 'secret' },
  telegram_api_url: { kind: 'url', default: 'https://api.telegram.org' },
  opsgenie_api_url: { kind: 'url', default: 'https://api.opsgenie.com/' },
  opsgenie_api_key: { kind: 'secret' },
  victorops_api_url: { kind: 'url', default: 'https://alert.victorops.com/integrations/generic/20131114/alert/' },
  victorops_api_key: { kind: 'secret' },
  webex_api_url: { kind: 'url', default: 'https://webexapis.com/v1/messages' },
  wechat_api_url: { kind: 'url', default: 'https://qyapi.weixin.qq.com/cgi-bin/' },
  wechat_api_secret: { kind: 'secret' },
  wechat_api_corp_id: { kind: 'string' },
  jira_api_url: { kind: 'url' },
  mattermost_webhook_url: { kind: 'secretUrl' },
  rocketchat_api_url: { kind: 'url', default: 'https://open.rocket.chat/' },
  rocketchat_token: { kind: 'secret' },
  rocketchat_token_id: { kind: 'secret' },
};
const TLS_KEYS = ['server_name', 'insecure_skip_verify', 'min_version', 'max_version'];
const HTTP_KEYS = [
  'basic_auth',
  'authorization',
  'oauth2',
  'bearer_token',
  'tls_config',
  'follow_redirects',
  'enable_http2',
  'http_headers',
];

export function readGlobal(n: ConfigNode, ports: Pick<ConfigPorts, 'readFiles'>): Record<string, unknown> {
  n.mapping([...Object.keys(GLOBAL_FIELDS), ...secretFiles(GLOBAL_FIELDS), 'http_config']);
  const out: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(GLOBAL_FIELDS))
    out[name] = readField(n, name, field, ports) ?? field.default;
  out['http_config'] = readHttp(n.get('http_config'), ports);
  return out;
}

export function readReceiver(n: ConfigNode, scope: Scope): Receiver {
  n.mapping(['name', 'labels', ...CHANNELS.map((c) => `${c.kind}_configs`)]);
  const name = n.get('name').string();
  if (!name) return n.fail('missing name in receiver');
  const integrations = CHANNELS.flatMap((channel) =>
    n
      .get(`${channel.kind}_configs`)
      .list()
      .map((c, index) => readIntegration(c, channel, index, scope)),
  );
  const labels = n.get('labels').stringMap() ?? {};
  if ((labels['name'] ?? name) !== name) n.get('labels').fail(`the label name must be ${JSON.stringify(name)} here`);
  return { name, labels: Labels.from({ ...labels, name }), integrations };
}

/** How mail to any address would be sent: by the global mail server, else by that of the first email integration. */
export function readDirectMail(receivers: Iterable<Receiver>, scope: Scope): Integration | undefined {
  if (scope.global['smtp_smarthost'] && scope.global['smtp_from'])
    return readIntegration(ConfigNode.parse('to: nobody@invalid'), email, 0, scope);
  for (const r of receivers) {
    const found = r.integrations.find((i) => i.channel === email);
    if (found) return found;
  }
  return undefined;
}

function readIntegration(n: ConfigNode, channel: Channel, index: number, scope: Scope): Integration {
  n.mapping([...Object.keys(channel.fields), ...secretFiles(channel.fields), 'send_resolved', 'http_config']);
  const config: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(channel.fields)) {
    const own = readField(n, name, field, scope.ports);
    config[name] = own ?? (field.global ? scope.global[field.global] : undefined) ?? field.default;
    if (field.required && (config[name] === undefined || config[name] === ''))
      n.fail(`missing ${name} in ${channel.kind} config`);
    if (field.oneOf && !field.oneOf.includes(String(config[name] ?? '')))
      n.get(name).fail(`unknown value ${JSON.stringify(config[name])}, want one of ${field.oneOf.join(', ')}`);
  }
  const http = n.get('http_config').present
    ? readHttp(n.get('http_config'), scope.ports)
    : (scope.global['http_config'] as HttpConfig);
  channel.check?.(
    config,
    (field, message) => n.get(field).fail(message),
    http,
    (field) => n.get(field).present || n.get(`${field}_file`).present,
  );
  for (const [name, field] of Object.entries(channel.fields))
    checkTemplates(n.get(name), config[name], field, scope.templates);
  return {
    channel,
    index,
    config,
    http,
    sendResolved: n.get('send_resolved').bool() ?? channel.sendResolved,
  };
}

function checkTemplates(n: ConfigNode, value: unknown, field: Field, templates: Templates): void {
  const kind = field.kind === 'html' ? 'html' : 'text';
  if (!['template', 'html', 'templateMap', 'json', 'secretTemplateUrl'].includes(field.kind)) return;
  const walk = (v: unknown): void => {
    if (typeof v === 'string') n.at(() => templates.check(v, kind));
    else if (v && typeof v === 'object') for (const inner of Object.values(v)) walk(inner);
  };
  walk(value);
}

const isSecret = (f: Field): boolean => ['secret', 'secretUrl', 'secretTemplateUrl'].includes(f.kind);
const hasFile = (f: Field): boolean => isSecret(f) || f.fileTwin === true;
const secretFiles = (fields: Readonly<Record<string, Field>>): string[] =>
  Object.entries(fields)
    .filter(([, f]) => hasFile(f))
    .map(([name]) => `${name}_file`);

function readField(n: ConfigNode, name: string, field: Field, ports: Pick<ConfigPorts, 'readFiles'>): unknown {
  const own = n.get(name);
  if (hasFile(field) && n.get(`${name}_file`).present) {
    if (own.present) own.fail(`at most one of ${name} and ${name}_file must be configured`);
    const text = readSecretFile(n.get(`${name}_file`), ports);
    if (field.kind !== 'int') return text;
    return /^-?\d+$/.test(text) ? Number(text) : n.get(`${name}_file`).fail('the file holds no whole number');
  }
  switch (field.kind) {
    case 'bool':
      return own.bool();
    case 'int':
      return own.int();
    case 'duration':
      return own.durationMs();
    case 'strings':
      return own.strings();
    case 'templateMap':
      return own.stringMap();
    case 'tls':
      return readTls(own, ports);
    case 'goDuration':
      return own.goDurationMs();
    case 'json': {
      const { keys } = field;
      if (keys && Array.isArray(own.value)) for (const item of own.list()) item.mapping(keys);
      else if (keys) own.mapping(keys);
      return own.present ? own.value : undefined;
    }
    case 'secretTemplateUrl': {
      const url = own.string();
      // what a template makes of it is known only later
      if (url !== undefined && !url.includes('{{')) checkUrl(own, url);
      return url;
    }
    case 'url':
    case 'secretUrl': {
      const url = own.string();
      if (url !== undefined) checkUrl(own, url);
      return url;
    }
    default:
      return own.string();
  }
}

function checkUrl(n: ConfigNode, url: string): void {
  // the text may be a secret: it is not repeated
  if (!URL.canParse(url)) n.fail('not a valid URL');
  if (!/^https?:$/.test(new URL(url).protocol)) n.fail('unsupported scheme for URL, want http or https');
}

function readSecretFile(n: ConfigNode, ports: Pick<ConfigPorts, 'readFiles'>): string {
  const { readFiles } = ports;
  if (!readFiles) return n.fail('a configuration that comes by the API may name no file of the server');
  const [file] = n.at(() => readFiles(n.string() ?? ''));
  return file ? file.text.trim() : n.fail('the file does not exist');
}

function readHttp(n: ConfigNode, ports: Pick<ConfigPorts, 'readFiles'>): HttpConfig {
  if (!n.present) return { followRedirects: true };
  refuseProxies(n);
  n.mapping([...HTTP_KEYS, 'bearer_token_file']);
  const secret = (node: ConfigNode, name: string): string | undefined =>
    readField(node, name, { kind: 'secret' }, ports) as string | undefined;
  const basic = n.get('basic_auth').mapping(['username', 'username_file', 'password', 'password_file']);
  const auth = n.get('authorization').mapping(['type', 'credentials', 'credentials_file']);
  const tls = readTls(n.get('tls_config'), ports);
  const bearer = secret(n, 'bearer_token');
  const oauth2 = readOAuth2(n.get('oauth2'), ports);
  if ([basic.present, auth.present, bearer !== undefined, oauth2 !== undefined].filter(Boolean).length > 1)
    n.fail('at most one of basic_auth, authorization, oauth2 and bearer_token must be configured');
  const headers: Record<string, string> = {};
  for (const name of n.get('http_headers').keys()) {
    const h = n.get('http_headers').get(name).mapping(['values', 'secrets']);
    headers[name.toLowerCase()] = [...(h.get('values').strings() ?? []), ...(h.get('secrets').strings() ?? [])].join(
      ', ',
    );
  }
  return {
    followRedirects: n.get('follow_redirects').bool() ?? true,
    headers,
    ...(basic.present
      ? { basicAuth: { username: secret(basic, 'username') ?? '', password: secret(basic, 'password') ?? '' } }
      : {}),
    ...(auth.present
      ? {
          authorization: {
            type: auth.get('type').string() ?? 'Bearer',
            credentials: secret(auth, 'credentials') ?? '',
          },
        }
      : {}),
    ...(bearer === undefined ? {} : { authorization: { type: 'Bearer', credentials: bearer } }),
    ...(oauth2 ? { oauth2 } : {}),
    ...(tls ? { tls } : {}),
  };
}

function refuseProxies(n: ConfigNode): void {
  for (const key of ['proxy_url', 'proxy_from_environment', 'no_proxy', 'proxy_connect_header'])
    if (n.get(key).present) n.get(key).fail(`${key} is not supported here`);
}

/** Client credentials, the way that Alertmanager has always had; its newer grants are refused by name. */
function readOAuth2(n: ConfigNode, ports: Pick<ConfigPorts, 'readFiles'>): OAuth2 | undefined {
  if (!n.present) return undefined;
  refuseProxies(n);
  n.mapping([
    'client_id',
    'client_secret',
    'client_secret_file',
    'token_url',
    'scopes',
    'endpoint_params',
    'tls_config',
  ]);
  const clientId = n.get('client_id').string();
  if (!clientId) n.fail('oauth2 client_id must be configured');
  const clientSecret = (readField(n, 'client_secret', { kind: 'secret' }, ports) ?? '') as string;
  const tokenUrl = n.get('token_url').string();
  if (!tokenUrl) n.fail('oauth2 token_url must be configured');
  checkUrl(n.get('token_url'), tokenUrl!);
  const tls = readTls(n.get('tls_config'), ports);
  return {
    clientId: clientId!,
    clientSecret,
    tokenUrl: tokenUrl!,
    scopes: n.get('scopes').strings() ?? [],
    endpointParams: n.get('endpoint_params').stringMap() ?? {},
    ...(tls ? { tls } : {}),
  };
}

const TLS_VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

function readTls(n: ConfigNode, ports: Pick<ConfigPorts, 'readFiles'>): TlsConfig | undefined {
  if (!n.present) return undefined;
  n.mapping([...['ca', 'cert', 'key'].flatMap((k) => [k, `${k}_file`]), ...TLS_KEYS]);
  const version = (key: 'min_version' | 'max_version'): SecureVersion | undefined => {
    const name = n.get(key).string();
    if (name === undefined || name === '') return undefined;
    const known = TLS_VERSIONS[name];
    return (
      known ??
      n
        .get(key)
        .fail(`unknown TLS version ${JSON.stringify(name)}, want one of ${Object.keys(TLS_VERSIONS).join(', ')}`)
    );
  };
  const minVersion = version('min_version');
  const maxVersion = version('max_version');
  if (minVersion && maxVersion && minVersion > maxVersion)
    n.fail('tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified');
  const pem = (name: string): object => {
    const text = readField(n, name, { kind: 'secret' }, ports);
    return text === undefined ? {} : { [name]: text };
  };
  const serverName = n.get('server_name').string();
  return {
    insecureSkipVerify: n.get('insecure_skip_verify').bool() ?? false,
    ...pem('ca'),
    ...pem('cert'),
    ...pem('key'),
    ...(serverName === undefined ? {} : { serverName }),
    ...(minVersion ? { minVersion } : {}),
    ...(maxVersion ? { maxVersion } : {}),
  };
}
