/** The external store against a server in this process: headers, credentials, halving, fall-back, error texts. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.ts';
import { RemoteWrite1Decoder } from '../../../ingest/remote-write/decode-v1.ts';
import { SnappyDecoder } from '../../../ingest/snappy.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { Labels } from '../../../model/labels.ts';
import { tenantId } from '../../../model/tenant.ts';
import { restrictExpression } from '../../../promql/restrict.ts';
import { encodeWriteRequest } from '../../wire/remote-write.ts';
import { PrometheusMetricsStore } from './prometheus-metrics-store.ts';
import { selectorText } from './selector.ts';
import type { ExternalTenancy } from './tenancy.ts';

interface Seen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly parameters: URLSearchParams;
}

async function withServer(
  answer: (request: Seen) => { status?: number; json?: unknown; text?: string },
  tenancy: ExternalTenancy,
  work: (store: PrometheusMetricsStore, seen: Seen[]) => Promise<void>,
  credentials = '',
  readOnly = false,
): Promise<void> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (b: Buffer) => parts.push(b));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://local');
      const body = Buffer.concat(parts);
      const form = request.headers['content-type']?.includes('form') ? body.toString() : url.search;
      const one = { path: url.pathname, headers: request.headers, body, parameters: new URLSearchParams(form) };
      seen.push(one);
      const a = answer(one);
      response.writeHead(a.status ?? 200, { 'content-type': 'application/json' });
      response.end(a.text ?? JSON.stringify(a.json ?? { status: 'success', data: [] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const snappy = new SnappyDecoder();
  await using store = new PrometheusMetricsStore({
    url: `http://${credentials}127.0.0.1:${port}/prefix/`,
    tenancy,
    clock: new FakeClock(1_700_000_000_000),
    logger: silentLogger,
    decompress: (b, max) => snappy.decode(b, max),
    restrict: restrictExpression,
    readOnly,
  });
  try {
    await work(store, seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const A = tenantId('team-a');
const range = { startMs: 1_699_999_000_000, endMs: 1_700_000_000_000 };
const vector = { status: 'success', data: { resultType: 'vector', result: [] } };
const header: ExternalTenancy = { kind: 'header', header: 'x-scope-orgid' };

/** One call of everything that asks the server. */
async function askEverything(store: PrometheusMetricsStore): Promise<void> {
  const reader = store.reader(A);
  await reader.select([{ name: 'a', op: '=', value: 'b' }], range);
  await reader.series([[]], range);
  await reader.labelNames([], range);
  await reader.labelValues('a', [], range);
  await reader.metadata();
  await reader.exemplars([[{ name: 'a', op: '=', value: 'b' }]], range);
  await store.passThrough.queryInstant(A, 'sum(x)', 0);
  await store.passThrough.queryRange(A, 'sum(x)', { startMs: 0, endMs: 1, stepMs: 1 });
  await store.cardinality(A, 3);
  await store.writer(A).appendSamples([{ labels: Labels.from({ __name__: 'x' }), timestampMs: 1, value: 1 }]);
  await store.deleteSeries(A, [{ name: 'a', op: '=', value: 'b' }], { startMs: 0, endMs: Number.MAX_SAFE_INTEGER });
}
const answers = (r: Seen) =>
  r.path.endsWith('/read')
    ? { status: 404 }
    : r.path.includes('/query') && !r.path.endsWith('exemplars')
      ? { json: vector }
      : r.path.endsWith('/metadata')
        ? { json: { status: 'success', data: {} } }
        : {};

