/**
 * 10,000 alerts in 500 groups: time until all first notifications arrived, CPU seconds, memory over idle, and listing
 * and filtering with 0 and 86 inhibition rules; Alertmanager (newest and Debian's) and Vigie in one run.
 * Usage: node bench/alerting.ts [alerts] [groups] [rounds]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Alerter, startReal, startSink } from '../test/support/alerting-pair.ts';
import { start, temporaryFolder } from '../test/support/peers.ts';
import { NODE_FLAGS } from './contenders.ts';

const alertCount = Number(process.argv[2] ?? 10_000);
const groupCount = Number(process.argv[3] ?? 500);
const rounds = Number(process.argv[4] ?? 1);
const INHIBIT_RULES = 86;
const TICKS_PER_SECOND = 100;
const LISTINGS = 40;

const config = (sink: string, rules: number): string => `
route: { receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 5m, repeat_interval: 4h }
inhibit_rules: [${Array.from({ length: rules }, (_, i) => `{ source_matchers: ['sev=critical', 'kind="k${i}"'], target_matchers: ['sev=warning', 'kind=~"k${i}|x${i}"'], equal: [node] }`).join(', ')}]
receivers: [{ name: hook, webhook_configs: [{ url: '${sink}/' }] }]
`;

interface Measured {
  readonly toldMs: number;
  readonly cpuSeconds: number;
  readonly memoryMiB: number;
  readonly listMs: number;
  readonly filterMs: number;
  /** CPU of the server for one listing. */
  readonly listCpuMs: number;
}

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};
const memoryMiB = (pid: number, field: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

async function startVigie(yaml: string): Promise<Alerter> {
  const folder = temporaryFolder();
  const file = path.join(folder.path, 'alertmanager.yml');
  writeFileSync(file, yaml);
  let address = '';
  const started = await start(process.execPath, {
    args: [...NODE_FLAGS, path.join(import.meta.dirname, 'alerting-server.ts'), file],
    ready: async () => true,
  });
  while (!address) {
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

async function measure(begin: (yaml: string) => Promise<Alerter>, rules: number): Promise<Measured> {
  await using sink = await startSink();
  await using target = await begin(config(sink.url, rules));
  const pid = target.pid!;
  await fetch(`${target.url}/api/v2/status`);
  const idle = memoryMiB(pid, 'VmRSS');
  const cpuBefore = cpuSeconds(pid);
  const endsAt = new Date(Date.now() + 3_600_000).toISOString();
  const alerts = Array.from({ length: alertCount }, (_, i) => ({
    labels: {
      alertname: `Alert${i % groupCount}`,
      instance: `host-${i}:9100`,
      node: `n${i % 1_000}`,
      kind: `k${i % 100}`,
      sev: i % 50 === 0 ? 'critical' : 'warning',
    },
    annotations: { summary: `something is wrong on host ${i}` },
    endsAt,
  }));
  const startMs = performance.now();
  for (let i = 0; i < alerts.length; i += 500)
    await fetch(`${target.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts.slice(i, i + 500)),
    });
  // groups whose alerts are all inhibited are not told
  await sink.wait(groupCount, rules > 0 ? 4_000 : 30_000);
  const toldMs = performance.now() - startMs;
  const cpu = cpuSeconds(pid) - cpuBefore;
  const memory = memoryMiB(pid, 'VmHWM') - idle;
  const timed = async (route: string): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < LISTINGS; i++) {
      const from = performance.now();
      await (await fetch(`${target.url}/api/v2${route}`)).arrayBuffer();
      times.push(performance.now() - from);
    }
    return times.sort((a, b) => a - b)[Math.floor(LISTINGS / 2)]!;
  };
  const listFrom = cpuSeconds(pid);
  const listMs = await timed('/alerts');
  const listCpuMs = ((cpuSeconds(pid) - listFrom) * 1_000) / LISTINGS;
  return {
    toldMs,
    cpuSeconds: cpu,
    memoryMiB: memory,
    listMs,
    listCpuMs,
    filterMs: await timed(`/alerts?filter=${encodeURIComponent('alertname="Alert7"')}`),
  };
}

const CONTENDERS: Readonly<Record<string, (yaml: string) => Promise<Alerter>>> = {
  'alertmanager 0.33': (y) => startReal(y, 'sid'),
  'alertmanager 0.25': (y) => startReal(y),
  vigie: startVigie,
};
const KEYS = ['toldMs', 'cpuSeconds', 'memoryMiB', 'listMs', 'filterMs', 'listCpuMs'] as const;
const rounded = (v: number): number => Math.round(v * 100) / 100;
const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

for (const rules of [0, INHIBIT_RULES]) {
  const measured: Record<string, Measured[]> = {};
  for (let round = 0; round < rounds; round++) {
    const names = Object.keys(CONTENDERS);
    // each goes first in turn: a machine that gets busier would favour whoever always goes first
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      (measured[name] ??= []).push(await measure(CONTENDERS[name]!, rules));
    }
  }
  const row = (pick: (key: keyof Measured) => number): Record<string, number> =>
    Object.fromEntries(KEYS.map((key) => [key, rounded(pick(key))]));
  const medians = (name: string): Record<string, number> => row((key) => median(measured[name]!.map((m) => m[key])));
  console.log(`\n${alertCount} alerts, ${groupCount} groups, ${rules} inhibition rules, medians of ${rounds}`);
  console.table({
    ...Object.fromEntries(Object.keys(CONTENDERS).map((name) => [name, medians(name)])),
    // of each round, for the machine is not equally busy in all of them
    'vigie / 0.33': row((key) =>
      median(measured['vigie']!.map((m, i) => m[key] / measured['alertmanager 0.33']![i]![key])),
    ),
  });
}
