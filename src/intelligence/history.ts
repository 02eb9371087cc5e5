/** Stored history on a regular grid, read in pieces so that no query is large and the event loop breathes between. */
import type { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/sample.ts';
import type { TenantId } from '../model/tenant.ts';
import type { IntelligencePorts } from './ports.ts';

/** Values asked for by one query. */
const QUERY_VALUES_MAX = 100_000;
/** Steps of one query: each may read many samples, and a query holds the thread while it is evaluated. */
const QUERY_STEPS_MAX = 240;

export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
}

/** The grid of whole steps that ends at or before `endMs`; `offsetMs` shifts it within the step. */
export function gridEndingAt(endMs: number, stepMs: number, lengthMs: number, offsetMs = 0): Grid {
  const last = Math.floor((endMs - offsetMs) / stepMs) * stepMs + offsetMs;
  const steps = Math.max(1, Math.floor(lengthMs / stepMs));
  return { startMs: last - (steps - 1) * stepMs, stepMs, steps };
}

/** Reads pieces of the grid in order and hands each to `take` with the index of its first step. */
export async function readPieces(
  ports: Pick<IntelligencePorts, 'queryRange'>,
  tenant: TenantId,
  expr: string,
  grid: Grid,
  seriesExpected: number,
  take: (series: readonly SeriesColumns[], firstStep: number, steps: number) => void | Promise<void>,
): Promise<void> {
  const piece = Math.max(10, Math.min(QUERY_STEPS_MAX, Math.floor(QUERY_VALUES_MAX / Math.max(1, seriesExpected))));
  for (let from = 0; from < grid.steps; from += piece) {
    const steps = Math.min(piece, grid.steps - from);
    const startMs = grid.startMs + from * grid.stepMs;
    const series = await ports.queryRange(tenant, expr, {
      startMs,
      endMs: startMs + (steps - 1) * grid.stepMs,
      stepMs: grid.stepMs,
    });
    await take(series, from, steps);
    await breathe();
  }
}

/** The whole grid as one array per series; series beyond `seriesMax` are left out. */
export async function readGrid(
  ports: Pick<IntelligencePorts, 'queryRange'>,
  tenant: TenantId,
  expr: string,
  grid: Grid,
  seriesMax: number,
  seriesExpected = seriesMax,
): Promise<Map<string, { readonly labels: Labels; readonly values: Float64Array }>> {
  const out = new Map<string, { readonly labels: Labels; readonly values: Float64Array }>();
  await readPieces(ports, tenant, expr, grid, seriesExpected, (series) => {
    for (const s of series) {
      let row = out.get(s.labels.key);
      if (!row) {
        if (out.size >= seriesMax) continue;
        row = { labels: s.labels, values: new Float64Array(grid.steps).fill(Number.NaN) };
        out.set(s.labels.key, row);
      }
      for (let i = 0; i < s.length; i++) {
        const at = Math.round((s.timestamps[i]! - grid.startMs) / grid.stepMs);
        const v = s.values[i]!;
        if (at >= 0 && at < grid.steps && Number.isFinite(v)) row.values[at] = v;
      }
    }
  });
  return out;
}

/** Lets other work run. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
