/** kill -9 at random moments, compactions included: every acknowledged alert and silence is there afterwards. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openStateLog } from '../../src/alerting/state-log.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { temporaryFolder } from '../support/peers.ts';

const KILLS = 6;

it('keeps what was acknowledged through kill -9', { timeout: 60_000 }, async () => {
  using folder = temporaryFolder();
  for (let n = 0; n < KILLS; n++) {
    const child = spawn(process.execPath, [
      path.join(import.meta.dirname, '../support/alerting-child.ts'),
      folder.path,
    ]);
    let text = '';
    const linesWanted = 40 + n * 37;
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (b: Buffer) => {
        text += b.toString();
        if (text.split('\n').length > linesWanted) child.kill('SIGKILL');
      });
      child.once('exit', () => resolve());
    });
    const acknowledged = Number([...text.matchAll(/acknowledged (\d+)\n/g)].at(-1)?.[1]);
    expect(acknowledged).toBeGreaterThan(linesWanted - 2);
    const opened = await openStateLog(path.join(folder.path, 'state.log'), systemClock);
    await opened.log.close();
    const records = opened.records as { k: string; v: { matchers: { value: string }[] } & [string[]] & [string[]][] }[];
    const of = (kind: string): typeof records => records.filter((r) => r.k === kind);
    const alerts = new Set([...of('a').map((r) => r.v[0][1]), ...of('A').flatMap((r) => r.v.map((a) => a[0]![1]))]);
    const silenced = new Set(records.filter((r) => r.k === 's').map((r) => r.v.matchers[0]!.value));
    for (let i = 0; i < acknowledged; i++) {
      expect(alerts.has(String(i))).toBe(true);
      if (i % 10 === 0) expect(silenced.has(String(i))).toBe(true);
    }
  }
});
