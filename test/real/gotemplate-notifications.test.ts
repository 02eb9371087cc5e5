/**
 * Notifications whose texts come from the default templates and from templates in the configuration: what the newest
 * Alertmanager sends to each channel, and by mail, and what ours sends with its own template engine.
 */
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { describe, expect, it } from 'vitest';
import type { TemplatesFactory } from '../../src/alerting/notify/template-data.ts';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { type Alerter, startOurs, startReal, startSink } from '../support/alerting-pair.ts';
import { peerMissing } from '../support/peers.ts';

const TEXT = String.raw`{{ range .Alerts }}{{ .Status }}: {{ .Labels.SortedPairs }} {{ .Annotations.summary | toUpper }} {{ .Fingerprint }}{{ "\n" }}{{ end }}{{ toJson .CommonLabels }} {{ .GroupLabels.Names | join "," }}`;
const HTML = `<p title="{{ .CommonAnnotations.summary }}">{{ range .Alerts }}<a href="{{ .GeneratorURL }}">{{ .Annotations.summary }}</a><a href="/x?q={{ .Annotations.summary }}">{{ .Labels }}</a>{{ end }}</p><script>var a = {{ .CommonLabels }};</script>`;

const startSid = (yaml: string): Promise<Alerter> => startReal(yaml, 'sid');

/** Defaults wherever a field may be left out. */
const config = (sink: string, smtpPort: number): string => `
global: { smtp_smarthost: '127.0.0.1:${smtpPort}', smtp_from: 'from@x.test', smtp_require_tls: false, victorops_api_url: '${sink}/victorops/' }
route: { receiver: 'all|x', group_by: [alertname, path], group_wait: 1s, group_interval: 2s }
receivers:
  - name: 'all|x'
    slack_configs:
      - { api_url: '${sink}/slack', send_resolved: true }
      - { api_url: '${sink}/slack-own', send_resolved: true, title: '{{ .Status | title }} {{ len .Alerts.Firing }}', text: ${JSON.stringify(TEXT)} }
    pagerduty_configs: [{ routing_key: key, url: '${sink}/pagerduty' }]
    discord_configs: [{ webhook_url: '${sink}/discord' }]
    telegram_configs: [{ api_url: '${sink}', bot_token: token, chat_id: 7 }]
    opsgenie_configs: [{ api_key: k, api_url: '${sink}/opsgenie' }]
    victorops_configs: [{ api_key: k, api_url: '${sink}/victorops', routing_key: r }]
    webex_configs: [{ api_url: '${sink}/webex', room_id: r, http_config: { authorization: { credentials: c } } }]
    msteams_configs: [{ webhook_url: '${sink}/msteams' }]
    msteamsv2_configs: [{ webhook_url: '${sink}/msteamsv2' }]
    email_configs:
      - { to: default@x.test, send_resolved: true }
      - { to: a@x.test, send_resolved: true, headers: { subject: '{{ template "email.default.subject" . }}' }, html: ${JSON.stringify(HTML)}, text: ${JSON.stringify(TEXT)} }
`;
const POSTS = 10;
const MAILS = 4;

const ALERTS = [
  {
    labels: { alertname: 'Disk', path: '/a b&c', node: 'a' },
    annotations: { summary: 'full <b>&"\' ü', link: 'http://l' },
    generatorURL: 'http://g/graph?g0.expr=up+%3D%3D+0&g0.tab=1',
  },
  {
    labels: { alertname: 'Disk', path: '/a b&c', node: 'b' },
    annotations: { summary: '</script><!-- x' },
    generatorURL: 'http://g/2',
  },
];

const TIMES = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:Z| \+0000 UTC)?/g;
const normal = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, v: unknown) => (key === 'timestamp' || key === 'ts' ? undefined : v)).replace(
      TIMES,
      '<time>',
    ),
  );

