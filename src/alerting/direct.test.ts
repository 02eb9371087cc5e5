/** Messages outside of routes: to receivers and addresses, once per key, with threads, also through a crash. */
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import { parseAlertingConfig } from './config.ts';
import type { DirectMessage } from './direct.ts';
import type { MailMessage, OutgoingRequest } from './notify/channel.ts';
import { goTemplates } from './notify/templates.ts';
import { TenantAlerting } from './tenant-alerting.ts';

const SMTP = `global: { smtp_smarthost: 'mail.test:25', smtp_from: vigie@test, smtp_auth_username: u, smtp_auth_password: geheim }\n`;
const RECEIVERS = `
route: { receiver: both }
receivers:
  - name: both
    webhook_configs: [{ url: 'http://a.test/' }, { url: 'http://b.test/' }]
  - name: nobody
  - name: chat
    slack_configs: [{ api_url: 'http://slack.test/' }]
`;
const OWN_MAIL = `
route: { receiver: mail }
receivers:
  - name: mail
    email_configs: [{ to: team@test, from: own@test, smarthost: 'own.test:25', headers: { X-Team: '{{ .CommonLabels.team }}' } }]
`;

let clock: FakeClock;
let requests: OutgoingRequest[];
let mails: MailMessage[];
let records: unknown[];
let answer: (r: OutgoingRequest) => number;
let alerting: TenantAlerting;

function open(yaml: string, keep = false): TenantAlerting {
  if (!keep) {
    clock = new FakeClock();
    [requests, mails, records] = [[], [], []];
    answer = () => 200;
  }
  const kept = structuredClone(records);
  alerting = new TenantAlerting({
    config: parseAlertingConfig(yaml, { templates: goTemplates }),
    state: {
      records: kept,
      cutBytes: 0,
      log: {
        sizeBytes: 0,
        append: async (r) => void records.push(...(JSON.parse(JSON.stringify(r)) as unknown[])),
        rewrite: async () => {},
        close: async () => {},
      },
    },
    clock,
    logger: silentLogger,
    ports: {
      http: async (r) => {
        requests.push(r);
        return { status: answer(r), headers: {}, body: '' };
      },
      mail: async (m) => void mails.push(m),
    },
    externalURL: 'http://vigie.test',
    orphanResolve: true,
    random: () => 0.5,
  });
  return alerting;
}

const message = (extra: Partial<DirectMessage> = {}): DirectMessage => ({
  labels: Labels.from({ alertname: 'Incident', team: 'db' }),
  annotations: Labels.from({ summary: 'the database is slow' }),
  status: 'firing',
  startsAtMs: 1_000,
  groupKey: 'incident/7',
  idempotencyKey: 'incident/7/page/1',
  reason: 'escalation level 1',
  ...extra,
});
const signal = new AbortController().signal;

afterEach(() => alerting.close());

describe('sendTo', () => {
  it('speaks through every integration of a receiver, and of one key only what is missing', async () => {
    open(RECEIVERS);
    answer = (r) => (r.url.includes('b.test') ? 400 : 200);
    const first = await alerting.sendTo({ receiver: 'both' }, message(), signal);
    expect(first).toMatchObject({ ok: false, attempts: 1 });
    expect(first.error).toMatch(/^webhook\/1: unexpected status code 400/);
    answer = () => 200;
    expect(await alerting.sendTo({ receiver: 'both' }, message(), signal)).toMatchObject({ ok: true });
    expect(requests.map((r) => new URL(r.url).host)).toEqual(['a.test', 'b.test', 'b.test']);
    expect(requests[1]!.headers['idempotency-key']).toBe(requests[2]!.headers['idempotency-key']);
    expect(JSON.parse(requests[0]!.body)).toMatchObject({
      groupKey: 'incident/7',
      status: 'firing',
      notification_reason: 'escalation level 1',
      groupLabels: { alertname: 'Incident' },
      alerts: [{ startsAt: '1970-01-01T00:00:01Z', endsAt: '0001-01-01T00:00:00Z' }],
    });
    await alerting.close();
    open(RECEIVERS, true);
    expect(await alerting.sendTo({ receiver: 'both' }, message(), signal)).toMatchObject({ ok: true, attempts: 0 });
    expect(requests).toHaveLength(3);
    expect(
      await alerting.sendTo({ receiver: 'both' }, message({ idempotencyKey: 'incident/7/page/2' }), signal),
    ).toMatchObject({ ok: true, attempts: 1 });
    expect(requests).toHaveLength(5);
    expect(alerting.history.search({ receiver: 'both', verdict: 'sent' }).length).toBe(4);
  });

  it('tells an end only to integrations that want ends', async () => {
    open(RECEIVERS);
    const ended = message({ status: 'resolved', endsAtMs: clock.now() - 5 });
    await alerting.sendTo({ receiver: 'chat' }, ended, signal);
    await alerting.sendTo({ receiver: 'both' }, ended, signal);
    expect(requests.map((r) => (JSON.parse(r.body) as { status?: string }).status)).toEqual(['resolved', 'resolved']);
  });

  it('tries again until the signal ends it', async () => {
    open(RECEIVERS);
    answer = () => 503;
    const stop = new AbortController();
    const sending = alerting.sendTo({ receiver: 'chat' }, message(), stop.signal);
    await settle();
    await clock.advance(10_000);
    stop.abort(new Error('enough'));
    expect(await sending).toMatchObject({ ok: false });
    expect(requests.length).toBeGreaterThan(3);
  });

  it.each([
    ['the global mail server', SMTP + RECEIVERS, 'mail.test:25', 'vigie@test'],
    ['the first email integration', OWN_MAIL, 'own.test:25', 'own@test'],
  ])('mails to an address through %s, with a thread', async (_, yaml, smarthost, from) => {
    open(yaml);
    const mailHeaders = { 'Message-ID': '<2@x>', 'In-Reply-To': '<1@x>', References: '<1@x>\r\nBcc: all@test' };
    const to = { email: 'ada@test' };
    expect(await alerting.sendTo(to, message({ mailHeaders }), signal)).toMatchObject({ ok: true });
    expect(await alerting.sendTo({ email: 'bob@test' }, message(), signal)).toMatchObject({ ok: true });
    expect(mails.map((m) => m.to)).toEqual(['ada@test', 'bob@test']);
    expect(mails[0]).toMatchObject({ from, config: { smarthost } });
    const headers = Object.fromEntries(mails[0]!.headers);
    expect(headers).toMatchObject({ To: 'ada@test', ...mailHeaders, References: '<1@x> Bcc: all@test' });
    expect(mails[0]!.html).toContain('the database is slow');
  });

  it.each([
    [RECEIVERS, { email: 'ada@test' }, 'bad_config', /no mail server is configured/],
    [RECEIVERS, { receiver: 'x' }, 'not_found', /no receiver "x", there are both/],
    [RECEIVERS, { receiver: 'nobody' }, 'bad_config', /has no integration/],
    [SMTP + RECEIVERS, { email: '{{ .ExternalURL }}@test' }, 'bad_data', /not one mail address/],
    [SMTP + RECEIVERS, { email: 'a@test, b@test' }, 'bad_data', /not one mail address/],
    [SMTP + RECEIVERS, { email: 'a@test\r\nBcc: b@test' }, 'bad_data', /not one mail address/],
  ])('refuses %#', async (yaml, target, code, text) => {
    open(yaml);
    const sending = alerting.sendTo(target, message(), signal);
    await expect(sending).rejects.toMatchObject({ code, message: expect.stringMatching(text) });
    expect(mails).toHaveLength(0);
  });
});
