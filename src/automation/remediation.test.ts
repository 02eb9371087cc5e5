import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { PLATFORM_TENANT, tenantId } from '../model/tenant.ts';
import { NEW_STATE, objection } from './guard.ts';
import { performer } from './perform.ts';
import { playbookSchema, type SignalAlert } from './playbook.ts';
import { Remediation, type RemediationPorts, type RunRequest } from './remediation.ts';
import { type Execute, execute, processOf } from './restart.ts';
import { RUN, RUN_EVENTS, RUN_STATES } from './run-state.ts';

const T = PLATFORM_TENANT;
const ALERT: SignalAlert = { fingerprint: 'f1', labels: { alertname: 'HostDiskFull' }, state: 'firing' };

function world(over: Partial<RemediationPorts> = {}, clock: Clock = systemClock, run: Execute = execute) {
  const state = { signal: 'firing' as SignalAlert['state'], query: 'yes' as 'yes' | 'no' | 'unknown' };
  const audited: string[] = [];
  const reported: string[] = [];
  const documents = new MemoryDocuments();
  const ports: RemediationPorts = {
    documents,
    clock,
    logger: silentLogger,
    performer: performer(run, clock),
    query: async () => state.query,
    signal: async () => state.signal,
    audit: async (_t, actor, action, target) => void audited.push(`${actor} ${action} ${target}`),
    report: async (_t, _i, text) => void reported.push(text),
    enabled: true,
    ...over,
  };
  return { state, audited, reported, documents, ports, remediation: new Remediation(ports) };
}

const request = (over: Partial<RunRequest> = {}): RunRequest => ({
  incident: 'INC-1',
  alerts: [ALERT],
  actor: 'vigie',
  key: 'k1',
  ...over,
});

function diskFolder() {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'vigie-disk-')));
  const logs = path.join(root, 'logs');
  mkdirSync(path.join(logs, 'deep'), { recursive: true });
  mkdirSync(path.join(root, 'precious'));
  const file = (at: string, days: number): string => {
    const full = path.join(root, at);
    writeFileSync(full, 'x'.repeat(10_000));
    const t = Date.now() / 1000 - days * 86_400;
    utimesSync(full, t, t);
    return full;
  };
  file('logs/old.log.gz', 10);
  file('logs/deep/older.log.gz', 20);
  file('logs/new.log.gz', 0);
  file('logs/old.txt', 10);
  file('precious/keep.log.gz', 100);
  symlinkSync(path.join(root, 'precious'), path.join(logs, 'trap'));
  symlinkSync(path.join(root, 'precious/keep.log.gz'), path.join(logs, 'link.log.gz'));
  return { root, logs, done: () => rmSync(root, { recursive: true }) };
}

const diskPlaybook = (logs: string, over: Record<string, unknown> = {}, action: Record<string, unknown> = {}) => ({
  version: 1,
  kind: 'playbook',
  name: 'disk',
  match: { labels: { alertname: 'HostDiskFull' } },
  act: [{ do: 'clean_disk', allow: [logs], suffixes: ['.log.gz'], older_than: '3d', ...action }],
  verify: { within: '1s', every: '100ms' },
  limits: { cool_down: '0s', runs_per_day: 100, failures_max: 2 },
  ...over,
});

