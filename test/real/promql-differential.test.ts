/** Our answers beside the real Prometheus' over the same data; what may differ stands in docs/promql-differences.md. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QueryEngine } from '../../src/promql/engine.ts';
import { type Answer, answerOurs, difference } from '../promql/answer.ts';
import { DATA_END_MS, DATA_START_MS, generateQueries, testSeries } from '../promql/generated-queries.ts';
import { legitimate } from '../promql/legitimate-differences.ts';
import { compileRegex, MemorySource } from '../promql/memory-source.ts';
import { askPeer, type Peer, startPrometheus, withoutNoName, writeSeries } from '../promql/prometheus-peer.ts';
import { peerMissing, temporaryFolder } from '../support/peers.ts';

/** Functions whose last bit is the mathematical library's own; a following subtraction can magnify it. */
const TRANSCENDENTAL = /\b(?:a?(?:sin|cos|tan)h?|atan2|exp|ln|log2|log10|histogram_\w+)\b|\^/;
const LONG = process.env['VIGIE_LONG'] !== undefined;
const QUERIES = LONG ? 12_000 : 900;
const SEED = Number(process.env['VIGIE_SEED'] ?? 7);
const RANGE = { startMs: DATA_START_MS + 600_000, endMs: DATA_END_MS + 400_000, stepMs: 97_000 };

const sorted = (list: readonly string[]): string => JSON.stringify(list.map(withoutNoName).sort());
const cut = (list: readonly string[]): boolean => list.some((x) => x.endsWith('annotations omitted'));

/** What differs between two answers: refusal, kind of refusal, values, warnings, infos. */
function disagreement(query: string, ours: Answer, theirs: Answer): string | undefined {
  if (ours.error !== undefined || theirs.error !== undefined) {
    if (ours.error !== undefined && theirs.error !== undefined)
      return ours.errorType === theirs.errorType
        ? undefined
        : `error type ${ours.errorType} (${ours.error}), wanted ${theirs.errorType} (${theirs.error})`;
    return `ours ${ours.error ?? 'ok'}\n   theirs ${theirs.error ?? 'ok'}`;
  }
  const values = difference(ours.data, theirs.data, TRANSCENDENTAL.test(query) ? 1e-12 : undefined);
  if (values) return values;
  for (const kind of ['warnings', 'infos'] as const)
    if (!cut(theirs[kind]) && sorted(ours[kind]) !== sorted(theirs[kind]))
      return `${kind} ${sorted(ours[kind])}\n   wanted ${sorted(theirs[kind])}`;
  return undefined;
}

describe.skipIf(peerMissing('prometheus', 'sid'))('PromQL beside Prometheus 3.5', () => {
  const source = new MemorySource();
  for (const s of testSeries()) source.set(s);
  const engine = new QueryEngine({
    compileRegex,
    monotonicMs: () => performance.now(),
    features: new Set(['promql-experimental-functions', 'promql-duration-expr']),
  });
  const folder = temporaryFolder();
  let peer: Peer;
  beforeAll(async () => {
    peer = await startPrometheus(folder.path, 'sid');
    await writeSeries(peer, source.series.values());
  });
  afterAll(async () => {
    await peer?.started.stop('SIGKILL');
    folder[Symbol.dispose]();
  });

  const ours = (query: string, atMs: number | undefined): Promise<Answer> =>
    answerOurs(() => (atMs === undefined ? engine.range(source, query, RANGE) : engine.instant(source, query, atMs)));

  it(`answers ${QUERIES} generated queries alike, instant and range`, async () => {
    const problems: string[] = [];
    const allowed = new Map<string, number>();
    let equal = 0;
    let withData = 0;
    let annotated = 0;
    let bothFail = 0;
    for (const { query, atMs } of generateQueries(SEED, QUERIES)) {
      const a = await ours(query, atMs);
      let b = await askPeer(peer, query, atMs ?? RANGE);
      let problem = disagreement(query, a, b);
      // 3.5 reuses histogram buffers and walks maps: now and then it answers the same question in two ways
      for (let again = 0; problem !== undefined && again < 3; again++) {
        b = await askPeer(peer, query, atMs ?? RANGE);
        problem = disagreement(query, a, b);
        if (problem === undefined)
          allowed.set('the peer contradicts itself', (allowed.get('the peer contradicts itself') ?? 0) + 1);
      }
      const reason = problem === undefined ? undefined : legitimate(query, a, b);
      if (reason !== undefined) allowed.set(reason, (allowed.get(reason) ?? 0) + 1);
      else if (problem !== undefined) problems.push(`${atMs ? `instant ${atMs}` : 'range'} ${query}\n   ${problem}`);
      else if (b.error !== undefined) bothFail++;
      else {
        equal++;
        if (b.data.size > 0) withData++;
        if (b.warnings.length + b.infos.length > 0) annotated++;
      }
    }
    console.log(
      `promql: ${equal} equal (${withData} with data, ${annotated} with annotations), ${bothFail} refused by both, ${problems.length} different, allowed: ${JSON.stringify(Object.fromEntries(allowed))}`,
    );
    expect(problems.slice(0, 12)).toEqual([]);
    expect(equal).toBeGreaterThan(QUERIES * 0.6);
    expect(withData).toBeGreaterThan(QUERIES * 0.4);
    expect(annotated).toBeGreaterThan(QUERIES * 0.1);
    expect(bothFail).toBeGreaterThan(QUERIES * 0.03);
    expect([...allowed.values()].reduce((x, y) => x + y, 0)).toBeLessThan(QUERIES * 0.03);
  }, 1_800_000);

  it('would notice a wrong value, a missing series, one too many, a missing annotation and another refusal', async () => {
    const good = await askPeer(peer, 'requests_total', DATA_START_MS + 1_800_000);
    const changed = (data: Answer['data']): Answer => ({ ...good, data });
    const wrong = new Map(
      [...good.data].map(([k, p], i) => [
        k,
        i === 1 ? [[p[0]![0], String(Number(p[0]![1]) * (1 + 1e-9))] as const] : p,
      ]),
    );
    expect(disagreement('q', good, good)).toBeUndefined();
    expect(disagreement('q', changed(wrong), good)).toBeDefined();
    expect(disagreement('q', changed(new Map([...good.data].slice(1))), good)).toContain('missing');
    expect(disagreement('q', good, changed(new Map([...good.data].slice(1))))).toContain('too much');
    const noted = await askPeer(peer, 'rate(temperature[5m])', RANGE);
    expect(noted.infos.length).toBeGreaterThan(0);
    expect(disagreement('q', { ...noted, infos: [] }, noted)).toContain('infos');
    const refused = await askPeer(peer, 'sum(', RANGE);
    expect(disagreement('q', { ...refused, errorType: 'execution' }, refused)).toContain('error type');
    expect(disagreement('q', good, refused)).toBeDefined();
    const h = await askPeer(peer, 'sizes_total', DATA_START_MS + 1_800_000);
    const bent = new Map([...h.data].map(([k, p]) => [k, [[p[0]![0], p[0]![1].replace(/(\d)\]$/, '$19]')] as const]]));
    expect(disagreement('q', { ...h, data: bent }, h)).toBeDefined();
  });
});
