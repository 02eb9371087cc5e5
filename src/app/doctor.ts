/**
 * What an operator should know before asking for help: each check answers with findings, one sentence each, and what to
 * do. Nothing is changed but the lock of the data folder, which is taken for a moment.
 */
import { constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { packNames } from '../catalogue/load.ts';
import type { FeatureItem, HealthAnswer } from '../http/contract/overview.ts';
import type { Clock } from '../lib/clock.ts';
import { isVigieError, messageOf } from '../lib/errors.ts';
import { isLoopback } from '../tenancy/authenticator.ts';
import { catalogueFolders } from './catalogue-packs.ts';
import { askPrograms, type ProgramAnswer } from './connected-programs.ts';
import { openDataFolder } from './data-folder.ts';
import type { Options, ResolvedOptions } from './options.ts';
import { parseWebConfig } from './web-config.ts';

export interface Finding {
  /** `problem` makes the command fail; `warning` does not. */
  readonly level: 'ok' | 'note' | 'warning' | 'problem';
  readonly subject: string;
  readonly detail: string;
  /** What to do; '' when nothing. */
  readonly remedy: string;
}

export interface DoctorInput {
  readonly resolved: ResolvedOptions;
  readonly clock: Clock;
  readonly pid: number;
  /** Asks the running server, with a key when there is one; undefined when nobody answers. */
  readonly ask: (path: string) => Promise<{ readonly status: number; readonly body: unknown } | undefined>;
}

const FREE_BYTES_WARN = 1024 ** 3;
const FREE_BYTES_MIN = 100 * 1024 ** 2;
const FREE_SHARE_WARN = 0.1;
const OPEN_FILES_WARN = 4_096;
/** Clocks further apart than this break `too far in the future` and alerts' ends. */
export const SKEW_MS_WARN = 30_000;
/** Nothing of this program is older. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

export async function diagnose(input: DoctorInput): Promise<readonly Finding[]> {
  const { options } = input.resolved;
  const held = lockFinding(options.data_dir, input.pid);
  const programs = await askPrograms(options, input.clock);
  return [
    held.finding,
    ...(await diskFindings(options.data_dir)),
    ...clockFindings(input.clock.now(), newestFileMs(options.data_dir), programs),
    ...(await portFindings(options, held.running)),
    ...exposureFindings(options),
    ...limitFindings(readOr('/proc/self/limits')),
    ...fileFindings(options),
    ...packFindings(options.packs, [...new Set(catalogueFolders(options).flatMap((f) => packNames(f)))]),
    ...programs.map(programFinding),
    ...(await serverFindings(input, held.running)),
  ];
}

const ok = (subject: string, detail: string): Finding => ({ level: 'ok', subject, detail, remedy: '' });

/** Is the folder usable, and does a server hold it? */
function lockFinding(dataDir: string, pid: number): { readonly finding: Finding; readonly running: boolean } {
  const subject = 'data folder';
  const root = path.resolve(dataDir);
  if (!existsSync(root)) {
    const note: Finding = {
      level: 'note',
      subject,
      detail: `${root} does not exist yet`,
      remedy: 'vigie serve creates it',
    };
    return { finding: note, running: false };
  }
  if (!existsSync(path.join(root, 'FORMAT')) && readdirSync(root).length > 0) {
    const remedy = 'name another folder with --data-dir, unless these files may stay beside Vigie’s';
    return {
      finding: { level: 'warning', subject, detail: `${root} holds files and none of Vigie’s`, remedy },
      running: false,
    };
  }
  try {
    openDataFolder(root, pid).release();
    return { finding: ok(subject, `${root}: formats are known, no server runs on it`), running: false };
  } catch (error) {
    if (isVigieError(error, 'locked'))
      return { finding: ok(subject, `${root} is in use by a running server`), running: true };
    const remedy = isVigieError(error) ? error.hint : 'see docs/troubleshooting.md';
    return { finding: { level: 'problem', subject, detail: messageOf(error), remedy }, running: false };
  }
}

async function diskFindings(dataDir: string): Promise<Finding[]> {
  let folder = path.resolve(dataDir);
  while (!existsSync(folder) && folder !== path.dirname(folder)) folder = path.dirname(folder);
  const out: Finding[] = [];
  try {
    await access(folder, constants.W_OK);
  } catch {
    out.push({
      level: 'problem',
      subject: 'disk',
      detail: `${folder} cannot be written`,
      remedy: 'change its owner or mode, or name another folder with --data-dir',
    });
  }
  const s = await statfs(folder);
  return [
    ...out,
    ...spaceFindings({ free: s.bavail * s.bsize, all: s.blocks * s.bsize, inodesFree: s.ffree, inodes: s.files }),
  ];
}

export function spaceFindings(s: {
  readonly free: number;
  readonly all: number;
  readonly inodesFree: number;
  readonly inodes: number;
}): Finding[] {
  const share = s.all === 0 ? 1 : s.free / s.all;
  const detail = `${size(s.free)} free of ${size(s.all)} (${(share * 100).toFixed(0)} %)`;
  const remedy = 'free space, move the data folder, or lower --retention';
  const out: Finding[] = [];
  if (s.free < FREE_BYTES_MIN) out.push({ level: 'problem', subject: 'disk', detail, remedy });
  else if (s.free < FREE_BYTES_WARN || share < FREE_SHARE_WARN)
    out.push({ level: 'warning', subject: 'disk', detail, remedy });
  else out.push(ok('disk', detail));
  // file systems without a fixed number of inodes answer 0
  if (s.inodes > 0 && s.inodesFree / s.inodes < 0.02)
    out.push({
      level: 'warning',
      subject: 'disk',
      detail: `${s.inodesFree} inodes are left`,
      remedy: 'remove small files, or move the data folder',
    });
  return out;
}

/** The year, against the newest file written and against the clocks of connected programs. */
export function clockFindings(
  nowMs: number,
  newestMs: number | undefined,
  programs: readonly ProgramAnswer[],
): Finding[] {
  const remedy = 'set the clock, and let chrony or systemd-timesyncd keep it';
  const at = new Date(nowMs).toISOString();
  const out: Finding[] = [];
  if (nowMs < EARLIEST_MS) out.push({ level: 'problem', subject: 'clock', detail: `it says ${at}`, remedy });
  if (newestMs !== undefined && newestMs > nowMs + SKEW_MS_WARN)
    out.push({
      level: 'problem',
      subject: 'clock',
      detail: `it says ${at}, and a file of the data folder was written at ${new Date(newestMs).toISOString()}: it was set back`,
      remedy: `${remedy}; samples are refused until it has passed that time`,
    });
  for (const { id, aheadMs } of programs)
    if (aheadMs !== undefined && Math.abs(aheadMs) > SKEW_MS_WARN)
      out.push({
        level: 'warning',
        subject: 'clock',
        detail: `the clock of ${id} is ${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this one`,
        remedy: 'one of the two is wrong; let both be kept by NTP',
      });
  return out.length > 0 ? out : [ok('clock', at)];
}

function newestFileMs(dataDir: string): number | undefined {
  try {
    const times = readdirSync(dataDir).map((name) => statSync(path.join(dataDir, name)).mtimeMs);
    return times.length === 0 ? undefined : Math.max(...times);
  } catch {
    return undefined;
  }
}

async function portFindings({ listen }: Options, running: boolean): Promise<Finding[]> {
  const at = `${listen.host}:${listen.port}`;
  if (running) return [];
  const code = await new Promise<string>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    server.listen(listen.port, listen.host, () => server.close(() => resolve('')));
  });
  if (code === '') return [ok('address', `${at} is free`)];
  const remedy =
    code === 'EADDRINUSE'
      ? 'stop what listens there (ss -ltnp), or choose another with --listen'
      : code === 'EACCES'
        ? 'ports below 1024 need a privilege: choose another, or put a proxy in front'
        : 'name an address of this host with --listen';
  return [{ level: 'problem', subject: 'address', detail: `cannot listen on ${at}: ${code}`, remedy }];
}

