/**
 * One rendered tree under Debian's Prometheus and Alertmanager and under Vigie, scraping the same service with the same
 * faults: the same alerts fire, rule by rule, and the same notifications go out. Durations are tuned to seconds by the
 * same overrides that users have, and waiting times by a catalogue folder of one's own.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadCatalogue, packNames } from '../../src/catalogue/load.ts';
import { findPeer, freePort, httpReady, peerMissing, start, temporaryFolder } from '../support/peers.ts';
import { eventually, MAIN, NODE, startVigie } from '../support/vigie.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');
const PACKS = [
  'api',
  'slo',
  'queues',
  'security',
  'ai-service',
  'ml-models',
  'dependencies',
  'redis',
  'haproxy',
  'gpu',
  'kubernetes',
];

/** A service in trouble: counters that grow with time, as one scrape after the other would see them. */
function exposition(seconds: number): string {
  const t = 'tenant_id="acme",env="prod",service="api"';
  const lines = [
    ['http_requests_total', `${t},route="/a",status="200"`, 100 * seconds],
    ['http_requests_total', `${t},route="/a",status="500"`, 30 * seconds],
    ['http_request_duration_seconds_bucket', `${t},route="/a",le="0.5"`, 10 * seconds],
    ['http_request_duration_seconds_bucket', `${t},route="/a",le="2"`, 130 * seconds],
    ['http_request_duration_seconds_bucket', `${t},route="/a",le="+Inf"`, 130 * seconds],
    ['queue_depth', 'tenant_id="acme",queue="renders"', 9],
    ['queue_consumers', 'tenant_id="acme",queue="renders"', 0],
    ['queue_oldest_message_age_seconds', 'tenant_id="acme",queue="renders"', 500],
    ['worker_jobs_total', 'tenant_id="acme",queue="renders",result="failure"', 5 * seconds],
    ['auth_attempts_total', 'tenant_id="acme",result="failure"', 40 * seconds],
    ['auth_attempts_total', 'tenant_id="acme",result="success"', seconds],
    ['llm_requests_total', 'tenant_id="acme",provider="p",status="error"', 4 * seconds],
    ['llm_requests_total', 'tenant_id="acme",provider="p",status="ok"', 4 * seconds],
    ['ml_feature_drift_psi', 'tenant_id="acme",model="m",feature="f"', 0.7],
    ['upstream_requests_total', 'tenant_id="acme",upstream="u",status="429"', 4 * seconds],
    ['upstream_requests_total', 'tenant_id="acme",upstream="u",status="200"', 4 * seconds],
    ['upstream_quota_remaining', 'tenant_id="acme",upstream="u"', 1],
    ['upstream_quota_limit', 'tenant_id="acme",upstream="u"', 100],
    // of another tenant: nothing of it may reach acme's alerts
    ['queue_oldest_message_age_seconds', 'tenant_id="beta",queue="mail"', 900],
    ['redis_up', '', 0],
    ['redis_memory_used_bytes', '', 96],
    ['redis_memory_max_bytes', '', 100],
    ['haproxy_backend_active_servers', 'proxy="web"', 0],
    ['haproxy_server_status', 'proxy="web",server="s",state="DOWN"', 1],
    ['DCGM_FI_DEV_GPU_TEMP', 'gpu="0",Hostname="h"', 95],
    ['kube_node_status_condition', 'node="n",condition="Ready",status="true"', 0],
  ] as const;
  return `${lines.map(([n, l, v]) => `${n}{${l}} ${v}`).join('\n')}\n`;
}

/** What must be among the alerts that both fire. */
const WANTED = [
  'ApiErrorsHigh',
  'ApiLatencyHigh',
  'ErrorBudgetBurnsFast',
  'QueueStuck',
  'QueueWithoutConsumers',
  'SignInAttack',
  'LlmProviderFailing',
  'ModelFeatureDrift',
  'UpstreamLimited',
  'UpstreamQuotaLow',
  'RedisDown',
  'RedisMemoryHigh',
  'HaproxyBackendDown',
  'GpuHot',
  'KubeNodeNotReady',
];

interface Notice {
  readonly by: 'alertmanager' | 'vigie';
  readonly receiver: string;
  readonly status: string;
  readonly alerts: readonly string[];
  readonly groupLabels: string;
}
const text = (labels: Readonly<Record<string, string>>): string => JSON.stringify(Object.entries(labels).sort());

