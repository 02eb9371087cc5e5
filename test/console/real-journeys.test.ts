/**
 * The main journeys of the console against the real program in production mode: people sign in with keys of their
 * tenants, the data is the demonstration's generator with one injected fault.
 */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumMissing, launch, openPage, violations } from './support/browser.ts';
import { A, B, type RealServer, startRealServer } from './support/real-server.ts';

describe.skipIf(chromiumMissing)('journeys on the real program', () => {
  let server: RealServer;
  let browser: Browser;
  beforeAll(async () => {
    [server, browser] = await Promise.all([startRealServer(), launch()]);
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  interface Person {
    readonly page: Page;
    readonly problems: string[];
    /** Texts of all answers of the API. */
    readonly answers: string[];
  }
  async function signIn(
    tenant: string,
    path = '/',
    options: { scheme?: 'light' | 'dark'; locale?: string } = {},
  ): Promise<Person> {
    const answers: string[] = [];
    const { page, problems } = await openPage(browser, 'about:blank', options);
    page.on('response', (r) => {
      if (!/\/(api|vigie)\//.test(new URL(r.url()).pathname) || r.url().includes('/live')) return;
      void r.text().then(
        (text) => answers.push(text),
        () => undefined, // the page went on before the body came
      );
    });
    const session = await page.request.post(`${server.url}/vigie/v1/session`, { data: { key: server.keys[tenant] } });
    expect(session.status()).toBeLessThan(300);
    await page.goto(server.url + path);
    return { page, problems, answers };
  }

  it('from the overview to the series that shows an injected fault in at most 4 clicks', async () => {
    const { page } = await signIn(A!.id);
    let clicks = 0;
    const click = async (role: 'link' | 'button', name: string): Promise<void> => {
      clicks++;
      await page.getByRole(role, { name, exact: true }).click();
    };
    await page.getByRole('application', { name: /95th percentile of latency/ }).waitFor();
    await click('link', 'Explore: 95th percentile of latency');
    await page.getByRole('application', { name: /histogram_quantile/ }).waitFor();
    const row = page.getByRole('row', { name: /agent-api/ });
    await row.waitFor();
    // last, least and highest: the fault is over, was not there at first, and slowed everything at its height
    const [last, least, highest] = (await row.getByRole('cell').allInnerTexts()).map(seconds);
    expect(last).toBeLessThan(0.3);
    expect(least).toBeLessThan(0.3);
    expect(highest).toBeGreaterThan(0.5);
    expect(clicks).toBeLessThanOrEqual(4);
    await page.context().close();
  });

  it('from the overview to an alert, and to who was told of it', async () => {
    const { page } = await signIn(A!.id);
    await page.getByRole('link', { name: new RegExp(`Down_${A!.id}`) }).click();
    const detail = page.getByRole('dialog');
    await detail.getByText('sent by a test').waitFor();
    await detail.getByText('Why was I told, why was I not').waitFor();
    await detail.getByRole('link', { name: 'Who would get this' }).click();
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText(/would be told after/).waitFor();
    await page.context().close();
  });

  it('makes an alert of a chart: preview on the chart, rule file, rule', async () => {
    const expr = 'histogram_quantile(0.95, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))';
    const { page } = await signIn(A!.id, `/explore?q=${encodeURIComponent(expr)}&from=now-2h&to=now`);
    await page.getByRole('button', { name: 'Make this an alert' }).click();
    await page.getByRole('textbox', { name: /^Alert/ }).fill('ChatSlow');
    await page.getByRole('textbox', { name: 'Threshold' }).fill('0.5');
    await page.getByRole('textbox', { name: 'For', exact: true }).fill('2m');
    await page.getByRole('button', { name: 'Preview' }).click();
    const said = page.getByText(/It would have fired (once|\d+ times) in this range/);
    await said.waitFor();
    expect(await said.innerText()).not.toMatch(/ 0 times/);
    await page.getByText('service="agent-api"').first().waitFor();
    await page.getByRole('button', { name: 'Save rule' }).click();
    await page.getByText('Rule ChatSlow saved').waitFor();
    await page.getByRole('link', { name: 'Rules' }).click();
    await page.getByRole('textbox', { name: 'Filter' }).fill('ChatSlow');
    await page.getByText('console-ChatSlow').waitFor();
    const files = await server.vigie.json<{ files: { name: string; yaml: string }[] }>('/vigie/v1/rules/files', {
      key: server.keys[A!.id]!,
      tenant: A!.id,
    });
    expect(files.files.find((f) => f.name === 'chatslow.yml')?.yaml).toContain('alert: "ChatSlow"');
    await page.context().close();
  });

  it('switches language and theme, and finds both again on another visit', async () => {
    const { page } = await signIn(A!.id);
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('menuitem', { name: 'Français' }).click();
    await page.getByRole('heading', { level: 1, name: 'Vue d’ensemble' }).waitFor();
    await page.getByRole('button', { name: 'Réglages' }).click();
    await page.getByRole('menuitem', { name: 'Sombre' }).click();
    await page.waitForFunction(() => document.documentElement.getAttribute('data-mantine-color-scheme') === 'dark');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Vue d’ensemble' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.getAttribute('data-mantine-color-scheme'))).toBe('dark');
    await page.context().close();
  });

  it('goes by keyboard alone to a dashboard and reads a chart', async () => {
    const { page } = await signIn(A!.id);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Search and commands' }).waitFor();
    await page.keyboard.type('http_requests_total');
    await page.getByRole('option', { name: /http_requests_total/ }).waitFor();
    await page.keyboard.press('Enter');
    const chart = page.getByRole('application', { name: /http_requests_total/ });
    await chart.waitFor();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (await chart.evaluate((e) => e === document.activeElement)) break;
    }
    expect(await chart.evaluate((e) => e === document.activeElement)).toBe(true);
    await page.keyboard.press('ArrowLeft');
    await page
      .locator('.tip')
      .getByText(/http_requests_total/)
      .first()
      .waitFor();
    await page.context().close();
  });

  it('takes a dashboard along: as a picture, as a snapshot that asks for nothing, on paper', {
    timeout: 60_000,
  }, async () => {
    const { page } = await signIn(A!.id, '/dashboards/vigie-system-overview?from=now-2h&to=now', { scheme: 'dark' });
    const menu = async (item: string): Promise<void> => {
      await page.getByRole('button', { name: /^Version/ }).click();
      await page.getByRole('menuitem', { name: item }).click();
    };
    await page.getByText('agent-api').first().waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), menu('Save all as PNG')]);
    const png = readFileSync(await download.path());
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    // wider than the screen's grid, and as high as all panels, not only those on the screen
    expect(png.readUInt32BE(16)).toBeGreaterThan(1_500);
    expect(png.readUInt32BE(20)).toBeGreaterThan(2_500);

    await menu('Snapshot link');
    const link = page.getByRole('link', { name: 'Open the snapshot' });
    await link.waitFor();
    const asked: string[] = [];
    await page.goto(server.url + (await link.getAttribute('href')));
    page.on('request', (r) => void (/\/query/.test(r.url()) && asked.push(r.url())));
    await page.getByText(/^Snapshot of .* by person/).waitFor();
    await page.reload();
    await page.getByText('agent-api').first().waitFor();
    await page.locator('.dash canvas').first().waitFor();
    expect(asked).toEqual([]);

    await page.goto(`${server.url}/dashboards/vigie-system-overview?from=now-2h&to=now`);
    await page.getByText('agent-api').first().waitFor();
    await page.evaluate(() => {
      window.print = () => {
        const root = document.documentElement;
        (window as unknown as { printed: unknown }).printed = {
          printing: root.classList.contains('printing'),
          theme: root.getAttribute('data-mantine-color-scheme'),
          header: getComputedStyle(document.querySelector('header.frame')!).display,
          canvases: document.querySelectorAll('.dash canvas').length,
          about: document.querySelector<HTMLElement>('.print-only')!.innerText,
        };
      };
    });
    await menu('Print or save as PDF');
    await page.waitForFunction(() => 'printed' in window);
    const printed = await page.evaluate(() => (window as unknown as { printed: Record<string, unknown> }).printed);
    expect(printed).toMatchObject({ printing: true, theme: 'light', header: 'none' });
    expect(printed['canvases']).toBeGreaterThanOrEqual(6);
    expect(printed['about']).toContain(A!.displayName);
    // what the browser makes of it: sheets of A4 across, each with its number, no panel lost
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    const sheets = [...pdf.toString('latin1').matchAll(/\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/g)];
    expect(sheets.length).toBeGreaterThan(1);
    for (const [, width, height] of sheets) expect([Number(width), Number(height)].map(Math.round)).toEqual([842, 595]);
    // and the page is as it was
    await page.waitForFunction(() => document.documentElement.getAttribute('data-mantine-color-scheme') === 'dark');
    await page.context().close();
  });

  it.each([
    ['/', 'Overview', 'agent-api'],
    ['/alerts', 'Alerts', `Down_${A!.id}`],
    ['/routes', 'Routes', 'Route tree'],
    ['/rules', 'Rules', 'Rules'],
    ['/dashboards', 'Dashboards', 'Dashboards'],
    ['/administration?tab=tenants', 'Administration', 'Administration'],
  ])('%s has no accessibility violation and no error, in both themes', async (path, title, text) => {
    for (const scheme of ['light', 'dark'] as const) {
      const { page, problems } = await signIn(A!.id, path, { scheme });
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.getByText(text).first().waitFor();
      await page.waitForFunction(() => document.querySelectorAll('[role=status] .mantine-Loader-root').length === 0);
      expect(await violations(page)).toEqual([]);
      expect(problems).toEqual([]);
      await page.context().close();
    }
  });

  const WALK: readonly (readonly [string, string])[] = [
    ['/', 'Overview'],
    ['/alerts', 'Alerts'],
    ['/alerts?state=history', 'Alerts'],
    ['/explore?q=http_requests_total&tab=table', 'Explore'],
    ['/dashboards', 'Dashboards'],
    ['/rules', 'Rules'],
    ['/targets', 'Targets'],
    ['/cardinality', 'Cardinality'],
    ['/query-log', 'Query log'],
    ...['tenants', 'keys', 'users', 'receivers', 'audit'].map(
      (tab) => [`/administration?tab=${tab}`, 'Administration'] as const,
    ),
  ];

  /** Walks through the pages; what was read in them and in the answers behind them. */
  async function walk(
    tenant: string,
    pages: readonly (readonly [string, string])[],
  ): Promise<{ texts: string; answers: string }> {
    const person = await signIn(tenant);
    const { page } = person;
    let texts = '';
    for (const [path, title] of pages) {
      await page.goto(server.url + path);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.waitForLoadState('load');
      await page.waitForFunction(() => document.querySelectorAll('.mantine-Loader-root').length === 0);
      texts += await page.locator('body').innerText();
    }
    texts += (await page.getByRole('combobox', { name: 'Tenant' }).locator('option').allTextContents()).join();
    await page.context().close();
    return { texts, answers: person.answers.join('\n') };
  }

  it('shows nothing of B to a person of A, on any page or in any answer', { timeout: 60_000 }, async () => {
    const seen = await walk(A!.id, WALK);
    expect(seen.texts).toContain(A!.displayName);
    expect(seen.answers).toContain(A!.id);
    for (const part of [seen.texts, seen.answers]) expect(part.toLowerCase()).not.toContain('kolibri');
    // the words looked for are there for those who may see them
    const own = await walk(B!.id, WALK.slice(0, 2));
    expect(own.texts.toLowerCase()).toContain('kolibri');
    expect(own.answers.toLowerCase()).toContain('kolibri');
  });

  it('gives a person of A who names B the door, in the address and behind it', async () => {
    const { page } = await signIn(A!.id, `/alerts?tenant=${B!.id}`);
    await page.getByText('Your role does not allow this').first().waitFor();
    for (const path of ['/api/v1/query?query=up', '/api/v2/alerts', '/vigie/v1/overview', '/vigie/v1/routes']) {
      const answer = await page.request.get(`${server.url}/t/${B!.id}${path}`);
      expect(answer.status(), path).toBe(403);
      expect((await answer.text()).toLowerCase()).not.toContain('dj kolibri');
    }
    await page.context().close();
  });
});

/** `1.41 s`, `395 ms` in seconds. */
function seconds(text: string): number {
  const m = /^([\d.,]+)\s*(ms|s|)$/.exec(text.trim());
  if (!m) throw new Error(`no duration: ${text}`);
  return Number(m[1]!.replace(',', '')) / (m[2] === 'ms' ? 1_000 : 1);
}
