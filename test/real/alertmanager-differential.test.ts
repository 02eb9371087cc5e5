/**
 * The same configuration and alerts against real Alertmanagers and ours, over HTTP: what receivers were sent must be
 * equal but for times, and the API must answer alike. Default texts are compared in gotemplate-notifications.test.ts,
 * rarer channels in alertmanager-channels.test.ts.
 */
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { describe, expect, it } from 'vitest';
import { type Alerter, type Sink, startOurs, startReal, startSink } from '../support/alerting-pair.ts';
import { peerMissing } from '../support/peers.ts';

const config = (sink: string): string => `
global:
  resolve_timeout: 5m
route:
  receiver: fallback
  group_by: [alertname, cluster]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 1h
  routes:
    - { matchers: ['team="db"'], receiver: database, continue: true, group_by: ['...'] }
    - { match: { team: db }, receiver: second, group_by: [team] }
    - { match_re: { service: 'web|api' }, receiver: web, routes: [{ matchers: [sev=critical], receiver: pager }] }
    - { matchers: ['muted="yes"'], receiver: web, mute_time_intervals: [always] }
    - { matchers: ['asleep="yes"'], receiver: web, active_time_intervals: [never] }
time_intervals:
  - { name: always, time_intervals: [{ years: ['2000:2999'] }] }
  - { name: never, time_intervals: [{ years: ['2000:2001'] }] }
inhibit_rules:
  - { source_matchers: [sev=critical], target_matchers: [sev=warning], equal: [cluster] }
receivers:
  - { name: fallback, webhook_configs: [{ url: '${sink}/fallback' }] }
  - { name: database, webhook_configs: [{ url: '${sink}/database', max_alerts: 1 }] }
  - { name: second, webhook_configs: [{ url: '${sink}/second', send_resolved: false }] }
  - { name: web, webhook_configs: [{ url: '${sink}/web' }, { url: '${sink}/web-two' }] }
  - name: pager
    slack_configs:
      - { api_url: '${sink}/slack', channel: '#ops', send_resolved: true, username: u, title: t, title_link: 'http://l', text: body,
          pretext: p, fallback: f, footer: '', callback_id: '', icon_emoji: ':x:', icon_url: '', color: danger,
          fields: [{ title: a, value: b, short: true }, { title: c, value: d }], actions: [{ type: button, text: go, url: 'http://x' }] }
    pagerduty_configs:
      - { routing_key: key, url: '${sink}/pagerduty', client: c, client_url: 'http://c', description: d, severity: critical,
          class: k, group: g, component: m, source: s,
          details: { firing: f, resolved: r, num_firing: '1', num_resolved: '0', more: x }, links: [{ href: 'http://h', text: t }] }
    discord_configs: [{ webhook_url: '${sink}/discord', title: t, message: m, content: '' }]
    telegram_configs: [{ api_url: '${sink}', bot_token: token, chat_id: 7, message: m, parse_mode: '' }]
`;

/** Channels that 0.25 has only in part; each gets its receiver by a path of its own. */
const more = (sink: string): string => `
    opsgenie_configs: [{ api_key: k, api_url: '${sink}/opsgenie', message: m, description: d, source: s, tags: 'a, b', note: n, priority: P1, details: { x: y }, responders: [{ type: team, name: t }] }]
    victorops_configs: [{ api_key: k, api_url: '${sink}/victorops', routing_key: r, state_message: s, entity_display_name: e, monitoring_tool: t, message_type: INFO, custom_fields: { c: d } }]
    webex_configs: [{ api_url: '${sink}/webex', room_id: r, message: m, http_config: { authorization: { credentials: c } } }]
    msteams_configs: [{ webhook_url: '${sink}/msteams', title: t, summary: s, text: x }]
    msteamsv2_configs: [{ webhook_url: '${sink}/msteamsv2', title: t, text: x }]
`;

interface Posted {
  readonly labels: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly generatorURL?: string;
}
const ALERTS: readonly Posted[] = [
  {
    labels: { alertname: 'A', cluster: 'x', instance: '2' },
    annotations: { summary: 'ü <&>' },
    generatorURL: 'http://g/1',
  },
  { labels: { alertname: 'A', cluster: 'x', instance: '1', empty: '' } },
  { labels: { alertname: 'B' } },
  { labels: { alertname: 'D', team: 'db', instance: '1' } },
  { labels: { alertname: 'D', team: 'db', instance: '2' } },
  { labels: { alertname: 'W', service: 'web', cluster: 'w', sev: 'warning' } },
  { labels: { alertname: 'W2', service: 'api' } },
  { labels: { alertname: 'P', service: 'api', sev: 'critical', cluster: 'w' } },
  { labels: { alertname: 'M', muted: 'yes' } },
  { labels: { alertname: 'S', asleep: 'yes' } },
  { labels: { alertname: 'not_web', service: 'webbing' } },
];

