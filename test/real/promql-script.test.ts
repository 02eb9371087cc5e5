/**
 * The script cases of test/promql/cases against real Prometheus: an expectation that Prometheus does not meet is wrong,
 * whatever this engine answers. Cases of newer releases are left out by their `since` line and counted.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PeerTarget } from '../promql/prometheus-peer.ts';
import { runScript } from '../promql/script.ts';
import { peerMissing, temporaryFolder } from '../support/peers.ts';

const FOLDER = path.join(import.meta.dirname, '../promql/cases');

describe.skipIf(peerMissing('prometheus', 'sid'))('PromQL script cases on Prometheus 3.5', () => {
  let asked = 0;
  let skipped = 0;
  it.each(readdirSync(FOLDER))(
    '%s',
    async (file) => {
      using folder = temporaryFolder();
      await using peer = new PeerTarget(folder.path, 'sid');
      const report = await runScript(readFileSync(path.join(FOLDER, file), 'utf8'), peer);
      expect(report.problems).toEqual([]);
      asked += report.asked.length;
      skipped += report.skipped;
    },
    120_000,
  );

  it('asked most of them', () => {
    console.log(`promql script cases on Prometheus 3.5: ${asked} asked, ${skipped} of newer releases left out`);
    expect(asked).toBeGreaterThan(1_900);
    expect(skipped).toBeLessThan(200);
  });

  it('would notice a wrong expectation', async () => {
    using folder = temporaryFolder();
    await using peer = new PeerTarget(folder.path, 'sid');
    const script = 'load 1m\n  m 1 2\n\neval instant at 1m m\n  m 2.00000001\n\neval instant at 1m -m\n  {} -2\n';
    const report = await runScript(script, peer);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toContain('line 4');
  }, 60_000);
});
