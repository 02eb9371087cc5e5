/** A real Prometheus with given series in it, asked for answers in canonical form. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Labels } from '../../src/model/labels.ts';
import type { Exemplar, SeriesColumns } from '../../src/model/sample.ts';
import { findPeer, freePort, httpReady, type Started, start } from '../support/peers.ts';
import { type Answer, canonicalTheirs } from './answer.ts';
import { remoteWriteBody } from './remote-write.ts';
import type { ScriptRange, ScriptTarget } from './script.ts';

export type PeerSuite = 'trixie' | 'sid';

/** Feature flags each release knows among those that matter to queries. */
function featuresOf(version: string): string[] {
  const out = ['native-histograms', 'exemplar-storage', 'promql-per-step-stats'];
  if (!older(version, '2.53')) out.push('promql-experimental-functions');
  if (!older(version, '3.4')) out.push('promql-duration-expr');
  return out;
}

/** Is release `a` older than `b`? Only major and minor count. */
export function older(a: string, b: string): boolean {
  const [x = 0, y = 0] = a.split('.').map(Number);
  const [u = 0, v = 0] = b.split('.').map(Number);
  return x < u || (x === u && y < v);
}

/** `3.5` of a Prometheus binary. */
export function releaseOf(binary: string): string {
  const text = execFileSync(binary, ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  return /version (\d+\.\d+)/.exec(text)?.[1] ?? '0.0';
}

export interface Peer {
  readonly started: Started;
  readonly url: string;
  readonly version: string;
}

/** Starts an empty Prometheus that takes remote write of any time. */
export async function startPrometheus(folder: string, suite?: PeerSuite, flags: readonly string[] = []): Promise<Peer> {
  const binary = findPeer('prometheus', suite)!;
  const version = releaseOf(binary);
  mkdirSync(path.join(folder, 'tsdb'), { recursive: true });
  writeFileSync(
    path.join(folder, 'prometheus.yml'),
    'global:\n  evaluation_interval: 1m\nstorage:\n  tsdb:\n    out_of_order_time_window: 10000d\n',
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = await start(binary, {
    args: [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/tsdb`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      `--enable-feature=${featuresOf(version).join(',')}`,
      ...flags,
    ],
    ready: httpReady(`${url}/-/ready`),
  });
  return { started, url, version };
}

export async function writeSeries(
  peer: Peer,
  series: Iterable<SeriesColumns>,
  exemplars?: ReadonlyMap<string, readonly Exemplar[]>,
): Promise<void> {
  const r = await fetch(`${peer.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    // in label order: a head answers series in the order they came, and so does the in-memory source
    body: new Uint8Array(
      remoteWriteBody(
        [...series].sort((a, b) => Labels.compare(a.labels, b.labels)),
        exemplars,
      ),
    ),
  });
  if (!r.ok) throw new Error(`remote write: ${r.status} ${await r.text()}`);
}

export async function askPeer(peer: Peer, query: string, when: number | ScriptRange): Promise<Answer> {
  const form =
    typeof when === 'number'
      ? new URLSearchParams({ query, time: String(when / 1000) })
      : new URLSearchParams({
          query,
          start: String(when.startMs / 1000),
          end: String(when.endMs / 1000),
          step: String(when.stepMs / 1000),
        });
  const r = await fetch(`${peer.url}/api/v1/query${typeof when === 'number' ? '' : '_range'}`, {
    method: 'POST',
    body: form,
  });
  const body = (await r.json()) as {
    status: string;
    error: string;
    errorType: string;
    warnings?: string[];
    infos?: string[];
    data: { resultType: string; result: unknown };
  };
  if (body.status !== 'success')
    return { data: new Map(), warnings: [], infos: [], error: body.error, errorType: body.errorType };
  return { data: canonicalTheirs(body.data), warnings: body.warnings ?? [], infos: body.infos ?? [] };
}

/** Scripts against a real Prometheus; `clear` starts a new one, for it cannot forget. */
export class PeerTarget implements ScriptTarget, AsyncDisposable {
  readonly #folder: string;
  readonly #suite: PeerSuite | undefined;
  readonly #version: string;
  #peer: Peer | undefined;
  #runs = 0;

  constructor(folder: string, suite?: PeerSuite) {
    this.#folder = folder;
    this.#suite = suite;
    this.#version = releaseOf(findPeer('prometheus', suite)!);
  }

  knows(version: string): boolean {
    return !older(this.#version, version);
  }

  async #running(): Promise<Peer> {
    this.#peer ??= await startPrometheus(path.join(this.#folder, `run-${this.#runs++}`), this.#suite);
    return this.#peer;
  }

  async clear(): Promise<void> {
    await this.#peer?.started.stop('SIGKILL');
    this.#peer = undefined;
  }

  async load(series: readonly SeriesColumns[]): Promise<void> {
    await writeSeries(await this.#running(), series);
  }

  async instant(query: string, timeMs: number): Promise<Answer> {
    return this.#withoutWording(await askPeer(await this.#running(), query, timeMs));
  }

  async range(query: string, range: ScriptRange): Promise<Answer> {
    return this.#withoutWording(await askPeer(await this.#running(), query, range));
  }

  /**
   * Messages of refusals are worded differently; that both refuse is what counts. Before 3.7 annotations also named
   * metrics without a name.
   */
  #withoutWording(a: Answer): Answer {
    if (a.error !== undefined) return { ...a, errorType: 'peer' };
    if (!older(this.#version, '3.7')) return a;
    return { ...a, warnings: a.warnings.map(withoutNoName), infos: a.infos.map(withoutNoName) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const withoutNoName = (text: string): string => text.replace(' for metric name ""', '');
