/**
 * How fast PromQL is evaluated: this engine over columns in memory against Prometheus' own evaluation of the same data,
 * in one run, rounds alternated. Prometheus' figure is what it reports itself (execTotalTime with its reading of
 * samples, without HTTP and JSON); ours is everything from text to result. Also: the processor time
 * for which evaluation holds the thread at most.
 *   node bench/query-engine.ts [series=6400] [rounds=7] [suite=sid]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Labels } from '../src/model/labels.ts';
import type { Matcher } from '../src/model/matcher.ts';
import type { SeriesColumns } from '../src/model/sample.ts';
import { QueryEngine } from '../src/promql/engine.ts';
import type { SampleSource } from '../src/promql/source.ts';
import { compileRegex } from '../test/promql/memory-source.ts';
import { type PeerSuite, startPrometheus, writeSeries } from '../test/promql/prometheus-peer.ts';

const argument = (name: string, fallback: string): string =>
  process.argv.find((a) => a.startsWith(`${name}=`))?.slice(name.length + 1) ?? fallback;
const SERIES = Number(argument('series', '6400'));
const ROUNDS = Number(argument('rounds', '7'));
const SUITE = argument('suite', 'sid');
/** Rounds before the measured ones: compiled code, warm caches, on both sides. */
const WARM = 3;
const HOURS = 6;
const STEP_MS = 15_000;
const BUCKETS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '+Inf'];

/** Samples of equal metric names by name; matching of other labels is a plain comparison. */
class ByName implements SampleSource {
  readonly #byName = new Map<string, SeriesColumns[]>();

  add(s: SeriesColumns): void {
    const list = this.#byName.get(s.labels.metricName);
    if (list) list.push(s);
    else this.#byName.set(s.labels.metricName, [s]);
  }

