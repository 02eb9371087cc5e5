/** Signatures of the test suite that AWS published for Signature Version 4 (aws-sig-v4-test-suite, 2015-08-30). */
import { expect, it } from 'vitest';
import { signAws } from './aws-sigv4.ts';

const base = {
  region: 'us-east-1',
  service: 'service',
  nowMs: Date.parse('2015-08-30T12:36:00Z'),
  credentials: { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
};
const HOST = 'https://example.amazonaws.com/';

it.each([
  ['get-vanilla', 'GET', HOST, {}, '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    `${HOST}?Param2=value2&Param1=value1`,
    {},
    '',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  ['post-vanilla', 'POST', HOST, {}, '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  [
    'post-vanilla-query',
    'POST',
    `${HOST}?Param1=value1`,
    {},
    '',
    '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  ],
  [
    'post-header-value-case',
    'POST',
    HOST,
    { 'My-Header1': 'VALUE1' },
    '',
    'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  ],
  [
    'post-x-www-form-urlencoded',
    'POST',
    HOST,
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    'Param1=value1',
    'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  ],
  [
    'get-header-value-trim',
    'GET',
    HOST,
    { 'My-Header1': ' value1', 'My-Header2': ' "a   b   c"' },
    '',
    'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  ],
])('%s', (_name, method, url, headers, body, signature) => {
  const signed = signAws({ ...base, method, url, headers, body });
  expect(signed['x-amz-date']).toBe('20150830T123600Z');
  const names = ['host', 'x-amz-date', ...Object.keys(headers).map((h) => h.toLowerCase())].sort().join(';');
  expect(signed.authorization).toBe(
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
  );
});

it('differs when the secret, the body or the time does', () => {
  const sign = (extra: object): string =>
    signAws({ ...base, method: 'POST', url: HOST, headers: {}, body: '', ...extra }).authorization;
  const all = [
    sign({}),
    sign({ body: 'x' }),
    sign({ nowMs: base.nowMs + 1_000 }),
    sign({ credentials: { accessKey: 'AKIDEXAMPLE', secretKey: 'y' } }),
  ];
  expect(new Set(all).size).toBe(4);
});
