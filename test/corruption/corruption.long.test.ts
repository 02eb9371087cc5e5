import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { corruptAtRandom } from './corruption.ts';

it('1,000 random damages serve nothing wrong and lose only what they hit', async () => {
  const seed = Number(process.env['VIGIE_SEED'] ?? randomInt(1_000_000));
  console.log(`seed ${seed} (VIGIE_SEED repeats it)`);
  const report = await corruptAtRandom(1_000, seed);
  expect(report.problems).toEqual([]);
  expect(report.damages).toBe(1_000);
});