interface Mail {
  readonly to: string;
  readonly subject: string;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ' };
const decoded = (html: string): string =>
  html.replace(/&(?:#(\d+)|(\w+));/g, (all, code?: string, name?: string) =>
    code ? String.fromCodePoint(Number(code)) : (ENTITIES[name!] ?? all),
  );
/** What a reader of an HTML mail sees: its lines, what is bold among them, and its links. The markup does not count. */
function shownBy(html: string): { lines: string[]; bold: string[]; links: [string, string][] } {
  const lines: string[] = [''];
  const [bold, links]: [string[], [string, string][]] = [[], []];
  let link: [string, string] | undefined;
  let strong = false;
  for (const [all, close, tag, attributes] of html
    .replace(/^[\s\S]*<body[^>]*>/, '')
    .matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>|[^<]+/g)) {
    if (tag === undefined) {
      const text = decoded(all).replace(/\s+/g, ' ');
      lines[lines.length - 1] += text;
      if (link) link[0] += text;
      if (strong) bold.push(text);
    } else if (tag === 'a') {
      if (!close) link = ['', decoded(/href="([^"]*)"/.exec(attributes!)?.[1] ?? '')];
      else links.push(link!);
      if (close) link = undefined;
    } else if (tag === 'strong') strong = !close;
    else lines.push('');
  }
  return { lines: lines.map((l) => l.trim()).filter(Boolean), bold, links };
}

async function run(
  begin: (yaml: string) => Promise<Alerter>,
): Promise<{ posts: Record<string, unknown[]>; mails: Mail[] }> {
  const mails: Mail[] = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, _, done) {
      simpleParser(stream).then((m) => {
        const to = [m.to ?? []].flat()[0]?.text;
        const html = String(m.html);
        if (to === 'default@x.test')
          mails.push(
            normal({
              to,
              subject: m.subject,
              title: /<title>[\s\S]*?<\/title>/.exec(html)?.[0],
              ...shownBy(html),
            }) as Mail,
          );
        else mails.push(normal({ to, subject: m.subject, text: m.text?.trim(), html }) as Mail);
        done();
      }, done);
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  const address = smtp.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await using sink = await startSink();
  await using target = await begin(config(sink.url, port));
  const post = async (endsAtMs: number): Promise<void> => {
    const body = ALERTS.map((a) => ({ ...a, endsAt: new Date(endsAtMs).toISOString() }));
    const response = await fetch(`${target.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  };
  await post(Date.now() + 3_600_000);
  await sink.wait(POSTS);
  await post(Date.now() - 10);
  await sink.wait(2 * POSTS);
  for (let i = 0; i < 100 && mails.length < MAILS; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  const posts: Record<string, unknown[]> = {};
  for (const c of sink.caught) (posts[c.path] ??= []).push(normal(c.body));
  mails.sort((a, b) => (a.to < b.to ? -1 : a.to > b.to ? 1 : a.subject < b.subject ? -1 : 1));
  return { posts, mails };
}

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid'))('texts of notifications', () => {
  it('are those of Alertmanager, channel by channel, firing and resolved', { timeout: 60_000 }, async () => {
    const [sid, ours] = await Promise.all([run(startSid), run((yaml) => startOurs(yaml, goTemplates))]);
    expect(Object.values(sid.posts).flat().length).toBeGreaterThanOrEqual(2 * POSTS);
    expect(Object.keys(sid.posts).length).toBeGreaterThanOrEqual(POSTS);
    for (const [url, bodies] of Object.entries(sid.posts)) expect([url, ours.posts[url]]).toEqual([url, bodies]);
    expect(sid.mails).toHaveLength(MAILS);
    // the default HTML was read, not an empty text
    expect(sid.mails.at(-1)).toMatchObject({
      to: 'default@x.test',
      links: expect.arrayContaining([['Source', 'http://g/2']]),
    });
    expect(ours.mails).toEqual(sid.mails);
  });

  it('would differ if one word of a default did', { timeout: 60_000 }, async () => {
    const wrong: TemplatesFactory = (files) =>
      goTemplates([...files, { name: 'wrong.tmpl', text: '{{ define "__subject" }}wrong{{ end }}' }]);
    const [sid, ours] = await Promise.all([run(startSid), run((yaml) => startOurs(yaml, wrong))]);
    expect(ours.posts['/slack']).not.toEqual(sid.posts['/slack']);
    expect(ours.mails).not.toEqual(sid.mails);
  });
});
