/**
 * Links that act without a sign-in: tenant, incident, one action, one addressee and an end, under an HMAC. A link can
 * do the one thing it was made for. Fetching it shows a page, only the button acts: mail scanners fetch every link.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { VigieError } from '../lib/errors.ts';

export const LINK_ACTIONS = ['acknowledge', 'snooze', 'escalate', 'resolve', 'remediate'] as const;
export type LinkAction = (typeof LINK_ACTIONS)[number];
export const LINK_LIFETIME_MS = 3 * 86_400_000;
const TOKEN_CHARS_MAX = 2_000;
export const LINK_KEY_BYTES_MIN = 32;

export interface LinkClaims {
  readonly tenant: string;
  readonly incident: string;
  readonly action: LinkAction;
  /** Contact or receiver it was sent to: named in the time line as the one who acted. */
  readonly addressee: string;
  readonly expiresAtMs: number;
}

export function signLink(key: Uint8Array, claims: LinkClaims): string {
  if (key.length < LINK_KEY_BYTES_MIN) throw new Error(`BUG: link key of ${key.length} bytes`);
  const body = Buffer.from(
    JSON.stringify([1, claims.tenant, claims.incident, claims.action, claims.addressee, claims.expiresAtMs]),
  ).toString('base64url');
  return `${body}.${mac(key, body)}`;
}

/** Throws `forbidden`: altered, for something else, or too old. */
export function readLink(key: Uint8Array, token: string, nowMs: number): LinkClaims {
  const refused = (why: string): VigieError => new VigieError('forbidden', `this link ${why}`);
  if (token.length > TOKEN_CHARS_MAX) throw refused('is not one of ours');
  const [body, signature, ...rest] = token.split('.');
  if (!body || !signature || rest.length > 0) throw refused('is not one of ours');
  const wanted = Buffer.from(mac(key, body));
  const got = Buffer.from(signature);
  if (wanted.length !== got.length || !timingSafeEqual(wanted, got))
    throw refused('was altered or signed by another key');
  const [version, tenant, incident, action, addressee, expiresAtMs] = JSON.parse(
    Buffer.from(body, 'base64url').toString('utf8'),
  ) as [number, string, string, LinkAction, string, number];
  if (version !== 1 || !LINK_ACTIONS.includes(action)) throw refused('is of another version');
  if (!(nowMs < expiresAtMs)) throw refused(`expired at ${new Date(expiresAtMs).toISOString()}`);
  return { tenant, incident, action, addressee, expiresAtMs };
}

const mac = (key: Uint8Array, body: string): string =>
  createHmac('sha256', key).update('vigie incident link v1\n').update(body).digest('base64url');
