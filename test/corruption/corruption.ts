/** Random damage: one flipped bit, a run of zeros, or a random run of bytes, in a random file of a store. */
import path from 'node:path';
import { seededRandom } from '../support/metrics-store.ts';
import { temporaryFolder } from '../support/peers.ts';
import { buildStore, damagedCopy, judge, lossMax, targets } from './damage.ts';

export interface CorruptionReport {
  readonly damages: number;
  readonly lostSamples: number;
  readonly harmless: number;
  readonly problems: readonly string[];
}

export async function corruptAtRandom(damages: number, seed: number): Promise<CorruptionReport> {
  using folder = temporaryFolder('vigie-damage-');
  const original = path.join(folder.path, 'original');
  await buildStore(original);
  const files = targets(original);
  const next = seededRandom(seed);
  const problems: string[] = [];
  let lostSamples = 0;
  let harmless = 0;
  for (let n = 0; n < damages && problems.length === 0; n++) {
    const target = files[Math.floor(next() * files.length)]!;
    const at = Math.floor(next() * target.size);
    const bit = 1 << Math.floor(next() * 8);
    const what = next();
    const run = what < 0.7 ? 1 : 1 + Math.floor(next() * 16);
    using copy = temporaryFolder('vigie-damage-');
    const to = path.join(copy.path, 'store');
    damagedCopy(original, to, target.file, (bytes) => {
      for (let i = at; i < Math.min(bytes.length, at + run); i++) {
        if (run === 1) bytes[i]! ^= bit;
        else bytes[i] = what < 0.85 ? 0 : Math.floor(next() * 256);
      }
      return bytes;
    });
    const v = await judge(to);
    const where = `seed ${seed}, damage ${n}: ${run} bytes at ${at} of ${target.file}`;
    const end = Math.min(target.size - 1, at + run - 1);
    const allowed = lossMax(original, target, at) + (run > 1 ? lossMax(original, target, end) : 0);
    problems.push(...v.problems.map((p) => `${where}: ${p}`));
    if (v.lost > allowed) problems.push(`${where}: ${v.lost} samples lost, at most ${allowed} may be`);
    if (v.lost > 0 && v.corruptions === 0) problems.push(`${where}: ${v.lost} samples lost and nothing counted`);
    if (v.lost > 0 && v.warnings.length === 0) problems.push(`${where}: ${v.lost} samples lost without a warning`);
    lostSamples += v.lost;
    if (v.lost === 0) harmless++;
  }
  return { damages, lostSamples, harmless, problems };
}
