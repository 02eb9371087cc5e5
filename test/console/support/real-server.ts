/** The real program in production mode with two tenants, their keys, and a few hours of the demonstration's data in each. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Fault } from '../../../src/demo/faults.ts';
import { RemoteWriteEncoder } from '../../../src/demo/remote-write-client.ts';
import { DEMO_TENANTS, DemoService } from '../../../src/demo/service.ts';
import { Labels } from '../../../src/model/labels.ts';
import { MAIN, NODE, startVigie, type VigieProcess } from '../../support/vigie.ts';

const STEP_MS = 15_000;
const SPAN_MS = 2 * 3_600_000;
const STEPS_PER_REQUEST = 120;
export const [A, , B] = DEMO_TENANTS;

export interface RealServer extends AsyncDisposable {
  readonly vigie: VigieProcess;
  readonly url: string;
  readonly platformKey: string;
  /** By tenant. */
  readonly keys: Readonly<Record<string, string>>;
  readonly fault: Fault;
}

/** A series with its value as a function of the seconds since the first sample. */
export interface Made {
  readonly labels: Readonly<Record<string, string>>;
  readonly at: (seconds: number) => number;
}

/** `demo: false`: tenants and keys only. */
export async function startRealServer(options: { readonly demo?: boolean } = {}): Promise<RealServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'vigie-console-'));
  const dataDir = path.join(folder, 'data');
  const platformKey = execFileSync(NODE, [MAIN, 'tenant', 'bootstrap', '--quiet', '--data-dir', dataDir], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  }).trim();
  const vigie = await startVigie({ dataDir, env: { MONITORING_ENV: 'prod' } });
  const keys: Record<string, string> = {};
  const now = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const fault: Fault = {
    kind: 'latency-regression',
    tenant: A!.id,
    startMs: now - 40 * 60_000,
    endMs: now - 12 * 60_000,
    severity: 1.3,
  };
  for (const tenant of [A!, B!]) {
    await vigie.json(`/vigie/v1/tenants/${tenant.id}`, {
      method: 'PUT',
      key: platformKey,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: tenant.displayName }),
    });
    const made = await vigie.json<{ secret: string }>('/vigie/v1/keys', {
      method: 'POST',
      key: platformKey,
      tenant: tenant.id,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'person', role: 'admin' }),
    });
    keys[tenant.id] = made.secret;
    if (options.demo === false) continue;
    const service = new DemoService(tenant, 'console', () => [fault]);
    const rows: Float64Array[] = [];
    const times: number[] = [];
    for (let t = now - SPAN_MS; t <= now; t += STEP_MS) {
      const row = new Float64Array(service.labels.length);
      service.step(t, STEP_MS / 1_000, row);
      rows.push(row);
      times.push(t);
    }
    await write(vigie, made.secret, tenant.id, service.labels, times, rows);
    await vigie.fetch('/api/v2/alerts', {
      method: 'POST',
      key: made.secret,
      tenant: tenant.id,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([
        {
          labels: { alertname: `Down_${tenant.id}`, severity: 'critical' },
          annotations: { summary: 'sent by a test' },
        },
      ]),
    });
  }
  return {
    vigie,
    url: vigie.url,
    platformKey,
    keys,
    fault,
    async [Symbol.asyncDispose]() {
      await vigie[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function write(
  vigie: VigieProcess,
  key: string,
  tenant: string,
  labels: readonly Labels[],
  times: readonly number[],
  rows: readonly Float64Array[],
): Promise<void> {
  const encoder = new RemoteWriteEncoder(labels);
  for (let i = 0; i < times.length; i += STEPS_PER_REQUEST) {
    const body = encoder.encode(times.slice(i, i + STEPS_PER_REQUEST), rows.slice(i, i + STEPS_PER_REQUEST));
    const answer = await vigie.fetch('/api/v1/write', {
      method: 'POST',
      key,
      tenant,
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body: new Uint8Array(body),
    });
    if (!answer.ok) throw new Error(`remote write: ${answer.status} ${await answer.text()}`);
  }
}

/** Writes an hour of made series for a tenant, ending now. */
export async function seed(server: RealServer, tenant: string, series: readonly Made[]): Promise<void> {
  const now = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const times = Array.from({ length: 240 }, (_, i) => now - (239 - i) * STEP_MS);
  const rows = times.map((t) => Float64Array.from(series, (s) => s.at((t - times[0]!) / 1_000)));
  const labels = series.map((s) => Labels.from(s.labels));
  await write(server.vigie, server.keys[tenant]!, tenant, labels, times, rows);
}
