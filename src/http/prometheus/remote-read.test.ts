/** Remote read, federation and import in process: restricted views, tenants, external labels, refusals. */
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { openStore, rowsOf, sample, T0 } from '../../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { createExpositionParser } from '../../ingest/exposition/parser.ts';
import { RawSeriesMemory } from '../../ingest/exposition/series-memory.ts';
import { SnappyDecoder } from '../../ingest/snappy.ts';
import { Labels } from '../../model/labels.ts';
import { tenantId } from '../../model/tenant.ts';
import { parse } from '../../promql/parse.ts';
import { decodeReadResponse, encodeReadRequest } from '../../store/wire/remote-read.ts';
import { snappyCompress } from '../../store/wire/snappy.ts';
import type { HttpAnswer, HttpRequest, Route } from '../route.ts';
import { federateRoute } from './federate.ts';
import { importRoute } from './import.ts';
import { remoteReadRoute } from './remote-read.ts';

const snappy = new SnappyDecoder();
const decompress = (b: Uint8Array, max: number): Uint8Array => snappy.decode(b, max);
const view = { name: 'own', tenantLabel: 'customer', tenantValue: 'x' };

async function call(
  route: Route,
  more: { tenant?: string; view?: typeof view; body?: Uint8Array; query?: [string, string][] },
): Promise<HttpAnswer> {
  return route.handle({
    context: { tenant: tenantId(more.tenant ?? 'platform'), ...(more.view ? { view: more.view } : {}) },
    method: route.method,
    path: route.path,
    params: {},
    query: new URLSearchParams(more.query),
    headers: {},
    body: Buffer.from(more.body ?? []),
    signal: new AbortController().signal,
    remoteAddress: '127.0.0.1',
  } as unknown as HttpRequest);
}

async function withStore(work: (store: Awaited<ReturnType<typeof openStore>>, clock: FakeClock) => Promise<void>) {
  using folder = temporaryFolder();
  const clock = new FakeClock(T0 + 60_000);
  await using store = await openStore(folder.path, { clock });
  for (const customer of ['x', 'y'])
    await store
      .writer(tenantId('platform'))
      .appendSamples([sample('up', T0 + 1_000, 1, { customer }), sample('up', T0 + 2_000, 1e6 + 0.5, { customer })]);
  await store.writer(tenantId('other')).appendSamples([sample('up', T0 + 1_000, 7, { customer: 'x' })]);
  await work(store, clock);
}

const up = [{ name: '__name__', op: '=' as const, value: 'up' }];
const read = (matchers = up): Uint8Array =>
  snappyCompress(encodeReadRequest([{ startMs: T0, endMs: T0 + 60_000, matchers }]));

describe('reading from Vigie', () => {
  it('remote read holds to tenant and view, and answers external labels', () =>
    withStore(async (store) => {
      const externalLabels = () => Labels.from({ cluster: 'c', customer: 'never' });
      const route = remoteReadRoute({ reader: (c) => store.reader(c.tenant), decompress, externalLabels });
      const names = async (more: Parameters<typeof call>[1]) => {
        const answer = await call(route, more);
        const [list] = decodeReadResponse(snappy.decode(answer.body as Uint8Array, 1 << 20));
        return Object.keys(rowsOf(list ?? []));
      };
      expect(await names({ body: read() })).toEqual(['up{cluster="c", customer="x"}', 'up{cluster="c", customer="y"}']);
      expect(await names({ body: read(), view })).toEqual(['up{cluster="c", customer="x"}']);
      const asY = [...up, { name: 'customer', op: '=' as const, value: 'y' }];
      expect(await names({ body: read(asY), view })).toEqual([]);
      const matched = [...up, { name: 'cluster', op: '=' as const, value: 'c' }];
      expect(await names({ body: read(matched), tenant: 'other' })).toEqual(['up{cluster="c", customer="x"}']);
      expect(await names({ body: read(), tenant: 'nobody' })).toEqual([]);
      await expect(call(route, { body: read([{ name: 'a', op: '=', value: '' }]) })).rejects.toMatchObject({
        code: 'bad_data',
      });
    }));

  it('stops at the limits', () =>
    withStore(async (store) => {
      const route = (limits: object) =>
        remoteReadRoute({ reader: (c) => store.reader(c.tenant), decompress, limits: () => limits });
      await expect(call(route({ seriesMax: 1 }), { body: read() })).rejects.toMatchObject({ code: 'query_limit' });
      await expect(call(route({ samplesMax: 3 }), { body: read() })).rejects.toMatchObject({ code: 'query_limit' });
      expect((await call(route({ seriesMax: 2, samplesMax: 4 }), { body: read() })).body).toBeDefined();
    }));

  it('federates the newest sample, within the look-back, of the view alone', () =>
    withStore(async (store, clock) => {
      const route = federateRoute({
        reader: (c) => store.reader(c.tenant),
        clock,
        parseSelector: (text) => {
          const e = parse(text);
          return e.kind === 'selector' ? e.matchers : [];
        },
        externalLabels: () => Labels.from({ cluster: 'c' }),
      });
      const query: [string, string][] = [['match[]', 'up']];
      const line = (customer: string) =>
        `up{cluster="c",customer="${customer}",instance=""} 1.0000005e+06 ${T0 + 2_000}\n`;
      expect((await call(route, { query })).body).toBe(`# TYPE up untyped\n${line('x')}${line('y')}`);
      expect((await call(route, { query, view })).body).toBe(`# TYPE up untyped\n${line('x')}`);
      expect((await call(route, { query: [] })).body).toBe('');
      await store
        .writer(tenantId('platform'))
        .appendSamples([{ ...sample('up', T0 + 3_000, 0, { customer: 'x' }), stale: true }]);
      expect((await call(route, { query })).body).toBe(`# TYPE up untyped\n${line('y')}`);
      clock.step(400_000);
      expect((await call(route, { query })).body).toBe('');
    }));
});

describe('import', () => {
  it('takes text into the tenant that asked, tells the audit, and refuses lines without a time', () =>
    withStore(async (store, clock) => {
      clock.step(10_000_000);
      const told: string[] = [];
      const route = importRoute({
        parser: createExpositionParser(),
        createMemory: () => new RawSeriesMemory(),
        importSeries: (tenant, series) => store.importSeries(tenant, series),
        audit: async (c, action) => void told.push(`${c.tenant} ${action}`),
      });
      const old = T0 - 86_400_000;
      const text = `# TYPE old_total counter\nold_total{a="b"} 5 ${old / 1000}\nold_total{a="b"} 6 ${old / 1000 + 60}\n# EOF\n`;
      const answer = await call(route, { tenant: 'other', body: Buffer.from(text) });
      expect(answer.json).toMatchObject({ data: { series: 1, samples: 2, skipped: 0 } });
      const range = { startMs: 0, endMs: T0 };
      const matchers = [{ name: 'a', op: '=' as const, value: 'b' }];
      expect(rowsOf(await store.reader(tenantId('other')).select(matchers, range))).toEqual({
        'old_total{a="b"}': [
          [old, 5],
          [old + 60_000, 6],
        ],
      });
      expect(await store.reader(tenantId('platform')).select(matchers, range)).toEqual([]);
      expect(told).toEqual(['other metrics.import']);
      await expect(call(route, { body: Buffer.from('m 1\n') })).rejects.toMatchObject({ code: 'bad_data' });
    }));
});
