/**
 * The pages of incidents, on-call, playbooks, rehearsal and status on the real program, filled through its API: no error,
 * no accessibility violation in either theme, nothing wider than a phone; and a mail list made in the browser.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Receivers, startReceivers } from '../support/receivers.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';
import { chromiumMissing, expectSound, launch, openPage, violations } from './support/browser.ts';

const PLAYBOOK = readFileSync(
  path.join(import.meta.dirname, '../../templates/automation/remediation/disk-full.yaml'),
  'utf8',
);
const PAGES: readonly (readonly [string, string, string])[] = [
  ['/incidents', 'Incidents', 'checkout fails'],
  ['/incidents?id=INC-1', 'Incidents', 'Time line'],
  ['/schedules', 'On-call', 'primary'],
  ['/playbooks', 'Playbooks', 'disk-full'],
  ['/rehearsal', 'Rehearsal', 'Rehearse'],
  ['/status-page', 'Status page', 'Mail lists'],
  ['/nowhere/at-all', 'No page here', '/nowhere/at-all'],
];

describe.skipIf(chromiumMissing)('pages of incidents', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vigie-incident-pages-'));
  let vigie: VigieProcess;
  let to: Receivers;
  let browser: Browser;
  const put = async (at: string, body: unknown): Promise<void> => {
    const answer = await vigie.fetch(at, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status, await answer.clone().text()).toBeLessThan(300);
  };
  beforeAll(async () => {
    to = await startReceivers();
    const config = path.join(folder, 'am.yml');
    writeFileSync(
      config,
      `global: { smtp_smarthost: '127.0.0.1:${to.smtpPort}', smtp_from: vigie@x.test, smtp_require_tls: false }\nroute: { receiver: nobody }\nreceivers: [{ name: nobody }]\n`,
    );
    [vigie, browser] = await Promise.all([startVigie({ args: ['--alertmanager-config', config] }), launch()]);
    await put('/vigie/v1/on-call/contacts', {
      document: { version: 1, kind: 'contact', name: 'ada', rules: [{ email: 'ada@x.test' }] },
    });
    await put('/vigie/v1/on-call/schedules', {
      document: {
        version: 1,
        kind: 'schedule',
        name: 'primary',
        time_zone: 'Europe/Berlin',
        layers: [{ name: 'l', start: '2026-01-05T09:00', rotation: { every: '1w', users: ['ada'] } }],
      },
    });
    await put('/vigie/v1/on-call/policies', {
      document: {
        version: 1,
        kind: 'escalation_policy',
        name: 'standard',
        steps: [{ level: 'L2', notify: [{ schedule: 'primary' }], timeout: '20m' }],
      },
    });
    await put('/vigie/v1/playbooks', { yaml: PLAYBOOK });
    await put('/vigie/v1/status-page', {
      version: 1,
      kind: 'status_page',
      slug: 'pages-test',
      title: 'Pages test',
      components: [{ name: 'Checkout', services: ['checkout'] }],
    });
    await vigie.fetch('/api/v2/alerts', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([
        {
          labels: { alertname: 'CheckoutErrors', service: 'checkout', severity: 'critical' },
          annotations: { summary: 'checkout fails' },
        },
      ]),
    });
    await eventually(
      'the incident',
      async () => (await vigie.json<{ incidents: unknown[] }>('/vigie/v1/incidents')).incidents.length === 1,
    );
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await vigie?.[Symbol.asyncDispose]();
    await to?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(PAGES)(
    '%s is there, accessible in both themes, and fits a phone',
    async (url, title, text) => {
      await expectSound(browser, vigie.url + url, title, text);
    },
    60_000,
  );

  it('who was paged by mail opens its link, presses the button, and a page that shows the incident follows', async () => {
    const mail = await eventually('the page', async () => to.mails.find((m) => m.to[0] === 'ada@x.test'));
    const link = /acknowledge: (\S+)/.exec(mail.text)![1]!;
    const { page: shown } = await openPage(browser, `${vigie.url}/incidents?id=INC-1`);
    await shown.getByText('open', { exact: true }).first().waitFor();
    const { page, problems } = await openPage(browser, link);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByRole('status').waitFor();
    expect(problems).toEqual([]);
    const { incident } = await vigie.json<{ incident: { state: string; acknowledgedBy: string } }>(
      '/vigie/v1/incidents/INC-1',
    );
    expect(incident).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'ada' });
    await shown.getByText('acknowledged', { exact: true }).first().waitFor();
    await Promise.all([page.context().close(), shown.context().close()]);
  }, 60_000);

  it('a mail list is made, tried on the open incident, tested by a real mail, and removed', async () => {
    const { page, problems } = await openPage(browser, `${vigie.url}/status-page`);
    const form = page.getByRole('form', { name: 'Mail list' });
    await page.getByRole('button', { name: 'New list' }).click();
    await form.getByLabel('Name').fill('partners');
    await form.getByLabel('Members').fill('kim@x.test\nno address');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByText(/members\.1/).waitFor();
    await form.getByLabel('Members').fill('kim@x.test');
    await form.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('button', { name: /partners/ }).waitFor();
    await form.getByRole('button', { name: 'Preview for INC-1' }).click();
    await form.getByText('Pages test: Checkout').waitFor();
    await form.getByLabel('Test to').fill('me@x.test');
    await form.getByRole('button', { name: 'Send test' }).click();
    await eventually('the test mail', async () => to.mails.some((m) => m.subject === 'TEST: partners'));
    expect(await violations(page)).toEqual([]);
    await form.getByRole('button', { name: 'Remove' }).click();
    await form.getByRole('alert').waitFor();
    await form.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('No mail lists').waitFor();
    // the refused first try is an answer of 400, which Chromium logs
    expect(problems.filter((p) => !p.includes('400'))).toEqual([]);
    await page.context().close();
  }, 60_000);
});
