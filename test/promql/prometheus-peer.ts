/** A real Prometheus loaded with given series, and the canonical form in which answers are compared. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Labels } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/sample.ts';
import type { QueryValue } from '../../src/promql/engine.ts';
import { formatValue } from '../../src/promql/literal.ts';
import { findPeer, freePort, httpReady, type Started, start } from '../support/peers.ts';

/** Writes `series` as blocks with promtool and starts Prometheus over them. */
export async function startPrometheus(
  folder: string,
  series: Iterable<SeriesColumns>,
  suite?: 'trixie' | 'sid',
): Promise<{ readonly started: Started; readonly url: string }> {
  const byName = new Map<string, string[]>();
  for (const s of series) {
    const name = s.labels.metricName;
    const list = byName.get(name) ?? [];
    byName.set(name, list);
    const labels = [...s.labels.without('__name__').entries()].map(([n, v]) => `${n}=${JSON.stringify(v)}`).join(',');
    for (let i = 0; i < s.length; i++)
      list.push(`${name}${labels ? `{${labels}}` : ''} ${formatValue(s.values[i]!)} ${s.timestamps[i]! / 1000}`);
  }
  let text = '';
  for (const [name, lines] of byName) text += `# TYPE ${name} unknown\n${lines.join('\n')}\n`;
  writeFileSync(path.join(folder, 'data.om'), `${text}# EOF\n`);
  mkdirSync(path.join(folder, 'tsdb'), { recursive: true });
  execFileSync(
    findPeer('promtool')!,
    ['tsdb', 'create-blocks-from', 'openmetrics', path.join(folder, 'data.om'), path.join(folder, 'tsdb')],
    { stdio: 'pipe' },
  );
  writeFileSync(path.join(folder, 'prometheus.yml'), 'global:\n  evaluation_interval: 1m\n');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = await start(findPeer('prometheus', suite)!, {
    args: [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/tsdb`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      ...(suite === 'sid' ? ['--enable-feature=promql-experimental-functions'] : []),
    ],
    ready: httpReady(`${url}/-/ready`),
  });
  return { started, url };
}

export type Canonical = ReadonlyMap<string, readonly (readonly [number, string])[]>;

const keyOf = (o: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));

export function canonicalOurs(v: QueryValue): Canonical {
  const key = (l: Labels): string => keyOf(l.toObject());
  if (v.type === 'scalar' || v.type === 'string')
    return new Map([['', [[v.timestampMs / 1000, typeof v.value === 'number' ? formatValue(v.value) : v.value]]]]);
  if (v.type === 'vector')
    return new Map(v.samples.map((s) => [key(s.labels), [[s.timestampMs / 1000, formatValue(s.value)]]]));
  return new Map(
    v.series.map((s) => [
      key(s.labels),
      Array.from({ length: s.length }, (_, i) => [s.timestamps[i]! / 1000, formatValue(s.values[i]!)] as const),
    ]),
  );
}

interface Wire {
  readonly resultType: string;
  readonly result: unknown;
}

export function canonicalTheirs(data: Wire): Canonical {
  if (data.resultType === 'scalar' || data.resultType === 'string')
    return new Map([['', [data.result as [number, string]]]]);
  const list = data.result as {
    metric: Record<string, string>;
    value?: [number, string];
    values?: [number, string][];
  }[];
  return new Map(list.map((s) => [keyOf(s.metric), s.values ?? [s.value!]]));
}

/** Equal but for a relative error of 1e-12, or an absolute one of `absolute`; a text otherwise saying what differs. */
export function difference(ours: Canonical, theirs: Canonical, absolute = 1e-300): string | undefined {
  for (const [key, points] of theirs) {
    const mine = ours.get(key);
    if (!mine) return `missing ${key}: ${JSON.stringify(points.slice(0, 3))}`;
    if (mine.length !== points.length)
      return `${key}: ${mine.length} points, wanted ${points.length}: ${JSON.stringify(mine.slice(0, 3))} ${JSON.stringify(points.slice(0, 3))}`;
    for (let i = 0; i < points.length; i++) {
      const [t, v] = points[i]!;
      const [u, w] = mine[i]!;
      if (t !== u) return `${key}: time ${u}, wanted ${t}`;
      if (v === w) continue;
      const a = Number(v);
      const b = Number(w);
      if (!(Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b)) || Math.abs(a - b) <= absolute))
        return `${key} at ${t}: ${w}, wanted ${v}`;
    }
  }
  for (const key of ours.keys())
    if (!theirs.has(key)) return `too much: ${key}: ${JSON.stringify(ours.get(key)!.slice(0, 3))}`;
  return undefined;
}
