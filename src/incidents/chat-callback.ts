/**
 * What comes back from chat and paging programs: checked signatures, and the wish inside. Slack's v0 HMAC, Discord's
 * ed25519, PagerDuty's v1 HMAC. A callback can only ask for what a signed link can.
 */
import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { VigieError } from '../lib/errors.ts';
import { LINK_ACTIONS, type LinkAction } from './signed-link.ts';

/** A signature older or newer than this is a replay. */
export const CALLBACK_AGE_MS_MAX = 5 * 60_000;

export interface CallbackWish {
  readonly action: LinkAction;
  readonly incident: string;
  readonly actor: string;
  /** Where Slack takes what is said to who pressed: it shows nothing of the answer to a press in a block. */
  readonly answerTo?: string;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const refused = (why: string): VigieError => new VigieError('unauthenticated', why);
const header = (headers: Headers, name: string): string => {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
};

function equal(a: string, b: string): boolean {
  const x = Buffer.from(a);
  const y = Buffer.from(b);
  return x.length === y.length && timingSafeEqual(x, y);
}

function fresh(timestamp: string, nowMs: number, who: string): void {
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(nowMs - Number(timestamp) * 1000) > CALLBACK_AGE_MS_MAX)
    throw refused(`${who}: the signature's time is missing or more than 5 minutes off`);
}

/** `X-Slack-Signature: v0=<hex>` over `v0:<timestamp>:<body>`. Throws `unauthenticated`. */
export function checkSlack(secret: string, headers: Headers, body: Buffer, nowMs: number): void {
  const timestamp = header(headers, 'x-slack-request-timestamp');
  fresh(timestamp, nowMs, 'Slack');
  const wanted = `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest('hex')}`;
  if (!equal(wanted, header(headers, 'x-slack-signature'))) throw refused('Slack: the signature does not fit');
}

/** `X-Signature-Ed25519` over timestamp and body, by the application's public key in hex. Throws `unauthenticated`. */
export function checkDiscord(publicKeyHex: string, headers: Headers, body: Buffer, nowMs: number): void {
  const timestamp = header(headers, 'x-signature-timestamp');
  fresh(timestamp, nowMs, 'Discord');
  const signature = header(headers, 'x-signature-ed25519');
  if (!/^[0-9a-f]{64}$/i.test(publicKeyHex))
    throw new VigieError('bad_config', 'Discord: the public key must be 64 hexadecimal digits');
  const key = createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKeyHex, 'hex').toString('base64url') },
  });
  const fits =
    /^[0-9a-f]{128}$/i.test(signature) &&
    verify(null, Buffer.concat([Buffer.from(timestamp), body]), key, Buffer.from(signature, 'hex'));
  if (!fits) throw refused('Discord: the signature does not fit');
}

/** `X-PagerDuty-Signature: v1=<hex>[,v1=<hex>]`: any of them, while secrets are rotated. Throws `unauthenticated`. */
export function checkPagerDuty(secret: string, headers: Headers, body: Buffer): void {
  const wanted = `v1=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const given = header(headers, 'x-pagerduty-signature').split(',', 10);
  if (!given.some((g) => equal(wanted, g.trim()))) throw refused('PagerDuty: the signature does not fit');
}

/** The value of a button is `acknowledge:INC-12`. */
function wishOf(value: unknown, actor: string): CallbackWish {
  const m = typeof value === 'string' ? /^([a-z]{1,20}):(INC-\d{1,15})$/.exec(value) : null;
  const action = LINK_ACTIONS.find((a) => a === m?.[1]);
  if (!m || !action) throw new VigieError('bad_data', `the button asks for ${JSON.stringify(value)?.slice(0, 60)}`);
  return { action, incident: m[2]!, actor };
}

/** A `block_actions` payload in a form field. */
export function readSlack(body: Buffer): CallbackWish {
  const payload = json(new URLSearchParams(body.toString('utf8')).get('payload') ?? '');
  const actions = payload['actions'];
  const user = (payload['user'] ?? {}) as Record<string, unknown>;
  const first = (Array.isArray(actions) ? actions[0] : undefined) as Record<string, unknown> | undefined;
  const wish = wishOf(first?.['value'], `slack:${text(user['username']) || text(user['name']) || text(user['id'])}`);
  const to = payload['response_url'];
  return payload['type'] === 'block_actions' && typeof to === 'string' && SLACK_ANSWER.test(to)
    ? { ...wish, answerTo: to }
    : wish;
}
/** Signed or not, nothing is posted anywhere else. */
const SLACK_ANSWER = /^https:\/\/hooks\.slack(-gov)?\.com\/[\w/-]{1,300}$/;

/** An interaction; `ping` when Discord only asks whether we check signatures. */
export function readDiscord(body: Buffer): CallbackWish | 'ping' {
  const payload = json(body.toString('utf8'));
  if (payload['type'] === 1) return 'ping';
  const member = (payload['member'] ?? {}) as Record<string, unknown>;
  const user = (member['user'] ?? payload['user'] ?? {}) as Record<string, unknown>;
  const data = (payload['data'] ?? {}) as Record<string, unknown>;
  return wishOf(data['custom_id'], `discord:${text(user['username']) || text(user['id'])}`);
}

export interface PagerDutyWish extends Omit<CallbackWish, 'incident'> {
  /** The id in the title; '' when the title does not show it. */
  readonly incident: string;
  /** The key we sent its events under; '' when PagerDuty does not say. */
  readonly key: string;
}

/** A webhook of version 3; undefined for events that ask for nothing. */
export function readPagerDuty(body: Buffer): PagerDutyWish | undefined {
  const event = (json(body.toString('utf8'))['event'] ?? {}) as Record<string, unknown>;
  const data = (event['data'] ?? {}) as Record<string, unknown>;
  const agent = (event['agent'] ?? {}) as Record<string, unknown>;
  const action = {
    'incident.acknowledged': 'acknowledge',
    'incident.resolved': 'resolve',
    'incident.escalated': 'escalate',
  }[text(event['event_type'])] as LinkAction | undefined;
  if (!action) return undefined;
  return {
    action,
    incident: /\bINC-\d{1,15}\b/.exec(text(data['title']))?.[0] ?? '',
    key: text(data['incident_key']),
    actor: `pagerduty:${text(agent['summary']) || text(agent['id'])}`,
  };
}

function json(from: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(from);
  } catch (cause) {
    throw new VigieError('bad_data', 'the callback holds no valid JSON', { cause });
  }
  if (value === null || typeof value !== 'object') throw new VigieError('bad_data', 'the callback holds no object');
  return value as Record<string, unknown>;
}

const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 100) : '');
