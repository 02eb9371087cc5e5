/** Dashboards that live from the stream, what they do where it does not serve them, and a console that outlives its server's version. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumMissing, launch, openPage } from './support/browser.ts';
import { type FakeServer, startFakeServer } from './support/fake-server.ts';

const TIMEOUT_MS = 90_000;

describe.skipIf(chromiumMissing)('live dashboards', { timeout: TIMEOUT_MS }, () => {
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

  const asked = (): number => server.asked.filter((a) => /\/query(_range)?$/.test(a)).length;
  const last = (page: Page): Promise<string> => page.locator('.legend td.num').first().innerText();
  async function openBoard(): Promise<Page> {
    const { page } = await openPage(browser, `${server.url}/dashboards/demo?from=now-5m&to=now`);
    await page.getByRole('application', { name: /^Requests/ }).waitFor();
    await page.locator('.dash .legend td.num').filter({ hasText: /\d/ }).first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll('.dash .mantine-Loader-root').length === 0);
    return page;
  }

  it('ask once, then advance from the stream', async () => {
    const page = await openBoard();
    const before = await last(page);
    await expect.poll(() => last(page), { timeout: 30_000 }).not.toBe(before);
    const then = asked();
    const now = await last(page);
    await expect.poll(() => last(page), { timeout: 30_000 }).not.toBe(now);
    expect(asked()).toBe(then);
    expect(await page.getByRole('note').count()).toBe(0);
    await page.context().close();
  });

  it('say why they are not live when the quota is used up, and ask for new points only', async () => {
    server.refuseLive = 'tenant platform has 200 live queries, at most 200 are allowed';
    const page = await openBoard();
    const note = page.getByRole('note').first();
    await note.waitFor({ timeout: 30_000 });
    expect(await note.getAttribute('aria-label')).toContain(server.refuseLive);
    expect(await note.innerText()).toBe('every 5s');
    server.ranges.length = 0;
    const before = await last(page);
    await expect.poll(() => last(page), { timeout: 30_000 }).not.toBe(before);
    const requests = server.ranges.filter((r) => r.expr.includes('http_requests_total'));
    expect(requests.length).toBeGreaterThan(0);
    for (const r of requests) expect(r.end - r.start).toBeLessThan(60);
    // room again: the offer is repeated, and the notes go
    server.refuseLive = '';
    await expect.poll(() => page.getByRole('note').count(), { timeout: 60_000 }).toBe(0);
    await page.context().close();
  });

  it('fill what passed while the stream was lost, and lose no point', async () => {
    const page = await openBoard();
    const before = await last(page);
    await expect.poll(() => last(page), { timeout: 30_000 }).not.toBe(before);
    server.ranges.length = 0;
    server.dropStreams();
    await page.route('**/vigie/v1/live', (route) => route.abort());
    await page.waitForTimeout(14_000);
    await page.unroute('**/vigie/v1/live');
    await page.getByRole('status', { name: 'Live', exact: true }).waitFor({ timeout: 60_000 });
    await page.waitForTimeout(6_000);
    // the table of the chart has every step of the last minute, and a figure in each
    await page.getByRole('button', { name: 'Show as table' }).first().click();
    const rows = await page
      .locator('.dash .legend tbody tr')
      .evaluateAll((list) => list.slice(0, 12).map((tr) => [...tr.children].map((c) => c.textContent ?? '')));
    expect(rows).toHaveLength(12);
    for (const row of rows) expect(row[1]).toMatch(/\d/);
    for (const r of server.ranges.filter((x) => x.expr.includes('http_requests_total')))
      expect(r.end - r.start).toBeLessThan(120);
    await page.context().close();
  });

  it('filter every query by what is chosen, and keep it in the address', async () => {
    const page = await openBoard();
    server.ranges.length = 0;
    await page.getByRole('button', { name: 'Add filter' }).click();
    await page.getByRole('combobox', { name: 'Label' }).fill('zone');
    await page.getByLabel('Operator').selectOption('=~');
    await page.getByRole('combobox', { name: 'Value' }).fill('a|b');
    await page.getByRole('dialog').getByRole('button', { name: 'Add filter' }).click();
    await expect
      .poll(() => server.ranges.map((r) => r.expr), { timeout: 30_000 })
      .toContain('rate(http_requests_total{job="node", zone=~"a|b"}[1m])');
    expect(new URL(page.url()).searchParams.get('var-Filters')).toBe('zone|=~|a__gfp__b');
    await page.reload();
    await page.getByRole('button', { name: 'Remove filter zone =~ a|b' }).click();
    await expect.poll(() => server.ranges.at(-1)?.expr ?? '', { timeout: 30_000 }).not.toContain('zone');
    await page.context().close();
  });

  it('open the next page from the new version after an upgrade, at the same address', async () => {
    const { page } = await openPage(browser, `${server.url}/alerts?from=now-6h&to=now`);
    await page.getByRole('heading', { level: 1, name: 'Alerts' }).waitFor();
    let loads = 0;
    page.on('load', () => loads++);
    // the server was upgraded: its page names another build, the old code is gone
    let upgraded = true;
    await page.route(/\/assets\/rules-page[^/]*\.js$/, (route) =>
      upgraded ? route.fulfill({ status: 404 }) : route.continue(),
    );
    await page.route(`${server.url}/`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<script type="module" src="/assets/index-newer.js"></script>' }),
    );
    page.on('request', (r) => {
      if (r.isNavigationRequest() && r.url() !== `${server.url}/`) upgraded = false;
    });
    await page.getByRole('link', { name: 'Rules' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Rules' }).waitFor({ timeout: 30_000 });
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toContain('/rules');
    expect(new URL(page.url()).searchParams.get('from')).toBe('now-6h');
    expect(loads).toBeGreaterThanOrEqual(1);
    await page.context().close();
  });

  it('do not load the page again and again when its code is missing for another reason', async () => {
    const { page } = await openPage(browser, `${server.url}/alerts`);
    await page.getByRole('heading', { level: 1, name: 'Alerts' }).waitFor();
    let loads = 0;
    page.on('load', () => loads++);
    await page.route(/\/assets\/editor[^/]*\.js$/, (route) => route.fulfill({ status: 404 }));
    await page.goto(`${server.url}/dashboards/demo`);
    await page.getByRole('application', { name: /^Requests/ }).waitFor();
    loads = 0;
    await page.getByRole('button', { name: 'Edit', exact: true }).click();
    await page.getByText(/dynamically imported module/).waitFor();
    await page.waitForTimeout(1_000);
    expect(loads).toBe(0);
    await page.context().close();
  });
});
