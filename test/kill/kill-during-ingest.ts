/** Kills an ingesting process with SIGKILL at random moments; every acknowledged sample must be there afterwards. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { SelfMetrics } from '../../src/lib/self-metrics.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { EmbeddedMetricsStore } from '../../src/store/embedded/metrics/embedded-metrics-store.ts';
import { temporaryFolder } from '../support/peers.ts';

export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly checked: number;
  readonly problems: readonly string[];
}

const SERIES = 50;

/** Mulberry32: small, seeded, good enough to choose moments. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export async function killDuringIngest(kills: number, seed: number): Promise<KillReport> {
  using folder = temporaryFolder('vigie-kill-');
  const next = random(seed);
  const base = Date.now() - 30 * 24 * 3_600_000;
  const problems: string[] = [];
  /** Rounds that were acknowledged; others may or may not be there. */
  const acknowledged = new Set<number>();
  let first = 1;
  let checked = 0;
  for (let kill = 0; kill < kills; kill++) {
    const sync = next() < 0.2 ? 'always' : 'interval';
    const child = spawn(
      process.execPath,
      [
        path.join(import.meta.dirname, 'ingest-child.ts'),
        folder.path,
        String(base),
        String(first),
        String(SERIES),
        sync,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let text = '';
    let errors = '';
    child.stderr.on('data', (b: Buffer) => (errors += b.toString()));
    // the moment is counted in acknowledged rounds, plus a random spin: no clock decides what is tested
    const target = Math.floor(next() * 2_500);
    const spins = Math.floor(next() * 3);
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    let lines = 0;
    child.stdout.on('data', (b: Buffer) => {
      text += b.toString();
      lines += b.toString().split('\n').length - 1;
      if (lines > target + spins) child.kill('SIGKILL');
    });
    await ended;
    if (errors) problems.push(`the child complained: ${errors.slice(0, 500)}`);
    for (const line of text.split('\n').slice(0, -1)) {
      if (/^\d+$/.test(line)) {
        acknowledged.add(Number(line));
        first = Math.max(first, Number(line) + 1);
      } else problems.push(line);
    }
    // the round that was on its way may be there already
    first += 2;
    checked = await check(folder.path, base, acknowledged, problems);
    if (problems.length > 0) break;
  }
  return { kills, acknowledged: acknowledged.size, checked, problems };
}

async function check(
  folder: string,
  base: number,
  acknowledged: ReadonlySet<number>,
  problems: string[],
): Promise<number> {
  await using store = await EmbeddedMetricsStore.open({
    folder,
    clock: systemClock,
    logger: silentLogger,
    metrics: new SelfMetrics(),
    compileMatcher: (m) => ({ ...m, matches: (v) => v === m.value }),
    quota: () => ({}),
    blockMs: 500,
    background: false,
  });
  let checked = 0;
  for (const tenant of ['a', 'b']) {
    const found = await store
      .reader(tenantId(tenant))
      .select([{ name: '__name__', op: '=', value: 'm' }], { startMs: 0, endMs: base * 2 });
    if (acknowledged.size > 0 && found.length !== SERIES)
      problems.push(`tenant ${tenant} has ${found.length} series, want ${SERIES}`);
    for (const s of found) {
      const rounds = new Set<number>();
      for (let i = 0; i < s.length; i++) {
        if (s.timestamps[i]! - base !== s.values[i]!)
          problems.push(`${s.labels}: ${s.values[i]} at ${s.timestamps[i]}`);
        rounds.add(s.values[i]!);
      }
      for (const r of acknowledged)
        if (!rounds.has(r)) problems.push(`${tenant} ${s.labels}: acknowledged round ${r} is lost`);
      checked += s.length;
    }
  }
  if (store.replay.damagedSpans > 0) problems.push(`${store.replay.damagedSpans} damaged spans after a mere kill`);
  return checked;
}
