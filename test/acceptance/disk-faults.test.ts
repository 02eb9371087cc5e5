/**
 * The data folder itself fails: on a file system that is full the program refuses what it cannot keep, says so, stays
 * up and readable, and takes work again once there is room; nothing it acknowledged is lost by kill -9. A read-only
 * folder is refused at the start with what to do.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Labels } from '../../src/model/labels.ts';
import { remoteWriteBody } from '../promql/remote-write.ts';
import { freePort } from '../support/peers.ts';
import { eventually, MAIN, NODE, startVigie, type VigieProcess } from '../support/vigie.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vigie-disk-faults-'));
const mounts: string[] = [];

function mounted(name: string, size: string): string | undefined {
  const at = path.join(folder, name);
  try {
    mkdirSync(at, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'vigie-test', at], { stdio: 'pipe' });
    mounts.push(at);
    return at;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.warn(`skipped: no file system could be mounted (${String(error).split('\n')[0]}); this needs root`);
    return undefined;
  }
}
const small = mounted('small', '96m');
const fixed = mounted('fixed', '8m');
afterAll(() => {
  for (const at of mounts) execFileSync('umount', ['-l', at]);
  rmSync(folder, { recursive: true, force: true });
});

/** Takes all room that is left; the file to remove. */
function fill(at: string): string {
  const file = path.join(at, 'ballast');
  const fd = openSync(file, 'w');
  for (const size of [1024 * 1024, 4096, 1]) {
    const piece = Buffer.alloc(size, 1);
    try {
      for (;;) if (writeSync(fd, piece) < size) break;
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }
  closeSync(fd);
  return file;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}
/** One sample of the counter, at a time of its own. */
async function write(vigie: VigieProcess, n: number, pad = 0): Promise<Answer> {
  const body = remoteWriteBody([
    {
      labels: Labels.from({ __name__: 'acknowledged', n: String(n), pad: 'x'.repeat(pad) }),
      length: 1,
      timestamps: Float64Array.of(Date.now()),
      values: Float64Array.of(n),
    },
  ]);
  const response = await vigie.fetch('/api/v1/write', {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: new Uint8Array(body),
  });
  return { status: response.status, text: await response.text() };
}
async function event(vigie: VigieProcess, id: string): Promise<Answer> {
  const response = await vigie.fetch('/vigie/v1/events', {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id, source: '/test', type: 'deploy', data: 'x'.repeat(2_000) }),
  });
  return { status: response.status, text: await response.text() };
}

