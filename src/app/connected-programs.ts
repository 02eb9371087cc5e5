/**
 * Asks each program that the options name for its version and its clock: one small question, no state changed. Used
 * where nothing runs yet (`vigie doctor`); the server has probes of its own.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Options } from './options.ts';

const ANSWER_MS_MAX = 4_000;
const ANSWER_BYTES_MAX = 256 * 1024;

export interface ProgramAnswer {
  readonly id: 'prometheus' | 'alertmanager' | 'grafana' | 'postgresql' | 'redis';
  /** Without credentials. */
  readonly url: string;
  /** '' when it answered; else why not. Holds no secret. */
  readonly problem: string;
  /** '' when it does not say. */
  readonly version: string;
  /** How far its clock is ahead of ours; undefined when it does not say. Within a second of doubt. */
  readonly aheadMs?: number;
}

type Probe = (url: string, clock: Clock) => Promise<Pick<ProgramAnswer, 'version' | 'aheadMs'>>;

const PROBES: readonly (readonly [ProgramAnswer['id'], keyof Options, Probe])[] = [
  ['prometheus', 'prometheus_url', httpProbe('/api/v1/status/buildinfo', ['data', 'version'])],
  ['alertmanager', 'alertmanager_url', httpProbe('/api/v2/status', ['versionInfo', 'version'])],
  ['grafana', 'grafana_url', httpProbe('/api/health', ['version'])],
  ['postgresql', 'database_url', postgresProbe],
  ['redis', 'redis_url', redisProbe],
];

/** All of them at once; each answers or says why not within a few seconds. */
export function askPrograms(options: Options, clock: Clock): Promise<readonly ProgramAnswer[]> {
  const wanted = PROBES.flatMap(([id, setting, probe]) => {
    const url = options[setting];
    return typeof url === 'string' ? [{ id, url, probe }] : [];
  });
  return Promise.all(
    wanted.map(async ({ id, url, probe }): Promise<ProgramAnswer> => {
      const shown = withoutCredentials(url);
      try {
        return { id, url: shown, problem: '', ...(await probe(url, clock)) };
      } catch (error) {
        const cause = (error as { cause?: unknown }).cause;
        // some drivers put the address, with its password, into their message
        const problem = messageOf(cause ?? error).replaceAll(url, shown) || 'does not answer';
        return {
          id,
          url: shown,
          problem: passwordOf(url) ? problem.replaceAll(passwordOf(url), '<secret>') : problem,
          version: '',
        };
      }
    }),
  );
}

export function withoutCredentials(url: string): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  // connection strings may carry the password there, too
  for (const name of [...shown.searchParams.keys()])
    if (/pass|secret|token|key/i.test(name)) shown.searchParams.delete(name);
  return shown.href;
}

const passwordOf = (url: string): string => decodeURIComponent(new URL(url).password);

function httpProbe(path: string, versionAt: readonly string[]): Probe {
  return async (url, clock) => {
    const target = new URL(url);
    const headers: Record<string, string> = {};
    if (target.username !== '') {
      const pair = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    const base = withoutCredentials(url)
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '');
    const answer = await fetch(`${base}${path}`, { headers, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    const text = (await answer.text()).slice(0, ANSWER_BYTES_MAX);
    if (!answer.ok) throw new Error(`answers ${answer.status} to ${path}`);
    const date = Date.parse(answer.headers.get('date') ?? '');
    return {
      version: textAt(text, versionAt),
      ...(Number.isNaN(date) ? {} : { aheadMs: date - clock.now() }),
    };
  };
}

function textAt(json: string, path: readonly string[]): string {
  try {
    let value: unknown = JSON.parse(json);
    for (const key of path) value = (value as Record<string, unknown> | null | undefined)?.[key];
    return typeof value === 'string' ? value.slice(0, 100) : '';
  } catch {
    return '';
  }
}

async function postgresProbe(url: string, clock: Clock): Promise<Pick<ProgramAnswer, 'version' | 'aheadMs'>> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_MS_MAX,
    query_timeout: ANSWER_MS_MAX,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string; now: number }>(
      "select current_setting('server_version') as version, (extract(epoch from clock_timestamp()) * 1000)::float8 as now",
    );
    return { version: rows[0]?.version ?? '', ...(rows[0] ? { aheadMs: rows[0].now - clock.now() } : {}) };
  } finally {
    await client.end();
  }
}

async function redisProbe(url: string, clock: Clock): Promise<Pick<ProgramAnswer, 'version' | 'aheadMs'>> {
  const { createClient } = await import('redis');
  const client = createClient({ url, socket: { connectTimeout: ANSWER_MS_MAX, reconnectStrategy: false } });
  // without a listener a lost connection would end the process; the failed command tells what happened
  client.on('error', () => {});
  await client.connect();
  try {
    const info = String(await client.sendCommand(['INFO', 'server']));
    const [seconds, micros] = (await client.sendCommand(['TIME'])) as unknown as [string, string];
    return {
      version: /redis_version:(\S+)/.exec(info)?.[1] ?? '',
      aheadMs: Number(seconds) * 1000 + Number(micros) / 1000 - clock.now(),
    };
  } finally {
    client.destroy();
  }
}