describe('cleaning a disk', () => {
  it('plans without touching, then removes only old files with the suffix within the folder', async () => {
    const d = diskFolder();
    const w = world();
    await w.remediation.put(T, diskPlaybook(d.logs));
    const dry = await w.remediation.runNow(T, 'disk', request({ key: 'dry', dryRun: true }));
    expect(dry.state).toBe('planned');
    expect(dry.log.at(-1)!.text).toContain('2 files');
    expect(readdirSync(d.logs)).toContain('old.log.gz');
    await w.remediation.arm(T, 'disk', true, 'ada');
    w.state.signal = 'firing';
    const run = w.remediation.runNow(T, 'disk', request());
    await expect.poll(() => existsSync(path.join(d.logs, 'old.log.gz'))).toBe(false);
    w.state.signal = 'resolved';
    expect((await run).state).toBe('helped');
    expect(readdirSync(d.logs).sort()).toEqual(['deep', 'link.log.gz', 'new.log.gz', 'old.txt', 'trap']);
    expect(readdirSync(path.join(d.root, 'precious'))).toEqual(['keep.log.gz']);
    expect(readdirSync(path.join(d.logs, 'deep'))).toEqual([]);
    expect(w.audited).toEqual(['ada playbook.arm disk', 'vigie playbook.run disk', 'vigie playbook.end disk']);
    d.done();
  });

  it('moves to a trash and puts everything back when that did not help', async () => {
    const d = diskFolder();
    const trash = path.join(d.root, 'trash');
    const w = world();
    await w.remediation.put(T, diskPlaybook(d.logs, {}, { trash }));
    await w.remediation.arm(T, 'disk', true, 'ada');
    const run = await w.remediation.runNow(T, 'disk', request());
    expect(run.state).toBe('rolled_back');
    expect(run.log.map((l) => l.text).join('\n')).toContain('put back 2 of 2 files');
    expect(existsSync(path.join(d.logs, 'deep/older.log.gz'))).toBe(true);
    expect(readdirSync(trash)).toEqual([]);
    d.done();
  });

  it('keeps its limits, oldest first, and refuses a folder that is a link', async () => {
    const d = diskFolder();
    const w = world();
    await w.remediation.put(T, diskPlaybook(d.logs, {}, { files_max: 1 }));
    await w.remediation.arm(T, 'disk', true, 'ada');
    const run = await w.remediation.runNow(T, 'disk', request());
    expect(run.log.map((l) => l.text).join()).toContain('removed 1 files');
    expect(run.log.map((l) => l.text).join()).toContain('more are left');
    expect(existsSync(path.join(d.logs, 'old.log.gz'))).toBe(true);
    await w.remediation.put(T, diskPlaybook(path.join(d.logs, 'trap')));
    await w.remediation.arm(T, 'disk', true, 'ada');
    const trap = await w.remediation.runNow(T, 'disk', request({ key: 'k2' }));
    expect(trap.state).toBe('failed');
    expect(readdirSync(path.join(d.root, 'precious'))).toEqual(['keep.log.gz']);
    d.done();
  });
});

describe('restarting', () => {
  const sleeper = async (pidFile: string) => {
    const child = spawn('/bin/sleep', ['300'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    writeFileSync(pidFile, `${child.pid}\n`);
    return child;
  };
  const exe = realpathSync('/bin/sleep');

  it('ends a real process and starts it anew; the roll-back runs when the signal stays bad', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'vigie-pid-'));
    const pidFile = path.join(folder, 'x.pid');
    const child = await sleeper(pidFile);
    const started = path.join(folder, 'started');
    const undone = path.join(folder, 'undone');
    const w = world();
    const act = (file: string) => ({
      do: 'restart_process',
      pid_file: pidFile,
      executable: exe,
      start: ['/usr/bin/touch', file],
    });
    await w.remediation.put(T, {
      ...diskPlaybook('/a/b'),
      name: 'proc',
      act: [act(started)],
      roll_back: [act(undone)],
    });
    await w.remediation.arm(T, 'proc', true, 'ada');
    const ended = new Promise((resolve) => child.once('exit', (_c, signal) => resolve(signal)));
    const run = await w.remediation.runNow(T, 'proc', request());
    expect(await ended).toBe('SIGTERM');
    await expect.poll(() => existsSync(started) && existsSync(undone)).toBe(true);
    expect(run.state).toBe('rolled_back');
    expect(w.audited).toContain('vigie playbook.roll_back proc');
    rmSync(folder, { recursive: true });
  });

  it('never ends a process that is not the one named', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'vigie-pid-'));
    const pidFile = path.join(folder, 'x.pid');
    const child = await sleeper(pidFile);
    expect(await processOf(pidFile, exe)).toBe(child.pid);
    expect(await processOf(pidFile, '/usr/bin/other')).toBeUndefined();
    for (const text of ['1', '0', '-5', 'abc', `${child.pid} 1`, String(process.pid)]) {
      writeFileSync(pidFile, text);
      expect(await processOf(pidFile, exe), text).toBeUndefined();
    }
    expect(child.kill()).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it('gives programs lists of arguments: no shell reads them', async () => {
    const signal = new AbortController().signal;
    expect(await execute('/bin/echo', ['$(id)', ';', '`id`'], signal)).toBe('$(id) ; `id`');
    await expect(execute('/bin/false', [], signal)).rejects.toThrow(/\/bin\/false/);
    const seen: string[][] = [];
    const w = world({}, systemClock, async (file, args) => {
      seen.push([file, ...args]);
      w.state.signal = 'resolved';
      return 'active';
    });
    const units = [
      { do: 'restart_unit', unit: 'agent-api.service' },
      { do: 'restart_workload', workload: 'deployment', namespace: 'media', name: 'workers' },
    ];
    await w.remediation.put(T, { ...diskPlaybook('/a/b'), act: units });
    await w.remediation.arm(T, 'disk', true, 'ada');
    expect((await w.remediation.runNow(T, 'disk', request())).state).toBe('helped');
    expect(seen).toEqual([
      ['systemctl', 'restart', '--', 'agent-api.service'],
      ['systemctl', 'is-active', '--', 'agent-api.service'],
      ['kubectl', '--namespace', 'media', 'rollout', 'restart', 'deployment/workers'],
      ['kubectl', '--namespace', 'media', 'rollout', 'status', 'deployment/workers', '--timeout=100s'],
    ]);
  });
});

