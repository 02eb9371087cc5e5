/** Every channel with a secret in each of its fields, all failing: the secret is in no answer, no history, no log. */
import { afterEach, expect, it } from 'vitest';
import { callRoute } from '../../../test/support/call-route.ts';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { AlertingService } from '../../alerting/alerting-service.ts';
import { CHANNELS } from '../../alerting/notify/channels.ts';
import { createHttpSend } from '../../alerting/notify/http-send.ts';
import { createMailSend } from '../../alerting/notify/smtp.ts';
import { goTemplates } from '../../alerting/notify/templates.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { Labels } from '../../model/labels.ts';
import { tenantId } from '../../model/tenant.ts';
import { alertingRoutes } from '../vigie/alerting.ts';
import { redactConfig } from './redact-config.ts';
import { alertmanagerRoutes } from './routes.ts';

const SECRET = 'geheim';
/** Port 1 refuses connections. */
const URL_WITH_SECRET = `http://127.0.0.1:1/${SECRET}?token=${SECRET}`;
const REQUIRED: Readonly<Record<string, string>> = {
  email: "to: a, from: b, smarthost: '127.0.0.1:1', auth_username: u",
  jira: "api_url: 'http://127.0.0.1:1/', project: p, issue_type: i",
  opsgenie: "api_url: 'http://127.0.0.1:1/'",
  pagerduty: "url: 'http://127.0.0.1:1/'",
  rocketchat: "api_url: 'http://127.0.0.1:1/'",
  telegram: "api_url: 'http://127.0.0.1:1/', chat_id: 7",
  victorops: "api_url: 'http://127.0.0.1:1/', routing_key: k",
  webex: `api_url: 'http://127.0.0.1:1/', room_id: r, http_config: { authorization: { credentials: ${SECRET} } }`,
  wechat: "api_url: 'http://127.0.0.1:1/', corp_id: c",
  sns: `api_url: 'http://127.0.0.1:1/', topic_arn: t, sigv4: { region: r, access_key: a, secret_key: ${SECRET} }`,
};

/** One integration of each channel; Slack twice, for its secrets exclude each other. */
function integrations(): string[] {
  const out: string[] = [];
  for (const channel of CHANNELS) {
    const secrets = Object.entries(channel.fields).filter(([, f]) => f.kind.startsWith('secret'));
    const variants = channel.kind === 'slack' ? secrets.map((s) => [s]) : [secrets];
    const lines = variants.map((fields) => {
      const set = fields.map(([name, f]) => `${name}: '${f.kind === 'secret' ? SECRET : URL_WITH_SECRET}'`);
      const also = channel.kind === 'slack' ? ["app_url: 'http://127.0.0.1:1/'"] : [];
      return `{ ${[REQUIRED[channel.kind] ?? '', ...set, ...also].filter(Boolean).join(', ')} }`;
    });
    // pushover has no address to set: it is refused by the guard of this test instead
    out.push(`    ${channel.kind}_configs: [${lines.join(', ')}]`);
  }
  return out;
}

const YAML = `
global:
  smtp_auth_password: ${SECRET}
  opsgenie_api_key: ${SECRET}
  slack_app_token: ${SECRET}
  telegram_bot_token: ${SECRET}
  rocketchat_token: ${SECRET}
  rocketchat_token_id: ${SECRET}
  mattermost_webhook_url: '${URL_WITH_SECRET}'
  wechat_api_secret: ${SECRET}
  victorops_api_key: ${SECRET}
route: { receiver: all }
receivers:
  - name: all
${integrations().join('\n')}
`;

const folder = temporaryFolder();
let service: AlertingService;
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

it('shows no secret of any channel anywhere', { timeout: 30_000 }, async () => {
  const logged: unknown[] = [];
  const log = (message: string, fields: object = {}): void => void logged.push(message, fields);
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  const send = createHttpSend(undefined);
  service = new AlertingService({
    folder: folder.path,
    clock: systemClock,
    logger,
    externalURL: '',
    templates: goTemplates,
    ports: () => ({
      // what goes to a vendor's own address goes nowhere instead
      http: (r) => send({ ...r, url: r.url.replace(/^https:\/\/[^/]+/, 'http://127.0.0.1:1') }),
      mail: createMailSend(undefined),
    }),
    initial: async () => ({ yaml: YAML }),
  });
  const alerting = await service.tenant(tenantId('default'));
  expect(service.problem(tenantId('default'))).toBeUndefined();
  const results = await alerting.testReceiver('all', Labels.EMPTY, Labels.EMPTY, AbortSignal.timeout(20_000));
  expect(new Set(results.map((r) => r.kind))).toEqual(new Set(CHANNELS.map((c) => c.kind)));
  for (const r of results) expect([r.kind, r.delivery.ok]).toEqual([r.kind, false]);
  const message = {
    labels: Labels.from({ a: 'b' }),
    annotations: Labels.EMPTY,
    status: 'firing' as const,
    startsAtMs: 0,
    groupKey: 'g',
    idempotencyKey: 'k',
    reason: 'test',
  };
  const direct = await alerting.sendTo({ receiver: 'all' }, message, AbortSignal.timeout(300));
  expect(direct.ok).toBe(false);

  const routes = [
    ...alertmanagerRoutes({
      alerting: (t) => service.tenant(t),
      version: '',
      startedAtMs: 0,
      now: () => systemClock.now(),
    }),
    ...alertingRoutes({
      alerting: (t) => service.tenant(t),
      service,
      audit: async () => {},
      externalURL: '',
      nowMs: () => systemClock.now(),
    }),
  ];
  const shown: string[] = [JSON.stringify([results, direct, logged, redactConfig(YAML)])];
  for (const route of routes.filter((r) => r.method === 'GET' && !r.path.includes(':')))
    shown.push((await callRoute(routes, 'GET', route.path)).text);
  expect(shown.length).toBeGreaterThan(8);
  expect(shown.join('\n')).toContain('pushover');
  for (const text of shown) expect(text).not.toContain(SECRET);

  const wrong = YAML.replace('route: { receiver: all }', 'route: { receiver: nobody }');
  await expect(service.configure(tenantId('default'), { yaml: wrong })).rejects.toThrow(/undefined receiver/);
  for (const [name, value] of [
    ['api_url', SECRET],
    ['webhook_url', `ftp://${SECRET}`],
  ])
    for (const kind of ['slack', 'mattermost', 'discord']) {
      const yaml = `route: { receiver: a }\nreceivers: [{ name: a, ${kind}_configs: [{ ${name}: '${value}' }] }]`;
      const error = await service.configure(tenantId('default'), { yaml }).catch((e: Error) => e.message);
      expect(error).toMatch(/line 2/);
      expect(error).not.toContain(SECRET);
    }
});
