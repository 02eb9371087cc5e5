/**
 * `GET /federate`: the newest sample of every series that matches, in the text format, as another Prometheus scrapes it.
 * Prometheus negotiates no OpenMetrics here, so neither do we; native histograms have no text and are left out.
 */
import type { Clock } from '../../lib/clock.ts';
import { VigieError } from '../../lib/errors.ts';
import {
  compareUtf8,
  isClassicLabelName,
  isClassicMetricName,
  Labels,
  METRIC_NAME,
  quote,
} from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { isStale } from '../../model/sample.ts';
import { formatG } from '../../promql/literal.ts';
import type { MetricsReader } from '../../store/metrics.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import { type Route, VIEWER } from '../route.ts';
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
      const newest = new Map<string, { labels: Labels; line: string }>();
      for (const matchers of sets) {
        const hints = { signal: request.signal, ...ports.limits?.(request.context) };
        for (const s of await reader.select(matchers, range, hints)) {
          const k = s.length - 1;
          if (k < 0 || s.histograms?.[k] || isStale(s.values, k) || newest.has(s.labels.key)) continue;
          let labels = s.labels;
          for (const [name, value] of external) if (!labels.has(name)) labels = labels.with(name, value);
          const line = `${seriesText(labels)} ${formatG(s.values[k]!)} ${s.timestamps[k]!}\n`;
          newest.set(s.labels.key, { labels, line });
        }
      }
      return {
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        body: written([...newest.values()]),
      };
    },
  };
}

function written(list: { labels: Labels; line: string }[]): string {
  list.sort((a, b) => compareUtf8(a.labels.metricName, b.labels.metricName) || Labels.compare(a.labels, b.labels));
  let out = '';
  let last: string | undefined;
  for (const { labels, line } of list) {
    const name = labels.metricName;
    if (name !== last) out += `# TYPE ${isClassicMetricName(name) ? name : quote(name)} untyped\n`;
    last = name;
    out += line;
  }
  return out;
}

/** A series without an instance gets an empty one, so that the scraping server adds none of its own. */
function seriesText(labels: Labels): string {
  const name = labels.metricName;
  const classic = isClassicMetricName(name);
  const parts = classic || name === '' ? [] : [quote(name)];
  for (const [n, v] of labels)
    if (n !== METRIC_NAME)
      parts.push(
        `${isClassicLabelName(n) ? n : quote(n)}="${v.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
      );
  if (!labels.has('instance')) parts.push('instance=""');
  return `${classic ? name : ''}{${parts.join(',')}}`;
}
