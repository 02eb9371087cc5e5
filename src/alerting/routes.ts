/** The route tree: which receivers get an alert, and how it is grouped. Pure. */
import type { Labels } from '../model/labels.ts';
import type { CompiledMatcher } from '../model/matcher.ts';
import { matchesAll, printMatcher } from './matchers.ts';

export interface Route {
  /** Stable within a configuration: the position in the tree, e.g. `0/2/1`. */
  readonly id: string;
  /** The matchers of the whole path as Alertmanager prints them: the first half of a group key. */
  readonly key: string;
  readonly receiver: string;
  readonly matchers: readonly CompiledMatcher[];
  readonly continue: boolean;
  readonly groupBy: ReadonlySet<string>;
  readonly groupByAll: boolean;
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
  readonly routes: readonly Route[];
}

/** The routes an alert takes, in order. */
export function routesOf(route: Route, labels: Labels): Route[] {
  if (!matchesAll(route.matchers, labels)) return [];
  const out: Route[] = [];
  for (const child of route.routes) {
    const found = routesOf(child, labels);
    out.push(...found);
    if (found.length > 0 && !child.continue) break;
  }
  return out.length > 0 ? out : [route];
}

export function groupLabelsOf(route: Route, labels: Labels): Labels {
  return route.groupByAll ? labels : labels.only(route.groupBy);
}

/** `{}/{team="db"}:{alertname="X"}`: equal to Alertmanager's groupKey. */
export const groupKeyOf = (route: Route, group: Labels): string => `${route.key}:${printLabels(group)}`;

export function printLabels(labels: Labels): string {
  return `{${[...labels.entries()].map(([name, value]) => printMatcher({ name, op: '=', value })).join(', ')}}`;
}

export const routeKey = (parentKey: string | undefined, matchers: readonly CompiledMatcher[]): string => {
  const own = `{${matchers.map(printMatcher).join(',')}}`;
  return parentKey === undefined ? own : `${parentKey}/${own}`;
};

export function* walkRoutes(route: Route): IterableIterator<Route> {
  yield route;
  for (const child of route.routes) yield* walkRoutes(child);
}