  *all(): Iterable<SeriesColumns> {
    for (const list of this.#byName.values()) yield* list;
  }

  select(matchers: readonly Matcher[], range: { startMs: number; endMs: number }): SeriesColumns[] {
    const out: SeriesColumns[] = [];
    const others = matchers.filter((m) => m.name !== '__name__');
    for (const s of this.#byName.get(matchers.find((m) => m.name === '__name__')!.value) ?? []) {
      if (!others.every((m) => s.labels.get(m.name) === m.value)) continue;
      const lo = firstAtOrAfter(s.timestamps, range.startMs);
      const hi = firstAtOrAfter(s.timestamps, range.endMs + 1);
      if (hi > lo)
        out.push({
          labels: s.labels,
          length: hi - lo,
          timestamps: s.timestamps.subarray(lo, hi),
          values: s.values.subarray(lo, hi),
        });
    }
    return out;
  }
}

function firstAtOrAfter(t: Float64Array, at: number): number {
  let lo = 0;
  let hi = t.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (t[mid]! < at) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

function data(endMs: number): ByName {
  const source = new ByName();
  let seed = 42;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 4294967296;
  };
  const n = (HOURS * 3_600_000) / STEP_MS;
  const startMs = endMs - n * STEP_MS;
  const add = (labels: Record<string, string>, growth: number): void => {
    const offset = Math.floor(random() * STEP_MS);
    const timestamps = new Float64Array(n);
    const values = new Float64Array(n);
    let v = 0;
    for (let i = 0; i < n; i++) {
      if (random() < 0.0005) v = 0;
      v += Math.floor(random() * growth);
      timestamps[i] = startMs + i * STEP_MS + offset;
      values[i] = v;
    }
    source.add({ labels: Labels.from(labels), length: n, timestamps, values });
  };
  const instances = Math.max(1, Math.round(SERIES / 64));
  for (let i = 0; i < instances; i++) {
    const base = { instance: `host-${i}:9100`, job: `job-${i % 10}`, region: `r${i % 4}` };
    for (let h = 0; h < 4; h++)
      for (let c = 0; c < 6; c++)
        add({ __name__: 'requests_total', handler: `/api/${h}`, code: `${200 + c}`, ...base }, 20);
    for (let h = 0; h < 4; h++)
      for (const [k, le] of BUCKETS.entries())
        add({ __name__: 'latency_seconds_bucket', handler: `/api/${h}`, le, ...base }, 3 * (k + 1));
  }
  return source;
}

const INSTANT = [
  'sum by (job) (rate(requests_total[5m]))',
  'histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket[5m])))',
  'topk(5, sum by (instance) (rate(requests_total[5m])))',
  'count(requests_total > 100)',
  'avg by (region, handler) (requests_total)',
];
const RANGE = [
  ...INSTANT,
  'max_over_time(requests_total{handler="/api/1"}[10m])',
  'sum(rate(requests_total{code="205"}[5m])) by (job) / on (job) sum(rate(requests_total[5m])) by (job)',
];

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;

const folder = mkdtempSync(path.join(tmpdir(), 'vigie-bench-query-'));
const endMs = Math.floor(Date.now() / 60_000) * 60_000;
const source = data(endMs);
const peer = await startPrometheus(folder, SUITE as PeerSuite, ['--query.timeout=2m']);
try {
  console.log(
    `Node ${process.version} against Prometheus ${peer.version}: ${SERIES} series, ${HOURS} h every 15 s, ${ROUNDS} rounds`,
  );
  let batch: SeriesColumns[] = [];
  for (const s of source.all()) {
    batch.push(s);
    if (batch.length < 200) continue;
    await writeSeries(peer, batch);
    batch = [];
  }
  if (batch.length > 0) await writeSeries(peer, batch);

  let mark = process.threadCpuUsage();
  let held = 0;
  const note = (): void => {
    const spent = process.threadCpuUsage(mark);
    held = Math.max(held, (spent.user + spent.system) / 1000);
  };
  const engine = new QueryEngine({
    compileRegex,
    monotonicMs: () => performance.now(),
    breathe: async () => {
      note();
      await new Promise((resolve) => setImmediate(resolve));
      mark = process.threadCpuUsage();
    },
  });
  const range = { startMs: endMs - HOURS * 3_600_000 + 600_000, endMs: endMs - 60_000, stepMs: 60_000 };
  for (const [kind, queries] of [
    ['instant', INSTANT],
    ['range', RANGE],
  ] as const) {
    const ratios: number[] = [];
    for (const query of queries) {
      const ours: number[] = [];
      const theirs: number[] = [];
      held = 0;
      for (let round = 0; round < ROUNDS + WARM; round++) {
        mark = process.threadCpuUsage();
        const began = performance.now();
        const result =
          kind === 'instant'
            ? await engine.instant(source, query, range.endMs)
            : await engine.range(source, query, range);
        ours.push(performance.now() - began);
        note();
        if (round < WARM) {
          ours.pop();
          held = 0;
        }
        const form = new URLSearchParams({ query, stats: '1' });
        if (kind === 'instant') form.set('time', String(range.endMs / 1000));
        else {
          form.set('start', String(range.startMs / 1000));
          form.set('end', String(range.endMs / 1000));
          form.set('step', String(range.stepMs / 1000));
        }
        const r = await fetch(`${peer.url}/api/v1/query${kind === 'instant' ? '' : '_range'}`, {
          method: 'POST',
          body: form,
        });
        const body = (await r.json()) as { data: { result: unknown[]; stats: { timings: { execTotalTime: number } } } };
        if (round >= WARM) theirs.push(body.data.stats.timings.execTotalTime * 1000);
        const size =
          result.value.type === 'vector'
            ? result.value.samples.length
            : result.value.type === 'matrix'
              ? result.value.series.length
              : 1;
        if (size !== body.data.result.length)
          throw new Error(`${query}: ${size} series, Prometheus ${body.data.result.length}`);
      }
      const ratio = median(ours) / median(theirs);
      ratios.push(ratio);
      console.log(
        `${kind.padEnd(8)} ${median(ours).toFixed(1).padStart(8)} ms  ${median(theirs).toFixed(1).padStart(8)} ms  ratio ${ratio.toFixed(2)}  thread held at most ${held.toFixed(0)} ms  ${query}`,
      );
    }
    console.log(`${kind}: median ratio ${median(ratios).toFixed(2)}, worst ${Math.max(...ratios).toFixed(2)}`);
  }
} finally {
  await peer.started.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
