/** Which receivers a configuration may name, and how: amtool of Alertmanager 0.33 and ours judge the same snippets. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAlertingConfig } from '../../src/alerting/config.ts';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { findPeer, peerMissing, temporaryFolder } from '../support/peers.ts';

const SIGV4 = 'sigv4: { region: r, access_key: a, secret_key: s }';
const JIRA = "api_url: 'http://x', project: p, issue_type: b";
const MAIL = "to: a, from: b, smarthost: 'h:25'";

/** What stands below one receiver, and below the document with a leading `/`. */
const SNIPPETS: readonly string[] = [
  "webhook_configs: [{ url: 'http://x' }]",
  'webhook_configs: [{}]',
  'webhook_configs: [{ url: x }]',
  "webhook_configs: [{ url: 'http://x/{{ .Status }}', timeout: 5s, max_alerts: 3, payload: { a: '{{ .Status }}' } }]",
  "webhook_configs: [{ url: 'http://x/{{ .Status' }]",
  "webhook_configs: [{ url: 'http://x', timeout: 1d }]",
  "webhook_configs: [{ url: 'http://x', nope: 1 }]",
  "webhook_configs: [{ url: 'http://x', http_config: { basic_auth: { username: a, password: b }, bearer_token: c } }]",
  "slack_configs: [{ api_url: 'http://x', channel: c }]",
  'slack_configs: [{}]',
  'slack_configs: [{ app_token: x }]',
  "slack_configs: [{ api_url: 'http://x', app_token: x }]",
  "slack_configs: [{ api_url: 'http://x', fields: [{ title: a, value: b }] }]",
  "slack_configs: [{ api_url: 'http://x', fields: [{ title: a }] }]",
  "slack_configs: [{ api_url: 'http://x', fields: [{ value: a }] }]",
  "slack_configs: [{ api_url: 'http://x', actions: [{ type: button, text: a, url: u }] }]",
  "slack_configs: [{ api_url: 'http://x', actions: [{ type: button, text: a }] }]",
  "slack_configs: [{ api_url: 'http://x', actions: [{ text: a, url: u }] }]",
  "slack_configs: [{ api_url: 'http://x', actions: [{ type: button, url: u }] }]",
  "slack_configs: [{ api_url: 'http://x', actions: [{ type: button, text: a, name: n, confirm: { text: t } }] }]",
  "slack_configs: [{ api_url: 'http://x', actions: [{ type: button, text: a, name: n, confirm: { title: t } }] }]",
  "slack_configs: [{ api_url: 'http://x', blocks: [] }]",
  'pagerduty_configs: [{ routing_key: a }]',
  'pagerduty_configs: [{}]',
  'pagerduty_configs: [{ service_key: a }]',
  'pagerduty_configs: [{ service_key: a, routing_key: b }]',
  'pagerduty_configs: [{ service_key: a, service_key_file: b }]',
  'pagerduty_configs: [{ routing_key: a, images: [{ src: x, nope: y }] }]',
  `email_configs: [{ ${MAIL} }]`,
  'email_configs: [{ to: a, from: b }]',
  "email_configs: [{ from: b, smarthost: 'h:25' }]",
  "email_configs: [{ to: a, smarthost: 'h:25' }]",
  'email_configs: [{ to: a, from: b, smarthost: h }]',
  `email_configs: [{ ${MAIL}, headers: { subject: a, Subject: b } }]`,
  `email_configs: [{ ${MAIL}, threading: { enabled: true } }]`,
  `email_configs: [{ ${MAIL}, threading: { enabled: true, thread_by_date: daily } }]`,
  `email_configs: [{ ${MAIL}, threading: { enabled: true, thread_by_date: none }, headers: { references: x } }]`,
  `email_configs: [{ ${MAIL}, tls_config: { insecure_skip_verify: true }, auth_secret: x, force_implicit_tls: true }]`,
  `email_configs: [{ ${MAIL}, attachments: [] }]`,
  "discord_configs: [{ webhook_url: 'http://x', username: u }]",
  'discord_configs: [{}]',
  'telegram_configs: [{ bot_token: a, chat_id: 7 }]',
  'telegram_configs: [{ bot_token: a }]',
  'telegram_configs: [{ chat_id: 7 }]',
  'telegram_configs: [{ bot_token: a, chat_id: 7, parse_mode: nope }]',
  'opsgenie_configs: [{ api_key: a, update_alerts: true }]',
  'opsgenie_configs: [{}]',
  'opsgenie_configs: [{ api_key: a, responders: [{ type: team, name: x }] }]',
  'opsgenie_configs: [{ api_key: a, responders: [{ type: nope, name: x }] }]',
  'opsgenie_configs: [{ api_key: a, responders: [{ type: team }] }]',
  'opsgenie_configs: [{ api_key: a, responders: [{ type: teams, name: x }, { type: "{{ .Status }}", id: x }] }]',
  'opsgenie_configs: [{ api_key: a, responders: [{ type: "{{ .Status", id: x }] }]',
  'victorops_configs: [{ api_key: a, routing_key: b }]',
  'victorops_configs: [{ api_key: a }]',
  'victorops_configs: [{ routing_key: b }]',
  'victorops_configs: [{ api_key: a, routing_key: b, custom_fields: { message_type: c } }]',
  'webex_configs: [{ room_id: r, http_config: { authorization: { credentials: c } } }]',
  'webex_configs: [{ room_id: r }]',
  'webex_configs: [{ http_config: { authorization: { credentials: c } } }]',
  "msteams_configs: [{ webhook_url: 'http://x' }]",
  'msteams_configs: [{}]',
  "msteamsv2_configs: [{ webhook_url: 'http://x' }]",
  'msteamsv2_configs: [{}]',
  'pushover_configs: [{ user_key: a, token: b, ttl: 1h30m }]',
  'pushover_configs: [{ user_key: a, token: b, ttl: 1d }]',
  'pushover_configs: [{ user_key: a, token: b, html: true, monospace: true }]',
  'pushover_configs: [{ user_key: a }]',
  'pushover_configs: [{ token: a }]',
  "mattermost_configs: [{ webhook_url: 'http://x', attachments: [{ title: a, fields: [{ title: a, value: b }] }] }]",
  'mattermost_configs: [{}]',
  "mattermost_configs: [{ webhook_url: 'http://x', attachments: [{ fields: [{ title: a }] }] }]",
  "mattermost_configs: [{ webhook_url: 'http://x', fields: [{ value: a }] }]",
  "mattermost_configs: [{ webhook_url: 'http://x', actions: [] }]",
  "mattermost_configs: [{ webhook_url: 'http://x', props: { nope: a } }]",
  'rocketchat_configs: [{ token: a, token_id: b, actions: [{ type: button, text: t, msg: m }] }]',
  'rocketchat_configs: [{ token: a }]',
  'rocketchat_configs: [{ token_id: a }]',
  'rocketchat_configs: [{ token: a, token_id: b, alias: x }]',
  `jira_configs: [{ ${JIRA} }]`,
  'jira_configs: [{ project: p, issue_type: b }]',
  "jira_configs: [{ api_url: 'http://x', issue_type: b }]",
  "jira_configs: [{ api_url: 'http://x', project: b }]",
  `jira_configs: [{ ${JIRA}, api_type: nope }]`,
  `jira_configs: [{ ${JIRA}, summary: { template: x, enable_update: false }, fields: { a: 1, b: [x] } }]`,
  `jira_configs: [{ ${JIRA}, summary: { nope: x } }]`,
  `jira_configs: [{ ${JIRA}, labels: { values: [x] } }]`,
  'wechat_configs: [{ api_secret: a, corp_id: c }]',
  'wechat_configs: [{ api_secret: a }]',
  'wechat_configs: [{ corp_id: a }]',
  'wechat_configs: [{ api_secret: a, corp_id: c, message_type: markdown }]',
  'wechat_configs: [{ api_secret: a, corp_id: c, message_type: nope }]',
  `sns_configs: [{ topic_arn: a, ${SIGV4} }]`,
  `sns_configs: [{ ${SIGV4} }]`,
  `sns_configs: [{ topic_arn: a, phone_number: b, ${SIGV4} }]`,
  'sns_configs: [{ topic_arn: a, sigv4: { region: r, access_key: a } }]',
  `sns_configs: [{ topic_arn: a, ${SIGV4}, nope: x }]`,
  "incidentio_configs: [{ url: 'http://x', alert_source_token: a }]",
  'incidentio_configs: [{ alert_source_token: a }]',
  "incidentio_configs: [{ url: 'http://x', http_config: {} }]",
  "incidentio_configs: [{ url: 'http://x', alert_source_token: a, http_config: { authorization: { credentials: x } } }]",
  'kafka_configs: []',
  'labels: { team: x, "a b": 7, name: a }',
  'labels: { name: z }',
  'labels: [x]',
  '/global: { slack_api_url: nope }',
  "/global: { smtp_smarthost: 'h:25', smtp_from: f, opsgenie_api_key: k, telegram_bot_token: t, jira_api_url: 'http://x' }",
  '/global: { resolve_timeout: 5x }',
  '/time_intervals: [{ name: a, time_intervals: [{ weekdays: [monday], location: Europe/Berlin }] }]',
  '/time_intervals: [{ name: a, time_intervals: [{ weekdays: [mo] }] }]',
  '/time_intervals: [{ name: a, time_intervals: [{ location: Nowhere }] }]',
  '/time_intervals: [{ time_intervals: [] }]',
  '/inhibit_rules: [{ source_matchers: [a=b], target_matchers: [c=d], equal: [e] }]',
  "/inhibit_rules: [{ source_matchers: ['a=~('], target_matchers: [c=d] }]",
  '/inhibit_rules: [{ nope: 1 }]',
];