async function post(target: Alerter, alerts: readonly object[]): Promise<number> {
  const response = await fetch(`${target.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts),
  });
  return response.status;
}

const normal = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(normal);
  if (!value || typeof value !== 'object')
    return typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) && !value.startsWith('0001') ? '<time>' : value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([k]) => k !== 'timestamp')
      .map(([k, v]) => [k, normal(v)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  );
};
/** What came in, without times, in an order of its own. */
const told = (sink: Sink): string[] =>
  sink.caught.map((c) => `${c.path} ${c.headers['content-type']} ${JSON.stringify(normal(c.body))}`).sort();

interface Result {
  readonly told: string[];
  readonly api: Record<string, unknown>;
}

const full = (begin: (yaml: string) => Promise<Alerter>): Promise<Result> => run(begin, ALERTS, more, MORE);

async function run(
  begin: (yaml: string) => Promise<Alerter>,
  alerts: readonly Posted[] = ALERTS,
  extra: (sink: string) => string = () => '',
  extraCount = 0,
): Promise<Result> {
  await using sink = await startSink();
  await using target = await begin(config(sink.url) + extra(sink.url).replace(/^\n/, ''));
  // the critical source first, so that nobody races it
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  const sorted = [...alerts].sort((a) => (a.labels['sev'] === 'critical' ? -1 : 0));
  expect(
    await post(
      target,
      sorted.map((a) => ({ ...a, endsAt })),
    ),
  ).toBe(200);
  await sink.wait(FIRST + extraCount);
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${target.url}/api/v2${path}`);
    return [response.status, normal(await response.json())];
  };
  const api: Record<string, unknown> = {};
  for (const path of [
    '/alerts',
    '/alerts?filter=team%3D%22db%22',
    '/alerts?inhibited=false',
    '/alerts?active=false',
    '/alerts?receiver=web',
    '/alerts/groups?receiver=web',
    '/alerts/groups?filter=alertname%3D~%22A%7CB%22',
    '/receivers',
  ])
    api[path] = await get(path);
  api['empty labels'] = await post(target, [{ labels: { a: '' } }]);
  api['end before start'] = await post(target, [
    { labels: { a: 'b' }, startsAt: '2030-01-01T00:00:00Z', endsAt: '2029-01-01T00:00:00Z' },
  ]);
  const ended = new Date(Date.now() - 10).toISOString();
  const over = sorted.filter((a) => a.labels['alertname'] !== 'B');
  expect(
    await post(
      target,
      over.map((a) => ({ ...a, endsAt: ended })),
    ),
  ).toBe(200);
  await sink.wait(FIRST + SECOND + 2 * extraCount);
  return { told: told(sink), api };
}

/** Notifications of the first flush, and of the ends. */
const FIRST = 12;
const SECOND = 10;
const MORE = 5;

const MAILS = 4;
/** Known to newer releases only. */
const THREADS = `
      - { to: day@x.test, threading: { enabled: true, thread_by_date: daily }, text: t, html: '' }
      - { to: ever@x.test, threading: { enabled: true, thread_by_date: none }, html: h }`;

