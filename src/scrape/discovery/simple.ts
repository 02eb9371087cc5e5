/** Static, file, HTTP and DNS discovery, with the `__meta_*` labels Prometheus gives. */
import { resolve4, resolve6, resolveMx, resolveNs, resolveSrv } from 'node:dns/promises';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { messageOf, VigieError } from '../../lib/errors.ts';
import type {
  DnsDiscoveryConfig,
  FileDiscoveryConfig,
  HttpDiscoveryConfig,
  StaticDiscoveryConfig,
} from '../discovery-config.ts';
import type { HttpClient } from '../http-client.ts';
import type { TargetGroup } from '../target.ts';
import { type Discoverer, polled } from './discoverer.ts';

const HTTP_TIMEOUT_MS = 60_000;
const HTTP_BYTES_MAX = 64 * 1024 * 1024;
/** File discovery looks again this often; Prometheus watches the folder and re-reads every refresh_interval. */
const FILE_POLL_MS = 5_000;

const groupsSchema = z.array(
  z.strictObject({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()).nullish() }),
);

/** A list of `{targets, labels}` as files and HTTP answer it. Throws `bad_data` naming the path. */
export function readGroups(value: unknown, source: string, meta: Readonly<Record<string, string>>): TargetGroup[] {
  const checked = groupsSchema.safeParse(value ?? []);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    throw new VigieError('bad_data', `${source}: ${issue.path.join('.')}: ${issue.message}`);
  }
  return checked.data.map((g, i) => ({
    source: `${source}:${i}`,
    targets: g.targets.map((t) => ({ __address__: t })),
    labels: { ...g.labels, ...meta },
  }));
}

export function staticDiscoverer(config: StaticDiscoveryConfig): Discoverer {
  return async ({ update }) =>
    update(
      config.groups.map((g, i) => ({
        source: String(i),
        targets: g.targets.map((t) => ({ __address__: t })),
        labels: g.labels,
      })),
    );
}

export function fileDiscoverer(config: FileDiscoveryConfig): Discoverer {
  const good = new Map<string, TargetGroup[]>();
  return polled(Math.min(FILE_POLL_MS, config.refreshMs), 'file', async ({ resolveFile, logger }) => {
    const names = (await Promise.all(config.files.map((pattern) => expandGlob(resolveFile(pattern))))).flat();
    for (const known of good.keys()) if (!names.includes(known)) good.delete(known);
    for (const name of names) {
      try {
        const text = await readFile(name, 'utf8');
        const value = name.toLowerCase().endsWith('.json') ? JSON.parse(text) : parseYaml(text, { maxAliasCount: 100 });
        good.set(name, readGroups(value, name, { __meta_filepath: name }));
      } catch (error) {
        // one bad file keeps its own last good targets and spoils no other
        logger.warn('discovery file not read', { file: name, error: messageOf(error) });
      }
    }
    return [...good.values()].flat();
  });
}

/** Files that a pattern with `*` in its last part names. */
export async function expandGlob(pattern: string): Promise<string[]> {
  if (!pattern.includes('*')) return [pattern];
  const folder = path.dirname(pattern);
  const pieces = path.basename(pattern).split('*');
  const matches = (name: string): boolean => {
    let at = pieces[0]!.length;
    if (!name.startsWith(pieces[0]!)) return false;
    const last = pieces.at(-1)!;
    for (const piece of pieces.slice(1, -1)) {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return name.length - last.length >= at && name.endsWith(last);
  };
  const entries = await readdir(folder).catch(() => [] as string[]);
  return entries
    .filter(matches)
    .sort()
    .map((name) => path.join(folder, name));
}

export function httpDiscoverer(config: HttpDiscoveryConfig, client: HttpClient): Discoverer {
  return polled(config.refreshMs, `http ${new URL(config.url).host}`, async ({ signal }) => {
    const answer = await client.fetch(config.url, {
      timeoutMs: HTTP_TIMEOUT_MS,
      bodyBytesMax: HTTP_BYTES_MAX,
      signal,
      headers: { accept: 'application/json', 'x-prometheus-refresh-interval-seconds': String(config.refreshMs / 1000) },
    });
    if (answer.status !== 200) throw new VigieError('upstream', `server returned HTTP status ${answer.status}`);
    if (!/^application\/json/.test(answer.headers['content-type'] ?? ''))
      throw new VigieError(
        'upstream',
        `unsupported content type ${JSON.stringify(answer.headers['content-type'] ?? '')}`,
      );
    return readGroups(JSON.parse(answer.body.toString('utf8')), config.url, { __meta_url: config.url });
  });
}

export interface DnsPort {
  a(name: string): Promise<readonly string[]>;
  aaaa(name: string): Promise<readonly string[]>;
  srv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
  mx(name: string): Promise<readonly string[]>;
  ns(name: string): Promise<readonly string[]>;
}

export const systemDns: DnsPort = {
  a: resolve4,
  aaaa: resolve6,
  srv: resolveSrv,
  mx: async (name) => (await resolveMx(name)).map((m) => m.exchange),
  ns: resolveNs,
};

export function dnsDiscoverer(config: DnsDiscoveryConfig, dns: DnsPort = systemDns): Discoverer {
  return polled(config.refreshMs, `dns ${config.names.join(',')}`, async () =>
    Promise.all(
      config.names.map(async (name) => {
        const target = (
          host: string,
          port: number,
          extra: Readonly<Record<string, string>>,
        ): Record<string, string> => ({
          __address__: `${host.includes(':') ? `[${host}]` : host.replace(/\.$/, '')}:${port}`,
          __meta_dns_name: name,
          ...extra,
        });
        let targets: Record<string, string>[];
        if (config.type === 'SRV')
          targets = (await dns.srv(name)).map((s) =>
            target(s.name, s.port, {
              __meta_dns_srv_record_target: `${s.name.replace(/\.$/, '')}.`,
              __meta_dns_srv_record_port: String(s.port),
            }),
          );
        else if (config.type === 'A') targets = (await dns.a(name)).map((h) => target(h, config.port, {}));
        else if (config.type === 'AAAA') targets = (await dns.aaaa(name)).map((h) => target(h, config.port, {}));
        else if (config.type === 'MX')
          targets = (await dns.mx(name)).map((h) =>
            target(h, config.port, { __meta_dns_mx_record_target: `${h.replace(/\.$/, '')}.` }),
          );
        else
          targets = (await dns.ns(name)).map((h) =>
            target(h, config.port, { __meta_dns_ns_record_target: `${h.replace(/\.$/, '')}.` }),
          );
        return { source: name, targets, labels: {} };
      }),
    ),
  );
}
