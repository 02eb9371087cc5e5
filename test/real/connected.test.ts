/**
 * Connected to the programs users already run: PROMETHEUS_URL as the store and ALERTMANAGER_URL as the router of the real
 * Prometheus 3.5 and Alertmanager. What they hold is answered through Vigie, what Vigie collects and computes is written
 * there, rules evaluated by Vigie fire there; beside that, remote_write of a Prometheus file sends on to another one.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findPeer, freePort, httpReady, peerMissing, type Started, start } from '../support/peers.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

const absent = peerMissing('prometheus', 'sid') || peerMissing('prometheus-alertmanager');
const folder = mkdtempSync(path.join(tmpdir(), 'vigie-connected-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Running extends AsyncDisposable {
  readonly url: string;
}
const running = (url: string, started: Started): Running => ({
  url,
  [Symbol.asyncDispose]: async () => void (await started.stop()),
});

async function prometheus(name: string, config: string): Promise<Running> {
  const port = await freePort();
  const file = path.join(folder, `${name}.yml`);
  writeFileSync(file, config.replaceAll('PORT', String(port)));
  const url = `http://127.0.0.1:${port}`;
  const started = await start(findPeer('prometheus', 'sid')!, {
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${folder}/${name}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
    ],
    ready: httpReady(`${url}/-/ready`),
  });
  return running(url, started);
}
async function alertmanager(): Promise<Running> {
  const port = await freePort();
  const file = path.join(folder, 'am.yml');
  writeFileSync(file, 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n');
  const url = `http://127.0.0.1:${port}`;
  const started = await start(findPeer('prometheus-alertmanager')!, {
    args: [
      `--config.file=${file}`,
      `--storage.path=${folder}/am`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    ready: httpReady(`${url}/-/ready`),
  });
  return running(url, started);
}

async function vector(
  base: string,
  expr: string,
): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
  const answer = (await (await fetch(`${base}/api/v1/query?query=${encodeURIComponent(expr)}`)).json()) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return answer.data.result;
}

describe.skipIf(absent)('connected to Prometheus and Alertmanager', () => {
  it('uses their data, writes its own there, and fires there', async () => {
    await using prom = await prometheus(
      'store',
      'global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:PORT"]}]}]\n',
    );
    await using am = await alertmanager();
    const rules = path.join(folder, 'rules.yml');
    writeFileSync(
      rules,
      `groups:
  - name: connected
    interval: 1s
    rules:
      - {record: self:up, expr: 'up{job="self"} + 1'}
      - {alert: SelfUp, expr: 'self:up == 2', labels: {severity: info}, annotations: {summary: 'up is {{ $value }}'}}
`,
    );
    await using vigie: VigieProcess = await startVigie({
      args: ['--rules', rules],
      env: { PROMETHEUS_URL: prom.url, ALERTMANAGER_URL: am.url },
    });
    // their data, through Vigie
    await eventually(
      'data of Prometheus',
      async () => (await vector(vigie.url, 'up{job="self"}'))[0]?.value[1] === '1',
      40_000,
    );
    expect(await vector(vigie.url, 'count(prometheus_build_info)')).toHaveLength(1);
    // what Vigie collects and computes, in Prometheus
    await eventually(
      'host metrics in Prometheus',
      async () => (await vector(prom.url, 'count(node_cpu_seconds_total)')).length === 1,
      60_000,
    );
    await eventually(
      'recorded series in Prometheus',
      async () => (await vector(prom.url, 'self:up'))[0]?.value[1] === '2',
      60_000,
    );
    // rules of Vigie, in Alertmanager
    const alerts = await eventually(
      'the alert in Alertmanager',
      async () => {
        const list = (await (await fetch(`${am.url}/api/v2/alerts`)).json()) as {
          labels: Record<string, string>;
          annotations: Record<string, string>;
        }[];
        return list.find((a) => a.labels['alertname'] === 'SelfUp');
      },
      60_000,
    );
    expect(alerts.annotations['summary']).toBe('up is 2');
    const health = await vigie.json<{ health: { id: string; state: string }[] }>('/vigie/v1/health');
    for (const id of ['prometheus', 'alertmanager'])
      expect(health.health.find((h) => h.id === id)?.state, id).toBe('ok');
  }, 180_000);

  it('sends on what it takes in, as remote_write of a Prometheus file says', async () => {
    await using prom = await prometheus('receiver', 'global: {scrape_interval: 15s}\n');
    const file = path.join(folder, 'prometheus.yml');
    writeFileSync(
      file,
      `global: {external_labels: {site: lab}}
remote_write:
  - url: ${prom.url}/api/v1/write
    write_relabel_configs: [{source_labels: [__name__], regex: 'node_load1|up', action: keep}]
`,
    );
    await using vigie = await startVigie({ args: ['--prometheus-config', file] });
    const load = await eventually(
      'a sample that was sent on',
      async () => (await vector(prom.url, 'node_load1'))[0],
      60_000,
    );
    expect(load.metric['site']).toBe('lab');
    expect(await vector(prom.url, 'node_cpu_seconds_total')).toEqual([]);
    expect((await vector(vigie.url, 'node_cpu_seconds_total')).length).toBeGreaterThan(0);
    // the receiver goes away and comes back: nothing that fits the queue is lost (its own tests show that); here: no harm
    expect((await vigie.fetch('/-/ready')).status).toBe(200);
  }, 120_000);
});
