import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ANY_SERIES,
  EVERYTHING,
  named,
  openStore,
  rowsOf,
  sample,
  seededRandom,
  T0,
} from '../../../../test/support/metrics-store.ts';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import type { Matcher } from '../../../model/matcher.ts';
import { isStale, type Sample } from '../../../model/sample.ts';
import { tenantId } from '../../../model/tenant.ts';

const A = tenantId('a');
const B = tenantId('b');

describe('everything at once', () => {
  it('ingest, queries, cutting, merging, snapshots, deletion and re-opening leave every answer right', async () => {
    const seed = Number(process.env['VIGIE_SEED'] ?? randomInt(1_000_000));
    const next = seededRandom(seed);
    using folder = temporaryFolder();
    const main = path.join(folder.path, 'main');
    let acknowledged = 0;
    let queries = 0;
    let snapshots = 0;
    // twelve windows of 500 ms over the run, so that all stages happen many times
    for (let life = 0; life < 3; life++) {
      await using store = await openStore(main, { blockMs: 500, segmentBytes: 20_000, indexCacheBytes: 20_000 });
      let stop = false;
      const writer = (async () => {
        try {
          for (let i = 0; i < 900 && !stop; i++) {
            const t = acknowledged + 1;
            const batch = Array.from({ length: 4 }, (_, s) => sample('m', T0 + t * 5, t * 10 + s, { s: String(s) }));
            const results = await Promise.all([A, B].map((x) => store.writer(x).appendSamples(batch)));
            for (const r of results) expect(r.rejected).toEqual({});
            acknowledged = t;
          }
        } finally {
          stop = true;
        }
      })();
      const untilStopped = async (work: () => Promise<void>): Promise<void> => {
        try {
          while (!stop) {
            await work();
            // a query of what is in memory waits for nothing: the others must have their turn
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          stop = true;
        }
      };
      const check = async (of: typeof store, least: number, tenant = A): Promise<void> => {
        const s = String(Math.floor(next() * 4));
        const found = rowsOf(
          await of.reader(tenant).select([...named('m'), { name: 's', op: '=', value: s }], EVERYTHING),
        );
        const rows = found[`m{s="${s}"}`] ?? [];
        expect(rows.length, `seed ${seed}`).toBeGreaterThanOrEqual(least);
        rows.forEach(([t, v], i) => {
          if (t !== T0 + (i + 1) * 5 || v !== (i + 1) * 10 + Number(s))
            expect.fail(`seed ${seed}: sample ${i} is ${v} at ${t - T0}`);
        });
        queries++;
      };
      const reader = untilStopped(() => check(store, acknowledged, next() < 0.5 ? A : B));
      const keeper = untilStopped(async () => {
        await store.maintain({ all: next() < 0.5 });
        const other = tenantId(`short-lived-${Math.floor(next() * 1e6)}`);
        await store.writer(other).appendSamples([sample('m', T0 + acknowledged * 5, 1)]);
        if (next() < 0.3) await store.deleteTenant(other);
        if (next() < 0.5) {
          const copy = path.join(folder.path, `copy-${snapshots++}`);
          const least = acknowledged;
          await store.snapshot(copy);
          {
            await using opened = await openStore(copy, { blockMs: 500 });
            await check(opened, least);
          }
          rmSync(copy, { recursive: true });
        }
      });
      await Promise.all([writer, reader, keeper]);
      await check(store, acknowledged);
    }
    expect(queries).toBeGreaterThan(20);
    expect(snapshots).toBeGreaterThan(0);
  }, 120_000);
});

describe('against a model', () => {
  type Step =
    | { kind: 'write'; series: number; at: number; value: number; stale: boolean }
    | { kind: 'cut' }
    | { kind: 'merge' }
    | { kind: 'reopen' }
    | { kind: 'delete'; series: number; from: number; to: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        series: fc.integer({ min: 0, max: 3 }),
        at: fc.integer({ min: 0, max: 20_000 }),
        value: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.double({ noNaN: true })),
        stale: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.constantFrom<Step>({ kind: 'cut' }, { kind: 'merge' }, { kind: 'reopen' }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        series: fc.integer({ min: 0, max: 3 }),
        from: fc.integer({ min: 0, max: 20_000 }),
        to: fc.integer({ min: 0, max: 20_000 }),
      }),
    },
  );

  it('holds exactly what it accepted and did not delete, whatever comes in what order', async () => {
    let written = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 120 }), async (steps) => {
        using folder = temporaryFolder();
        const open = () => openStore(folder.path, { blockMs: 2_000, quota: () => ({ outOfOrderWindowMs: 100_000 }) });
        let store = await open();
        const model = new Map<string, Map<number, string>>();
        const deleted = new Map<string, [number, number][]>();
        try {
          for (const s of steps) {
            if (s.kind === 'cut') await store.maintain({ all: true });
            else if (s.kind === 'merge') await store.maintain();
            else if (s.kind === 'reopen') {
              await store[Symbol.asyncDispose]();
              store = await open();
            } else if (s.kind === 'write') {
              const one: Sample = { ...sample('m', T0 + s.at, s.value, { s: String(s.series) }), stale: s.stale };
              const r = await store.writer(A).appendSamples([one]);
              const of = model.get(String(one.labels)) ?? new Map<number, string>();
              // a time that is taken already keeps its first value, whatever the answer was
              if (r.samplesAccepted === 1 && !of.has(one.timestampMs)) {
                of.set(one.timestampMs, s.stale ? 'stale' : String(s.value));
                model.set(String(one.labels), of);
                written++;
              }
            } else {
              const matchers: Matcher[] = [...named('m'), { name: 's', op: '=', value: String(s.series) }];
              const [from, to] = [Math.min(s.from, s.to), Math.max(s.from, s.to)];
              await store.deleteSeries(A, matchers, { startMs: T0 + from, endMs: T0 + to });
              const key = `m{s="${s.series}"}`;
              const of = model.get(key);
              if (!of) continue;
              deleted.set(key, [...(deleted.get(key) ?? []), [T0 + from, T0 + to]]);
              for (const t of of.keys()) if (t >= T0 + from && t <= T0 + to) of.set(t, 'deleted');
            }
          }
          const found = await store.reader(A).select(ANY_SERIES, EVERYTHING);
          const got = new Map(
            found.map((s) => [
              String(s.labels),
              new Map(
                Array.from({ length: s.length }, (_, i) => [
                  s.timestamps[i]!,
                  isStale(s.values, i) ? 'stale' : String(s.values[i]),
                ]),
              ),
            ]),
          );
          for (const [series, of] of model)
            for (const [t, v] of of) {
              const seen = got.get(series)?.get(t);
              if (v === 'deleted') expect(seen, `${series} at ${t - T0} was deleted`).toBeUndefined();
              // what is written late into a deleted range may stay hidden
              else if (!deleted.get(series)?.some(([from, to]) => t >= from && t <= to))
                expect(seen, `${series} at ${t - T0}`).toBe(v);
            }
          for (const [series, of] of got)
            for (const t of of.keys()) expect(model.get(series)?.get(t), `${series} at ${t - T0}`).toBeDefined();
        } finally {
          await store[Symbol.asyncDispose]();
        }
      }),
      { numRuns: 40, interruptAfterTimeLimit: 60_000 },
    );
    expect(written).toBeGreaterThan(300);
  }, 120_000);
});
