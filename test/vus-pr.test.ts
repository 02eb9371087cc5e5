/** The yardstick of multivariate detection against the value that the implementation published with TSB-AD 1.5 gives. */
import { expect, it } from 'vitest';
import { vusPr } from '../scripts/tune/servers.ts';

it('VUS-PR equals the published implementation', () => {
  const n = 1500;
  const label = new Uint8Array(n);
  const score = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if ((i >= 200 && i < 210) || (i >= 230 && i < 233) || (i >= 900 && i < 1050) || i >= 1490) label[i] = 1;
    score[i] = ((i * 7919) % 1009) / 1009;
    if (i >= 205 && i < 240) score[i]! += 0.8;
    if (i >= 950 && i < 1080) score[i]! += 0.6;
    if (i >= 1495) score[i]! += 0.9;
  }
  expect(vusPr(label, score, 1)).toBeCloseTo(0.6907615834658765, 10);
});
