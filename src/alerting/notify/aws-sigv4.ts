/**
 * AWS Signature Version 4 for requests with all headers in hand. The steps are those of "Create a signed AWS API
 * request" in AWS's documentation; checked against the test suite that AWS published. Temporary credentials, streamed
 * bodies and signatures in the address are not here.
 */
import { createHash, createHmac } from 'node:crypto';

export interface AwsCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface SignInput {
  readonly method: string;
  readonly url: string;
  /** Those to be signed, `host` left out; names in any case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly region: string;
  readonly service: string;
  readonly nowMs: number;
  readonly credentials: AwsCredentials;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
/** RFC 3986: all but letters, digits and `-._~`. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The headers to add: `x-amz-date` and `authorization`. */
export function signAws(input: SignInput): { readonly 'x-amz-date': string; readonly authorization: string } {
  const url = new URL(input.url);
  const stamp = new Date(input.nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const headers = new Map<string, string>([
    ['host', url.host],
    ['x-amz-date', stamp],
  ]);
  for (const [name, value] of Object.entries(input.headers))
    headers.set(name.toLowerCase(), value.trim().replace(/\s+/g, ' '));
  const names = [...headers.keys()].sort();
  const pairs = [...url.searchParams].map(([k, v]) => `${escaped(k)}=${escaped(v)}`).sort();
  const signed = names.join(';');
  const canonical = [
    input.method,
    // each part of the path is escaped once more than it was sent
    url.pathname.split('/').map(escaped).join('/'),
    pairs.join('&'),
    ...names.map((n) => `${n}:${headers.get(n)}`),
    '',
    signed,
    sha256(input.body),
  ].join('\n');
  const scope = `${stamp.slice(0, 8)}/${input.region}/${input.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n');
  const key = [input.region, input.service, 'aws4_request'].reduce<Buffer>(
    (k, part) => hmac(k, part),
    hmac(`AWS4${input.credentials.secretKey}`, stamp.slice(0, 8)),
  );
  return {
    'x-amz-date': stamp,
    authorization: `AWS4-HMAC-SHA256 Credential=${input.credentials.accessKey}/${scope}, SignedHeaders=${signed}, Signature=${hmac(key, toSign).toString('hex')}`,
  };
}
