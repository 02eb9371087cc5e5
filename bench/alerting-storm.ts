/**
 * A storm: 100,000 alerts in a minute, in 1,000 groups. How long the API takes meanwhile (status, one alert posted, one
 * group listed, silences), and how late the first page of each group is against its group_wait; ours and Alertmanager.
 * Usage: node bench/alerting-storm.ts [alerts] [seconds] [vigie,sid]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Alerter, startReal, startSink } from '../test/support/alerting-pair.ts';
import { start, temporaryFolder } from '../test/support/peers.ts';

const alertCount = Number(process.argv[2] ?? 100_000);
const seconds = Number(process.argv[3] ?? 60);
const contenders = (process.argv[4] ?? 'vigie,sid').split(',');
const GROUPS = 1_000;
const BATCH = 500;
const PROBE_MS = 200;
const GROUP_WAIT_MS = 5_000;
const TICKS_PER_SECOND = 100;

const config = (sink: string): string => `
route: { receiver: hook, group_by: [alertname], group_wait: ${GROUP_WAIT_MS / 1_000}s, group_interval: 30s, repeat_interval: 4h }
inhibit_rules: [{ source_matchers: [sev=critical], target_matchers: [sev=warning], equal: [node] }]
receivers: [{ name: hook, webhook_configs: [{ url: '${sink}/', max_alerts: 100 }] }]
`;

async function startVigie(yaml: string): Promise<Alerter> {
  const folder = temporaryFolder();
  const file = path.join(folder.path, 'alertmanager.yml');
  writeFileSync(file, yaml);
  let address = '';
  const started = await start(process.execPath, {
    args: [path.join(import.meta.dirname, 'alerting-server.ts'), file],
    ready: async () => true,
  });
  for (let i = 0; i < 1_000 && !address; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    address = /http:\/\/\S+/.exec(started.output())?.[0] ?? '';
  }
  return {
    name: 'vigie',
    url: address,
    pid: started.pid,
    async [Symbol.asyncDispose]() {
      await started.stop('SIGKILL');
      folder[Symbol.dispose]();
    },
  };
}

const quantile = (sorted: readonly number[], q: number): number =>
  Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN) * 10) / 10;
const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};

async function storm(begin: (yaml: string) => Promise<Alerter>): Promise<Record<string, number>> {
  await using sink = await startSink();
  await using target = await begin(config(sink.url));
  const pid = target.pid!;
  const post = (alerts: readonly object[]): Promise<Response> =>
    fetch(`${target.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts),
    });
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  const alert = (i: number): object => ({
    labels: {
      alertname: `A${i % GROUPS}`,
      instance: `host-${i}`,
      node: `n${i % 5_000}`,
      sev: i % 100 === 0 ? 'critical' : 'info',
    },
    annotations: { summary: `something is wrong on host ${i}` },
    endsAt,
  });
  const firstPosted = new Map<string, number>();
  const pageDelays: number[] = [];
  let seen = 0;
  const pages = (): void => {
    for (; seen < sink.caught.length; seen++) {
      const { groupLabels } = sink.caught[seen]!.body as { groupLabels: { alertname: string } };
      const at = firstPosted.get(groupLabels.alertname);
      if (at === undefined) continue;
      firstPosted.delete(groupLabels.alertname);
      pageDelays.push(performance.now() - at - GROUP_WAIT_MS);
    }
  };
  const watcher = setInterval(pages, 20);

  const latencies: Record<string, number[]> = { status: [], post: [], filter: [], silences: [] };
  let storming = true;
  const timed = async (name: string, work: () => Promise<Response>): Promise<void> => {
    const from = performance.now();
    await (await work()).arrayBuffer();
    latencies[name]!.push(performance.now() - from);
  };
  const probe = (async () => {
    for (let i = 0; storming; i++) {
      const get = (route: string): Promise<Response> => fetch(`${target.url}/api/v2${route}`);
      await timed('status', () => get('/status'));
      await timed('post', () => post([{ labels: { alertname: 'Probe', i: String(i % 10) } }]));
      await timed('filter', () => get(`/alerts?filter=${encodeURIComponent('alertname="A7"')}`));
      await timed('silences', () => get('/silences'));
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    }
  })();

  const cpuBefore = cpuSeconds(pid);
  const begun = performance.now();
  const pending: Promise<unknown>[] = [];
  for (let i = 0; i < alertCount; i += BATCH) {
    const due = begun + (i / alertCount) * seconds * 1_000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const batch = Array.from({ length: Math.min(BATCH, alertCount - i) }, (_, n) => i + n);
    for (const n of batch) {
      const name = `A${n % GROUPS}`;
      if (n < GROUPS) firstPosted.set(name, performance.now());
    }
    pending.push(post(batch.map(alert)).then((r) => r.arrayBuffer()));
  }
  await Promise.all(pending);
  const postedMs = performance.now() - begun;
  storming = false;
  await probe;
  for (let i = 0; i < 500 && firstPosted.size > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(watcher);
  pages();
  pageDelays.sort((a, b) => a - b);
  const all = Object.values(latencies)
    .flat()
    .sort((a, b) => a - b);
  const row: Record<string, number> = {
    postedS: Math.round(postedMs / 100) / 10,
    cpuS: Math.round((cpuSeconds(pid) - cpuBefore) * 10) / 10,
    peakMiB: Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024),
    requests: all.length,
    p50Ms: quantile(all, 0.5),
    p95Ms: quantile(all, 0.95),
    maxMs: quantile(all, 1),
    groupsPaged: pageDelays.length,
    pageLateP95Ms: quantile(pageDelays, 0.95),
    pageLateMaxMs: quantile(pageDelays, 1),
  };
  for (const [name, list] of Object.entries(latencies))
    row[`${name}P95Ms`] = quantile(
      list.sort((a, b) => a - b),
      0.95,
    );
  return row;
}

const rows: Record<string, Record<string, number>> = {};
for (const name of contenders)
  rows[name] = await storm(name === 'vigie' ? startVigie : (y) => startReal(y, name === 'sid' ? 'sid' : undefined));
console.log(`${alertCount} alerts in ${seconds} s, ${GROUPS} groups, group_wait ${GROUP_WAIT_MS / 1_000} s`);
console.table(rows);