/** What can be reached from outside, and how it is protected. */
export function exposureFindings(options: Options): Finding[] {
  const out: Finding[] = [];
  const { host } = options.listen;
  if (!isLoopback(host) && options.environment === 'dev')
    out.push({
      level: 'note',
      subject: 'exposure',
      detail: `${host} is reached from outside: keys are asked for, also in dev`,
      remedy: 'vigie tenant bootstrap prints the first one',
    });
  if (!isLoopback(host) && options.web_config_file === undefined && options.trusted_proxies.length === 0)
    out.push({
      level: 'warning',
      subject: 'exposure',
      detail: `${host} is served without TLS: keys can be read on the way`,
      remedy:
        'give a certificate with --web-config-file, or put a proxy with TLS in front and name it in trusted_proxies',
    });
  return out;
}

export function limitFindings(limits: string | undefined): Finding[] {
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits ?? '')?.[1]);
  if (!Number.isFinite(soft) || soft >= OPEN_FILES_WARN) return [];
  return [
    {
      level: 'warning',
      subject: 'limits',
      detail: `at most ${soft} open files`,
      remedy: `raise it to ${OPEN_FILES_WARN} or more (ulimit -n, LimitNOFILE=)`,
    },
  ];
}

/** The files that the options name; their content is for `vigie check`, but for the web configuration. */
function fileFindings(options: Options): Finding[] {
  const named = [options.config_dir, options.prometheus_config, options.alertmanager_config, options.web_config_file];
  const missing = named.filter((file): file is string => file !== undefined && !existsSync(file));
  const out = missing.map(
    (file): Finding => ({
      level: 'problem',
      subject: 'files',
      detail: `${file} does not exist`,
      remedy: 'correct the path',
    }),
  );
  if (options.web_config_file !== undefined && existsSync(options.web_config_file)) {
    try {
      const { notes } = parseWebConfig(options.web_config_file, readFileSync(options.web_config_file, 'utf8'));
      for (const detail of notes) out.push({ level: 'note', subject: 'files', detail, remedy: '' });
    } catch (error) {
      out.push({ level: 'problem', subject: 'files', detail: messageOf(error), remedy: 'correct the file' });
    }
  }
  return out;
}

