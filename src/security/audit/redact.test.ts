import { describe, expect, it } from 'vitest';
import { MASK, redact } from './redact.ts';

describe('redact', () => {
  it.each([
    [
      { password: 'x', name: 'n' },
      { password: MASK, name: 'n' },
    ],
    [{ auth_password_file: '/etc/x' }, { auth_password_file: '/etc/x' }],
    [{ nested: [{ apiKey: 'k' }] }, { nested: [{ apiKey: MASK }] }],
    ['vg_0123456789abcdef_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa here', `${MASK} here`],
    ['Authorization: Bearer abcdefghijkl', `Authorization: Bearer ${MASK}`],
    ['https://user:pw@host/x', `https://${MASK}@host/x`],
    ['a: 1\n  smtp_auth_password: "s3"\nb: 2', `a: 1\n  smtp_auth_password: ${MASK}\nb: 2`],
    ['slack_api_url: https://hooks.example/T/B/x', `slack_api_url: ${MASK}`],
    [
      { passwordHash: 'ab', salt: 'cd' },
      { passwordHash: MASK, salt: MASK },
    ],
    [new Map([['token', 't']]), { token: MASK }],
    ['a\u0000b', 'a\ufffdb'],
    [undefined, null],
  ])('%j', (input, output) => expect(redact(input)).toEqual(output));

  it('ends on cycles and depth', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(JSON.stringify(redact(loop))).toContain('<too deep>');
  });
});
