/**
 * Channels whose texts are short and whose settings are many, with defaults and with everything set: what Alertmanager
 * 0.33 sends over two flushes of firing alerts and one of their end, and what ours sends. Signatures of Amazon SNS are
 * checked by signing the original's request anew.
 */
import { describe, expect, it } from 'vitest';
import { signAws } from '../../src/alerting/notify/aws-sigv4.ts';
import { type Alerter, type Caught, startOurs, startReal, startSink } from '../support/alerting-pair.ts';
import { peerMissing } from '../support/peers.ts';

const SIGV4 = 'sigv4: { region: us-east-1, access_key: AK, secret_key: SK }';
const OWN = '{{ .Status }} {{ len .Alerts }} {{ .CommonAnnotations.summary }}';

const config = (sink: string): string => `
global: { jira_api_url: '${sink}/jira-global', mattermost_webhook_url: '${sink}/mattermost', rocketchat_api_url: '${sink}/rocketchat/', rocketchat_token: gt, rocketchat_token_id: gi, wechat_api_url: '${sink}/wechat', wechat_api_secret: gs, wechat_api_corp_id: gc }
route: { receiver: a, group_wait: 1s, group_interval: 2s, group_by: [alertname] }
receivers:
  - name: a
    mattermost_configs:
      - {}
      - { webhook_url: '${sink}/mattermost-own', channel: c, text: '${OWN}', title: '', username: u, pretext: p, author_name: an, author_link: al, author_icon: ai, footer: f, footer_icon: fi, image_url: iu, thumb_url: tu, fields: [{ title: a, value: '{{ .Status }}', short: true }, { title: b, value: c }], props: { card: '${OWN}' }, priority: { priority: Urgent, requested_ack: true, persistent_notifications: true }, icon_url: i, icon_emoji: e, type: custom_x }
      - { webhook_url: '${sink}/mattermost-list', attachments: [{ title: '{{ .Status }}', text: att, color: red, pretext: p, fields: [{ title: x, value: y }] }, { fallback: two }], pretext: gone, priority: { priority: bogus, requested_ack: true } }
    rocketchat_configs:
      - { send_resolved: true }
      - { api_url: '${sink}/rocketchat-own', token: tok, token_id: id, channel: '#c', emoji: ':x:', icon_url: 'http://i', text: '${OWN}', short_fields: true, fields: [{ title: a, value: b }, { title: c, value: d, short: false }], actions: [{ type: link, text: go, url: 'http://x' }, { text: m, msg: mm }], link_names: true, image_url: 'http://i', thumb_url: 'http://t', color: blue }
    wechat_configs:
      - { send_resolved: true }
      - { api_url: '${sink}/wechat-own/', api_secret: 'a b&c', corp_id: corp, message: '${OWN}', message_type: markdown, to_user: u, to_party: p, to_tag: t, agent_id: '7' }
    sns_configs:
      - { api_url: '${sink}/sns', topic_arn: 'arn:aws:sns:us-east-1:1:t', ${SIGV4}, attributes: { k: v, a: '{{ .Status }}' } }
      - { api_url: '${sink}/sms', phone_number: '+4917', subject: '', message: "*~'()! ü{{ len .Alerts }}", ${SIGV4} }
      - { api_url: '${sink}/fifo', topic_arn: 'arn:aws:sns:us-east-1:1:t.fifo', ${SIGV4} }
      - { api_url: '${sink}/target', target_arn: 'arn:x', message: '{{ range .Alerts }}{{ range .Labels }}ääääääääääääääääääää{{ end }}{{ end }}', ${SIGV4}, send_resolved: false }
    incidentio_configs:
      - { url: '${sink}/incidentio', alert_source_token: tok }
      - { url: '${sink}/incidentio-one', max_alerts: 1, http_config: { authorization: { credentials: t2 } } }
    jira_configs:
      - { api_url: '${sink}/jira/rest/api/2', project: P, issue_type: Bug, labels: [z, 'a{{ .Status }}'], fields: { customfield_1: { value: '{{ .Status }}' }, customfield_2: [a, 2, true, '3'], customfield_3: 1.5 } }
      - { api_url: '${sink}/jira-open/rest/api/2/', project: P"q, issue_type: Bug, summary: { template: s, enable_update: false }, description: '', priority: '', resolve_transition: Close, wont_fix_resolution: "Won't fix" }
      - { api_url: '${sink}/jira-done/rest/api/2', api_type: cloud, project: P, issue_type: Bug, reopen_transition: Reopen, reopen_duration: 90m, description: { template: d, enable_update: false } }
      - { api_url: '${sink}/jira-v3/rest/api/3', api_type: datacenter, project: P, issue_type: Bug, description: '{"type":"doc","n":{{ len .Alerts }}}' }
    webhook_configs:
      - { url: '${sink}/hook-one', max_alerts: 1 }
      - { url: '${sink}/hook-{{ .Status }}', payload: { a: '{{ .Status }}', b: 1, c: ['{{ len .Alerts }}', true], d: { e: '{{ toJson .Alerts }}' }, f: '{{ .CommonLabels | toJson }}', g: null, h: '12', i: 'x: y', j: '' } }
    opsgenie_configs:
      - { api_key: k, api_url: '${sink}/opsgenie', update_alerts: true, note: n }
    telegram_configs:
      - { api_url: '${sink}/telegram', bot_token: t, chat_id: 7, message_thread_id: 3, message: '<b>{{ .CommonAnnotations.summary }}</b>' }
    victorops_configs:
      - { api_key: k, api_url: '${sink}/victorops', routing_key: r, custom_fields: { a: '{{ .Status }}' } }
    webex_configs:
      - { api_url: '${sink}/webex', room_id: 'r{{ .Status }}', http_config: { authorization: { credentials: c } } }
    pagerduty_configs:
      - { routing_key: rk, url: '${sink}/pagerduty', details: { a: '', b: null, c: { d: '{{ .Status }}' }, e: 'yes', f: "Tenant: acme  Level: L2\\nFiring (2)\\n• Disk: full\\n" }, images: [{ href: h, src: s, alt: '{{ .Status }}' }] }
    slack_configs:
      - { app_token: xoxb, app_url: '${sink}/slack-app', channel: c, send_resolved: true }
      - { api_url: '${sink}/slack', channel: c, message_text: '${OWN}', send_resolved: true }
`;

