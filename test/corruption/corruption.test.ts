import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { tenantId } from '../../src/model/tenant.ts';
import { readSegment } from '../../src/store/embedded/metrics/wal-read.ts';
import { openStore, sample, T0 } from '../support/metrics-store.ts';
import { temporaryFolder } from '../support/peers.ts';
import { corruptAtRandom } from './corruption.ts';
import { boundaries, buildStore, damagedCopy, judge, targets, WRITTEN } from './damage.ts';

const seed = Number(process.env['VIGIE_SEED'] ?? randomInt(1_000_000));

describe('damaged files of the metrics store', () => {
  it('an undamaged store serves everything, and a planted wrong value is seen', async () => {
    using folder = temporaryFolder();
    const store = path.join(folder.path, 'store');
    await buildStore(store);
    expect(await judge(store)).toMatchObject({ problems: [], lost: 0, served: WRITTEN, corruptions: 0, warnings: [] });
    {
      await using opened = await openStore(store);
      const labels = { i: '0', t: 'a', pad: 'x'.repeat(30) };
      await opened.writer(tenantId('a')).appendSamples([sample('m', T0 + 7_100_000, 0.25, labels)]);
    }
    expect((await judge(store)).problems.join()).toContain('was never written');
  });

  it('cuts at every record boundary, and between, lose only what was cut off', { timeout: 120_000 }, async () => {
    using folder = temporaryFolder();
    const original = path.join(folder.path, 'original');
    await buildStore(original);
    let cuts = 0;
    for (const target of targets(original)) {
      const ends = boundaries(original, target);
      const step = target.kind === 'log' ? 17 : 1;
      for (let k = 0; k < ends.length; k += step) {
        for (const at of [ends[k]!, Math.max(0, ends[k]! - 1 - ((k * 13) % 37))]) {
          using copy = temporaryFolder();
          const to = path.join(copy.path, 'store');
          damagedCopy(original, to, target.file, (b) => b.subarray(0, at));
          const v = await judge(to);
          expect(v.problems, `${target.file} cut at ${at}, seed ${seed}`).toEqual([]);
          // a cut log is a torn write: no damage; a cut block is named
          if (target.kind === 'block' && v.lost > 0) {
            expect(v.corruptions).toBeGreaterThan(0);
            expect(v.warnings.join()).toContain(target.file);
          }
          cuts++;
        }
      }
    }
    expect(cuts).toBeGreaterThan(60);
  });

  it('random damage serves nothing wrong and loses only what it hit', { timeout: 120_000 }, async () => {
    const report = await corruptAtRandom(120, seed);
    expect(report.problems).toEqual([]);
    expect(report.lostSamples).toBeGreaterThan(500);
    expect(report.harmless).toBeLessThan(60);
  });

  it('damage to any one definition of the log costs nothing: it stands there twice', async () => {
    using folder = temporaryFolder();
    const original = path.join(folder.path, 'original');
    await buildStore(original);
    const log = targets(original).find((t) => t.kind === 'log')!;
    const definitions: number[] = [];
    readSegment(path.join(original, log.file), (r) => {
      if (r.type === 1 || r.type === 2) definitions.push(r.offset);
    });
    // two tenants, each with a record of its own and one of its series
    expect(definitions).toHaveLength(2 * 2 * 2);
    for (const at of definitions) {
      using copy = temporaryFolder();
      const to = path.join(copy.path, 'store');
      damagedCopy(original, to, log.file, (b) => b.fill(0xff, at, at + 24));
      expect(await judge(to), `definition at ${at}`).toMatchObject({ problems: [], lost: 0, corruptions: 1 });
    }
  });

  it('a sealed chunk in the log makes up for its samples, and they for it', async () => {
    using folder = temporaryFolder();
    const original = path.join(folder.path, 'original');
    await buildStore(original);
    const log = targets(original).find((t) => t.kind === 'log')!;
    const records: { at: number; type: number }[] = [];
    readSegment(path.join(original, log.file), (r) => void records.push({ at: r.offset, type: r.type }));
    const chunks = records.filter((r) => r.type === 7);
    expect(chunks.length).toBe(2);
    const samples = records.filter((r) => r.type === 3);
    for (const { at } of [...chunks, samples[0]!, samples[9]!, samples[239]!]) {
      using copy = temporaryFolder();
      const to = path.join(copy.path, 'store');
      damagedCopy(original, to, log.file, (b) => b.fill(0xff, at + 16, at + 40));
      expect(await judge(to), `record at ${at}`).toMatchObject({ problems: [], lost: 0, corruptions: 1 });
    }
    using copy = temporaryFolder();
    const to = path.join(copy.path, 'store');
    damagedCopy(original, to, log.file, (b) => {
      for (const { at } of [chunks[0]!, samples[0]!]) b.fill(0xff, at + 16, at + 40);
      return b;
    });
    expect(await judge(to), 'both').toMatchObject({ problems: [], lost: 6, corruptions: 2 });
  });

  it('any damage to the header of the last record is told from a write that was cut off', async () => {
    using folder = temporaryFolder();
    const original = path.join(folder.path, 'original');
    await buildStore(original);
    const log = targets(original).find((t) => t.kind === 'log')!;
    let last = 0;
    readSegment(path.join(original, log.file), (r) => {
      last = r.offset;
    });
    // length, checksum and type; each bit of the length, for it alone could look like a torn write
    for (let bit = 0; bit < 96; bit += bit < 32 ? 1 : 9) {
      using copy = temporaryFolder();
      const to = path.join(copy.path, 'store');
      damagedCopy(original, to, log.file, (b) => {
        b[last + (bit >> 3)]! ^= 1 << (bit & 7);
        return b;
      });
      const v = await judge(to);
      expect(v, `bit ${bit}`).toMatchObject({ problems: [], lost: 6, corruptions: 1 });
      expect(v.warnings.join(), `bit ${bit}`).toContain(log.file);
    }
  });

  it('damaged small files are named and cost nothing else', async () => {
    using folder = temporaryFolder();
    const store = path.join(folder.path, 'store');
    await buildStore(store);
    writeFileSync(path.join(store, 'tenants/a/deleted.json'), '[[["__name__","m"');
    const v = await judge(store);
    expect(v).toMatchObject({ problems: [], lost: 0, corruptions: 1 });
    expect(v.warnings.join()).toContain('tenants/a/deleted.json is damaged');
    expect(v.warnings.join()).not.toContain(folder.path);
    expect(readFileSync(path.join(store, 'FORMAT'), 'utf8')).toContain('metrics');
  });
});
