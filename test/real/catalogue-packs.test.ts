/**
 * Packs on the data of the real exporters that Debian has: every metric that a pack says it needs is there, and every
 * selector of its rules and panels, label matchers included, finds a series. What a small healthy set-up cannot show
 * is listed with the reason.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dashboardQueries } from '../../src/catalogue/check/dashboards.ts';
import { parseChecked } from '../../src/catalogue/check/expression.ts';
import { loadCatalogue } from '../../src/catalogue/load.ts';
import type { RenderedPack } from '../../src/catalogue/pack.ts';
import { children, type Expr, type VectorSelector } from '../../src/promql/ast.ts';
import { compileRe2 } from '../../src/regex/re2.ts';
import { findPeer, freePort, httpReady, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';
import { startPostgres } from '../support/postgres.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TEMPLATES = path.join(ROOT, 'templates');
const get = async (url: string): Promise<string> => (await fetch(url)).text();
const pack = (name: string): RenderedPack => loadCatalogue(TEMPLATES, [name]).packs[0]!;

/** Series of an exposition page, as a scrape would store them. */
function seriesOf(text: string): readonly Readonly<Record<string, string>>[] {
  return text.split('\n').flatMap((line) => {
    const m = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+/.exec(line);
    if (!m) return [];
    const labels = [...(m[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, n, v]) => [n!, v!] as const);
    return [{ ...Object.fromEntries(labels), __name__: m[1]!, job: 'j', instance: 'i' }];
  });
}

function selectors(expr: string): readonly VectorSelector[] {
  const out: VectorSelector[] = [];
  const visit = (e: Expr): void => {
    if (e.kind === 'selector') out.push(e);
    else if (e.kind === 'matrix') out.push(e.selector);
    else for (const child of children(e)) visit(child);
  };
  visit(parseChecked(expr));
  return out;
}

/** `where: selector` of everything in the pack that finds nothing on the page; also what `needs` names and is not there. */
function blind(of: RenderedPack, text: string): string[] {
  const series = seriesOf(text);
  const names = new Set(series.map((s) => s['__name__']!));
  const rules = [...of.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules));
  const recorded = new Set(rules.flatMap((r) => r.record ?? []));
  const uses = [
    ...rules.map((r) => ({ where: r.alert ?? r.record!, expr: r.expr })),
    // the six main dashboards ask several exporters; catalogue-panels.test.ts walks them
    ...[...of.dashboards].flatMap(([file, d]) =>
      file.startsWith('prometheus/') ? dashboardQueries(file, d).queries : [],
    ),
  ];
  const finds = (s: VectorSelector): boolean =>
    series.some((labels) =>
      [{ name: '__name__', op: '=', value: s.name }, ...s.matchers].every(({ name, op, value }) => {
        if (name === '__name__' && value === '') return true;
        const has = labels[name] ?? '';
        if (op === '=') return has === value;
        if (op === '!=') return has !== value;
        const hit = compileRe2(value, { anchored: true }).test(has);
        return op === '=~' ? hit : !hit;
      }),
    );
  const missing = of.manifest.needs.metrics
    .filter((n) => !names.has(n) && !names.has(`${n}_bucket`))
    .map((n) => `needs: ${n}`);
  const silent = uses.flatMap(({ where, expr }) =>
    selectors(expr)
      .filter((s) => !recorded.has(s.name) && !['up', 'ALERTS'].includes(s.name) && !finds(s))
      .map((s) => `${where}: ${s.name}${s.matchers.map((m) => ` ${m.name}${m.op}${m.value}`).join('')}`),
  );
  return [...new Set([...missing, ...silent])];
}

const exporter = async (program: string, args: (port: number) => string[], env: Record<string, string> = {}) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started: Started = await start(findPeer(program)!, {
    args: args(port),
    env,
    ready: httpReady(`${url}/metrics`),
  });
  return Object.assign(started, { url });
};

