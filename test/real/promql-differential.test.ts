/** Our answers beside the real Prometheus' over the same data; what may differ stands in docs/promql-differences.md. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isVigieError } from '../../src/lib/errors.ts';
import { QueryEngine } from '../../src/promql/engine.ts';
import { DATA_END_MS, DATA_START_MS, generateQueries, testSeries } from '../promql/generated-queries.ts';
import { compileRegex, MemorySource } from '../promql/memory-source.ts';
import {
  type Canonical,
  canonicalOurs,
  canonicalTheirs,
  difference,
  startPrometheus,
} from '../promql/prometheus-peer.ts';
import { peerMissing, type Started, temporaryFolder } from '../support/peers.ts';

/** Functions whose last bit is the mathematical library's own; a following subtraction can magnify it. */
const TRANSCENDENTAL = /\b(?:a?(?:sin|cos|tan)h?|atan2|exp|ln|log2|log10)\b|\^/;
const QUERIES = Number(process.env['VIGIE_LONG'] ? 6_000 : 600);
const RANGE = { startMs: DATA_START_MS + 600_000, endMs: DATA_END_MS + 400_000, stepMs: 97_000 };

describe.skipIf(peerMissing('prometheus', 'sid') || peerMissing('promtool'))('PromQL beside Prometheus 3.5', () => {
  const source = new MemorySource();
  for (const s of testSeries()) source.set(s);
  const engine = new QueryEngine({
    compileRegex,
    monotonicMs: () => performance.now(),
    features: new Set(['promql-experimental-functions']),
  });
  const folder = temporaryFolder();
  let peer: { started: Started; url: string };
  beforeAll(async () => {
    peer = await startPrometheus(folder.path, source.series.values(), 'sid');
  });
  afterAll(async () => {
    await peer?.started.stop();
    folder[Symbol.dispose]();
  });

  async function theirs(query: string, instantMs?: number): Promise<{ data: Canonical } | { error: string }> {
    const form =
      instantMs !== undefined
        ? new URLSearchParams({ query, time: String(instantMs / 1000) })
        : new URLSearchParams({
            query,
            start: String(RANGE.startMs / 1000),
            end: String(RANGE.endMs / 1000),
            step: String(RANGE.stepMs / 1000),
          });
    const r = await fetch(`${peer.url}/api/v1/query${instantMs === undefined ? '_range' : ''}`, {
      method: 'POST',
      body: form,
    });
    const body = (await r.json()) as { status: string; error: string; data: { resultType: string; result: unknown } };
    return body.status === 'success' ? { data: canonicalTheirs(body.data) } : { error: body.error };
  }

  async function ours(query: string, instantMs?: number): Promise<{ data: Canonical } | { error: string }> {
    try {
      const result =
        instantMs === undefined
          ? await engine.range(source, query, RANGE)
          : await engine.instant(source, query, instantMs);
      return { data: canonicalOurs(result.value) };
    } catch (error) {
      if (isVigieError(error)) return { error: error.message };
      throw new Error(`${query}: ${(error as Error).stack}`);
    }
  }

  it(`answers ${QUERIES} generated queries alike, instant and range`, async () => {
    const problems: string[] = [];
    let equal = 0;
    let withData = 0;
    let bothFail = 0;
    for (const [i, query] of generateQueries(7, QUERIES).entries()) {
      const at = i % 3 === 0 ? DATA_START_MS + 1_800_000 + ((i * 7_000) % 5_000_000) : undefined;
      const [a, b] = [await ours(query, at), await theirs(query, at)];
      if ('error' in a || 'error' in b) {
        if ('error' in a && 'error' in b) bothFail++;
        else
          problems.push(
            `${query}\n   ours ${JSON.stringify('error' in a ? a.error : 'ok')}\n   theirs ${JSON.stringify('error' in b ? b.error : 'ok')}`,
          );
        continue;
      }
      const diff = difference(a.data, b.data, TRANSCENDENTAL.test(query) ? 1e-12 : undefined);
      if (diff) problems.push(`${at ? 'instant ' : 'range '}${query}\n   ${diff}`);
      else {
        equal++;
        if (b.data.size > 0) withData++;
      }
    }
    console.log(
      `promql: ${equal} equal (${withData} with data), ${bothFail} refused by both, ${problems.length} different`,
    );
    expect(problems.slice(0, 12)).toEqual([]);
    expect(equal).toBeGreaterThan(QUERIES * 0.7);
    expect(withData).toBeGreaterThan(QUERIES * 0.5);
  }, 600_000);

  it('would notice a wrong value, a missing series and one too many', async () => {
    const good = await theirs('requests_total', DATA_START_MS + 1_800_000);
    if (!('data' in good)) throw new Error(good.error);
    const wrong = new Map(
      [...good.data].map(([k, p], i) => [
        k,
        i === 1 ? [[p[0]![0], String(Number(p[0]![1]) * (1 + 1e-9))] as const] : p,
      ]),
    );
    expect(difference(wrong, good.data)).toBeDefined();
    expect(difference(new Map([...good.data].slice(1)), good.data)).toContain('missing');
    expect(difference(good.data, new Map([...good.data].slice(1)))).toContain('too much');
  });
});