/** Below the http_config of a webhook. */
const HTTP_SNIPPETS = [
  "oauth2: { client_id: a, client_secret: b, token_url: 'http://t', scopes: [x], endpoint_params: { a: b } }",
  "oauth2: { client_id: a, client_secret: b, token_url: 'http://t', tls_config: { min_version: TLS13 } }",
  "oauth2: { client_id: a, token_url: 'http://t' }",
  "oauth2: { client_secret: a, token_url: 'http://t' }",
  'oauth2: { client_id: a, client_secret: b }',
  "oauth2: { client_id: a, client_secret: b, token_url: 'http://t' }, bearer_token: c",
  "oauth2: { client_id: a, client_secret: b, token_url: 'http://t', nope: c }",
  'tls_config: { min_version: TLS12, max_version: TLS13 }',
  'tls_config: { min_version: SSL3 }',
].map((s) => `webhook_configs: [{ url: 'http://x', http_config: { ${s} } }]`);

/** Refused by ours by name, taken by the original. */
const OURS_ALONE: readonly string[] = [
  "slack_configs: [{ api_url: 'https://slack.com/api/chat.postMessage', update_message: true, channel: c }]",
  'sns_configs: [{ topic_arn: a, sigv4: { region: r, role_arn: x } }]',
  `email_configs: [{ ${MAIL}, auth_identity: x }]`,
  "webhook_configs: [{ url: 'http://x', http_config: { proxy_url: 'http://p' } }]",
  // the original fails when it should send
  "webhook_configs: [{ url: 'http://x', http_config: { tls_config: { min_version: TLS13, max_version: TLS12 } } }]",
  "/tracing: { client_type: grpc, endpoint: 'x:1' }",
  "/event_recorder: { file_outputs: [{ path: '/tmp/x' }] }",
];

