import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { freePort, temporaryFolder } from '../../test/support/peers.ts';
import { systemClock } from '../lib/clock.ts';
import { askPrograms, withoutCredentials } from './connected-programs.ts';
import { openDataFolder } from './data-folder.ts';
import {
  clockFindings,
  diagnose,
  exposureFindings,
  featureFindings,
  healthFindings,
  limitFindings,
  packFindings,
  SKEW_MS_WARN,
  spaceFindings,
} from './doctor.ts';
import { resolveOptions } from './options.ts';

const NOW = Date.UTC(2026, 6, 1);
const levels = (findings: readonly { level: string }[]): string[] => findings.map((f) => f.level);
const options = (flags: Record<string, unknown>) => resolveOptions({ flags, env: {} });

/** A program on a loopback port that answers every GET with `body`. */
async function program(body: unknown, headers: Record<string, string> = {}) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? ''}`.trim());
    response.writeHead(200, headers).end(JSON.stringify(body));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('findings', () => {
  it.each([
    [{ free: 50e9, all: 100e9, inodesFree: 9e6, inodes: 10e6 }, ['ok']],
    [{ free: 5e9, all: 100e9, inodesFree: 0, inodes: 0 }, ['warning']],
    [{ free: 900e6, all: 2e9, inodesFree: 9e6, inodes: 10e6 }, ['warning']],
    [{ free: 50e6, all: 100e9, inodesFree: 9e6, inodes: 10e6 }, ['problem']],
    [{ free: 50e9, all: 100e9, inodesFree: 1e4, inodes: 10e6 }, ['ok', 'warning']],
  ])('about space %j', (space, wanted) => expect(levels(spaceFindings(space))).toEqual(wanted));

  const program = { id: 'redis', url: 'redis://x', problem: '', version: '7' } as const;
  it.each([
    [NOW, undefined, [], ['ok'], /2026-07-01/],
    [Date.UTC(1970, 0, 1), undefined, [], ['problem'], /1970-01-01/],
    [NOW, NOW + 10 * SKEW_MS_WARN, [], ['problem'], /was set back/],
    [NOW, NOW - 1, [{ ...program, aheadMs: 2 * SKEW_MS_WARN }], ['warning'], /clock of redis is 60 s ahead of/],
    [NOW, NOW, [{ ...program, aheadMs: -2 * SKEW_MS_WARN }], ['warning'], /60 s behind/],
    [NOW, NOW, [{ ...program, aheadMs: 900 }, program], ['ok'], /2026/],
  ])('about the clock', (now, newest, programs, wanted, detail) => {
    const found = clockFindings(now, newest, programs);
    expect(levels(found)).toEqual(wanted);
    expect(found[0]!.detail).toMatch(detail);
  });

  it('about what can be reached', () => {
    expect(exposureFindings(options({}).options)).toEqual([]);
    expect(levels(exposureFindings(options({ listen: '0.0.0.0:9390' }).options))).toEqual(['note', 'warning']);
    const behind = options({ listen: '0.0.0.0:9390', environment: 'prod', trusted_proxies: ['10.0.0.1'] }).options;
    expect(exposureFindings(behind)).toEqual([]);
  });

  it('about limits, packs, health and features', () => {
    expect(limitFindings('Max open files            1024                 524288               files\n')).toHaveLength(
      1,
    );
    expect(limitFindings('Max open files            65536                524288               files\n')).toEqual([]);
    expect(limitFindings(undefined)).toEqual([]);
    expect(levels(packFindings(['host', 'hots'], ['host', 'api']))).toEqual(['problem']);
    expect(packFindings(['hots'], ['host', 'api'])[0]!.remedy).toBe('choose among host, api');
    const item = { id: 'x', kind: 'own', state: 'ok', detail: '' } as const;
    expect(levels(healthFindings([item, item]))).toEqual(['ok']);
    expect(levels(healthFindings([item, { ...item, state: 'down' }, { ...item, state: 'unknown' }]))).toEqual([
      'problem',
      'warning',
    ]);
    expect(
      featureFindings([
        { id: 'a', state: 'active', detail: '' },
        { id: 'b', state: 'configured_inactive', detail: '' },
      ]).map((f) => f.detail),
    ).toEqual(['b is configured and inactive']);
  });
});

describe('diagnose', () => {
  const input = (
    flags: Record<string, unknown>,
    ask: Parameters<typeof diagnose>[0]['ask'] = async () => undefined,
  ) => ({
    resolved: options(flags),
    clock: systemClock,
    pid: 1,
    ask,
  });
  const about = (findings: Awaited<ReturnType<typeof diagnose>>, subject: string) =>
    findings.filter((f) => f.subject === subject);

  it('finds a free installation well, and creates nothing', async () => {
    using folder = temporaryFolder();
    const dataDir = path.join(folder.path, 'none/yet');
    const found = await diagnose(input({ data_dir: dataDir, listen: `127.0.0.1:${await freePort()}` }));
    expect(found.filter((f) => f.level === 'problem')).toEqual([]);
    expect(about(found, 'data folder')[0]!.detail).toMatch(/does not exist yet/);
    expect(() => mkdirSync(path.dirname(dataDir))).not.toThrow(); // nothing made it meanwhile
  });

  it('tells a folder of a newer release, strange files, a taken port and a missing file', async () => {
    using folder = temporaryFolder();
    await using taken = await program({});
    const [newer, strange] = [path.join(folder.path, 'newer'), path.join(folder.path, 'strange')];
    for (const d of [newer, strange]) mkdirSync(d);
    writeFileSync(path.join(newer, 'FORMAT'), '{"folder":99}');
    writeFileSync(path.join(strange, 'holiday.jpg'), '');
    const listen = `127.0.0.1:${taken.port}`;
    const found = await diagnose(input({ data_dir: newer, listen, web_config_file: '/no/web.yml', packs: ['nope'] }));
    expect(about(found, 'data folder')[0]).toMatchObject({ level: 'problem', detail: /newer Vigie/ });
    expect(about(found, 'address')[0]).toMatchObject({ level: 'problem', detail: /EADDRINUSE/ });
    expect(about(found, 'files')[0]).toMatchObject({ level: 'problem', detail: '/no/web.yml does not exist' });
    expect(about(found, 'packs')[0]!.level).toBe('problem');
    expect(about(await diagnose(input({ data_dir: strange, listen })), 'data folder')[0]!.level).toBe('warning');
  });

  it('asks a server that holds the folder, and does not call its port taken', async () => {
    using folder = temporaryFolder();
    await using server = await program({});
    const held = openDataFolder(folder.path, 42);
    const flags = { data_dir: folder.path, listen: `127.0.0.1:${server.port}` };
    const health = [{ id: 'redis', kind: 'connected', state: 'down', detail: 'gone' }];
    const found = await diagnose(
      input(flags, async (p) => ({ status: 200, body: p.endsWith('health') ? { health } : { features: [] } })),
    );
    expect(about(found, 'data folder')[0]).toMatchObject({ level: 'ok', detail: /in use by a running server/ });
    expect(about(found, 'address')).toEqual([]);
    expect(about(found, 'server redis')[0]).toMatchObject({ level: 'problem', detail: 'down: gone' });
    expect(about(await diagnose(input(flags)), 'server')[0]!.level).toBe('warning');
    const locked = await diagnose(input(flags, async () => ({ status: 401, body: '' })));
    expect(about(locked, 'server')[0]!.remedy).toMatch(/VIGIE_KEY/);
    held.release();
  });
});

describe('askPrograms', () => {
  it('learns versions and clocks, sends credentials, and shows none', async () => {
    const clock = new FakeClock(NOW);
    await using prometheus = await program(
      { data: { version: '3.5.0' } },
      { date: new Date(NOW + 120_000).toUTCString() },
    );
    await using alertmanager = await program({ versionInfo: { version: '0.28.0' } });
    await using grafana = await program('not what was expected');
    const { options: o } = options({
      prometheus_url: `http://me:geheim@127.0.0.1:${prometheus.port}/prom/`,
      alertmanager_url: `http://127.0.0.1:${alertmanager.port}`,
      grafana_url: `http://127.0.0.1:${grafana.port}`,
    });
    const found = await askPrograms(o, clock);
    expect(found.map((f) => [f.id, f.problem, f.version])).toEqual([
      ['prometheus', '', '3.5.0'],
      ['alertmanager', '', '0.28.0'],
      ['grafana', '', ''],
    ]);
    expect(found[0]!.aheadMs).toBe(120_000);
    expect(prometheus.seen).toEqual([
      `/prom/api/v1/status/buildinfo Basic ${Buffer.from('me:geheim').toString('base64')}`,
    ]);
    expect(JSON.stringify(found)).not.toContain('geheim');
  });

  it('says why somebody does not answer, without the password', async () => {
    const port = await freePort();
    const { options: o } = options({
      database_url: `postgres://me:geheim@127.0.0.1:${port}/x?password=geheim`,
      redis_url: `redis://:geheim@127.0.0.1:${port}`,
      prometheus_url: `http://127.0.0.1:${port}`,
    });
    const found = await askPrograms(o, systemClock);
    expect(found.map((f) => f.id)).toEqual(['prometheus', 'postgresql', 'redis']);
    for (const f of found) expect(f.problem).toMatch(/ECONNREFUSED/);
    expect(JSON.stringify(found)).not.toContain('geheim');
    expect(withoutCredentials('postgres://a:b@h/x?sslpassword=b&application_name=v')).toBe(
      'postgres://h/x?application_name=v',
    );
  });
});
