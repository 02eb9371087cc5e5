import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDiscord, checkPagerDuty, checkSlack, readDiscord, readPagerDuty, readSlack } from './chat-callback.ts';
import { fromMapped, mappingSchema } from './mapping.ts';
import { fromAlertmanagerWebhook } from './signals.ts';
import { readLink, signLink } from './signed-link.ts';

const NOW = 1_531_420_618_000;
const KEY = new Uint8Array(32).fill(9);

describe('Slack', () => {
  // the worked example of Slack's documentation on verifying requests
  const secret = '8f742231b10e8888abcd99yyyzzz85a5';
  const body = Buffer.from(
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  );
  const headers = {
    'x-slack-request-timestamp': '1531420618',
    'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  };
  it('accepts the published example and nothing near it', () => {
    checkSlack(secret, headers, body, NOW);
    expect(() => checkSlack(secret, headers, body, NOW + 301_000)).toThrow(/5 minutes/);
    expect(() => checkSlack(secret, headers, Buffer.concat([body, Buffer.from(' ')]), NOW)).toThrow(/does not fit/);
    expect(() => checkSlack(`${secret}x`, headers, body, NOW)).toThrow(/does not fit/);
    expect(() => checkSlack(secret, {}, body, NOW)).toThrow(/missing/);
  });
  it('reads the button', () => {
    const payload = { user: { username: 'ada' }, actions: [{ value: 'acknowledge:INC-12' }] };
    const form = Buffer.from(`payload=${encodeURIComponent(JSON.stringify(payload))}`);
    expect(readSlack(form)).toEqual({ action: 'acknowledge', incident: 'INC-12', actor: 'slack:ada' });
    // attachments, as Alertmanager's `actions` make them
    const old = {
      type: 'interactive_message',
      user: { id: 'U1', name: 'ben' },
      actions: [{ name: 'escalate', type: 'button', value: 'escalate:INC-3' }],
    };
    expect(readSlack(Buffer.from(`payload=${encodeURIComponent(JSON.stringify(old))}`))).toEqual({
      action: 'escalate',
      incident: 'INC-3',
      actor: 'slack:ben',
    });
    expect(() => readSlack(Buffer.from('payload=%7B%7D'))).toThrow(/button/);
    // a press in a block is answered at Slack's own address, and at no other
    const press = (response_url: string) =>
      readSlack(
        Buffer.from(
          `payload=${encodeURIComponent(JSON.stringify({ type: 'block_actions', response_url, user: { username: 'ada' }, actions: [{ action_id: 'vigie_snooze', value: 'snooze:INC-3' }] }))}`,
        ),
      );
    const hooks = 'https://hooks.slack.com/actions/T0/1/abc-D_9';
    expect(press(hooks)).toEqual({ action: 'snooze', incident: 'INC-3', actor: 'slack:ada', answerTo: hooks });
    for (const other of [
      'http://hooks.slack.com/actions/x',
      'https://hooks.slack.com.evil.example/x',
      'https://hooks.slack.com@127.0.0.1/x',
      'https://127.0.0.1/x',
      '',
    ])
      expect(press(other)).toEqual({ action: 'snooze', incident: 'INC-3', actor: 'slack:ada' });
  });
});

describe('Discord', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const hex = Buffer.from((publicKey.export({ format: 'jwk' }) as { x: string }).x, 'base64url').toString('hex');
  const timestamp = String(NOW / 1000);
  const body = Buffer.from(
    JSON.stringify({ type: 3, member: { user: { username: 'ben' } }, data: { custom_id: 'snooze:INC-3' } }),
  );
  const signed = (b: Buffer) => ({
    'x-signature-timestamp': timestamp,
    'x-signature-ed25519': sign(null, Buffer.concat([Buffer.from(timestamp), b]), privateKey).toString('hex'),
  });
  it('checks ed25519 and reads the button or the ping', () => {
    checkDiscord(hex, signed(body), body, NOW);
    expect(() => checkDiscord(hex, signed(Buffer.from('x')), body, NOW)).toThrow(/does not fit/);
    expect(() => checkDiscord(hex, { ...signed(body), 'x-signature-ed25519': 'zz' }, body, NOW)).toThrow(
      /does not fit/,
    );
    expect(() => checkDiscord('00', signed(body), body, NOW)).toThrow(/64 hexadecimal/);
    expect(readDiscord(body)).toEqual({ action: 'snooze', incident: 'INC-3', actor: 'discord:ben' });
    expect(readDiscord(Buffer.from('{"type":1}'))).toBe('ping');
  });
});

