/**
 * What the metrics say about the parts of a tenant's system around the begin of an incident: per component the golden
 * signals, their usual level over the two hours before (median and MAD, Rousseeuw and Croux 1993) and their level since.
 */
import { asComponent } from '../incidents/component.ts';
import type { MetricEvidence } from '../incidents/root-cause.ts';
import type { SeriesColumns } from '../model/sample.ts';

const BEFORE_MS = 2 * 3_600_000;
/** Alerts fire some minutes after the fault: what just precedes the begin is not usual. */
const ONSET_MS = 15 * 60_000;
const STEP_MS = 60_000;
/** MAD of a normal distribution times this is its standard deviation. */
const MAD_TO_SIGMA = 1.4826;
/** Spread is at least this share of the level, so that a flat line does not make a ripple look like a quake. */
const SPREAD_SHARE_MIN = 0.05;
const Z_SHOWN_MIN = 3;
const Z_MAX = 1_000;
/** Components with evidence, the most unusual first. */
const EVIDENCE_MAX = 200;

interface Probe {
  readonly metric: string;
  readonly kind: string;
  readonly label: string;
  readonly expr: string;
}

const probe = (metric: string, kind: string, label: string, expr: string): Probe => ({ metric, kind, label, expr });

const PROBES: readonly Probe[] = [
  probe(
    'error ratio',
    'service',
    'service',
    'sum by (service) (rate(http_requests_total{status=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))',
  ),
  probe(
    '95th percentile of the response time',
    'service',
    'service',
    'histogram_quantile(0.95, sum by (service, le) (rate(http_request_duration_seconds_bucket[5m])))',
  ),
  probe('requests per second', 'service', 'service', 'sum by (service) (rate(http_requests_total[5m]))'),
  probe('busy CPU', 'host', 'instance', '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))'),
  probe(
    'available memory',
    'host',
    'instance',
    'min by (instance) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)',
  ),
  probe(
    'free disk',
    'host',
    'instance',
    'min by (instance) (node_filesystem_avail_bytes / node_filesystem_size_bytes)',
  ),
  probe('database connections', 'database', 'instance', 'sum by (instance) (pg_stat_activity_count)'),
  probe('queue depth', 'queue', 'queue', 'max by (queue) (queue_depth)'),
  probe(
    'time of a model call',
    'model',
    'model',
    'histogram_quantile(0.95, sum by (model, le) (rate(model_inference_duration_seconds_bucket[5m])))',
  ),
];

export type QueryMatrix = (
  expr: string,
  range: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
) => Promise<readonly SeriesColumns[]>;

/** Evidence at `nowMs` for an incident whose first bad sample was at `sinceMs`. A probe that fails says nothing. */
export async function evidenceOf(
  query: QueryMatrix,
  sinceMs: number,
  nowMs: number,
): Promise<readonly MetricEvidence[]> {
  const startMs = Math.floor((sinceMs - BEFORE_MS) / STEP_MS) * STEP_MS;
  const endMs = Math.max(nowMs, sinceMs + STEP_MS);
  const answers = await Promise.all(
    PROBES.map(async (p) => {
      const series = await query(p.expr, { startMs, endMs, stepMs: STEP_MS }).catch(() => []);
      return series.flatMap((s) => judge(p, s, sinceMs) ?? []);
    }),
  );
  return answers
    .flat()
    .sort((a, b) => Math.abs(b.z) - Math.abs(a.z))
    .slice(0, EVIDENCE_MAX);
}

/** Undefined when there is too little to compare, or nothing unusual. */
function judge(p: Probe, s: SeriesColumns, sinceMs: number): MetricEvidence | undefined {
  const name = s.labels.get(p.label);
  if (name === '') return undefined;
  const usual: number[] = [];
  const since: [number, number][] = [];
  for (let i = 0; i < s.length; i++) {
    const t = s.timestamps[i]!;
    const v = s.values[i]!;
    if (!Number.isFinite(v)) continue;
    if (t < sinceMs - ONSET_MS) usual.push(v);
    else since.push([t, v]);
  }
  if (usual.length < 15 || since.length === 0) return undefined;
  const before = median(usual);
  const spread = Math.max(
    MAD_TO_SIGMA * median(usual.map((v) => Math.abs(v - before))),
    SPREAD_SHARE_MIN * Math.abs(before),
    Number.MIN_VALUE,
  );
  const zOf = (v: number): number => Math.max(-Z_MAX, Math.min(Z_MAX, (v - before) / spread));
  const worst = since.reduce((a, b) => (Math.abs(zOf(b[1])) > Math.abs(zOf(a[1])) ? b : a));
  const z = zOf(worst[1]);
  if (Math.abs(z) < Z_SHOWN_MIN) return undefined;
  const first = since.find(([, v]) => Math.abs(zOf(v)) >= Z_SHOWN_MIN);
  return {
    component: asComponent(`${p.kind}:${name}`),
    metric: p.metric,
    z,
    before,
    after: worst[1],
    ...(first ? { sinceMs: first[0] } : {}),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
