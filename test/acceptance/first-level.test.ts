/**
 * The first level on real faults: a process that dies and a disk that fills up are seen by scraping, become incidents,
 * are repaired by armed playbooks and proven healthy on the same signal. The real program, real processes, a real mount.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/peers.ts';
import { eventually, NODE, startVigie, type VigieProcess } from '../support/vigie.ts';

const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'vigie-first-level-')));
const disposals: (() => void)[] = [];
afterEach(() => {
  for (const d of disposals.splice(0).reverse()) d();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A worker with metrics that writes its pid, as one under a supervisor does. */
const WORKER = `
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
const [, , port, pidFile] = process.argv;
createServer((_, answer) => answer.setHeader('content-type', 'text/plain; version=0.0.4').end('worker_pid ' + process.pid + '\\n')).listen(Number(port), '127.0.0.1', () => writeFileSync(pidFile, String(process.pid)));
setTimeout(() => process.exit(0), 120_000);
`;

interface Run {
  readonly state: string;
  readonly actor: string;
  readonly log: readonly { readonly text: string }[];
}
interface Shown {
  readonly id: string;
  readonly alerts: readonly { readonly labels: Record<string, string>; readonly state: string }[];
  readonly timeline: readonly { readonly kind: string; readonly text: string }[];
}

async function vigieWatching(targets: Record<string, number>, rules: string): Promise<VigieProcess> {
  const name = path.join(folder, Object.keys(targets).join('-'));
  writeFileSync(
    `${name}.yml`,
    `global: { scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms }\nrule_files: ['${name}-rules.yml']\nscrape_configs:\n${Object.entries(
      targets,
    )
      .map(([job, port]) => `  - job_name: ${job}\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`)
      .join('')}`,
  );
  writeFileSync(`${name}-rules.yml`, rules);
  writeFileSync(
    `${name}-vigie.yml`,
    'packs: []\nscrape_host: false\nintelligent_alerts: { auto_remediation: true, correlation: true }\n',
  );
  return startVigie({ args: ['--config', `${name}-vigie.yml`, '--prometheus-config', `${name}.yml`] });
}

const send = async (vigie: VigieProcess, method: string, at: string, body: unknown): Promise<Response> => {
  const answer = await vigie.fetch(at, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status, await answer.clone().text()).toBeLessThan(300);
  return answer;
};
const incidentOf = (vigie: VigieProcess) => async (): Promise<Shown | undefined> => {
  const { incidents } = await vigie.json<{ incidents: { id: string }[] }>('/vigie/v1/incidents');
  return incidents[0] && (await vigie.json<{ incident: Shown }>(`/vigie/v1/incidents/${incidents[0].id}`)).incident;
};
const runsOf = async (vigie: VigieProcess): Promise<readonly Run[]> =>
  (await vigie.json<{ runs: Run[] }>('/vigie/v1/playbook-runs')).runs;
const repaired = async (vigie: VigieProcess): Promise<Run | undefined> => {
  const runs = await runsOf(vigie);
  const over = runs.find((r) => !['checking', 'acting', 'verifying', 'rolling_back'].includes(r.state));
  if (over) expect(over.state, JSON.stringify(over.log)).toBe('helped');
  return over;
};
const auditOf = async (vigie: VigieProcess): Promise<readonly string[]> =>
  (await vigie.json<{ entries: { action: string }[] }>('/vigie/v1/audit')).entries.map((e) => e.action);

