/** Every page in real Chromium: no error in it, no accessibility violation in either theme, nothing wider than a phone. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumMissing, launch, openPage, violations } from './support/browser.ts';
import { type FakeServer, startFakeServer } from './support/fake-server.ts';

const PAGES: readonly (readonly [string, string, string])[] = [
  ['/', 'Overview', 'CPU'],
  ['/alerts', 'Alerts', 'DiskFull'],
  ['/alerts?state=history', 'Alerts', 'Notifications'],
  ['/silences', 'Silences', 'moving the data'],
  ['/routes', 'Routes', 'pager'],
  ['/explore?q=node_load1', 'Explore', 'Compare with last week'],
  ['/dashboards', 'Dashboards', 'Team'],
  ['/dashboards/demo', 'Service on node', 'Availability'],
  ['/rules', 'Rules', 'many-to-many'],
  ['/targets', 'Targets', 'ECONNREFUSED'],
  ['/targets?tab=discovery', 'Targets', 'After relabelling'],
  ['/cardinality', 'Cardinality', 'Series by metric'],
  ['/query-log', 'Query log', 'dana'],
  ['/forecasts', 'Forecasts', 'not in sight'],
  ['/detectors', 'Detectors', 'muted by its record'],
  ['/detectors?tab=unusual', 'Detectors', 'series looked at'],
  ['/detectors?tab=predictions', 'Detectors', 'missed'],
  ['/detectors?detector=disk-exhaustion', 'Detectors', 'Back-test'],
  ['/logs', 'Logs', 'Not built yet'],
  ...['health', 'tenants', 'keys', 'users', 'receivers', 'audit'].map(
    (tab) => [`/administration?tab=${tab}`, 'Administration', 'Administration'] as const,
  ),
];

describe.skipIf(chromiumMissing)('pages', () => {
  let server: FakeServer;
  let browser: Browser;
  beforeAll(async () => {
    server = await startFakeServer();
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  it.each(PAGES)('%s is there, accessible in both themes, and fits a phone', async (url, title, text) => {
    for (const scheme of ['light', 'dark'] as const) {
      const { page, problems } = await openPage(browser, server.url + url, { scheme });
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.getByText(text).first().waitFor();
      await page.waitForFunction(() => document.querySelectorAll('[role=status] .mantine-Loader-root').length === 0);
      expect(await violations(page)).toEqual([]);
      if (scheme === 'dark') {
        await page.setViewportSize({ width: 360, height: 740 });
        await page.waitForFunction(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
        expect(await violations(page)).toEqual([]);
      }
      expect(problems).toEqual([]);
      await page.context().close();
    }
  });

  it('sees a planted violation', async () => {
    const { page } = await openPage(browser, `${server.url}/rules`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.evaluate(() =>
      document.body.append(Object.assign(document.createElement('img'), { src: '/favicon.svg' })),
    );
    expect((await violations(page)).some((v) => v.startsWith('image-alt'))).toBe(true);
    await page.context().close();
  });
});