/** What a mail server gets of one alert: envelopes, headers and bodies, by recipient. */
async function mail(begin: (yaml: string) => Promise<Alerter>, extra = ''): Promise<Record<string, unknown>[]> {
  const got: Record<string, unknown>[] = [];
  const logins = new Map<string, string>();
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5'],
    disabledCommands: ['STARTTLS'],
    onAuth(auth, session, done) {
      const right = auth.method === 'CRAM-MD5' ? auth.validatePassword('secret') : auth.password === 'pass';
      logins.set(session.id, `${auth.method} ${auth.username} ${right}`);
      done(null, { user: auth.username ?? '' });
    },
    onData(stream, session, done) {
      simpleParser(stream, { skipHtmlToText: true }).then((m) => {
        const { envelope } = session;
        got.push({
          from: envelope.mailFrom ? envelope.mailFrom.address : undefined,
          to: envelope.rcptTo.map((r) => r.address),
          hello: session.hostNameAppearsAs,
          login: logins.get(session.id) ?? '',
          subject: m.subject,
          header: [m.from?.text, Array.isArray(m.to) ? '' : m.to?.text, m.headers.get('x-team')],
          text: m.text?.trim() ?? '',
          html: typeof m.html === 'string' ? m.html.trim() : m.html,
          threaded: [m.references, m.inReplyTo],
          hasId: Boolean(m.messageId),
        });
        done();
      }, done);
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await using target = await begin(`
global: { smtp_smarthost: '127.0.0.1:${port}', smtp_from: 'Vigie <from@x.test>', smtp_require_tls: false, smtp_hello: me.test }
route: { receiver: m, group_wait: 0s }
receivers:
  - name: m
    email_configs:
      - { to: 'a@x.test, Be <b@x.test>', headers: { subject: 'Ümlaut subject', X-Team: ops }, text: 'plain ü', html: '<b>ü</b>' }
      - { to: login@x.test, auth_username: u, auth_password: pass, html: '<i title="{{ .CommonLabels.evil }}">{{ .CommonLabels.evil }}</i><a href="/?q={{ .CommonLabels.evil }}">x</a>', text: '{{ .CommonLabels.evil }}' }
      - { to: cram@x.test, auth_username: u, auth_secret: secret, html: h }
      - { to: '{{ .CommonLabels.team }}@x.test', from: '{{ .CommonLabels.team }}-from@x.test', html: '{{ range .Alerts }}{{ .Labels.SortedPairs.Values | join "," }}{{ end }}' }${extra}
`);
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  await post(target, [{ labels: { alertname: 'E', team: 'db', evil: '"><script>alert(1)</script>&ü' }, endsAt }]);
  const wanted = MAILS + (extra ? 2 : 0);
  for (let i = 0; i < 100 && got.length < wanted; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return got.sort((a, b) => (String(a['to']) < String(b['to']) ? -1 : 1));
}

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid') || peerMissing('prometheus-alertmanager'))(
  'Vigie and Alertmanager',
  () => {
    it('tell the same receivers the same things', { timeout: 60_000 }, async () => {
      const [sid, ours] = await Promise.all([full((y) => startReal(y, 'sid')), full((y) => startOurs(y))]);
      expect(sid.told.length).toBeGreaterThanOrEqual(FIRST + SECOND + 2 * MORE);
      expect(ours.told).toEqual(sid.told);
      for (const [path, answer] of Object.entries(sid.api)) expect([path, ours.api[path]]).toEqual([path, answer]);
    });

    it('tell the same as Debian stable does', { timeout: 60_000 }, async () => {
      const [stable, ours] = await Promise.all([
        run((y) => startReal(y.replace(", content: ''", ''))),
        run((y) => startOurs(y)),
      ]);
      // 0.25 gives no reason, and numbers as texts
      const known = (r: Result): string[] =>
        r.told.map((t) =>
          t.replace(/"notification_reason":"[^"]*",/, '').replace(/("num_(?:firing|resolved)":)"(\d+)"/g, '$1$2'),
        );
      expect(stable.told.length).toBeGreaterThanOrEqual(FIRST + SECOND);
      for (const channel of ['slack', 'pagerduty', 'discord', 'bottoken'])
        expect(stable.told.filter((t) => t.startsWith(`/${channel}`))).toHaveLength(2);
      expect(known(ours).sort()).toEqual(known(stable).sort());
    });

    it('send the same mail', { timeout: 60_000 }, async () => {
      const sid = await Promise.all([mail((y) => startReal(y, 'sid'), THREADS), mail((y) => startOurs(y), THREADS)]);
      expect(sid[0]).toHaveLength(MAILS + 2);
      expect(sid[1]).toEqual(sid[0]);
      const stable = await Promise.all([mail((y) => startReal(y)), mail((y) => startOurs(y))]);
      expect(stable[0]).toHaveLength(MAILS);
      expect(stable[1]).toEqual(stable[0]);
      const wrong = await mail((y) => startOurs(y.replace('plain ü', 'plain u')));
      expect(wrong).not.toEqual(stable[0]);
    });

    it('would differ on a planted fault', { timeout: 60_000 }, async () => {
      const wrong = ALERTS.map((a) =>
        a.labels['alertname'] === 'B' ? { labels: { alertname: 'B', planted: 'x' } } : a,
      );
      const [sid, ours] = await Promise.all([run((y) => startReal(y, 'sid')), run((y) => startOurs(y), wrong)]);
      expect(ours.told).not.toEqual(sid.told);
    });
  },
);