describe('the first level', () => {
  it('restarts a process that died, and the signal that told of it proves the repair', async () => {
    const port = await freePort();
    const script = path.join(folder, 'worker.mjs');
    const pidFile = path.join(folder, 'worker.pid');
    writeFileSync(script, WORKER);
    const executable = realpathSync(execFileSync(NODE, ['-p', 'process.execPath']).toString().trim());
    const start = [executable, script, String(port), pidFile];
    const first: ChildProcess = spawn(start[0]!, start.slice(1), { stdio: 'ignore' });
    disposals.push(() => {
      first.kill('SIGKILL');
      const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
      if (pid <= 1 || pid === first.pid) return;
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it is over already
      }
    });
    await eventually('the worker', async () => existsSync(pidFile));
    await using vigie = await vigieWatching(
      { worker: port },
      `groups: [{ name: g, rules: [{ alert: WorkerDown, expr: 'up{job="worker"} == 0', labels: { severity: critical, service: worker }, annotations: { summary: the worker is down } }] }]`,
    );
    const { playbook } = (await (
      await send(vigie, 'PUT', '/vigie/v1/playbooks', {
        document: {
          version: 1,
          kind: 'playbook',
          name: 'restart-worker',
          match: { labels: { alertname: 'WorkerDown' } },
          pre_check: { expr: 'up{job="worker"} == 0' },
          act: [{ do: 'restart_process', pid_file: pidFile, executable, start }],
          verify: { within: '30s', every: '200ms' },
        },
      })
    ).json()) as { playbook: { name: string } };
    expect(playbook.name).toBe('restart-worker');
    const up = async () => {
      const { data } = await vigie.json<{ data: { result: { value: [number, string] }[] } }>(
        '/api/v1/query?query=up{job="worker"}',
      );
      return data.result[0]?.value[1];
    };
    await eventually('the worker is scraped', async () => (await up()) === '1');

    await send(vigie, 'POST', '/vigie/v1/playbooks/restart-worker/arm', { armed: true });
    process.kill(first.pid!, 'SIGKILL');
    const run = await eventually('a repaired worker', () => repaired(vigie), 40_000);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(pid).not.toBe(first.pid);
    expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toBe(`worker_pid ${pid}\n`);
    expect(run.log.map((l) => l.text).join('\n')).toMatch(/was not running, started \d+/);
    expect(await up()).toBe('1');
    expect((await incidentOf(vigie)())!.alerts.map((a) => a.state)).toEqual(['resolved']);

    const { id } = (await incidentOf(vigie)())!;
    expect(run.actor).toBe('escalation');

    // it dies again within the cool-down: not repaired blindly, not even by hand
    process.kill(pid, 'SIGKILL');
    await eventually('it fires again', async () => (await incidentOf(vigie)())!.alerts[0]!.state === 'firing');
    await send(vigie, 'POST', `/vigie/v1/incidents/${id}/actions`, { action: 'remediate' });
    await eventually('the guard rail says why', async () =>
      (await incidentOf(vigie)())!.timeline.some((e) => e.kind === 'remediation' && /cool/i.test(e.text)),
    );
    expect(await runsOf(vigie)).toHaveLength(1);
    expect(await auditOf(vigie)).toEqual(
      expect.arrayContaining(['playbook.put', 'playbook.arm', 'incident.remediate']),
    );
    expect(
      (await auditOf(vigie)).filter((a) => a.startsWith('playbook.run') || a.startsWith('remediation.')).length,
    ).toBeGreaterThan(0);
  }, 120_000);

  it.skipIf(process.getuid?.() !== 0)(
    'cleans a full disk by itself: a real mount, old files only',
    async () => {
      const mount = path.join(folder, 'mount');
      mkdirSync(mount, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'vigie-test', mount]);
      disposals.push(() => execFileSync('umount', ['-l', mount]));
      mkdirSync(path.join(mount, 'logs'));
      const old = new Date(Date.now() - 3 * 86_400_000);
      const exporter = createServer((_, answer) => {
        const s = statfsSync(mount);
        answer.setHeader('content-type', 'text/plain; version=0.0.4');
        answer.end(`disk_avail_bytes ${s.bavail * s.bsize}\ndisk_size_bytes ${s.blocks * s.bsize}\n`);
      });
      await new Promise<void>((resolve) => exporter.listen(0, '127.0.0.1', resolve));
      disposals.push(() => exporter.close());
      await using vigie = await vigieWatching(
        { disk: (exporter.address() as { port: number }).port },
        `groups: [{ name: g, rules: [{ alert: DiskFull, expr: disk_avail_bytes / disk_size_bytes < 0.2, labels: { severity: critical }, annotations: { summary: the disk is full } }] }]`,
      );
      await send(vigie, 'PUT', '/vigie/v1/playbooks', {
        document: {
          version: 1,
          kind: 'playbook',
          name: 'clean-logs',
          match: { labels: { alertname: 'DiskFull' } },
          act: [{ do: 'clean_disk', allow: [path.join(mount, 'logs')], suffixes: ['.log'], older_than: '1d' }],
          verify: { within: '30s', every: '200ms', expr: 'disk_avail_bytes / disk_size_bytes > 0.5' },
        },
      });
      await send(vigie, 'POST', '/vigie/v1/playbooks/clean-logs/arm', { armed: true });
      for (let i = 0; i < 6; i++) {
        const file = path.join(mount, 'logs', `app-${i}.log`);
        writeFileSync(file, Buffer.alloc(1 << 20, 1));
        utimesSync(file, old, old);
      }
      writeFileSync(path.join(mount, 'logs', 'today.log'), Buffer.alloc(1 << 19, 1));
      const keep = path.join(mount, 'data.log');
      writeFileSync(keep, Buffer.alloc(1 << 18, 1));
      utimesSync(keep, old, old);
      await eventually('the disk is clean', () => repaired(vigie), 40_000);
      expect(readdirSync(path.join(mount, 'logs'))).toEqual(['today.log']);
      expect(existsSync(keep)).toBe(true);
      await eventually('the alert is over', async () => (await incidentOf(vigie)())!.alerts[0]!.state === 'resolved');
      const { timeline } = (await incidentOf(vigie)())!;
      expect(timeline.filter((e) => e.kind === 'remediation').length).toBeGreaterThan(1);
    },
    90_000,
  );
});
