/**
 * Every panel of the catalogue whose metrics the demonstration writes gets data from its query; every panel without
 * such metrics is counted by the pack that needs a real exporter. A panel that is a text says why.
 */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dashboardQueries } from '../../src/catalogue/check/dashboards.ts';
import { parseChecked, selectionsOf } from '../../src/catalogue/check/expression.ts';
import { loadCatalogue, packNames } from '../../src/catalogue/load.ts';
import { eventually, startVigie } from '../support/vigie.ts';

const TENANT = 'aurora-records';
/** Queries that are rightly empty on young or healthy data, with the reason. */
const MAY_BE_EMPTY: readonly (readonly [query: RegExp, reason: string])[] = [
  [/offset 1d/, 'needs the day before'],
  [/\[(14d|30d|7d|3d)\]/, 'needs days'],
  [/status=~"5\.\."|status!="ok"|result="failure"/, 'counts failures, of which there may be none yet'],
  [/privilege_changes_total/, 'rare: a series begins with the first change'],
];

describe('panels of the catalogue', () => {
  it('show data of the demonstration, as far as it has their metrics', { timeout: 120_000 }, async () => {
    const { packs } = loadCatalogue(
      path.resolve(import.meta.dirname, '../../templates'),
      packNames(path.resolve(import.meta.dirname, '../../templates')),
    );
    await using vigie = await startVigie({ args: ['--demo'] });
    const get = <T>(at: string, parameters: Record<string, string>): Promise<T> =>
      vigie.json<T>(`${at}?${new URLSearchParams(parameters)}`, { tenant: TENANT });
    // the demonstration fills in the past from its beginning: look at the newest hour that is there
    const now = Math.floor(Date.now() / 1_000);
    const time = await eventually(
      'two hours of the demonstration',
      async () => {
        const { data } = await get<{ data: { result: { values: [number, string][] }[] } }>('/api/v1/query_range', {
          query: 'count(rate(http_requests_total[5m]))',
          start: String(now - 20 * 86_400),
          end: String(now),
          step: '600',
        });
        const times = data.result[0]?.values.map(([t]) => t) ?? [];
        return times.length > 14 && times.at(-2);
      },
      80_000,
    );
    const ask = (query: string) => get<{ data: { result: unknown[] } }>('/api/v1/query', { query, time: String(time) });
    const { data: names } = await vigie.json<{ data: string[] }>('/api/v1/label/__name__/values', { tenant: TENANT });
    const known = new Set(names);
    const seen = new Set<string>();
    const empty: string[] = [];
    let withData = 0;
    let elsewhere = 0;
    for (const pack of packs)
      for (const [file, dashboard] of pack.dashboards) {
        if (seen.has(file)) continue;
        seen.add(file);
        for (const { where, expr } of dashboardQueries(file, dashboard).queries) {
          if (!where.includes(': panel ')) continue;
          const selections = selectionsOf(parseChecked(expr));
          if (selections.some((s) => s.metric === '' || !known.has(s.metric))) {
            elsewhere++;
            continue;
          }
          const { data } = await ask(expr);
          if (data.result.length > 0) withData++;
          else if (!MAY_BE_EMPTY.some(([query]) => query.test(expr))) empty.push(`${where}: ${expr}`);
        }
      }
    expect(empty).toEqual([]);
    expect(withData).toBeGreaterThan(70);
    // the others are shown on real exporters (catalogue-packs.test.ts) or need rules to have been evaluated
    expect(elsewhere).toBeLessThan(242);
  });
});
