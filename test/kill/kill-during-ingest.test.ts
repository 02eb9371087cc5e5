import { expect, it } from 'vitest';
import { killDuringIngest } from './kill-during-ingest.ts';

it('kill -9 loses nothing acknowledged', { timeout: 120_000 }, async () => {
  const seed = Number(process.env['VIGIE_SEED'] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed} (VIGIE_SEED repeats it)`);
  const report = await killDuringIngest(10, seed);
  expect(report.problems.slice(0, 5)).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(1_000);
  expect(report.checked).toBeGreaterThanOrEqual(report.acknowledged * 100);
});
