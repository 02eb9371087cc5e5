/**
 * The running server beside the real Prometheus 3.5 over HTTP: the same remote write to both, then queries at the edges
 * of the language. Statuses, kinds of refusal, values, annotations and the order of ranges must agree; what may differ
 * stands in docs/promql-differences.md. `VIGIE_LONG=1` asks more, `VIGIE_SEED` asks others.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, canonicalTheirs, difference, keyOf } from '../promql/answer.ts';
import { inRequests, type ShapeQuery, shapeQueries, shapeSeries } from '../promql/generated-shapes.ts';
import { legitimate } from '../promql/legitimate-differences.ts';
import { type Peer, startPrometheus, withoutNoName } from '../promql/prometheus-peer.ts';
import { remoteWriteBody } from '../promql/remote-write.ts';
import { peerMissing, temporaryFolder } from '../support/peers.ts';
import { startVigie, type VigieProcess } from '../support/vigie.ts';

const SEED = Number(process.env['VIGIE_SEED'] ?? 11);
const QUERIES = process.env['VIGIE_LONG'] === undefined ? 800 : 8_000;
const INEXACT = /\b(?:exp|ln|rad|atan2|histogram_\w+|stddev\w*|stdvar\w*)\b|\^/;

interface Asked extends Answer {
  readonly status: number;
  /** Label sets in the order of the answer, for ranges. */
  readonly order: readonly string[];
}

async function ask(base: string, { query, parameters }: ShapeQuery): Promise<Asked> {
  const end = parameters['time'] === undefined ? 'query_range' : 'query';
  const response = await fetch(`${base}/api/v1/${end}`, {
    method: 'POST',
    body: new URLSearchParams({ query, ...parameters }),
  });
  const body = (await response.json()) as {
    status: string;
    error: string;
    errorType: string;
    warnings?: string[];
    infos?: string[];
    data: { resultType: string; result: { metric: Record<string, string> }[] };
  };
  const base2 = { status: response.status, warnings: body.warnings ?? [], infos: body.infos ?? [] };
  if (body.status !== 'success')
    return { ...base2, data: new Map(), order: [], error: body.error, errorType: body.errorType };
  const order = end === 'query_range' ? body.data.result.map((s) => keyOf(s.metric)) : [];
  return { ...base2, data: canonicalTheirs(body.data), order };
}

const sorted = (list: readonly string[]): string => JSON.stringify(list.map(withoutNoName).sort());
const cut = (list: readonly string[]): boolean => list.some((x) => x.endsWith('annotations omitted'));

function disagreement(query: string, ours: Asked, theirs: Asked): string | undefined {
  if (ours.error !== undefined || theirs.error !== undefined) {
    if (ours.error !== undefined && theirs.error !== undefined)
      return ours.errorType === theirs.errorType && ours.status === theirs.status
        ? undefined
        : `${ours.status} ${ours.errorType} (${ours.error})\n   wanted ${theirs.status} ${theirs.errorType} (${theirs.error})`;
    return `ours ${ours.error ?? 'ok'}\n   theirs ${theirs.error ?? 'ok'}`;
  }
  const values = difference(ours.data, theirs.data, INEXACT.test(query) ? 1e-12 : undefined);
  if (values) return values;
  if (ours.order.join() !== theirs.order.join())
    return `order ${ours.order.join(' ')}\n   wanted ${theirs.order.join(' ')}`;
  for (const kind of ['warnings', 'infos'] as const)
    if (!cut(theirs[kind]) && sorted(ours[kind]) !== sorted(theirs[kind]))
      return `${kind} ${sorted(ours[kind])}\n   wanted ${sorted(theirs[kind])}`;
  return undefined;
}

describe.skipIf(peerMissing('prometheus', 'sid'))('the running server beside Prometheus 3.5', () => {
  const folder = temporaryFolder();
  let peer: Peer;
  let vigie: VigieProcess;
  beforeAll(async () => {
    peer = await startPrometheus(folder.path, 'sid');
    vigie = await startVigie({
      args: [
        '--retention',
        '0',
        '--enable-feature',
        'promql-experimental-functions,promql-duration-expr,native-histograms',
      ],
    });
    for (const part of inRequests(shapeSeries(SEED)))
      for (const url of [peer.url, `${vigie.url}/t/shapes`]) {
        const response = await fetch(`${url}/api/v1/write`, {
          method: 'POST',
          headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
          body: new Uint8Array(remoteWriteBody(part)),
        });
        expect(response.status, await response.text()).toBe(204);
      }
  }, 60_000);
  afterAll(async () => {
    await vigie?.[Symbol.asyncDispose]();
    await peer?.started.stop('SIGKILL');
    folder[Symbol.dispose]();
  });

  it(`answers ${QUERIES} queries of unusual shape alike`, async () => {
    const problems: string[] = [];
    const allowed = new Map<string, number>();
    const count = (reason: string): void => void allowed.set(reason, (allowed.get(reason) ?? 0) + 1);
    let equal = 0;
    let withData = 0;
    let bothFail = 0;
    for (const shape of shapeQueries(SEED, QUERIES)) {
      const a = await ask(`${vigie.url}/t/shapes`, shape);
      let b = await ask(peer.url, shape);
      let problem = disagreement(shape.query, a, b);
      for (let again = 0; problem !== undefined && again < 3; again++) {
        b = await ask(peer.url, shape);
        problem = disagreement(shape.query, a, b);
        if (problem === undefined) count('the peer contradicts itself');
      }
      // no series comes or goes here, so what info() may differ in does not occur
      const legit = problem === undefined ? undefined : legitimate(shape.query, a, b);
      const reason = legit?.startsWith('info()') ? undefined : legit;
      if (reason !== undefined) count(reason);
      else if (problem !== undefined)
        problems.push(`${JSON.stringify(shape.parameters)} ${shape.query}\n   ${problem.slice(0, 600)}`);
      else if (b.error !== undefined) bothFail++;
      else {
        equal++;
        if (b.data.size > 0) withData++;
      }
    }
    console.log(
      `promql shapes, seed ${SEED}: ${equal} equal (${withData} with data), ${bothFail} refused by both, ${problems.length} different, allowed: ${JSON.stringify(Object.fromEntries(allowed))}`,
    );
    expect(problems.slice(0, Number(process.env['VIGIE_SHOW'] ?? 12))).toEqual([]);
    expect(withData).toBeGreaterThan(QUERIES * 0.35);
    expect(bothFail).toBeGreaterThan(QUERIES * 0.03);
    expect([...allowed.values()].reduce((x, y) => x + y, 0)).toBeLessThan(QUERIES * 0.05);
  }, 1_800_000);
});