/** Things that people make: each is refused with the reason, or kept. */
async function make(vigie: VigieProcess, kept: { silences: Set<string>; dashboards: Set<string> }): Promise<Answer[]> {
  const post = async (method: string, url: string, body: unknown): Promise<Answer> => {
    const response = await vigie.fetch(url, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
  const uid = `d${Math.floor(Math.random() * 1e9)}`;
  const silence = await post('POST', '/api/v2/silences', {
    matchers: [{ name: 'a', value: 'x'.repeat(2_000), isRegex: false, isEqual: true }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'test',
    comment: 'test',
  });
  if (silence.status === 200) kept.silences.add((JSON.parse(silence.text) as { silenceID: string }).silenceID);
  const dashboard = await post('PUT', `/vigie/v1/dashboards/${uid}`, {
    dashboard: { title: 'x'.repeat(200), panels: [] },
    baseVersion: 0,
  });
  if (dashboard.status < 300) kept.dashboards.add(uid);
  return [silence, dashboard];
}

describe.skipIf(!small)('a full data folder', () => {
  it('refuses, stays up, recovers, and loses nothing acknowledged', async () => {
    const dataDir = path.join(small!, 'data');
    mkdirSync(dataDir);
    const port = await freePort();
    const acknowledged = new Set<number>();
    const events = new Set<string>();
    const kept = { silences: new Set<string>(), dashboards: new Set<string>() };
    let n = 0;
    const send = async (vigie: VigieProcess, pad: number): Promise<Answer> => {
      const mine = ++n;
      const answer = await write(vigie, mine, pad);
      if (answer.status === 204) acknowledged.add(mine);
      return answer;
    };
    const tell = async (vigie: VigieProcess): Promise<Answer> => {
      const id = `e${++n}`;
      const answer = await event(vigie, id);
      if (answer.status === 202) events.add(id);
      return answer;
    };
    {
      await using vigie = await startVigie({ dataDir, port, args: ['--log-level', 'info'] });
      for (let i = 0; i < 50; i++) await send(vigie, 100);
      for (let i = 0; i < 10; i++) await tell(vigie);
      expect(acknowledged.size).toBe(50);
      const ballast = fill(small!);
      // what was reserved beforehand may still take some
      const refused = await eventually('a refused write', async () => {
        const answer = await send(vigie, 1_500);
        return answer.status === 204 ? undefined : answer;
      });
      expect(refused.status, refused.text).toBeGreaterThanOrEqual(500);
      expect(refused.status).toBeLessThan(508);
      expect(JSON.parse(refused.text)).toMatchObject({ status: 'error', error: expect.stringMatching(/space|full/i) });
      const refusedEvent = await eventually('a refused event', async () => {
        const answer = await tell(vigie);
        return answer.status === 202 ? undefined : answer;
      });
      expect(JSON.parse(refusedEvent.text)).toMatchObject({
        error: { code: 'storage', message: expect.stringMatching(/full|space/i), hint: expect.any(String) },
      });
      for (let i = 0; i < 5; i++)
        for (const answer of await make(vigie, kept))
          if (answer.status >= 300) {
            expect([500, 503, 507], answer.text).toContain(answer.status);
            expect(answer.text).toMatch(/full|space/i);
          }
      // it stays up and readable
      expect((await vigie.fetch('/-/ready')).status).toBe(200);
      const counted = await vigie.json<{ data: { result: { value: [number, string] }[] } }>(
        '/api/v1/query?query=count(acknowledged)',
      );
      expect(Number(counted.data.result[0]!.value[1])).toBeGreaterThanOrEqual(50);
      for (let i = 0; i < 20; i++) {
        await send(vigie, 1_500);
        await tell(vigie);
      }
      rmSync(ballast);
      await eventually('writes again', async () => (await send(vigie, 10)).status === 204);
      await eventually('events again', async () => (await tell(vigie)).status === 202);
      for (let i = 0; i < 20; i++) {
        const again = await send(vigie, 100);
        expect(again.status, again.text).toBe(204);
      }
      for (const answer of await make(vigie, kept)) expect(answer.status, answer.text).toBeLessThan(300);
      await vigie.stop('SIGKILL');
    }
    {
      await using vigie = await startVigie({ dataDir, port });
      const silences = (await vigie.json<{ id: string }[]>('/api/v2/silences')).map((x) => x.id);
      expect(
        [...kept.silences].filter((id) => !silences.includes(id)),
        'silences that are gone',
      ).toEqual([]);
      const shown = await vigie.json<{ dashboards: { uid: string }[] }>('/vigie/v1/dashboards');
      const uids = new Set(shown.dashboards.map((d) => d.uid));
      expect(
        [...kept.dashboards].filter((id) => !uids.has(id)),
        'dashboards that are gone',
      ).toEqual([]);
      const { data } = await vigie.json<{ data: { result: { metric: { n: string }; value: [number, string] }[] } }>(
        '/api/v1/query?query=last_over_time(acknowledged[1h])',
      );
      const stored = new Map(data.result.map((r) => [Number(r.metric.n), Number(r.value[1])]));
      expect(
        [...acknowledged].filter((k) => stored.get(k) !== k),
        'acknowledged samples that are gone',
      ).toEqual([]);
      const list = await vigie.json<{ events: { id: string }[] }>('/vigie/v1/events?limit=1000');
      const ids = new Set(list.events.map((e) => e.id));
      expect(
        [...events].filter((id) => !ids.has(id)),
        'acknowledged events that are gone',
      ).toEqual([]);
      expect(acknowledged.size).toBeGreaterThan(70);
      expect(await vigie.stop()).toBe(0);
    }
  }, 120_000);

  it('full from the start: ends with what is wrong, or serves', async () => {
    const ballast = fill(small!);
    const ended = spawnSync(
      NODE,
      [MAIN, 'serve', '--data-dir', path.join(small!, 'other'), '--listen', '127.0.0.1:0'],
      {
        env: { ...process.env, TENANT_ID: '' },
        timeout: 30_000,
      },
    );
    rmSync(ballast);
    const said = `${ended.stdout}${ended.stderr}`;
    expect(ended.signal, said).toBe(null);
    expect(ended.status, said).not.toBe(0);
    expect(said).toMatch(/space|full|cannot write/i);
    expect(said, 'words, not a stack').not.toMatch(/\n\s+at .*\.ts:\d+/);
  }, 60_000);
});

describe.skipIf(!fixed)('a read-only data folder', () => {
  it('is refused at the start, by name', () => {
    execFileSync('mount', ['-o', 'remount,ro', fixed!]);
    for (const dataDir of [fixed!, path.join(fixed!, 'new')]) {
      const ended = spawnSync(NODE, [MAIN, 'serve', '--data-dir', dataDir, '--listen', '127.0.0.1:0'], {
        env: { ...process.env, TENANT_ID: '' },
        timeout: 30_000,
      });
      const said = `${ended.stdout}${ended.stderr}`;
      expect(ended.signal, said).toBe(null);
      expect(ended.status, said).not.toBe(0);
      expect(said).toContain(fixed!);
      expect(said).toMatch(/read-only|cannot (create|write)/i);
      expect(said, 'words, not a stack').not.toMatch(/\n\s+at .*\.ts:\d+/);
    }
  }, 60_000);
});
