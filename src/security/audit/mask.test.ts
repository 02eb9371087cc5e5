import { describe, expect, it } from 'vitest';
import { maskSecrets } from './mask.ts';

const MASK = '<secret>';

describe('maskSecrets', () => {
  it.each([
    [
      { password: 'x', name: 'n' },
      { password: MASK, name: 'n' },
    ],
    [{ nested: [{ apiKey: 'k' }] }, { nested: [{ apiKey: MASK }] }],
    ['vg_0123456789abcdef_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa here', MASK],
    ['Authorization: Bearer abcdefghijkl', `Authorization: Bearer ${MASK}`],
    ['see https://user:pw@host/x', `see https://${MASK}@host/x`],
    ['a: 1\n  smtp_auth_password: "s3"\nb: 2', `a: 1\n  smtp_auth_password: ${MASK}\nb: 2`],
    ['slack_api_url: https://hooks.example/T/B/x', `slack_api_url: ${MASK}`],
    ['receiver: team\ngroup_by: [alertname]', 'receiver: team\ngroup_by: [alertname]'],
    ['a\u0000b', 'ab'],
  ])('%j', (input, output) => expect(maskSecrets(input)).toEqual(output));

  it('ends on cycles', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(JSON.stringify(maskSecrets(loop))).toContain('<too deep>');
  });
});