describe('packs on real exporters', { timeout: 60_000 }, () => {
  it('the check finds what is not there', () => {
    const text = 'nginx_up 1\nnginx_connections_active 3\n';
    const found = blind(pack('nginx'), text);
    expect(found).toContain('needs: nginx_http_requests_total');
    expect(found.some((f) => f.includes('nginx_connections_accepted'))).toBe(true);
    expect(found.some((f) => f.includes('nginx_up'))).toBe(false);
  });

  it.skipIf(peerMissing('nginx') || peerMissing('prometheus-nginx-exporter'))('nginx', async () => {
    using folder = temporaryFolder();
    const port = await freePort();
    mkdirSync(path.join(folder.path, 'logs'), { recursive: true });
    const config = path.join(folder.path, 'nginx.conf');
    writeFileSync(
      config,
      `daemon off;\nmaster_process off;\nerror_log stderr;\npid ${folder.path}/nginx.pid;\nevents {}\nhttp {\n access_log off;\n client_body_temp_path ${folder.path}/b;\n proxy_temp_path ${folder.path}/p;\n fastcgi_temp_path ${folder.path}/f;\n uwsgi_temp_path ${folder.path}/u;\n scgi_temp_path ${folder.path}/s;\n server { listen 127.0.0.1:${port}; location /status { stub_status; } }\n}\n`,
    );
    await using nginx = await start(findPeer('nginx')!, {
      args: ['-c', config, '-p', folder.path],
      ready: httpReady(`http://127.0.0.1:${port}/status`),
    });
    await using seen = await exporter('prometheus-nginx-exporter', (own) => [
      `-web.listen-address=127.0.0.1:${own}`,
      `-nginx.scrape-uri=http://127.0.0.1:${port}/status`,
    ]);
    expect(blind(pack('nginx'), await get(`${seen.url}/metrics`))).toEqual([]);
    // the fault of the first alert, as this exporter tells it
    await nginx.stop();
    expect(await get(`${seen.url}/metrics`)).toMatch(/^nginx_up 0$/m);
  });

  it.skipIf(peerMissing('etcd'))('etcd', async () => {
    using folder = temporaryFolder();
    const [client, peer] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${client}`;
    await using etcd = await start(findPeer('etcd')!, {
      args: [
        `--data-dir=${folder.path}/d`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-cluster=default=http://127.0.0.1:${peer}`,
      ],
      ready: httpReady(`${url}/health`),
    });
    expect(etcd.pid).toBeGreaterThan(0);
    await fetch(`${url}/v3/kv/put`, { method: 'POST', body: JSON.stringify({ key: 'YQ==', value: 'Yg==' }) });
    const text = await get(`${url}/metrics`);
    expect(blind(pack('etcd'), text)).toEqual([]);
    expect(text).toMatch(/^etcd_server_has_leader 1$/m);
  });

  it.skipIf(peerMissing('redis-server') || peerMissing('prometheus-redis-exporter'))('Redis', async () => {
    using folder = temporaryFolder();
    const port = await freePort();
    await using redis = await start(findPeer('redis-server')!, {
      args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder.path, '--save', '', '--maxmemory', '64mb'],
      ready: async () => spawnSync('redis-cli', ['-p', String(port), 'set', 'a', 'b']).status === 0,
    });
    await using seen = await exporter('prometheus-redis-exporter', (own) => [
      '-redis.addr',
      `redis://127.0.0.1:${port}`,
      '-web.listen-address',
      `127.0.0.1:${own}`,
    ]);
    expect(redis.pid && seen.pid).toBeGreaterThan(0);
    // a server that is no replica has no link to a master
    const found = blind(pack('redis'), await get(`${seen.url}/metrics`));
    expect(found.filter((f) => !f.includes('redis_master_link_up'))).toEqual([]);
  });

  it.skipIf(peerMissing('haproxy'))('HAProxy', async () => {
    using folder = temporaryFolder();
    const [port, back] = [await freePort(), await freePort()];
    const file = path.join(folder.path, 'h.cfg');
    writeFileSync(
      file,
      `defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nfrontend web\n bind 127.0.0.1:${port}\n http-request use-service prometheus-exporter if { path /metrics }\n default_backend api\nbackend api\n server s1 127.0.0.1:${back} check\n`,
    );
    await using haproxy = await start(findPeer('haproxy')!, {
      args: ['-db', '-f', file],
      ready: httpReady(`http://127.0.0.1:${port}/metrics`),
    });
    expect(haproxy.pid).toBeGreaterThan(0);
    expect(blind(pack('haproxy'), await get(`http://127.0.0.1:${port}/metrics`))).toEqual([]);
  });

  it.skipIf(peerMissing('prometheus-node-exporter'))('the host', async () => {
    await using node = await exporter('prometheus-node-exporter', (own) => [`--web.listen-address=127.0.0.1:${own}`]);
    const found = blind(pack('host'), await get(`${node.url}/metrics`));
    expect(found).toEqual([]);
  });

  it.skipIf(peerMissing('postgres') || peerMissing('prometheus-postgres-exporter'))('PostgreSQL', async () => {
    await using server = await startPostgres();
    await using seen = await exporter(
      'prometheus-postgres-exporter',
      (own) => [`--web.listen-address=127.0.0.1:${own}`],
      { DATA_SOURCE_NAME: `${server.url}${server.url.includes('?') ? '&' : '?'}sslmode=disable` },
    );
    // before 0.12 the exporter tells the lag only with its file of extra queries; our own always does
    const found = blind(pack('postgresql'), await get(`${seen.url}/metrics`));
    expect(found.filter((f) => !f.includes('pg_replication_lag'))).toEqual([]);
  });

  it.skipIf(peerMissing('prometheus-blackbox-exporter'))('probes, and our prober has the same names', async () => {
    using folder = temporaryFolder();
    const modules = path.join(folder.path, 'blackbox.yml');
    writeFileSync(
      modules,
      'modules:\n  http_2xx: { prober: http, http: { preferred_ip_protocol: ip4 } }\n  tcp_connect: { prober: tcp, tcp: { preferred_ip_protocol: ip4 } }\n',
    );
    const web = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((r) => web.once('listening', r));
    const target = encodeURIComponent(`http://127.0.0.1:${(web.address() as AddressInfo).port}/`);
    try {
      await using blackbox = await exporter('prometheus-blackbox-exporter', (own) => [
        `--web.listen-address=127.0.0.1:${own}`,
        `--config.file=${modules}`,
      ]);
      const port = await freePort();
      await using ours = await start(path.join(ROOT, 'node_modules/.bin/node'), {
        args: [path.join(TEMPLATES, 'prometheus/exporters/prober.mjs'), '--listen', `127.0.0.1:${port}`],
        ready: httpReady(`http://127.0.0.1:${port}/metrics`),
      });
      expect(ours.pid).toBeGreaterThan(0);
      const theirs = await get(`${blackbox.url}/probe?module=http_2xx&target=${target}`);
      const own = await get(`http://127.0.0.1:${port}/probe?module=http_2xx&target=${target}`);
      const names = (text: string) => new Set(seriesOf(text).map((s) => s['__name__']!));
      const extra = [...names(own)].filter((n) => !names(theirs).has(n));
      expect(extra, 'names that blackbox_exporter does not have').toEqual([]);
      const value = (text: string, name: string) => new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
      for (const name of [
        'probe_success',
        'probe_http_status_code',
        'probe_http_redirects',
        'probe_ip_protocol',
        'probe_http_ssl',
      ])
        expect(value(own, name), name).toBe(value(theirs, name));
      // no certificate without TLS
      expect(blind(pack('probes'), theirs).filter((f) => !f.includes('ssl_earliest_cert_expiry'))).toEqual([]);
    } finally {
      web.close();
    }
  });

  it.skipIf(peerMissing('prometheus-elasticsearch-exporter'))('Elasticsearch, behind a double of its API', async () => {
    const node = {
      name: 'n1',
      host: 'h',
      ip: '127.0.0.1',
      roles: ['master', 'data', 'ingest'],
      jvm: {
        mem: {
          heap_used_in_bytes: 5,
          heap_max_in_bytes: 10,
          heap_committed_in_bytes: 8,
          non_heap_used_in_bytes: 1,
          non_heap_committed_in_bytes: 1,
          pools: { old: { used_in_bytes: 1, max_in_bytes: 2, peak_used_in_bytes: 1, peak_max_in_bytes: 2 } },
        },
        gc: { collectors: { old: { collection_count: 1, collection_time_in_millis: 2 } } },
      },
      fs: { data: [{ path: '/d', mount: '/', total_in_bytes: 100, free_in_bytes: 60, available_in_bytes: 50 }] },
      thread_pool: { write: { threads: 1, queue: 0, active: 0, rejected: 2, largest: 1, completed: 9 } },
      indices: {
        indexing: { index_total: 3, index_time_in_millis: 4 },
        search: { query_total: 5, query_time_in_millis: 60, fetch_total: 1 },
      },
    };
    const health = {
      cluster_name: 'c',
      status: 'yellow',
      timed_out: false,
      number_of_nodes: 1,
      number_of_data_nodes: 1,
      active_primary_shards: 1,
      active_shards: 1,
      relocating_shards: 0,
      initializing_shards: 0,
      unassigned_shards: 1,
    };
    const double = createServer((request, response) => {
      const at = request.url!.split('?')[0]!;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify(
          at === '/_cluster/health'
            ? health
            : at.startsWith('/_nodes')
              ? { cluster_name: 'c', nodes: { n1: node } }
              : { cluster_name: 'c', cluster_uuid: 'u', version: { number: '8.11.0' } },
        ),
      );
    }).listen(0, '127.0.0.1');
    await new Promise((r) => double.once('listening', r));
    try {
      await using seen = await exporter('prometheus-elasticsearch-exporter', (own) => [
        `--web.listen-address=127.0.0.1:${own}`,
        `--es.uri=http://127.0.0.1:${(double.address() as AddressInfo).port}`,
      ]);
      expect(blind(pack('elasticsearch'), await get(`${seen.url}/metrics`))).toEqual([]);
    } finally {
      double.close();
      double.closeAllConnections();
    }
  });
});
