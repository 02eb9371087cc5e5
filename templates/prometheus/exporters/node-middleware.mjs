/**
 * Rate, errors and duration of a Node service, for plain `node:http`, Express and everything with (req, res, next).
 *
 *   import { httpMetrics } from './node-middleware.mjs';
 *   const metrics = httpMetrics({ service: 'agent-api', tenantOf: (req) => req.headers['x-scope-orgid'] });
 *   app.use(metrics.middleware);                     // Express
 *   app.get('/metrics', (req, res) => res.type('text/plain').send(metrics.text()));
 *
 * The route is the router's own pattern (`/v1/tracks/:id`), never the path: paths are as many as there are ids. A
 * router that has none gives `unknown` unless `routeOf` says better. A request that the client left counts as 499.
 */
import { LATENCY_SECONDS, Registry } from './exposition.mjs';

export function httpMetrics({
  service,
  tenantOf = () => '',
  routeOf,
  buckets = LATENCY_SECONDS,
  registry = new Registry(),
}) {
  const labels = ['tenant_id', 'service', 'route', 'method', 'status'];
  const requests = registry.counter('http_requests_total', 'Requests answered, by route and status.', labels);
  const duration = registry.histogram(
    'http_request_duration_seconds',
    'Time to the end of the answer.',
    ['tenant_id', 'service', 'route'],
    buckets,
  );
  const inFlight = registry.gauge('http_requests_in_flight', 'Requests being answered.', ['service']);
  const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);
  inFlight.set({ service }, 0);

  function middleware(req, res, next) {
    const start = process.hrtime.bigint();
    inFlight.inc({ service }, 1);
    let done = false;
    const end = () => {
      if (done) return;
      done = true;
      inFlight.inc({ service }, -1);
      const route =
        routeOf?.(req) ??
        (req.route?.path ? `${req.baseUrl ?? ''}${req.route.path}` : (req.routeOptions?.url ?? 'unknown'));
      const own = { tenant_id: tenantOf(req) ?? '', service, route };
      const method = METHODS.has(req.method) ? req.method : 'other';
      requests.inc({ ...own, method, status: res.writableFinished ? res.statusCode : 499 });
      duration.observe(own, Number(process.hrtime.bigint() - start) / 1e9);
    };
    res.once('finish', end);
    res.once('close', end);
    next?.();
  }
  return { middleware, registry, text: () => registry.text() };
}