/** Taken by the original, which fails when it should send. */
const CHECKED_EARLIER = "webhook_configs: [{ url: 'http://x', payload: { a: '{{ .Status' } }]";

const document = (snippet: string): string =>
  snippet.startsWith('/')
    ? `${snippet.slice(1)}\nroute: { receiver: a }\nreceivers: [{ name: a }]\n`
    : `route: { receiver: a }\nreceivers:\n  - name: a\n    ${snippet}\n`;

const verdict = (snippet: string): string => {
  try {
    parseAlertingConfig(document(snippet), { templates: goTemplates });
    return 'taken';
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
};

describe.skipIf(peerMissing('amtool', 'sid'))('configurations', () => {
  it('are taken and refused as by Alertmanager 0.33', { timeout: 60_000 }, () => {
    using folder = temporaryFolder();
    const both = [...SNIPPETS, ...HTTP_SNIPPETS];
    const all = [...both, ...OURS_ALONE, CHECKED_EARLIER];
    const files = all.map((s, i) => {
      const file = path.join(folder.path, `${i}.yml`);
      writeFileSync(file, document(s));
      return file;
    });
    const { stdout } = spawnSync(findPeer('amtool', 'sid')!, ['check-config', ...files], { encoding: 'utf8' });
    const theirs = [...stdout.matchAll(/^Checking '.*?'\s+(SUCCESS|FAILED)/gm)].map((m) => m[1] === 'SUCCESS');
    expect(theirs).toHaveLength(all.length);
    const [taken, refused] = [theirs.filter(Boolean).length, theirs.filter((t) => !t).length];
    expect(taken).toBeGreaterThanOrEqual(35);
    expect(refused).toBeGreaterThanOrEqual(50);
    const ours = both.map((s, i) => ({ snippet: s, ours: verdict(s), theirs: theirs[i]! }));
    expect(ours.filter((o) => (o.ours === 'taken') !== o.theirs)).toEqual([]);
    // each refusal says where
    for (const o of ours) if (!o.theirs) expect(o.ours).toMatch(/^refused: line \d+: /);
    expect([theirs.at(-1), verdict(CHECKED_EARLIER)]).toEqual([
      true,
      'refused: line 4: receivers[0].webhook_configs[0].payload: template: :1: unclosed action',
    ]);
    for (const [i, s] of OURS_ALONE.entries()) {
      expect([s, theirs[both.length + i]]).toEqual([s, true]);
      expect(verdict(s)).toMatch(
        /^refused: line \d+: .*(update_message|role_arn|auth_identity|proxy_url|max_version|tracing|event_recorder)/,
      );
    }
  });
});
