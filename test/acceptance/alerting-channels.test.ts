/**
 * Pages from a firing rule to people, in three languages and through four kinds of receiver; the real amtool; a bad
 * configuration of one tenant; a real Alertmanager instead of our own routing. The real program throughout.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { startReal } from '../support/alerting-pair.ts';
import { findPeer, peerMissing } from '../support/peers.ts';
import { type Receivers, startReceivers } from '../support/receivers.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(path.join(tmpdir(), 'vigie-alerting-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};

const RULES = `
groups:
  - name: disk
    interval: 1s
    rules:
      - alert: DiskFull
        expr: disk_used_percent > 90
        labels: { severity: critical, env: prod }
        annotations:
          summary: 'Disk /data is {{ $value }} % full'
          description: 'Größe <b>& Füllstand</b>'
          impact: 'writes "fail" soon'
          runbook_url: 'https://runbooks.test/disk?a=1&b=2'
`;
const LANGUAGES = ['en', 'fr', 'de'] as const;

const config = (to: Receivers): string => `
global: { smtp_smarthost: '127.0.0.1:${to.smtpPort}', smtp_from: vigie@x.test, smtp_require_tls: false, pagerduty_url: '${to.url}/pagerduty' }
templates: ['${ROOT}/templates/alertmanager/templates/*.tmpl']
route:
  receiver: ${LANGUAGES[0]}
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  routes: [${LANGUAGES.map((l) => `{ receiver: ${l}, continue: true }`).join(', ')}]
receivers:
${LANGUAGES.map(
  (l) => `
  - name: ${l}
    slack_configs: [{ api_url: '${to.url}/slack/${l}', send_resolved: true, title: '{{ template "vigie.title.${l}" . }}', text: '{{ template "vigie.text.${l}" . }}' }]
    discord_configs: [{ webhook_url: '${to.url}/discord/${l}', title: '{{ template "vigie.title.${l}" . }}', message: '{{ template "vigie.text.${l}" . }}' }]
    pagerduty_configs: [{ routing_key: key-${l}, description: '{{ template "vigie.title.${l}" . }}', severity: '{{ .CommonLabels.severity }}' }]
    email_configs: [{ to: ${l}@x.test, send_resolved: true, headers: { Subject: '{{ template "vigie.title.${l}" . }}' }, html: '{{ template "vigie.html.${l}" . }}', text: '{{ template "vigie.text.${l}" . }}' }]`,
).join('')}
`;

const WORDS = {
  en: { title: '[FIRING 1] prod DiskFull: Disk /data is 95 % full', impact: 'Impact', over: 'RESOLVED' },
  fr: { title: '[ALERTE 1] prod DiskFull: Disk /data is 95 % full', impact: 'Conséquence\u00a0', over: 'RÉSOLU' },
  de: { title: '[ALARM 1] prod DiskFull: Disk /data is 95 % full', impact: 'Auswirkung', over: 'BEHOBEN' },
};

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function measure(vigie: VigieProcess, name: string, value: number): Promise<void> {
  const point = { timeUnixNano: `${Date.now()}000000`, asDouble: value };
  const metrics = [{ name, gauge: { dataPoints: [point] } }];
  const answer = await vigie.fetch('/v1/metrics', json({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
  expect(answer.status).toBe(200);
}

describe('alerting of the running program', () => {
  it('pages by mail, Slack, Discord and PagerDuty in three languages, and tells the end', {
    timeout: 90_000,
  }, async () => {
    await using to = await startReceivers();
    const rules = write('disk.yml', RULES);
    const routing = write('alertmanager.yml', config(to));
    await using vigie = await startVigie({ args: ['--rules', rules, '--alertmanager-config', routing] });
    await measure(vigie, 'disk_used_percent', 95);
    await eventually('all pages', async () => to.posts.length >= 9 && to.mails.length >= 3, 30_000);
    for (const l of LANGUAGES) {
      const { title, impact } = WORDS[l];
      const posted = (kind: string): Record<string, unknown> => to.posts.find((p) => p.path === `/${kind}/${l}`)!.body;
      const [attachment] = posted('slack')['attachments'] as Record<string, string>[];
      expect(attachment!['title']).toBe(title);
      expect(attachment!['text']).toContain(`${impact}: writes "fail" soon`);
      const [embed] = posted('discord')['embeds'] as Record<string, string>[];
      expect(embed).toMatchObject({ title });
      expect(embed!['description']).toContain('Größe <b>& Füllstand</b>');
      const event = to.posts.find((p) => p.body['routing_key'] === `key-${l}`)!.body;
      expect(event).toMatchObject({ event_action: 'trigger', payload: { summary: title, severity: 'critical' } });
      const mail = to.mails.find((m) => m.to[0] === `${l}@x.test`)!;
      expect(mail.subject).toBe(title);
      expect(mail.html).toContain('Größe &lt;b&gt;&amp; Füllstand&lt;/b&gt;');
      expect(mail.html).toContain('href="https://runbooks.test/disk?a=1&amp;b=2"');
      expect(mail.text).toContain(`${impact}: writes "fail" soon`);
    }
    await measure(vigie, 'disk_used_percent', 10);
    await eventually('the end everywhere', async () => to.posts.length >= 18 && to.mails.length >= 6, 30_000);
    for (const l of LANGUAGES) {
      const { over } = WORDS[l];
      const slack = to.posts.filter((p) => p.path === `/slack/${l}`).at(-1)!.body;
      const [attachment] = slack['attachments'] as Record<string, string>[];
      expect(attachment!['title']).toContain(`[${over}]`);
      expect(attachment!['text']).toMatch(
        /\((?:\p{L}+, )?\p{L}+ \d{4}-\d\d-\d\d \d\d:\d\d UTC, \p{L}+ \d{4}-\d\d-\d\d \d\d:\d\d UTC\)/u,
      );
      expect(to.mails.filter((m) => m.to[0] === `${l}@x.test`).at(-1)!.subject).toContain(`[${over}]`);
      const events = to.posts.filter((p) => p.body['routing_key'] === `key-${l}`).map((p) => p.body);
      expect(events.map((e) => e['event_action'])).toEqual(['trigger', 'resolve']);
      expect(new Set(events.map((e) => e['dedup_key'])).size).toBe(1);
    }
    // nobody was paged twice
    expect([to.posts.length, to.mails.length]).toEqual([18, 6]);
    const { decisions } = await vigie.json<{ decisions: { verdict: string }[] }>(
      '/vigie/v1/notifications/decisions?verdict=sent&limit=100',
    );
    expect(decisions).toHaveLength(24);
  });

  it.skipIf(peerMissing('amtool', 'sid'))(
    'serves amtool: alerts, silences, configuration, routes',
    { timeout: 60_000 },
    async () => {
      const routing = write(
        'amtool.yml',
        `route: { receiver: team, routes: [{ receiver: db, matchers: [team=db] }] }
receivers: [{ name: team, slack_configs: [{ api_url: 'http://127.0.0.1:1/secret-path' }] }, { name: db }]`,
      );
      await using vigie = await startVigie({ args: ['--alertmanager-config', routing] });
      const amtool = async (...args: string[]): Promise<string> =>
        (await promisify(execFile)(findPeer('amtool', 'sid')!, [`--alertmanager.url=${vigie.url}`, ...args])).stdout;
      await amtool('alert', 'add', 'alertname=Disk', 'team=db', 'node=a', '--annotation=summary=full');
      expect(await amtool('alert', 'query', 'team=~d.', '-o', 'extended')).toMatch(/alertname="Disk".*summary="full"/);
      const id = (await amtool('silence', 'add', 'node=a', '-c', 'works', '-a', 'me', '-d', '1h')).trim();
      expect(await amtool('silence', 'query')).toContain(id);
      expect(await amtool('alert', 'query')).not.toContain('Disk');
      expect(await amtool('alert', 'query', '--silenced')).toContain('Disk');
      await amtool('silence', 'expire', id);
      expect(await amtool('alert', 'query')).toContain('Disk');
      expect(await amtool('config', 'routes', 'test', 'team=db')).toContain('db');
      expect(await amtool('config', 'routes', 'show')).toMatch(/receiver: team[\s\S]*receiver: db/);
      const shown = await amtool('config', 'show');
      expect(shown).toContain('receiver: team');
      expect(shown).not.toContain('secret-path');
    },
  );

  it('keeps the last good configuration of a tenant and lets the others change', { timeout: 60_000 }, async () => {
    await using to = await startReceivers();
    const dir = path.join(folder, 'config');
    const tenant = (id: string, text: string): string => write(`config/tenants/${id}/alertmanager.yml`, text);
    const hook = (name: string): string =>
      `route: { receiver: h, group_by: [alertname], group_wait: 0s }\nreceivers: [{ name: h, webhook_configs: [{ url: '${to.url}/${name}' }] }]\n`;
    tenant('acme', hook('acme-first'));
    tenant('beta', hook('beta-first'));
    await using vigie = await startVigie({ args: ['--config-dir', dir] });
    const fire = async (id: string, name: string): Promise<void> => {
      const answer = await vigie.fetch('/api/v2/alerts', { ...json([{ labels: { alertname: name } }]), tenant: id });
      expect(answer.status, await answer.clone().text()).toBe(200);
    };
    const paged = (name: string): Promise<unknown> =>
      eventually(`a page at ${name}`, async () => to.posts.some((p) => p.path === `/${name}`));
    await fire('acme', 'One');
    await fire('beta', 'One');
    await Promise.all([paged('acme-first'), paged('beta-first')]);

    tenant(
      'acme',
      'route: { receiver: gone }\nreceivers: [{ name: h, webhook_configs: [{ url: "http://secret@x/y" }] }]\n',
    );
    tenant('beta', hook('beta-second'));
    const reloaded = await vigie.json<{ problems?: Record<string, string> }>('/-/reload', { method: 'POST' });
    expect(reloaded.problems?.['acme']).toContain('undefined receiver "gone"');
    expect(Object.keys(reloaded.problems ?? {})).toEqual(['acme']);
    expect(JSON.stringify(reloaded)).not.toContain('secret@x');
    await fire('acme', 'Two');
    await fire('beta', 'Two');
    await paged('beta-second');
    await eventually('the old receiver of acme to hear of the second alert', async () =>
      to.posts.some((p) => p.path === '/acme-first' && JSON.stringify(p.body).includes('"Two"')),
    );
  });

  it.skipIf(peerMissing('prometheus-alertmanager', 'sid'))(
    'posts to a real Alertmanager at ALERTMANAGER_URL',
    { timeout: 60_000 },
    async () => {
      await using to = await startReceivers();
      await using real = await startReal(
        `route: { receiver: h, group_wait: 0s }\nreceivers: [{ name: h, webhook_configs: [{ url: '${to.url}/real' }] }]\n`,
        'sid',
      );
      const rules = write('real.yml', RULES);
      await using vigie = await startVigie({ args: ['--rules', rules], env: { ALERTMANAGER_URL: real.url } });
      await measure(vigie, 'disk_used_percent', 95);
      const alerts = await eventually('the alert there', async () => {
        const answer = await fetch(`${real.url}/api/v2/alerts?filter=alertname%3DDiskFull`);
        const list = (await answer.json()) as { labels: object; annotations: object; generatorURL: string }[];
        return list.length > 0 ? list : undefined;
      });
      expect(alerts).toMatchObject([
        { labels: { severity: 'critical' }, annotations: { summary: 'Disk /data is 95 % full' } },
      ]);
      expect(alerts[0]!.generatorURL).toMatch(/^http/);
      await eventually('the page from there', async () => to.posts.some((p) => p.path === '/real'));
      await measure(vigie, 'disk_used_percent', 10);
      await eventually('the end there', async () => {
        const answer = await fetch(`${real.url}/api/v2/alerts?filter=alertname%3DDiskFull`);
        return ((await answer.json()) as unknown[]).length === 0;
      });
    },
  );
});
