/** The status routes: shapes that clients of Prometheus read, and what a tenant must not see. */
import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../route.ts';
import { DIALECT_VERSION } from './query.ts';
import { type StatusRoutePorts, statusRoutes } from './status.ts';

const asked: string[] = [];
const ports = {
  store: {
    cardinality: async (tenant: string, limit: number) => {
      asked.push(`${tenant} ${limit}`);
      return {
        headSeries: 2,
        headChunks: 3,
        labelPairs: 4,
        minTimeMs: 5,
        maxTimeMs: 6,
        seriesCountByMetricName: [{ name: 'up', value: 2 }],
        labelValueCountByLabelName: [],
        seriesCountByLabelName: [],
        memoryInBytesByLabelName: [],
        seriesCountByLabelValuePair: [],
      };
    },
  },
  config: () => 'global: {}\n',
  flags: () => ({ 'data-dir': '/data' }),
  runtime: () => ({
    startMs: 0,
    nowMs: 1_000,
    cwd: '/srv',
    hostname: 'box',
    retention: '15d',
    lastReloadMs: 500,
    reloadOk: true,
    corruptions: 0,
  }),
  alertmanagers: () => ['http://127.0.0.1:9093/api/v2/alerts'],
} as unknown as StatusRoutePorts;
const routes = statusRoutes(ports);

async function get(path: string, query = '', role = 'viewer'): Promise<Record<string, unknown>> {
  const route = routes.find((r) => r.method === 'GET' && r.path === path)!;
  const request = { context: { tenant: 'acme', role }, query: new URLSearchParams(query) } as unknown as HttpRequest;
  const answer = (await route.handle(request)) as { json: { status: string; data: Record<string, unknown> } };
  expect(answer.json.status).toBe('success');
  return answer.json.data;
}

describe('status routes', () => {
  it('tell the dialect and that nothing is replayed', async () => {
    expect(await get('/api/v1/status/buildinfo')).toMatchObject({ version: DIALECT_VERSION });
    expect(await get('/api/v1/status/walreplay')).toEqual({ min: 0, max: 0, current: 0 });
    expect(await get('/api/v1/alertmanagers')).toEqual({
      activeAlertmanagers: [{ url: 'http://127.0.0.1:9093/api/v2/alerts' }],
      droppedAlertmanagers: [],
    });
  });

  it('ask the cardinality of the own tenant only, within a limit', async () => {
    const data = await get('/api/v1/status/tsdb', 'limit=3');
    expect(asked).toEqual(['acme 3']);
    expect(data['headStats']).toEqual({ numSeries: 2, numLabelPairs: 4, chunkCount: 3, minTime: 5, maxTime: 6 });
    for (const limit of ['0', '-1', 'x', '10001'])
      await expect(get('/api/v1/status/tsdb', `limit=${limit}`)).rejects.toThrow('limit must be a positive number');
  });

  it('tell folder and host to platform administrators only', async () => {
    expect(await get('/api/v1/status/runtimeinfo')).toMatchObject({ CWD: '', hostname: '', reloadConfigSuccess: true });
    expect(await get('/api/v1/status/runtimeinfo', '', 'platform_admin')).toMatchObject({
      CWD: '/srv',
      hostname: 'box',
    });
    expect(routes.find((r) => r.path === '/api/v1/status/flags')?.access).toEqual({ kind: 'platform' });
  });
});
