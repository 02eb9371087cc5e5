/** Scrape targets as Prometheus' API shows them: /api/v1/targets, /targets/metadata, /scrape_pools. */
import { VigieError } from '../../lib/errors.ts';
import { formatDuration } from '../../model/duration.ts';
import { Labels } from '../../model/labels.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { ActiveTarget } from '../../scrape/scrape-pool.ts';
import type { PoolView } from '../../scrape/scrape-service.ts';
import { type HttpAnswer, type HttpRequest, type Route, VIEWER } from '../route.ts';

/** Go's zero time: a target not scraped yet. */
const NEVER = '0001-01-01T00:00:00Z';

export interface TargetsPorts {
  /** The jobs of a tenant; none when it scrapes nothing. */
  readonly pools: (tenant: TenantId) => readonly PoolView[];
  /** Decides whether the target's labels match `{...}`; throws `bad_data` for a malformed selector. */
  readonly matchTarget: (selector: string, labels: Labels) => boolean;
}

export function targetsRoutes(ports: TargetsPorts): readonly Route[] {
  const route = (path: string, handle: (request: HttpRequest) => HttpAnswer): Route => ({
    method: 'GET',
    path,
    family: 'prometheus',
    access: VIEWER,
    handle,
  });
  const pools = (request: HttpRequest): readonly PoolView[] => ports.pools(request.context.tenant);
  return [
    route('/api/v1/targets', (request) => success(targets(pools(request), request.query))),
    route('/api/v1/targets/metadata', (request) => success(metadata(pools(request), request.query, ports))),
    route('/api/v1/scrape_pools', (request) =>
      success({
        scrapePools: pools(request)
          .map((p) => p.name)
          .sort(),
      }),
    ),
  ];
}

const success = (data: unknown): HttpAnswer => ({ json: { status: 'success', data } });

function targets(pools: readonly PoolView[], query: URLSearchParams): unknown {
  const state = (query.get('state') ?? '').toLowerCase();
  const wanted = query.get('scrapePool') ?? '';
  const chosen = [...pools]
    .filter((p) => wanted === '' || p.name === wanted)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const showActive = state === '' || state === 'any' || state === 'active';
  const showDropped = state === '' || state === 'any' || state === 'dropped';
  return {
    activeTargets: showActive ? chosen.flatMap((p) => p.pool.active.map((t) => activeTarget(p.name, t))) : [],
    droppedTargets: showDropped
      ? chosen.flatMap((p) => p.pool.dropped.map((l) => ({ discoveredLabels: l.toObject(), scrapePool: p.name })))
      : [],
    ...(showDropped
      ? { droppedTargetCounts: Object.fromEntries(chosen.map((p) => [p.name, p.pool.droppedCount])) }
      : { droppedTargetCounts: null }),
  };
}

function activeTarget(pool: string, t: ActiveTarget): unknown {
  const { target } = t;
  return {
    discoveredLabels: target.discovered.toObject(),
    labels: target.labels.toObject(),
    scrapePool: pool,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: t.lastError,
    lastScrape: t.lastScrapeMs === 0 ? NEVER : new Date(t.lastScrapeMs).toISOString(),
    lastScrapeDuration: t.lastDurationSeconds,
    health: t.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}

function metadata(pools: readonly PoolView[], query: URLSearchParams, ports: TargetsPorts): unknown {
  const limitText = query.get('limit');
  const limit = limitText === null || limitText === '' ? -1 : Number(limitText);
  if (!Number.isInteger(limit)) throw new VigieError('bad_data', 'limit must be a number');
  const selector = query.get('match_target') ?? '';
  // a selector that does not parse is refused also where no target would be compared with it
  if (selector !== '') ports.matchTarget(selector, Labels.EMPTY);
  const metric = query.get('metric') ?? '';
  const out: unknown[] = [];
  for (const { pool } of pools) {
    for (const t of pool.active) {
      if (selector !== '' && !ports.matchTarget(selector, t.target.labels)) continue;
      for (const [name, m] of t.metadata) {
        if (metric !== '' && name !== metric) continue;
        if (limit >= 0 && out.length >= limit) return out;
        out.push({
          target: t.target.labels.toObject(),
          ...(metric === '' ? { metric: name } : {}),
          type: m.type,
          help: m.help,
          unit: m.unit,
        });
      }
    }
  }
  return out;
}
