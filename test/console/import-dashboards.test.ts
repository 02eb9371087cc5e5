/**
 * Dashboards in the style of popular public ones (a complete host, an old one of Prometheus itself with rows and
 * singlestats, PostgreSQL with repeats and mixed sources): they import, show data, and the report names exactly what
 * is not shown.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importDashboard } from '../../console/src/lib/dashboard/import-report.ts';
import { chromiumMissing, launch, openPage } from './support/browser.ts';
import { A, type Made, type RealServer, seed, startRealServer } from './support/real-server.ts';

const fixture = (name: string): string =>
  readFileSync(path.join(import.meta.dirname, 'fixtures', `${name}.json`), 'utf8');

const CASES = [
  {
    name: 'host-complete',
    title: 'Hosts, complete',
    report: ['panel "Where they stand": type geomap is not shown', 'panel "System journal": type logs is not shown'],
    /** Metrics that nobody sends. */
    noData: ['Conntrack'],
    notices: ['Where they stand', 'System journal'],
    /** At least these, by title, after repeats. */
    panels: ['Space used on /', 'Space used on /data', 'Disk I/O (old graph)', 'CPU Basic', 'System Load'],
    figures: { 'CPU Cores': '2', 'RAM Total': '16 GiB', 'SWAP Total': 'none' },
    rows: ['/ ext4 93.13 GiB 43.23 GiB', '/data ext4 93.13 GiB 43.23 GiB'],
  },
  {
    name: 'prometheus-itself',
    title: 'Prometheus, itself',
    report: ['panel "Configuration": prefix "reload: " is left out'],
    noData: [],
    notices: [],
    panels: ['Uptime', 'Samples appended', 'Request duration', 'Slowest scrapes', 'Series over time', 'About'],
    figures: { Configuration: 'OK', Missed: '0' },
    rows: ['prom-1:9090 prometheus'],
  },
  {
    name: 'postgresql',
    title: 'PostgreSQL databases of db-1:9187',
    report: [
      'panel "Databases": transformation configFromData is left out',
      'panel "Locks and slow statements": query B is for postgres, not PromQL',
      'panel "Statement time": transformation heatmap is left out',
      'panel "Slow traces": type traces is not shown',
      'variable groups: type groupby is not known',
    ],
    noData: [],
    notices: ['Slow traces'],
    panels: ['Rows of agents', 'Rows of billing', 'Up', 'Replication', 'Size by database', 'Databases', 'Others'],
    figures: { 'Size by database': '0 B\n500 MB\n1 GB\n1.5 GB\n2 GB\n1 GB\nagents\n2 GB\nbilling' },
    rows: ['agents 107'],
  },
] as const;

describe('the report of an import', () => {
  it.each(CASES)('$name: exactly what is not shown', ({ name, report }) => {
    const read = importDashboard(fixture(name));
    expect('report' in read && [...read.report].sort()).toEqual([...report].sort());
  });
});

/** Series with the names and labels of node_exporter, Prometheus and postgres_exporter. */
function madeSeries(): Made[] {
  const out: Made[] = [];
  const add = (name: string, labels: Record<string, string>, at: Made['at']): void =>
    void out.push({ labels: { __name__: name, ...labels }, at });
  const host = { instance: 'web-1:9100', job: 'node' };
  add('node_uname_info', { ...host, nodename: 'web-1' }, () => 1);
  add('node_boot_time_seconds', host, () => 1.7e9);
  add('node_load1', host, (s) => 1 + Math.sin(s / 300));
  add('node_load5', host, () => 1);
  add('node_memory_MemTotal_bytes', host, () => 16 * 2 ** 30);
  add('node_memory_MemAvailable_bytes', host, (s) => 8 * 2 ** 30 + 1e6 * s);
  for (const kind of ['cpu', 'io']) add(`node_pressure_${kind}_waiting_seconds_total`, host, (s) => s * 0.05);
  for (const cpu of ['0', '1'])
    for (const [mode, share] of [
      ['idle', 0.7],
      ['user', 0.2],
      ['system', 0.1],
    ] as const)
      add('node_cpu_seconds_total', { ...host, cpu, mode }, (s) => s * share);
  for (const way of ['receive', 'transmit'])
    add(`node_network_${way}_bytes_total`, { ...host, device: 'eth0' }, (s) => s * 1e5);
  for (const way of ['read', 'written'])
    add(`node_disk_${way}_bytes_total`, { ...host, device: 'sda' }, (s) => s * 4e5);
  for (const mountpoint of ['/', '/data']) {
    const disk = { ...host, mountpoint, fstype: 'ext4', device: `/dev/${mountpoint.length}` };
    add('node_filesystem_size_bytes', disk, () => 1e11);
    add('node_filesystem_avail_bytes', disk, (s) => 5e10 - 1e6 * s);
  }
  const prometheus = { instance: 'prom-1:9090', job: 'prometheus' };
  add('prometheus_build_info', { ...prometheus, version: '3.5.0' }, () => 1);
  add('process_start_time_seconds', prometheus, () => 1.7e9);
  add('prometheus_tsdb_head_series', prometheus, (s) => 12_000 + s / 10);
  add('prometheus_config_last_reload_successful', prometheus, () => 1);
  add('prometheus_config_last_reload_success_timestamp_seconds', prometheus, (s) => (s < 1_800 ? 1.7e9 : 1.7e9 + 60));
  add('prometheus_rule_group_iterations_missed_total', prometheus, () => 3);
  add('prometheus_tsdb_head_samples_appended_total', prometheus, (s) => s * 900);
  add('scrape_duration_seconds', prometheus, (s) => 0.02 + 0.01 * Math.sin(s / 200));
  for (const [i, le] of ['0.1', '0.4', '1', '+Inf'].entries())
    add(
      'prometheus_http_request_duration_seconds_bucket',
      { ...prometheus, handler: '/metrics', le },
      (s) => s * (1 + i),
    );
  for (const handler of ['/metrics', '/api/v1/query'])
    add('prometheus_http_request_duration_seconds_count', { ...prometheus, handler }, (s) => s * 4);
  const db = { instance: 'db-1:9187', job: 'pg' };
  add('pg_up', db, (s) => (s > 1_000 && s < 1_300 ? 0 : 1));
  add('pg_replication_lag_seconds', db, (s) => (s > 1_000 && s < 1_300 ? 60 : 1));
  for (const state of ['active', 'idle']) add('pg_stat_activity_count', { ...db, datname: 'agents', state }, () => 7);
  for (const mode of ['accesssharelock', 'exclusivelock'])
    add('pg_locks_count', { ...db, datname: 'agents', mode }, () => 3);
  for (const [i, le] of ['0.01', '0.1', '+Inf'].entries())
    add('pg_statement_seconds_bucket', { ...db, le }, (s) => s * (1 + i));
  for (const [i, datname] of ['agents', 'billing'].entries()) {
    const labels = { ...db, datname };
    add('pg_database_size_bytes', labels, () => 1e9 * (i + 1));
    for (const [name, rate] of [
      ['tup_fetched', 500],
      ['tup_returned', 900],
      ['blks_hit', 400],
      ['blks_read', 9],
      ['xact_commit', 30],
      ['xact_rollback', 0.1],
    ] as const)
      add(`pg_stat_database_${name}`, labels, (s) => 1 + s * rate);
  }
  return out;
}