export function packFindings(wanted: readonly string[], known: readonly string[]): Finding[] {
  const unknown = wanted.filter((p) => !known.includes(p));
  if (unknown.length === 0) return [ok('packs', wanted.length === 0 ? 'none' : wanted.join(', '))];
  return unknown.map((p) => ({
    level: 'problem',
    subject: 'packs',
    detail: `there is no pack ${JSON.stringify(p)}`,
    remedy: `choose among ${known.join(', ')}`,
  }));
}

export function programFinding({ id, url, problem, version }: ProgramAnswer): Finding {
  if (problem === '') return ok(id, `${url} answers${version === '' ? '' : `, version ${version}`}`);
  return {
    level: 'problem',
    subject: id,
    detail: `${url}: ${problem}`,
    remedy: 'start it, or correct its address; Vigie tries again by itself',
  };
}

/** What the running server says of itself. */
async function serverFindings(input: DoctorInput, running: boolean): Promise<Finding[]> {
  const subject = 'server';
  const answer = await input.ask('/vigie/v1/health');
  if (answer === undefined) {
    if (!running) return [{ level: 'note', subject, detail: 'no server answers', remedy: 'vigie serve' }];
    return [
      {
        level: 'warning',
        subject,
        detail: 'a server holds the data folder and does not answer at its address',
        remedy: 'name its address with --url',
      },
    ];
  }
  if (answer.status === 401 || answer.status === 403)
    return [
      {
        level: 'note',
        subject,
        detail: 'a server answers and wants a platform key',
        remedy: 'set VIGIE_KEY to learn how it is',
      },
    ];
  if (answer.status !== 200)
    return [
      {
        level: 'problem',
        subject,
        detail: `the server answers ${answer.status} to /vigie/v1/health`,
        remedy: 'see its log',
      },
    ];
  const features = await input.ask('/vigie/v1/features');
  return [
    ...healthFindings((answer.body as HealthAnswer).health ?? []),
    ...featureFindings((features?.body as { features?: readonly FeatureItem[] } | undefined)?.features ?? []),
  ];
}

export function healthFindings(items: HealthAnswer['health']): Finding[] {
  const bad = items.filter((i) => i.state !== 'ok');
  if (bad.length === 0) return [ok('server', `${items.length} parts are well`)];
  return bad.map((i) => ({
    level: i.state === 'down' ? 'problem' : 'warning',
    subject: `server ${i.id}`,
    detail: i.detail === '' ? i.state : `${i.state}: ${i.detail}`,
    remedy: i.kind === 'connected' ? 'start it, or correct its address' : 'see the log of the server',
  }));
}

export function featureFindings(features: readonly FeatureItem[]): Finding[] {
  return features
    .filter((f) => f.state === 'configured_inactive')
    .map((f) => ({
      level: 'note',
      subject: 'features',
      detail: f.detail || `${f.id} is configured and inactive`,
      remedy: 'nothing runs for it; docs/compatibility.md lists what does',
    }));
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}