describe('external Prometheus', () => {
  it('sends the tenant header with every request, and no matcher', () =>
    withServer(answers, header, async (store, seen) => {
      await askEverything(store);
      expect(new Set(seen.map((r) => r.path)).size).toBeGreaterThan(9);
      for (const r of seen) {
        expect(r.headers['x-scope-orgid'], r.path).toBe('team-a');
        expect(decodeURIComponent(String(r.parameters)), r.path).not.toContain('team-a');
      }
      await expect(store.deleteTenant(A)).rejects.toMatchObject({ code: 'unsupported' });
    }));

  it('puts the tenant label into every selector, and never into a header', () =>
    withServer(answers, { kind: 'label', label: 'org' }, async (store, seen) => {
      await askEverything(store);
      const asked = seen.filter(
        (r) => !r.path.endsWith('/read') && !r.path.endsWith('/write') && !r.path.endsWith('/metadata'),
      );
      expect(asked.length).toBeGreaterThan(10);
      for (const r of asked)
        for (const text of [...r.parameters.getAll('match[]'), ...r.parameters.getAll('query')])
          expect(text, r.path).toContain('org="team-a"');
      for (const r of asked) expect(r.parameters.has('match[]') || r.parameters.has('query'), r.path).toBe(true);
      const write = seen.find((r) => r.path.endsWith('/write'))!;
      const batch = new RemoteWrite1Decoder().decode(Uint8Array.from(new SnappyDecoder().decode(write.body, 1 << 20)));
      expect(String(batch.labels(0))).toBe('x{org="team-a"}');
    }));

  it('writes and deletes nothing when it is only to be read: what rules make is dropped, what others send is refused', () =>
    withServer(
      answers,
      header,
      async (store, seen) => {
        const sample = { labels: Labels.from({ __name__: 'x' }), timestampMs: 1, value: 1 };
        expect(await store.writer(A).appendSamples([sample])).toMatchObject({ samplesAccepted: 1, rejected: {} });
        const encoded = encodeWriteRequest([
          { labels: sample.labels, length: 1, timestamps: Float64Array.of(1), values: Float64Array.of(1) },
        ]);
        const refused = await store.writer(A).append(new RemoteWrite1Decoder().decode(encoded));
        expect(refused).toMatchObject({ samplesAccepted: 0, rejected: { read_only: 1 } });
        expect(refused.examples[0]).toMatch(/127\.0\.0\.1:\d+ is only read/);
        await expect(
          store.deleteSeries(A, [{ name: 'a', op: '=', value: 'b' }], { startMs: 0, endMs: 1 }),
        ).rejects.toMatchObject({ code: 'unsupported' });
        expect(seen).toEqual([]);
        await store.reader(A).series([[]], range);
        expect(seen).toHaveLength(1);
      },
      '',
      true,
    ));

  it('asks for remote read once, then remembers that there is none', () =>
    withServer(answers, header, async (store, seen) => {
      for (let i = 0; i < 3; i++) await store.reader(A).select([{ name: 'a', op: '=', value: 'b' }], range);
      expect(seen.filter((r) => r.path === '/prefix/api/v1/read')).toHaveLength(1);
      expect(seen.filter((r) => r.path === '/prefix/api/v1/query')).toHaveLength(3);
    }));

  it('takes credentials out of the address and out of every message', () =>
    withServer(
      () => ({ status: 500, text: 'broken' }),
      header,
      async (store, seen) => {
        const failure = await store.check().catch((e: Error) => e);
        expect(String(failure)).toContain('broken');
        expect(String(failure)).not.toContain('secret');
        expect(seen[0]!.headers.authorization).toBe(`Basic ${Buffer.from('me:s/secret').toString('base64')}`);
      },
      'me:s%2Fsecret@',
    ));

  it.each([
    [400, { status: 'error', errorType: 'bad_data', error: 'parse' }, 'bad_query'],
    [422, { status: 'error', errorType: 'execution', error: 'many-to-many' }, 'execution'],
    [503, { status: 'error', errorType: 'timeout', error: 'slow' }, 'query_timeout'],
    [429, { status: 'error', error: 'too many' }, 'quota'],
    [404, 'not here', 'unsupported'],
    [502, '<html>', 'upstream'],
    [200, '<html>', 'upstream'],
  ] as const)('answers %s %j as %s', (status, body, code) =>
    withServer(
      () => (typeof body === 'string' ? { status, text: body } : { status, json: body }),
      header,
      async (store) => {
        await expect(store.passThrough.queryInstant(A, 'x', 0)).rejects.toMatchObject({ code });
      },
    ),
  );

  it('one refused sample costs no other: the request is halved until it stands alone', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 39 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 40 }),
        async (bad, total) => {
          const stored: string[] = [];
          const snappy = new SnappyDecoder();
          await withServer(
            (r) => {
              const batch = new RemoteWrite1Decoder().decode(Uint8Array.from(snappy.decode(r.body, 1 << 20)));
              const names = Array.from({ length: batch.seriesCount }, (_, i) => batch.labels(i).get('i'));
              if (names.some((n) => bad.includes(Number(n)))) return { status: 400, text: 'out of order sample' };
              stored.push(...names);
              return { status: 204, text: '' };
            },
            header,
            async (store) => {
              const result = await store.writer(A).appendSamples(
                Array.from({ length: total }, (_, i) => ({
                  labels: Labels.from({ __name__: 'm', i: String(i) }),
                  timestampMs: 1,
                  value: i,
                })),
              );
              const refused = bad.filter((b) => b < total).length;
              expect(result.samplesAccepted).toBe(total - refused);
              expect(result.rejected.out_of_order ?? 0).toBe(refused);
              expect(stored).toHaveLength(total - refused);
            },
          );
        },
      ),
      { numRuns: 25 },
    ));

  it('quotes every value so that no selector ends early', () => {
    const odd = fc.string({ unit: 'binary', maxLength: 20 }).map((s) => s.toWellFormed());
    fc.assert(
      fc.property(odd, fc.constantFrom('=', '!=' as const), (value, op) => {
        const text = selectorText([
          { name: 'a', op: op as '=', value },
          { name: 'tenant', op: '=', value: 'mine' },
        ]);
        // what our own parser reads back is the two matchers and nothing else
        const again = restrictExpression(text, []);
        expect(again.endsWith('tenant="mine"}')).toBe(true);
        expect(again.match(/tenant="mine"/g)!.length).toBe(1 + (value.includes('tenant="mine"') ? 1 : 0));
      }),
      { numRuns: 40 },
    );
  });
});
