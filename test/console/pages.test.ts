/** Every page in real Chromium: no error in it, no accessibility violation in either theme, nothing wider than a phone. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumMissing, expectSound, launch, openPage, violations } from './support/browser.ts';
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
    await expectSound(browser, server.url + url, title, text);
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
