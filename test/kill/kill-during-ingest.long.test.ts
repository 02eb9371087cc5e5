import { expect, it } from 'vitest';
import { killDuringIngest } from './kill-during-ingest.ts';

it('1,000 times kill -9 lose nothing acknowledged', async () => {
  for (let run = 0; run < 50; run++) {
    const seed = Number(process.env['VIGIE_SEED'] ?? (Date.now() + run) % 1_000_000);
    console.log(`run ${run}, seed ${seed} (VIGIE_SEED repeats it)`);
    expect((await killDuringIngest(20, seed)).problems.slice(0, 5)).toEqual([]);
  }
});