describe('PagerDuty', () => {
  const body = Buffer.from(
    JSON.stringify({
      event: {
        event_type: 'incident.acknowledged',
        agent: { summary: 'Cy' },
        data: { title: '[P1] INC-7 errors are high' },
      },
    }),
  );
  const v1 = `v1=${createHmac('sha256', 's').update(body).digest('hex')}`;
  it('checks any of the signatures and finds the incident', () => {
    checkPagerDuty('s', { 'x-pagerduty-signature': `v1=00,${v1}` }, body);
    expect(() => checkPagerDuty('t', { 'x-pagerduty-signature': v1 }, body)).toThrow(/does not fit/);
    expect(readPagerDuty(body)).toEqual({
      action: 'acknowledge',
      incident: 'INC-7',
      key: '',
      actor: 'pagerduty:Cy',
    });
    expect(readPagerDuty(Buffer.from('{"event":{"event_type":"incident.annotated"}}'))).toBeUndefined();
  });
});

describe('signed links', () => {
  const claims = {
    tenant: 'acme',
    incident: 'INC-1',
    action: 'acknowledge',
    addressee: 'ada',
    expiresAtMs: NOW + 1,
  } as const;
  it('say what they are for, once and until then', () => {
    const token = signLink(KEY, claims);
    expect(readLink(KEY, token, NOW)).toEqual(claims);
    expect(() => readLink(KEY, token, NOW + 1)).toThrow(/expired/);
    expect(() => readLink(new Uint8Array(32), token, NOW)).toThrow(/altered/);
    expect(() => signLink(new Uint8Array(8), claims)).toThrow(/BUG/);
  });
  it('cannot be altered (property)', () => {
    const token = signLink(KEY, claims);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABab01_-.'), (i, ch) => {
        const altered = token.slice(0, i) + ch + token.slice(i + 1);
        if (altered === token) return;
        expect(() => readLink(KEY, altered, NOW)).toThrow(/this link/);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.string(), (t) => {
        expect(() => readLink(KEY, t, NOW)).toThrow(/this link/);
      }),
    );
  });
});

describe('alerts of others', () => {
  it.each([
    [{}, /body\.alerts/],
    [{ alerts: [null] }, /alerts\.0: want an object/],
    [{ alerts: [{ status: 'odd', labels: { a: 'b' } }] }, /status: want firing or resolved/],
    [{ alerts: [{ status: 'firing', labels: {} }] }, /labels: want at least one/],
    [{ alerts: [{ status: 'firing', labels: { a: 1 } }] }, /labels\.a: want a text/],
    [{ alerts: [{ status: 'firing', labels: { a: 'b' }, startsAt: 'yesterday' }] }, /startsAt: want RFC 3339/],
  ])('refuses %j', (body, message) => {
    expect(() => fromAlertmanagerWebhook(body, NOW)).toThrow(message);
  });

  it('maps any JSON; an unreadable status is unknown, not recovered (I1)', () => {
    const mapping = mappingSchema.parse({
      version: 1,
      kind: 'hook_mapping',
      name: 'grafana',
      each: 'data.items',
      labels: { alertname: ['rule.title', '=Unnamed'], service: 'tags.0' },
      annotations: { summary: 'message' },
      status: { path: 'state', firing: ['alerting'], resolved: ['ok'] },
      starts_at: 'since',
    });
    const item = (over: object) => ({
      rule: { title: 'Slow' },
      tags: ['api'],
      message: 'm',
      state: 'alerting',
      since: 1_700_000_000,
      ...over,
    });
    const out = fromMapped(
      mapping,
      {
        data: {
          items: [
            item({}),
            item({ state: 'ok' }),
            item({ state: 'no_data' }),
            item({ rule: {} }),
            item({ state: undefined }),
          ],
        },
      },
      NOW,
    );
    expect(out.map((s) => [s.labels['alertname'], s.status])).toEqual([
      ['Slow', 'firing'],
      ['Slow', 'resolved'],
      ['Slow', 'unknown'],
      ['Unnamed', 'firing'],
      ['Slow', 'unknown'],
    ]);
    expect(out[0]).toMatchObject({ labels: { service: 'api' }, startsAtMs: 1_700_000_000_000, source: 'hook/grafana' });
    expect(() => fromMapped(mapping, {}, NOW)).toThrow(/nothing at data.items/);
    expect(() => mappingSchema.parse({ ...mapping, labels: {} })).toThrow(/alertname/);
    const proto = mappingSchema.parse({
      ...mapping,
      each: undefined,
      labels: { alertname: '__proto__.constructor.name' },
    });
    expect(() => fromMapped(proto, {}, NOW)).toThrow(/nothing at/);
  });
});
