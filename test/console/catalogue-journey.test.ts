/** Tuning a pack and applying it from the console, on the real program with a small Grafana that keeps what it is sent. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startVigie, type VigieProcess } from '../support/vigie.ts';
import { chromiumMissing, launch, openPage, violations } from './support/browser.ts';

describe.skipIf(chromiumMissing)('the catalogue, from the console to the systems', { timeout: 120_000 }, () => {
  let vigie: VigieProcess;
  let browser: Browser;
  let grafana: Server;
  const dashboards = new Map<string, unknown>();
  const sources = new Map<string, unknown>();
  let slow = true;
  const folder = mkdtempSync(path.join(tmpdir(), 'vigie-catalogue-'));

  beforeAll(async () => {
    grafana = createServer((request, response) => {
      const url = request.url!;
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => {
        const answer = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value));
        const uid = url.slice(url.lastIndexOf('/') + 1);
        if (request.method === 'POST' && url === '/api/dashboards/db') {
          const { dashboard } = JSON.parse(body) as { dashboard: { uid: string } };
          dashboards.set(dashboard.uid, dashboard);
          // slow enough that somebody can watch
          return void setTimeout(() => answer(200, {}), slow ? 40 : 0);
        }
        if (request.method === 'POST' && url === '/api/datasources') {
          const source = JSON.parse(body) as { uid: string };
          sources.set(source.uid, source);
        }
        if (request.method !== 'GET') return answer(200, {});
        if (url.startsWith('/api/datasources/uid/'))
          return answer(sources.has(uid) ? 200 : 404, sources.get(uid) ?? {});
        if (!url.startsWith('/api/dashboards/uid/')) return answer(404, {});
        return dashboards.has(uid) ? answer(200, { dashboard: dashboards.get(uid) }) : answer(404, {});
      });
    }).listen(0, '127.0.0.1');
    await new Promise((r) => grafana.once('listening', r));
    [vigie, browser] = await Promise.all([
      startVigie({
        dataDir: folder,
        env: { GRAFANA_URL: `http://127.0.0.1:${(grafana.address() as AddressInfo).port}` },
      }),
      launch(),
    ]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await vigie?.[Symbol.asyncDispose]();
    grafana?.close();
    grafana?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows what would change, applies it with progress once confirmed, then finds nothing to do', async () => {
    const { page, problems } = await openPage(browser, `${vigie.url}/catalogue`);
    await page.getByRole('link', { name: 'Diff and apply' }).click();
    await page.getByText('Systems: grafana').waitFor();
    await page.getByText('Nothing has been compared or applied yet').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Dry run against the systems' }).click();
    await page.getByText(/files\/prometheus\/rules\/platform-host\.yml/).waitFor();
    expect(dashboards.size, 'a dry run changes nothing').toBe(0);
    await page.getByRole('button', { name: 'Apply what is shown' }).click();
    await page.getByText('Go on?').waitFor();
    await page.getByRole('button', { name: 'Apply what is shown' }).click();
    await page.getByRole('progressbar', { name: 'Progress' }).waitFor();
    await page.getByText(/running · grafana · \d+ \/ \d+/).waitFor();
    await page.getByText(/\d+ created, 0 changed, 0 removed/).waitFor({ timeout: 30_000 });
    await page
      .getByRole('region', { name: /^Apply/ })
      .getByText('done', { exact: true })
      .waitFor({ timeout: 30_000 });
    expect(dashboards.size).toBeGreaterThan(15);
    slow = false;
    expect((await violations(page)).join('\n')).toBe('');
    await page.getByRole('button', { name: 'Dry run against the systems' }).click();
    await page.getByText('Every system is as wanted.').waitFor();
    await page.getByText('No file differs.').waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.waitForFunction(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
    expect(await violations(page)).toEqual([]);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it('takes a threshold from the form to the rendered rule', async () => {
    const { page } = await openPage(browser, `${vigie.url}/catalogue?pack=api`, { locale: 'de-DE' });
    await page.getByRole('textbox', { name: 'error_ratio' }).fill('0,07');
    await page
      .getByText(/^\+.*> 0\.07/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Für diesen Mandanten speichern' }).click();
    await page.getByRole('link', { name: 'Vergleichen und anwenden' }).click();
    await page.getByRole('button', { name: 'Mit dem letzten Rendern vergleichen' }).click();
    const file = page.getByText('files/prometheus/rules/platform-api.yml');
    await file.click();
    await page
      .getByText(/^\+.*> 0\.07/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Probelauf gegen die Systeme' }).click();
    await page.getByRole('button', { name: 'Gezeigtes anwenden' }).click();
    await page.getByRole('button', { name: 'Gezeigtes anwenden' }).click();
    await page.getByRole('heading', { name: /^Anwendung/ }).waitFor();
    await page
      .getByRole('region', { name: /^Anwendung/ })
      .getByText('fertig', { exact: true })
      .waitFor();
    const rendered = readFileSync(path.join(folder, 'catalogue/files/prometheus/rules/platform-api.yml'), 'utf8');
    expect(rendered).toContain('> 0.07');
    const audit = await vigie.json<{ entries: { action: string }[] }>('/vigie/v1/audit');
    expect(JSON.stringify(audit)).toContain('catalogue.applied');
    await page.context().close();
  });
});
