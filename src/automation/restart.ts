/**
 * Restarts processes, systemd units and Kubernetes workloads. Programs are run by path with a list of arguments; no
 * shell sees anything a tenant wrote. A process is ended only when its executable is the one the playbook names.
 */
import { execFile, spawn } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { sleep } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import type { Action } from './playbook.ts';

/** Output of a program that is kept for the record. */
const OUTPUT_CHARS_MAX = 2_000;
const PROGRAM_MS_MAX = 120_000;
const LOOK_MS = 100;

/** Runs a program; rejects with its output when it fails. */
export type Execute = (file: string, args: readonly string[], signal: AbortSignal) => Promise<string>;

export const execute: Execute = (file, args, signal) =>
  new Promise((resolve, reject) => {
    execFile(
      file,
      [...args],
      { timeout: PROGRAM_MS_MAX, maxBuffer: 1_000_000, signal, shell: false },
      (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim().slice(-OUTPUT_CHARS_MAX);
        if (error)
          reject(new VigieError('upstream', `${file} ${args.join(' ')}: ${text || error.message}`, { cause: error }));
        else resolve(text);
      },
    );
  });

export async function restartUnit(
  action: Extract<Action, { do: 'restart_unit' }>,
  run: Execute,
  signal: AbortSignal,
): Promise<string> {
  await run('systemctl', ['restart', '--', action.unit], signal);
  // `restart` returns before a unit that dies at once is seen to be dead
  const state = (await run('systemctl', ['is-active', '--', action.unit], signal)).trim();
  return `${action.unit} restarted, ${state}`;
}

export async function restartWorkload(
  action: Extract<Action, { do: 'restart_workload' }>,
  run: Execute,
  signal: AbortSignal,
): Promise<string> {
  const what = `${action.workload}/${action.name}`;
  await run('kubectl', ['--namespace', action.namespace, 'rollout', 'restart', what], signal);
  return run('kubectl', ['--namespace', action.namespace, 'rollout', 'status', what, '--timeout=100s'], signal);
}

/** The id in a pid file, when that process runs the executable. Undefined: no such process. */
export async function processOf(pidFile: string, executable: string): Promise<number | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  if (!/^\d{1,10}\s*$/.test(text)) return undefined;
  const pid = Number(text);
  if (pid <= 1 || pid === process.pid) return undefined;
  const runs = await readlink(`/proc/${pid}/exe`).catch(() => undefined);
  // the id may have been given to somebody else since the file was written
  return runs === executable ? pid : undefined;
}

export async function restartProcess(
  action: Extract<Action, { do: 'restart_process' }>,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  const pid = await processOf(action.pid_file, action.executable);
  if (pid === undefined && action.start === undefined)
    throw new VigieError('not_found', `no process of ${action.executable} by ${action.pid_file}, and no start command`);
  if (pid !== undefined) await end(pid, action.executable, action.pid_file, action.stop_timeout, clock, signal);
  if (action.start === undefined) return `ended ${pid}; its supervisor starts it again`;
  const [file, ...args] = action.start;
  const child = spawn(file!, args, { detached: true, stdio: 'ignore', shell: false });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(new VigieError('upstream', `${file} did not start: ${cause.message}`, { cause })),
    );
  });
  // it outlives us; a zombie is reaped by whoever inherits it
  child.unref();
  return `${pid === undefined ? 'was not running' : `ended ${pid}`}, started ${child.pid}`;
}

async function end(
  pid: number,
  executable: string,
  pidFile: string,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (const [how, waitMs] of [
    ['SIGTERM', timeoutMs],
    ['SIGKILL', 5_000],
  ] as const) {
    try {
      process.kill(pid, how);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw new VigieError('forbidden', `process ${pid} cannot be ended: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const endMs = clock.monotonicMs() + waitMs;
    while (clock.monotonicMs() < endMs) {
      if ((await processOf(pidFile, executable)) !== pid) return;
      await sleep(clock, LOOK_MS, signal);
    }
  }
  throw new VigieError('upstream', `process ${pid} did not end`);
}
