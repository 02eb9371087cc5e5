/** /api/v1/status/*, /api/v1/alertmanagers and the admin TSDB calls, as Prometheus' clients expect them. */
import { VigieError } from '../../lib/errors.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { CardinalityStats, MetricsStore, TimeRange } from '../../store/metrics.ts';
import type { AuditChange, RequestContext } from '../../tenancy/context.ts';
import { formValues } from '../body.ts';
import { ADMIN, PLATFORM, type Route, VIEWER } from '../route.ts';
import { DIALECT_VERSION } from './query.ts';

export interface StatusRoutePorts {
  readonly store: Pick<MetricsStore, 'cardinality' | 'stats' | 'deleteSeries' | 'snapshot'>;
  /** The tenant's configuration as YAML, secrets masked. */
  readonly config: (context: RequestContext) => string;
  /** The process's settings by flag name, secrets masked. */
  readonly flags: () => Readonly<Record<string, string>>;
  readonly runtime: () => {
    readonly startMs: number;
    readonly nowMs: number;
    readonly cwd: string;
    readonly hostname: string;
    readonly retention: string;
    readonly lastReloadMs: number;
    readonly reloadOk: boolean;
    readonly corruptions: number;
  };
  readonly alertmanagers: () => readonly string[];
  readonly parseSelector: (text: string) => readonly Matcher[];
  readonly parseTime: (text: string, name: string) => number;
  /** Makes a snapshot and answers its name. */
  readonly snapshot: () => Promise<string>;
  /** Rewrites blocks that hold deleted samples; absent where deleting leaves nothing behind. */
  readonly cleanTombstones?: (tenant: RequestContext['tenant']) => Promise<void>;
  readonly audit: AuditChange;
}

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 10_000;

const success = (data: unknown) => ({ json: { status: 'success', data } });

export function statusRoutes(ports: StatusRoutePorts): Route[] {
  const get = (path: string, handle: Route['handle'], access: Route['access'] = VIEWER): Route => ({
    method: 'GET',
    family: 'prometheus',
    path,
    access,
    handle,
  });
  return [
    get('/api/v1/status/config', (request) => success({ yaml: ports.config(request.context) })),
    get('/api/v1/status/flags', () => success(ports.flags()), PLATFORM),
    get('/api/v1/status/runtimeinfo', (request) => {
      const r = ports.runtime();
      return success({
        startTime: new Date(r.startMs).toISOString(),
        CWD: request.context.role === 'platform_admin' ? r.cwd : '',
        hostname: request.context.role === 'platform_admin' ? r.hostname : '',
        serverTime: new Date(r.nowMs).toISOString(),
        reloadConfigSuccess: r.reloadOk,
        lastConfigTime: new Date(r.lastReloadMs).toISOString(),
        corruptionCount: r.corruptions,
        goroutineCount: 0,
        GOMAXPROCS: 1,
        GOMEMLIMIT: 0,
        GOGC: '',
        GODEBUG: '',
        storageRetention: r.retention,
      });
    }),
    get('/api/v1/status/tsdb', async (request) => {
      const text = request.query.get('limit');
      const limit = text === null ? LIMIT_DEFAULT : Number(text);
      if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX)
        throw new VigieError('bad_data', `limit must be a positive number up to ${LIMIT_MAX}`);
      return success(tsdbStatus(await ports.store.cardinality(request.context.tenant, limit)));
    }),
    // a client that waits for the replay of the log is told that there is none: requests are served after it
    get('/api/v1/status/walreplay', () => success({ min: 0, max: 0, current: 0 })),
    get('/api/v1/status/buildinfo', () =>
      success({
        version: DIALECT_VERSION,
        revision: '',
        branch: '',
        buildUser: '',
        buildDate: '',
        goVersion: '',
      }),
    ),
    get('/api/v1/alertmanagers', () =>
      success({ activeAlertmanagers: ports.alertmanagers().map((url) => ({ url })), droppedAlertmanagers: [] }),
    ),
    ...(['POST', 'PUT'] as const).flatMap((method): Route[] => [
      {
        method,
        family: 'prometheus',
        path: '/api/v1/admin/tsdb/delete_series',
        access: ADMIN,
        handle: async (request) => {
          const form = formValues(request);
          const selectors = form.getAll('match[]');
          if (selectors.length === 0) throw new VigieError('bad_data', 'no match[] parameter provided');
          const range: TimeRange = {
            startMs: time(form, 'start', Number.MIN_SAFE_INTEGER, ports),
            endMs: time(form, 'end', Number.MAX_SAFE_INTEGER, ports),
          };
          const parsed = selectors.map((s) => ports.parseSelector(s));
          await ports.audit(request.context, 'series.delete', selectors.join(' '), undefined, {
            start: form.get('start'),
            end: form.get('end'),
          });
          for (const matchers of parsed) await ports.store.deleteSeries(request.context.tenant, matchers, range);
          return { status: 204 };
        },
      },
      {
        method,
        family: 'prometheus',
        path: '/api/v1/admin/tsdb/snapshot',
        access: PLATFORM,
        handle: async (request) => {
          await ports.audit(request.context, 'snapshot', '', undefined, undefined);
          return success({ name: await ports.snapshot() });
        },
      },
      // deleted samples leave the disk when their block is merged; this does it at once
      {
        method,
        family: 'prometheus',
        path: '/api/v1/admin/tsdb/clean_tombstones',
        access: ADMIN,
        handle: async (request) => {
          await ports.cleanTombstones?.(request.context.tenant);
          return { status: 204 };
        },
      },
    ]),
  ];
}

function time(form: URLSearchParams, name: string, fallback: number, ports: StatusRoutePorts): number {
  const text = form.get(name);
  return text === null || text === '' ? fallback : ports.parseTime(text, name);
}

function tsdbStatus(c: CardinalityStats): Record<string, unknown> {
  return {
    headStats: {
      numSeries: c.headSeries,
      numLabelPairs: c.labelPairs,
      chunkCount: c.headChunks,
      minTime: c.minTimeMs,
      maxTime: c.maxTimeMs,
    },
    seriesCountByMetricName: c.seriesCountByMetricName,
    labelValueCountByLabelName: c.labelValueCountByLabelName,
    memoryInBytesByLabelName: c.memoryInBytesByLabelName,
    seriesCountByLabelValuePair: c.seriesCountByLabelValuePair,
  };
}