describe('guard rails', () => {
  const unit = { ...diskPlaybook('/a/b'), act: [{ do: 'restart_unit', unit: 'x.service' }] };
  const armed = async (over: Partial<RemediationPorts> = {}, limits: Record<string, unknown> = {}) => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1));
    const runs: string[] = [];
    const w = world(over, clock, async (_f, args) => {
      runs.push(args.join(' '));
      return 'active';
    });
    await w.remediation.put(T, { ...unit, limits: { cool_down: '10m', runs_per_day: 3, failures_max: 2, ...limits } });
    await w.remediation.arm(T, 'disk', true, 'ada');
    return { ...w, clock, runs };
  };
  const offer = (w: Awaited<ReturnType<typeof armed>>, key: string) => w.remediation.offer(T, request({ key }));

  it('runs nothing that is not armed, and disarms what was changed', async () => {
    const w = await armed();
    await w.remediation.arm(T, 'disk', false, 'ada');
    expect(await offer(w, 'a')).toEqual({ started: 0, proposed: 1, words: 'disk fits, but: not armed' });
    await w.remediation.arm(T, 'disk', true, 'ada');
    await w.remediation.put(T, { ...unit, description: 'changed' });
    expect((await offer(w, 'b')).words).toContain('not armed');
    expect(w.runs).toEqual([]);
  });

  it('opens the breaker after failures, and only a person closes it', async () => {
    const w = await armed({}, { cool_down: '0s' });
    for (const key of ['a', 'b']) {
      expect((await offer(w, key)).started).toBe(1);
      for (let i = 0; i < 10; i++) await w.clock.advance(500);
    }
    expect(w.reported).toEqual(Array(2).fill('playbook disk: failed: the signal did not recover'));
    expect((await offer(w, 'c')).words).toContain('its breaker is open after 2 failures');
    await w.remediation.arm(T, 'disk', true, 'ben');
    expect((await offer(w, 'd')).started).toBe(1);
    await w.clock.advance(5_000);
  });

  it('cools down, keeps its rate, and starts the same key once', async () => {
    const w = await armed();
    w.state.signal = 'firing';
    expect((await offer(w, 'a')).started).toBe(1);
    await w.clock.advance(300);
    w.state.signal = 'resolved';
    await w.clock.advance(5_000);
    w.state.signal = 'firing';
    expect((await offer(w, 'b')).words).toContain('cooling down');
    const before = w.runs.length;
    await w.clock.advance(600_000);
    expect((await offer(w, 'a')).words).toContain('started already');
    expect(w.runs.length).toBe(before);
  });

  it('does nothing without data, when the fault is gone, or when switched off', async () => {
    const w = await armed();
    w.state.signal = 'unknown';
    expect((await w.remediation.runNow(T, 'disk', request({ key: '1' }))).state).toBe('not_needed');
    w.state.signal = 'resolved';
    expect((await w.remediation.runNow(T, 'disk', request({ key: '2' }))).state).toBe('not_needed');
    const none = await w.remediation.offer(T, request({ alerts: [{ ...ALERT, state: 'unknown' }] }));
    expect(none.words).toBe('no playbook fits');
    const off = await armed({ enabled: false });
    expect((await offer(off, 'x')).words).toContain('switched off');
    expect([...w.runs, ...off.runs]).toEqual([]);
  });

  it('fails a run that a crash cut off, and says so', async () => {
    const w = await armed();
    await w.documents
      .collection(T, { name: 'playbook_runs', indexed: ['startedAtMs', 'state', 'playbook', 'open'] })
      .put('r', {
        id: 'r',
        playbook: 'disk',
        incident: 'INC-9',
        actor: 'vigie',
        dryRun: false,
        state: 'acting',
        open: 1,
        startedAtMs: 0,
        log: [],
      });
    await w.remediation.start();
    expect((await w.remediation.runs(T))[0]).toMatchObject({ state: 'failed', open: 0 });
    expect(w.reported[0]).toContain('what was done is in this log');
    expect((await w.remediation.list(T))[0]!.failuresInRow).toBe(1);
  });

  it('is for the platform tenant only, and tenants do not see each other (isolation)', async () => {
    const w = await armed();
    await expect(w.remediation.put(tenantId('acme'), unit)).rejects.toThrow(/platform tenant/);
    expect(await w.remediation.list(tenantId('acme'))).toEqual([]);
    await expect(w.remediation.arm(tenantId('acme'), 'disk', true, 'eve')).rejects.toThrow(/no playbook/);
    expect((await w.remediation.offer(tenantId('acme'), request())).words).toBe('no playbook fits');
  });

  it('has a run table in which what is over stays over', () => {
    for (const s of RUN_STATES) for (const e of RUN_EVENTS) expect([...RUN_STATES, 'ignore']).toContain(RUN[s][e]);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...RUN_EVENTS), { maxLength: 30 }), (events) => {
        let s: (typeof RUN_STATES)[number] = 'checking';
        let acted = false;
        for (const e of events) {
          const to: (typeof RUN_STATES)[number] | 'ignore' = RUN[s][e];
          if (to === 'ignore') continue;
          if (to === 'acting') acted = true;
          if (to === 'helped' || to === 'rolled_back') expect(acted).toBe(true);
          s = to;
        }
      }),
    );
  });
});

