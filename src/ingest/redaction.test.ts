import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REDACTION_KINDS, Redactor } from './redaction.ts';

const all = new Redactor({ enabled: true, kinds: REDACTION_KINDS, allowLabels: ['instance'], denyLabels: ['user'] });

describe('redaction', () => {
  it.each([
    ['ann.lee+x@mail.example.org wrote', '<email> wrote'],
    ['pay DE89 3704 0044 0532 0130 00 now', 'pay <iban> now'],
    ['DE89370400440532013001', 'DE89370400440532013001'],
    ['card 4111 1111 1111 1111.', 'card <card>.'],
    ['id 4111111111111112', 'id 4111111111111112'],
    ['call +49 (30) 901820', 'call <phone>'],
    ['eyJhbGciOi.eyJzdWIiOiIx.c2ln', '<jwt>'],
    ['ghp_abcdefghijklmnopqrst0123', '<key>'],
    ['from 192.168.1.10 ok', 'from <ipv4> ok'],
    ['v1.2.3.4.5', 'v1.2.3.4.5'],
    ['at 2001:db8::1', 'at <ipv6>'],
    ['/api/v1/thing/42', '/api/v1/thing/42'],
    ['1700000000000', '1700000000000'],
  ])('%s', (text, wanted) => expect(all.value('path', text)).toBe(wanted));

  it('spares allowed names, masks denied ones, counts', () => {
    const counts: string[] = [];
    const r = new Redactor({ enabled: true, denyLabels: ['user'], allowLabels: ['instance'] }, (k) => counts.push(k));
    expect(r.value('instance', 'a@b.example')).toBe('a@b.example');
    expect(r.value('user', 'x')).toBe('<redacted>');
    expect(r.value('to', 'a@b.example, c@d.example')).toBe('<email>, <email>');
    expect(counts).toEqual(['label', 'email', 'email']);
  });

  it('masks once: what is masked stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.emailAddress(), (text, mail) => {
        const once = all.value('x', `${text} ${mail}`);
        expect(all.value('x', once)).toBe(once);
      }),
    );
  });
});
