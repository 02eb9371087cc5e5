/**
 * One tenant's flood never delays another's rules by more than one interval: A writes and queries as fast as it can
 * while B's recording rule writes a sample each interval. Judged by the time stamps B's rule left behind.
 */
import { describe, expect, it } from 'vitest';
import { startVigie } from '../support/vigie.ts';

const INTERVAL_S = 2;
const FLOOD_S = 16;

const points = (round: number): string => {
  const now = Date.now();
  return JSON.stringify({
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: Array.from({ length: 20 }, (_, m) => ({
              name: `flood_${m}`,
              sum: {
                isMonotonic: true,
                aggregationTemporality: 2,
                dataPoints: Array.from({ length: 100 }, (_, i) => ({
                  timeUnixNano: `${now}000000`,
                  asDouble: round,
                  attributes: [{ key: 'i', value: { stringValue: String(i) } }],
                })),
              },
            })),
          },
        ],
      },
    ],
  });
};

describe('a noisy neighbour', () => {
  it('costs the others at most one interval', async () => {
    await using vigie = await startVigie();
    const put = await vigie.fetch('/vigie/v1/tenants/b/config', {
      method: 'PUT',
      tenant: 'b',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        rules: { 'b.yml': `groups: [{name: b, interval: ${INTERVAL_S}s, rules: [{record: b_ticks, expr: time()}]}]` },
      }),
    });
    expect(put.status, await put.clone().text()).toBeLessThan(300);
    let writes = 0;
    let queries = 0;
    let refused = 0;
    const end = Date.now() + FLOOD_S * 1000;
    const writer = async (): Promise<void> => {
      while (Date.now() < end) {
        const answer = await vigie.fetch('/v1/metrics', {
          method: 'POST',
          tenant: 'a',
          headers: { 'content-type': 'application/json' },
          body: points(writes),
        });
        await answer.arrayBuffer();
        if (answer.ok) writes++;
        else refused++;
      }
    };
    const reader = async (): Promise<void> => {
      while (Date.now() < end) {
        const now = Date.now() / 1000;
        const expr = encodeURIComponent('sum by (i) (rate({__name__=~"flood_.*"}[1m])) / scalar(count({i=~".*"}))');
        const answer = await vigie.fetch(`/api/v1/query_range?query=${expr}&start=${now - 600}&end=${now}&step=1`, {
          tenant: 'a',
        });
        await answer.arrayBuffer();
        if (answer.ok) queries++;
        else refused++;
      }
    };
    await Promise.all([writer(), writer(), writer(), writer(), reader(), reader(), reader(), reader()]);
    expect(writes + queries, 'a flood worth the name').toBeGreaterThan(50);

    const answer = await vigie.json<{ data: { result: { values: [number, string][] }[] } }>(
      `/api/v1/query?query=${encodeURIComponent('b_ticks[5m]')}`,
      { tenant: 'b' },
    );
    const stamps = answer.data.result[0]!.values.map(([t]) => t);
    expect(stamps.length).toBeGreaterThan(FLOOD_S / INTERVAL_S / 2);
    const gaps = stamps.slice(1).map((t, i) => t - stamps[i]!);
    expect(
      Math.max(...gaps),
      `gaps ${gaps.join(' ')}; ${writes} writes, ${queries} queries, ${refused} refused`,
    ).toBeLessThanOrEqual(2 * INTERVAL_S + 0.001);
  }, 90_000);
});