describe('the catalogue', () => {
  const folder = path.resolve(import.meta.dirname, '../../templates/automation/remediation');
  it.each(readdirSync(folder).filter((f) => f.endsWith('.yaml')))('%s is a valid playbook', (file) => {
    expect(playbookSchema.parse(parse(readFileSync(path.join(folder, file), 'utf8')))).toMatchObject({ version: 1 });
  });
  it.each([
    [{ act: [] }, /act/],
    [{ act: [{ do: 'shell', command: 'rm -rf /' }] }, /act/],
    [{ act: [{ do: 'restart_unit', unit: '--now x.service' }] }, /unit/],
    [{ act: [{ do: 'clean_disk', allow: ['/'], suffixes: ['.gz'], older_than: '3d' }] }, /two folders deep/],
    [
      { act: [{ do: 'clean_disk', allow: ['/var/log/../../etc'], suffixes: ['.gz'], older_than: '3d' }] },
      /normal path/,
    ],
    [{ act: [{ do: 'clean_disk', allow: ['/var/log'], suffixes: ['.gz'], older_than: '1s' }] }, /older_than/],
    [{ match: { labels: {} } }, /at least one label/],
  ])('refuses %j', (over, message) => {
    expect(() => playbookSchema.parse({ ...diskPlaybook('/var/log'), ...over })).toThrow(message);
  });
  it('says the first objection', () => {
    const p = playbookSchema.parse(diskPlaybook('/var/log'));
    expect(objection(p, NEW_STATE, 0)).toBe('not armed');
  });
});
