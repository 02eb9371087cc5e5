/** A snapshot of a running server is a data folder of its own: started on it, another Vigie has everything of that moment. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { MAIN, NODE, startVigie, type VigieProcess } from '../support/vigie.ts';

const run = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), 'vigie-snapshot-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});
const point = (name: string, value: number) => ({
  resourceMetrics: [
    {
      scopeMetrics: [
        { metrics: [{ name, gauge: { dataPoints: [{ timeUnixNano: `${Date.now()}000000`, asDouble: value }] } }] },
      ],
    },
  ],
});

async function write(vigie: VigieProcess, name: string): Promise<void> {
  const answer = await vigie.fetch('/v1/metrics', { ...json(point(name, 1)), tenant: 'acme' });
  expect(answer.status).toBe(200);
}
async function names(vigie: VigieProcess): Promise<readonly string[]> {
  return (await vigie.json<{ data: string[] }>('/api/v1/label/__name__/values', { tenant: 'acme' })).data;
}

describe('vigie snapshot', () => {
  it('restores metrics, configuration, silences and tenants of that moment', async () => {
    const dataDir = path.join(folder, 'live');
    mkdirSync(dataDir);
    let snapshot = '';
    {
      await using vigie = await startVigie({ dataDir });
      await write(vigie, 'before');
      const put = await vigie.fetch('/vigie/v1/tenants/acme/config', {
        ...json({ rules: { 'own.yml': 'groups: [{name: own, rules: [{alert: Own, expr: before > 5}]}]' } }, 'PUT'),
        tenant: 'acme',
      });
      expect(put.status, await put.clone().text()).toBeLessThan(300);
      await vigie.json('/api/v2/silences', {
        ...json({
          matchers: [{ name: 'x', value: 'y', isRegex: false, isEqual: true }],
          startsAt: new Date().toISOString(),
          endsAt: new Date(Date.now() + 3_600_000).toISOString(),
          createdBy: 'me',
          comment: 'kept',
        }),
        tenant: 'acme',
      });
      const { stdout } = await run(NODE, [MAIN, 'snapshot', '--url', vigie.url]);
      snapshot = path.join(dataDir, stdout.trim());
      await write(vigie, 'after');
      expect(await names(vigie)).toEqual(['after', 'before']);
    }
    const copy = path.join(folder, 'copy');
    await run(NODE, [MAIN, 'snapshot', '--data-dir', snapshot, '--output', copy]);
    for (const restored of [snapshot, copy]) {
      await using vigie = await startVigie({ dataDir: restored });
      expect((await names(vigie)).filter((n) => n === 'before' || n === 'after')).toEqual(['before']);
      expect(await vigie.json<unknown[]>('/api/v2/silences', { tenant: 'acme' })).toHaveLength(1);
      const rules = await vigie.json<{ data: { groups: { name: string }[] } }>('/api/v1/rules', { tenant: 'acme' });
      expect(rules.data.groups.map((g) => g.name)).toEqual(['own']);
    }
  }, 90_000);
});
