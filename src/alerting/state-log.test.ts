/** The log on a disk: what was acknowledged is there, a torn end is cut, compaction keeps what came meanwhile. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { decodeRecords, encodeRecords, openStateLog } from './state-log.ts';

it('keeps what was acknowledged, also without a proper end', async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, 'a', 'state.log');
  const first = await openStateLog(file, new FakeClock());
  await Promise.all([first.log.append([{ n: 1 }]), first.log.append([{ n: 2 }, { n: 3 }])]);
  const again = await openStateLog(file, new FakeClock());
  expect(again.records).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  await first.log.close();
  await again.log.close();
});

it('cuts a torn end and goes on behind it', async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, 'state.log');
  writeFileSync(file, Buffer.concat([encodeRecords([{ n: 1 }]), encodeRecords([{ n: 2 }]).subarray(0, 11)]));
  const opened = await openStateLog(file, new FakeClock());
  expect(opened).toMatchObject({ records: [{ n: 1 }], cutBytes: 11 });
  await opened.log.append([{ n: 3 }]);
  await opened.log.close();
  expect(decodeRecords(readFileSync(file)).records).toEqual([{ n: 1 }, { n: 3 }]);
  appendFileSync(file, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0, 1]));
  const after = await openStateLog(file, new FakeClock());
  expect(after.cutBytes).toBe(9);
  await after.log.close();
});

it('loses nothing that is appended around a compaction', async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, 'state.log');
  const { log } = await openStateLog(file, new FakeClock());
  const state = new Set<number>();
  const add = (n: number): Promise<void> => {
    state.add(n);
    return log.append([n]);
  };
  await Promise.all([add(1), log.rewrite(() => [...state]), add(2), add(3), log.rewrite(() => [...state]), add(4)]);
  await log.close();
  expect(new Set(decodeRecords(readFileSync(file)).records)).toEqual(new Set([1, 2, 3, 4]));
});

it('reads no more than what is whole, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 5 }), fc.uint8Array({ maxLength: 40 }), (values, tail) => {
      const good = Buffer.concat(values.map((v) => encodeRecords([v])));
      const { records, goodBytes } = decodeRecords(Buffer.concat([good, tail]));
      expect(goodBytes).toBeGreaterThanOrEqual(good.length);
      expect(JSON.stringify(records.slice(0, values.length))).toBe(JSON.stringify(values));
    }),
  );
});