const name = (labels: string): string =>
  (JSON.parse(labels) as [string, string][]).find(([n]) => n === 'alertname')![1];

describe.skipIf(peerMissing('prometheus') || peerMissing('prometheus-alertmanager'))('a rendered tree', () => {
  it('fires and notifies alike under Prometheus with Alertmanager and under Vigie', { timeout: 150_000 }, async () => {
    using folder = temporaryFolder();
    const cwd = folder.path;
    const begin = Date.now();
    const service = createServer((_q, r) =>
      r.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(exposition((Date.now() - begin) / 1_000)),
    ).listen(0, '127.0.0.1');
    const notices: Notice[] = [];
    const hook = createServer((q, r) => {
      const chunks: Buffer[] = [];
      q.on('data', (c: Buffer) => chunks.push(c));
      q.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as {
          receiver: string;
          status: string;
          groupLabels: Record<string, string>;
          alerts: { labels: Record<string, string> }[];
        };
        notices.push({
          by: /alertmanager/i.test(q.headers['user-agent'] ?? '') ? 'alertmanager' : 'vigie',
          receiver: body.receiver,
          status: body.status,
          groupLabels: text(body.groupLabels),
          alerts: body.alerts.map((a) => text(a.labels)).sort(),
        });
        r.end();
      });
    }).listen(0, '127.0.0.1');
    const port = (s: { address(): unknown }) => (s.address() as AddressInfo).port;
    const [pPort, aPort] = [await freePort(), await freePort()];
    try {
      // waits of seconds, by a folder of one's own
      mkdirSync(path.join(cwd, 'own/packs'), { recursive: true });
      mkdirSync(path.join(cwd, 'own/alertmanager/routes'), { recursive: true });
      const quick = { group_wait: '2s', group_interval: '5s', repeat_interval: '1h' };
      writeFileSync(
        path.join(cwd, 'own/alertmanager/routes/tree.yaml'),
        stringify({
          group_by: ['alertname', 'env', 'tenant_id'],
          default: quick,
          levels: { L1: quick, L2: quick, L3: quick, L4: quick },
        }),
      );
      const { packs } = loadCatalogue(
        TEMPLATES,
        packNames(TEMPLATES).filter((p) => PACKS.includes(p)),
      );
      expect(packs).toHaveLength(PACKS.length);
      const overrides = Object.fromEntries(
        packs.map((p) => [
          p.manifest.pack,
          {
            rules: Object.fromEntries(
              [...p.rules.values()]
                .flatMap((f) => f.groups.flatMap((g) => g.rules))
                .filter((r) => r.alert && r.for)
                .map((r) => [r.alert!, { for: '3s' }]),
            ),
          },
        ]),
      );
      const webhook = { url: `http://127.0.0.1:${port(hook)}/` };
      writeFileSync(
        path.join(cwd, 'vigie.yaml'),
        stringify({
          catalogue: {
            folders: ['own'],
            packs: PACKS,
            overrides,
            receivers: { webhook },
            levels: { L1: ['webhook'], L2: ['webhook'], L3: ['webhook'], L4: ['webhook'] },
            prometheus: {
              scrape_interval: '1s',
              evaluation_interval: '1s',
              alertmanagers: [`127.0.0.1:${aPort}`],
              targets: Object.fromEntries(
                [...new Set(packs.flatMap((p) => p.manifest.scrape.map((s) => s.job)))].map((j) => [
                  j,
                  [`127.0.0.1:${port(service)}`],
                ]),
              ),
            },
            alertmanager: { version: '0.25', templates: path.join(cwd, 'out/alertmanager/templates') },
            tenants: { acme: { receivers: { webhook } }, beta: {} },
          },
        }),
      );
      execFileSync(NODE, [MAIN, 'render', '-c', 'vigie.yaml', '-e', 'prod', '-o', 'out'], { cwd, stdio: 'pipe' });
      // one job is enough: each would scrape the same service once more
      const config = parse(readFileSync(path.join(cwd, 'out/prometheus/prometheus.yml'), 'utf8')) as Record<
        string,
        unknown
      > & { scrape_configs: { job_name: string; honor_labels?: boolean }[] };
      config.scrape_configs = [
        { job_name: 'redis-exporter', static_configs: [{ targets: [`127.0.0.1:${port(service)}`] }] },
      ] as never;
      writeFileSync(path.join(cwd, 'out/prometheus/prometheus.yml'), stringify(config));
      // Vigie routes itself: it is not to post to the other's Alertmanager too
      const { alerting: _other, ...alone } = config;
      writeFileSync(path.join(cwd, 'out/prometheus/vigie-prometheus.yml'), stringify(alone));

      await using prometheus = await start(findPeer('prometheus')!, {
        args: [
          `--config.file=${cwd}/out/prometheus/prometheus.yml`,
          `--storage.tsdb.path=${mkdtempSync(path.join(cwd, 'p'))}`,
          `--web.listen-address=127.0.0.1:${pPort}`,
        ],
        ready: httpReady(`http://127.0.0.1:${pPort}/-/ready`),
      });
      await using alertmanager = await start(findPeer('prometheus-alertmanager')!, {
        args: [
          `--config.file=${cwd}/out/alertmanager/alertmanager.yml`,
          `--storage.path=${mkdtempSync(path.join(cwd, 'a'))}`,
          `--web.listen-address=127.0.0.1:${aPort}`,
          '--cluster.listen-address=',
        ],
        ready: httpReady(`http://127.0.0.1:${aPort}/-/ready`),
      });
      writeFileSync(path.join(cwd, 'serve.yaml'), 'packs: []\nscrape_host: false\n');
      await using vigie = await startVigie({
        args: [
          '--config',
          path.join(cwd, 'serve.yaml'),
          '--prometheus-config',
          path.join(cwd, 'out/prometheus/vigie-prometheus.yml'),
          '--alertmanager-config',
          path.join(cwd, 'out/alertmanager/alertmanager.yml'),
        ],
      });
      expect(prometheus.pid && alertmanager.pid && vigie.port).toBeGreaterThan(0);
      const firing = async (url: string): Promise<string[]> => {
        const { data } = (await (await fetch(`${url}/api/v1/alerts`)).json()) as {
          data: { alerts: { labels: Record<string, string>; state: string }[] };
        };
        return data.alerts
          .filter((a) => a.state === 'firing')
          .map((a) => text(a.labels))
          .sort();
      };
      const [theirs, ours] = await eventually(
        'the same alerts on both sides',
        async () => {
          const [a, b] = [await firing(`http://127.0.0.1:${pPort}`), await firing(vigie.url)];
          return (
            WANTED.every((w) => a.some((l) => name(l) === w)) &&
            JSON.stringify(a) === JSON.stringify(b) &&
            ([a, b] as const)
          );
        },
        70_000,
      ).catch(async (error) => {
        const [a, b] = [await firing(`http://127.0.0.1:${pPort}`), await firing(vigie.url)];
        expect(b).toEqual(a);
        throw error;
      });
      expect(ours).toEqual(theirs);
      // planted: one label of one alert changed must be seen
      expect(ours.with(0, ours[0]!.replace('prod', 'dev'))).not.toEqual(theirs);
      const names = new Set(theirs.map(name));
      for (const wanted of WANTED) expect([...names], wanted).toContain(wanted);
      // each side told the same groups to the same receivers
      const told = (by: Notice['by']): string[] =>
        [
          ...new Set(
            notices
              .filter((n) => n.by === by && n.status === 'firing')
              .map((n) => `${n.receiver} ${n.groupLabels} ${n.alerts.map(name).join()}`),
          ),
        ].sort();
      await eventually(
        'the same notifications',
        async () =>
          told('alertmanager').length >= 12 && JSON.stringify(told('alertmanager')) === JSON.stringify(told('vigie')),
        40_000,
      ).catch((error) => {
        expect(told('vigie')).toEqual(told('alertmanager'));
        throw error;
      });
      expect(told('vigie').some((n) => n.startsWith('acme-L'))).toBe(true);
      // what is inhibited is told by neither: the cause is
      expect(told('vigie').join('\n')).not.toContain('RedisMemoryHigh');
      expect(told('vigie').filter((n) => n.startsWith('acme-') && n.includes('beta'))).toEqual([]);
    } finally {
      service.close();
      hook.close();
    }
  });
});
