/**
 * Old samples come in: `POST /api/v1/import/openmetrics` (ours) takes a text with timestamps and hands the series to the
 * store as columns. Unlike a write this may reach back before what is stored already.
 */
import type { RawSeriesMemory } from '../../ingest/exposition/series-memory.ts';
import { VigieError } from '../../lib/errors.ts';
import type { ExpositionParser } from '../../model/exposition.ts';
import type { MetricMetadata, SeriesColumns } from '../../model/sample.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { ADMIN, type Route } from '../route.ts';

export const IMPORT_BODY_BYTES_MAX = 256 * 1024 * 1024;

export interface ImportResult {
  readonly series: number;
  readonly samples: number;
  /** Outside of retention or too far in the future. */
  readonly skipped: number;
  readonly blocks: number;
}

export interface ImportPorts {
  readonly parser: ExpositionParser;
  readonly createMemory: () => RawSeriesMemory;
  /** Takes series with ascending times; `unsupported` where the store is another program. */
  readonly importSeries: (tenant: TenantId, series: readonly SeriesColumns[]) => Promise<ImportResult>;
  readonly audit: AuditChange;
}

export function importRoute(ports: ImportPorts): Route {
  return {
    method: 'POST',
    path: '/api/v1/import/openmetrics',
    family: 'prometheus',
    access: ADMIN,
    bodyBytesMax: IMPORT_BODY_BYTES_MAX,
    async handle(request) {
      const { series } = expositionSeries(request.body, ports.parser, ports.createMemory());
      const result = await ports.importSeries(request.context.tenant, series);
      await ports.audit(request.context, 'metrics.import', `${result.series} series`, undefined, result);
      return { json: { status: 'success', data: result } };
    },
  };
}

/** OpenMetrics or the older text format, recognised by the `# EOF` at the end. Throws `bad_data` for lines without a time. */
export function expositionSeries(
  body: Uint8Array,
  parser: ExpositionParser,
  memory: RawSeriesMemory,
): { readonly series: SeriesColumns[]; readonly metadata: readonly MetricMetadata[] } {
  const tail = Buffer.from(body.subarray(Math.max(0, body.length - 16))).toString('latin1');
  const open = tail.trimEnd().endsWith('# EOF');
  const parsed = parser.parse(body, open ? 'OpenMetricsText' : 'PrometheusText', memory);
  const indices = new Map<number, number[]>();
  for (let i = 0; i < parsed.count; i++) {
    if (Number.isNaN(parsed.timestamps[i]!))
      throw new VigieError(
        'bad_data',
        `${memory.labels(parsed.ids[i]!)}: a sample without a timestamp cannot be imported`,
      );
    const list = indices.get(parsed.ids[i]!);
    if (list) list.push(i);
    else indices.set(parsed.ids[i]!, [i]);
  }
  const series: SeriesColumns[] = [];
  for (const [id, list] of indices) {
    list.sort((a, b) => parsed.timestamps[a]! - parsed.timestamps[b]! || a - b);
    const timestamps = new Float64Array(list.length);
    const values = new Float64Array(list.length);
    let n = 0;
    for (const i of list) {
      const t = Math.round(parsed.timestamps[i]!);
      if (n > 0 && timestamps[n - 1] === t) continue;
      timestamps[n] = t;
      values[n++] = parsed.values[i]!;
    }
    series.push({ labels: memory.labels(id), length: n, timestamps, values });
  }
  return { series, metadata: parsed.metadata() };
}
