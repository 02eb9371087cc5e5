/** What people do with the console, done in real Chromium. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumMissing, launch, openPage } from './support/browser.ts';
import { type FakeServer, startFakeServer } from './support/fake-server.ts';

describe.skipIf(chromiumMissing)('journeys', () => {
  let server: FakeServer;
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  beforeEach(async () => {
    server = await startFakeServer();
    return () => server[Symbol.asyncDispose]();
  });
  afterAll(() => browser?.close());

  it('from the overview to the series behind an alert in three clicks', async () => {
    const { page } = await openPage(browser, server.url);
    await page
      .getByRole('link', { name: /DiskFull/ })
      .first()
      .click();
    await page.getByRole('dialog').getByText('91 % full').waitFor();
    await page.getByRole('dialog').getByRole('link', { name: 'Explore' }).click();
    await page.getByRole('application', { name: /node_filesystem_avail_bytes/ }).waitFor();
    expect(new URL(page.url()).searchParams.get('q')).toBe(
      '100 * (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)',
    );
  });

  it('makes an alert of a query, after a look at when it would have fired', async () => {
    const { page } = await openPage(browser, `${server.url}/explore?q=node_load1`);
    await page.getByRole('button', { name: 'Make this an alert' }).click();
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('It would have fired once in this range').waitFor();
    await page.getByText('alert: "NewAlert"').waitFor();
  });

  it('says who would get an alert, why somebody was told, and what a silence would mute', async () => {
    const { page } = await openPage(browser, `${server.url}/routes?labels=severity%3D%22critical%22`);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('pager would be told after 30 s').waitFor();
    await page.goto(`${server.url}/alerts?state=history`);
    await page.getByText('silence s1 mutes every alert of the group').waitFor();
    await page.getByText('answered 410').waitFor();
    await page.goto(`${server.url}/silences?for=alertname%3D%22DiskFull%22`);
    await page.getByText('Would mute one alert that is active now').waitFor();
  });

  it('switches language and theme, and remembers both', async () => {
    const { page } = await openPage(browser, server.url);
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('menuitem', { name: 'Deutsch' }).click();
    await page.getByRole('heading', { level: 1, name: 'Übersicht' }).waitFor();
    await page.getByRole('button', { name: 'Einstellungen' }).click();
    await page.getByRole('menuitem', { name: 'Dunkel' }).click();
    await page.waitForFunction(() => document.documentElement.getAttribute('data-mantine-color-scheme') === 'dark');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Übersicht' }).waitFor();
    expect(
      await page.evaluate(() => [
        document.documentElement.lang,
        document.documentElement.getAttribute('data-mantine-color-scheme'),
      ]),
    ).toEqual(['de', 'dark']);
  });

  it('starts in the language of the browser', async () => {
    const { page } = await openPage(browser, server.url, { locale: 'fr-FR' });
    await page.getByRole('heading', { level: 1, name: 'Vue d’ensemble' }).waitFor();
  });

  it('works by keyboard alone: skip link, palette, page', async () => {
    const { page } = await openPage(browser, server.url);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search and commands' }).waitFor();
    await page.keyboard.type('rules');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Rules' }).waitFor();
  });

  it('shows only the tenants of the session, and asks for no other', async () => {
    server.tenants = [{ id: 'acme', name: 'Acme Music', role: 'viewer', synthetic: false }];
    const { page } = await openPage(browser, server.url);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    expect(await page.getByRole('combobox', { name: 'Tenant' }).locator('option').allTextContents()).toEqual([
      'Acme Music',
    ]);
    await page
      .getByRole('link', { name: /DiskFull/ })
      .first()
      .waitFor();
    const foreign = server.asked.filter(
      (a) => / \/(api|vigie)\//.test(a) && !a.includes(' acme ') && !/\/(session|preferences|demo)$/.test(a),
    );
    expect(foreign).toEqual([]);
    await page.goto(`${server.url}/alerts?tenant=platform`);
    await page.getByText('Your role does not allow this').waitFor();
  });

  it('signs in with a key, and says why not', async () => {
    server.signedIn = false;
    const { page } = await openPage(browser, `${server.url}/rules`);
    await page.locator('input[type=password]').fill('bad-key');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('this key is not known').waitFor();
    await page.locator('input[type=password]').fill('good-key');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { level: 1, name: 'Rules' }).waitFor();
  });

  it('updates alerts in place when the stream says so', async () => {
    server.alertCount = 3;
    const { page } = await openPage(browser, `${server.url}/alerts`);
    await page.getByText('4 rows').waitFor();
    server.alertCount = 9;
    // the page may still be connecting to the stream when its rows are there
    const told = setInterval(() => server.emit('alert', { fingerprint: 'x' }), 250);
    await page
      .getByText('10 rows')
      .waitFor({ timeout: 5_000 })
      .finally(() => clearInterval(told));
  });

  it('asks a chart once, then lives from the stream', async () => {
    const { page } = await openPage(browser, `${server.url}/explore?q=node_load1&from=now-5m&to=now`);
    await page.getByRole('application', { name: /node_load1/ }).waitFor();
    await page.waitForFunction(() => (document.querySelector('.legend td.num')?.textContent ?? '') !== '');
    const asked = (): number => server.asked.filter((a) => a.endsWith('/query_range')).length;
    const before = asked();
    const last = (): Promise<string> => page.locator('.legend td.num').first().innerText();
    const first = await last();
    await expect.poll(last, { timeout: 15_000 }).not.toBe(first);
    expect(asked()).toBe(before);
  });

  it('imports a dashboard and says exactly what is not shown', async () => {
    const { page } = await openPage(browser, `${server.url}/dashboards`);
    await page.getByRole('button', { name: 'Import' }).click();
    await page.getByLabel('Dashboard JSON').fill(
      JSON.stringify({
        uid: 'mine',
        title: 'Mine',
        panels: [
          { id: 1, type: 'candlestick', title: 'C' },
          { id: 2, type: 'timeseries', title: 'T', targets: [{ expr: 'up' }] },
        ],
      }),
    );
    await page.getByText('panel "C": type candlestick is not shown').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Import' }).click();
    await page.getByRole('heading', { level: 1, name: 'Mine' }).waitFor();
  });

  it('says what is wrong when the server fails', async () => {
    server.broken = true;
    const { page } = await openPage(browser, `${server.url}/rules`);
    await page.getByText('the store is being recovered').waitFor();
    server.broken = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('DiskFull').first().waitFor();
  });

  it('scrolls 10,000 alerts with few rows in the page', async () => {
    server.alertCount = 10_000;
    const { page } = await openPage(browser, `${server.url}/alerts`);
    await page.getByText('10,001 rows').waitFor();
    expect(await page.getByRole('row').count()).toBeLessThan(80);
  });
});