/** Jira with an open issue, and with one that is done. */
function answer({ path, method }: Caught): unknown {
  const of = (key: string): unknown => ({ issues: [{ key: 'P-1', fields: { status: { statusCategory: { key } } } }] });
  if (method === 'GET' && path.endsWith('/transitions'))
    return {
      transitions: [
        { id: '1', name: 'Start' },
        { id: '31', name: 'Close' },
        { id: '41', name: 'Reopen' },
      ],
    };
  if (path.includes('/search') && path.startsWith('/jira-open')) return of('new');
  if (path.includes('/search') && path.startsWith('/jira-done')) return of('done');
  return undefined;
}

const post = async (target: Alerter, nodes: readonly string[], endsInMs: number): Promise<void> => {
  const body = nodes.map((node) => ({
    labels: { alertname: 'Disk', node, severity: node === 'a' ? 'critical' : 'warning' },
    annotations: { summary: 'full <b>&"ü' },
    generatorURL: 'http://g/graph?a=1&b=2',
    endsAt: new Date(Date.now() + endsInMs).toISOString(),
  }));
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${target.url}/api/v2/alerts`, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(response.status).toBe(200);
};

const TIMES = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z/g;
const sorted = (_key: string, value: unknown): unknown =>
  value && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
const shown = (c: Caught): string => {
  const kept = ['content-type', 'authorization', 'x-auth-token', 'x-user-id', 'accept-language'];
  const headers = kept.map((name) => c.headers[name] ?? '-').join(' ');
  return (
    `${c.method} ${c.path} ${headers.replace(/AWS4-HMAC-SHA256 (Credential=\S+) .*/, '$1').replace(/\/\d{8}\//, '/<day>/')} ${JSON.stringify(c.body, sorted)}`
      .replace(TIMES, '<time>')
      // ours is one per message, on purpose
      .replace(/MessageDeduplicationId=[0-9a-f]{64}/, 'MessageDeduplicationId=<id>')
  );
};

/** Requests by address, in order. */
async function run(begin: (yaml: string) => Promise<Alerter>): Promise<{ told: Map<string, string[]>; raw: Caught[] }> {
  await using sink = await startSink(answer);
  await using target = await begin(config(sink.url));
  await post(target, ['a'], 3_600_000);
  await settled(sink.caught, 33);
  await post(target, ['a', 'b'], 3_600_000);
  await settled(sink.caught, 66);
  await post(target, ['a', 'b'], -10);
  await settled(sink.caught, 94);
  const told = new Map<string, string[]>();
  for (const c of sink.caught) {
    const place = c.path.split('/')[1]!.replace(/-(firing|resolved)$/, '');
    told.set(place, [...(told.get(place) ?? []), shown(c).replaceAll(sink.url, '')]);
  }
  return { told, raw: [...sink.caught] };
}

/** Waits until at least `count` came and nothing more for a while. */
async function settled(caught: readonly Caught[], count: number): Promise<void> {
  let [before, quiet] = [-1, 0];
  for (let i = 0; i < 150 && !(caught.length >= count && quiet >= 5); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    quiet = caught.length === before ? quiet + 1 : 0;
    before = caught.length;
  }
}

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid'))('channels beside those of every day', () => {
  it('send what Alertmanager 0.33 sends, setting by setting', { timeout: 60_000 }, async () => {
    const [sid, ours] = await Promise.all([run((y) => startReal(y, 'sid')), run((y) => startOurs(y))]);
    expect(sid.told.size).toBeGreaterThanOrEqual(23);
    expect(sid.raw.length).toBeGreaterThanOrEqual(94);
    for (const [place, requests] of sid.told) expect([place, ours.told.get(place)]).toEqual([place, requests]);
    expect([...ours.told.keys()].sort()).toEqual([...sid.told.keys()].sort());

    // the original's own signatures, made anew from its requests
    const signed = sid.raw.filter((c) => c.headers['authorization']?.startsWith('AWS4'));
    expect(signed.length).toBeGreaterThanOrEqual(9);
    for (const c of signed) {
      const names = /SignedHeaders=([^,]+)/.exec(c.headers['authorization']!)![1]!.split(';');
      const stamp = String(c.headers['x-amz-date']).replace(/^(....)(..)(..T..)(..)(..)Z$/, '$1-$2-$3:$4:$5Z');
      const again = signAws({
        method: c.method,
        url: `http://${c.headers['host']}${c.path}`,
        headers: Object.fromEntries(
          names.filter((n) => n !== 'host' && n !== 'x-amz-date').map((n) => [n, String(c.headers[n])]),
        ),
        body: String(c.body),
        region: 'us-east-1',
        service: 'sns',
        nowMs: Date.parse(stamp),
        credentials: { accessKey: 'AK', secretKey: 'SK' },
      });
      expect(again.authorization).toBe(c.headers['authorization']);
    }
  });

  it('would differ on a planted fault', { timeout: 60_000 }, async () => {
    const [sid, ours] = await Promise.all([
      run((y) => startReal(y, 'sid')),
      run((y) => startOurs(y.replace('color: blue', 'color: green'))),
    ]);
    const different = [...sid.told].filter(([place, told]) => told.join() !== ours.told.get(place)?.join());
    expect(different.map(([place]) => place)).toEqual(['rocketchat-own']);
  });
});
