/**
 * Links that take one address off one list (RFC 8058: a mail program posts to it). They do not end: who asks for no
 * more mail after a year is still right. Signed under another name than links that act on incidents, so that neither
 * can stand for the other.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { VigieError } from '../lib/errors.ts';
import { LINK_KEY_BYTES_MIN } from './signed-link.ts';

const TOKEN_CHARS_MAX = 2_000;

export interface UnsubscribeClaims {
  readonly tenant: string;
  readonly list: string;
  readonly email: string;
}

export function signUnsubscribe(key: Uint8Array, claims: UnsubscribeClaims): string {
  if (key.length < LINK_KEY_BYTES_MIN) throw new Error(`BUG: link key of ${key.length} bytes`);
  const body = Buffer.from(JSON.stringify([1, claims.tenant, claims.list, claims.email])).toString('base64url');
  return `${body}.${mac(key, body)}`;
}

/** Throws `forbidden`: altered, or something else. */
export function readUnsubscribe(key: Uint8Array, token: string): UnsubscribeClaims {
  const refused = (why: string): VigieError => new VigieError('forbidden', `this link ${why}`);
  const [body, signature, ...rest] = token.length > TOKEN_CHARS_MAX ? [] : token.split('.');
  if (!body || !signature || rest.length > 0) throw refused('is not one of ours');
  const wanted = Buffer.from(mac(key, body));
  const got = Buffer.from(signature);
  if (wanted.length !== got.length || !timingSafeEqual(wanted, got))
    throw refused('was altered or signed by another key');
  const [version, tenant, list, email] = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as [
    number,
    string,
    string,
    string,
  ];
  if (version !== 1) throw refused('is of another version');
  return { tenant, list, email };
}

const mac = (key: Uint8Array, body: string): string =>
  createHmac('sha256', key).update('vigie unsubscribe v1\n').update(body).digest('base64url');