describe.skipIf(chromiumMissing)('imported into the real program', () => {
  let server: RealServer;
  let browser: Browser;
  beforeAll(async () => {
    [server, browser] = await Promise.all([startRealServer({ demo: false }), launch()]);
    await seed(server, A!.id, madeSeries());
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  it.each(CASES)('$name shows data in every panel but those named', { timeout: 60_000 }, async (want) => {
    const { page, problems } = await openPage(browser, 'about:blank');
    page.on('response', (r) => {
      if (r.status() >= 400) problems.push(`${r.status()} ${r.url()} ${r.request().postData() ?? ''}`);
    });
    await page.request.post(`${server.url}/vigie/v1/session`, { data: { key: server.keys[A!.id] } });
    await page.goto(`${server.url}/dashboards`);
    await page.getByRole('button', { name: 'Import' }).click();
    await page.getByLabel('Dashboard JSON').fill(fixture(want.name));
    for (const line of want.report) await page.getByText(line, { exact: true }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Import' }).click();
    await page.getByRole('heading', { level: 1, name: want.title }).waitFor();
    // tall enough for all panels to be on the screen at once
    await page.setViewportSize({ width: 1400, height: 4_000 });
    await page.locator('.dash > button').first().waitFor();
    for (const row of await page.locator('.dash > button[aria-expanded=false]').all()) await row.click();
    await page.waitForFunction(() => document.querySelectorAll('.dash .mantine-Loader-root').length === 0);
    await page.locator('.dash').getByText(want.panels[0]).first().waitFor();
    await expect
      .poll(
        () =>
          page
            .evaluate(() =>
              [...document.querySelectorAll('.dash-cell > section')].map((s) => ({
                title: s.getAttribute('aria-label') ?? '',
                body: (s.lastElementChild as HTMLElement).innerText,
                drawn: s.querySelector('canvas, svg[role=img], [role=row], li, p, a, [style*="tabular-nums"]') !== null,
              })),
            )
            .then((shown) => ({
              noData: shown.filter((p) => p.body.includes('No data')).map((p) => p.title),
              notices: shown.filter((p) => /not (shown|drawn|read) here/.test(p.body)).map((p) => p.title),
              empty: shown.filter((p) => !p.drawn && p.body.trim() === '').map((p) => p.title),
              missing: want.panels.filter((t) => !shown.some((p) => p.title === t)),
              figures: Object.fromEntries(
                Object.keys(want.figures).map((t) => [t, shown.find((p) => p.title === t)?.body.trim()]),
              ),
            })),
        { timeout: 15_000 },
      )
      .toEqual({ noData: want.noData, notices: want.notices, empty: [], missing: [], figures: want.figures });
    const rows = (await page.locator('.dash [role=row]').allInnerTexts()).map((text) => text.replace(/\s+/g, ' '));
    for (const row of want.rows)
      expect(
        rows.some((text) => text.startsWith(row)),
        `${row} in ${rows.join(' | ')}`,
      ).toBe(true);
    expect(await page.locator('.dash [role=alert]').count()).toBe(0);
    expect(problems).toEqual([]);
    await page.context().close();
  });
});
