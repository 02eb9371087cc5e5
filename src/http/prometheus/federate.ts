/**
 * `GET /federate`: the newest sample of every series that matches, as another Prometheus scrapes it. Prometheus negotiates
 * no OpenMetrics here, so neither do we; native histograms have no text and go to readers of protobuf only, those of
 * custom buckets to nobody, for the format has no bounds.
 */
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { isStale } from '../../model/sample.ts';
import type { MetricsReader } from '../../store/metrics.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { type Route, VIEWER } from '../route.ts';
import { encodeFederated, type FederatedSample, negotiate } from './federate-encode.ts';
import { viewMatchers } from './query.ts';

/** How old the newest sample of a series may be: Prometheus' look-back. */
export const FEDERATE_LOOKBACK_MS = 300_000;
const SELECTORS_MAX = 100;

export interface FederatePorts {
  readonly reader: (context: RequestContext) => MetricsReader;
  readonly clock: Clock;
  /** Throws `bad_query`. */
  readonly parseSelector: (text: string) => readonly Matcher[];
  /** Added to series that have no such label. */
  readonly externalLabels?: (context: RequestContext) => Labels;
  readonly limits?: (context: RequestContext) => { readonly seriesMax?: number; readonly samplesMax?: number };
}

export function federateRoute(ports: FederatePorts): Route {
  return {
    method: 'GET',
    path: '/federate',
    family: 'prometheus',
    access: VIEWER,
    async handle(request) {
      const selectors = request.query.getAll('match[]');
      if (selectors.length > SELECTORS_MAX)
        throw new VigieError('bad_data', `${selectors.length} match[] parameters, limit ${SELECTORS_MAX}`);
      const sets = selectors.map((text) => [...ports.parseSelector(text), ...viewMatchers(request.context)]);
      const now = ports.clock.now();
      const reader = ports.reader(request.context);
      const external = ports.externalLabels?.(request.context) ?? Labels.EMPTY;
      const range = { startMs: now - FEDERATE_LOOKBACK_MS + 1, endMs: now };
      const newest = new Map<string, FederatedSample>();
      for (const matchers of sets) {
        const hints = { signal: request.signal, ...ports.limits?.(request.context) };
        for (const s of await reader.select(matchers, range, hints)) {
          const k = s.length - 1;
          const histogram = s.histograms?.[k];
          if (k < 0 || newest.has(s.labels.key)) continue;
          if (histogram ? histogram.stale : isStale(s.values, k)) continue;
          let labels = s.labels;
          for (const [name, value] of external) if (!labels.has(name)) labels = labels.with(name, value);
          newest.set(s.labels.key, {
            labels,
            timestampMs: s.timestamps[k]!,
            value: s.values[k]!,
            ...(histogram && { histogram }),
          });
        }
      }
      const format = negotiate(request.headers.accept);
      return {
        headers: { 'content-type': format.contentType },
        body: encodeFederated([...newest.values()], format),
      };
    },
  };
}
