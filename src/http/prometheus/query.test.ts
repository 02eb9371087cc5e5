/** The query routes over an in-memory reader: answers as Prometheus writes them, errors, limits, restricted views. */
import { describe, expect, it } from 'vitest';
import { compileRegex, MemorySource } from '../../../test/promql/memory-source.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { QueryEngine } from '../../promql/engine.ts';
import type { MetricsReader } from '../../store/metrics.ts';
import type { HttpRequest } from '../route.ts';
import { federateRoute } from './federate.ts';
import { prometheusQueryRoutes } from './query.ts';

const source = new MemorySource();
for (const [tenant, v] of [
  ['a', 1.5],
  ['b', Number.POSITIVE_INFINITY],
] as const)
  source.set({
    labels: Labels.from({ __name__: 'up', tenant_id: tenant }),
    length: 2,
    timestamps: Float64Array.of(999_000, 1_000_500),
    values: Float64Array.of(0, v),
  });

const clock = new FakeClock(1_001_000);
const engine = new QueryEngine({ compileRegex, monotonicMs: () => clock.monotonicMs() });
const reader = (): MetricsReader => source as unknown as MetricsReader;
const parseSelector = (text: string): readonly Matcher[] => {
  const e = engine.parse(text);
  return e.kind === 'selector' ? e.matchers : [];
};
const routes = [...prometheusQueryRoutes({ reader, engine, clock }), federateRoute({ reader, clock, parseSelector })];

async function call(path: string, query: Record<string, string>, view?: string): Promise<string> {
  const route = routes.find((r) => r.method === 'GET' && r.path === path)!;
  const request = {
    context: view ? { view: { name: 'own', tenantLabel: 'tenant_id', tenantValue: view } } : {},
    method: 'GET',
    path,
    params: {},
    query: new URLSearchParams(query),
    headers: {},
    body: Buffer.alloc(0),
    signal: new AbortController().signal,
    remoteAddress: '127.0.0.1',
  } as unknown as HttpRequest;
  const answer = await route.handle(request);
  if (answer.json !== undefined) return JSON.stringify(answer.json);
  if (typeof answer.body === 'string') return answer.body;
  let text = '';
  for await (const piece of answer.body as AsyncIterable<string>) text += piece;
  return text;
}

describe('Prometheus query routes', () => {
  it('writes vectors, matrices, scalars and strings', async () => {
    expect(await call('/api/v1/query', { query: 'up', time: '1000.5' })).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","tenant_id":"a"},"value":[1000.500,"1.5"]},{"metric":{"__name__":"up","tenant_id":"b"},"value":[1000.500,"+Inf"]}]}}',
    );
    expect(await call('/api/v1/query', { query: '1e21*-0', time: '7' })).toBe(
      '{"status":"success","data":{"resultType":"scalar","result":[7,"-0"]}}',
    );
    expect(await call('/api/v1/query', { query: '"x\\n"', time: '1970-01-01T00:00:07Z' })).toContain(
      '"result":[7,"x\\n"]',
    );
    expect(
      await call('/api/v1/query_range', { query: 'sum(up{tenant_id="a"})', start: '999', end: '1001', step: '1' }),
    ).toContain('"result":[{"metric":{},"values":[[999,"0"],[1000,"0"],[1001,"1.5"]]}]');
  });

  it('adds the matcher of a restricted view to every selector', async () => {
    const answer = await call('/api/v1/query', { query: 'count(up) or rate({__name__=~".+"}[5m])' }, 'a');
    expect(answer).toContain('[1001,"1"]');
    await expect(call('/api/v1/query', { query: 'up offset -1s or {tenant_id="b"}' }, 'a')).resolves.not.toContain(
      '+Inf',
    );
  });

  it('cuts to the limit and says so', async () => {
    const answer = JSON.parse(await call('/api/v1/query', { query: 'up', limit: '1' })) as {
      warnings: string[];
      data: { result: unknown[] };
    };
    expect(answer.data.result).toHaveLength(1);
    expect(answer.warnings).toEqual(['results truncated due to limit']);
  });

  it.each([
    [{ query: 'sum(' }, 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'],
    [
      { query: 'up', time: 'x' },
      'invalid parameter "time": invalid time value for \'time\': cannot parse "x" to a valid timestamp',
    ],
    [{ query: 'up', limit: '-1' }, 'invalid parameter "limit": limit must be non-negative'],
    [{ query: 'up', timeout: '5 apples' }, 'invalid parameter "timeout": cannot parse "5 apples" to a valid duration'],
  ])('refuses %j', async (query, message) => {
    await expect(call('/api/v1/query', query as Record<string, string>)).rejects.toThrow(message);
  });

  it('formats and parses queries', async () => {
    expect(await call('/api/v1/format_query', { query: 'sum by(x)(foo)' })).toContain('sum by (x) (foo)');
    expect(await call('/api/v1/parse_query', { query: 'up' })).toContain('"name":"up","offset":0');
  });

  it('federates the newest samples', async () => {
    expect(await call('/federate', { 'match[]': 'up' })).toBe(
      '# TYPE up untyped\nup{tenant_id="a",instance=""} 1.5 1000500\nup{tenant_id="b",instance=""} +Inf 1000500\n',
    );
  });
});
