/**
 * An Alertmanager configuration as a checked, ready-to-run value. Everything that can fail does so here, at load, with
 * line and path. Files are read through a port, which configurations that come by the API are not given.
 */
import { VigieError } from '../lib/errors.ts';
import type { CompiledMatcher } from '../model/matcher.ts';
import { compileMatcher } from '../regex/matcher.ts';
import type { ConfigPorts } from './config-ports.ts';
import { ConfigNode } from './config-reader.ts';
import type { InhibitRule } from './inhibitor.ts';
import { parseMatchers } from './matchers.ts';
import type { Templates } from './notify/template-data.ts';
import { type Integration, type Receiver, readDirectMail, readGlobal, readReceiver } from './receiver-config.ts';
import { type Route, routeKey } from './routes.ts';
import {
  checkLocation,
  parseDaysOfMonth,
  parseMonths,
  parseTimeOfDay,
  parseWeekdays,
  parseYears,
  type TimeInterval,
} from './time-intervals.ts';

/** Limits of one configuration. */
export const ROUTES_MAX = 5_000;
export const RECEIVERS_MAX = 2_000;
export const INHIBIT_RULES_MAX = 2_000;

export interface AlertingConfig {
  readonly original: string;
  readonly resolveTimeoutMs: number;
  readonly route: Route;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly inhibitRules: readonly InhibitRule[];
  readonly timeIntervals: ReadonlyMap<string, readonly TimeInterval[]>;
  readonly templates: Templates;
  /** Sends mail to an address that no receiver names; undefined without a mail server. */
  readonly directMail: Integration | undefined;
}

const ROUTE_KEYS = [
  'receiver',
  'group_by',
  'group_wait',
  'group_interval',
  'repeat_interval',
  'match',
  'match_re',
  'matchers',
  'continue',
  'routes',
  'mute_time_intervals',
  'active_time_intervals',
] as const;

/** Reads and checks. Throws `bad_config` naming line, path, what was found and what was wanted. */
export function parseAlertingConfig(text: string, ports: ConfigPorts): AlertingConfig {
  const root = ConfigNode.parse(text).mapping([
    'global',
    'route',
    'receivers',
    'inhibit_rules',
    'templates',
    'mute_time_intervals',
    'time_intervals',
    'tracing',
    'event_recorder',
  ]);
  for (const key of ['tracing', 'event_recorder'])
    if (root.get(key).present) root.get(key).fail(`${key} is not supported here`);
  const files = root
    .get('templates')
    .list()
    .flatMap((n) => {
      const { readFiles } = ports;
      if (!readFiles) return n.fail('a configuration that comes by the API may name no file of the server');
      return n.at(() => readFiles(n.string() ?? ''));
    });
  const templates = root.get('templates').at(() => ports.templates(files));
  const global = readGlobal(root.get('global'), ports);
  const receivers = new Map<string, Receiver>();
  for (const n of root.get('receivers').list()) {
    const receiver = readReceiver(n, { global, templates, ports });
    if (receivers.has(receiver.name)) n.fail(`notification config name ${JSON.stringify(receiver.name)} is not unique`);
    receivers.set(receiver.name, receiver);
    if (receivers.size > RECEIVERS_MAX) n.fail(`more than ${RECEIVERS_MAX} receivers`);
  }
  const timeIntervals = new Map<string, readonly TimeInterval[]>();
  for (const key of ['mute_time_intervals', 'time_intervals'])
    for (const n of root.get(key).list()) {
      n.mapping(['name', 'time_intervals']);
      const name = n.get('name').string();
      if (!name) n.fail('missing name in time interval');
      if (timeIntervals.has(name!)) n.fail(`time interval ${JSON.stringify(name)} is not unique`);
      timeIntervals.set(name!, n.get('time_intervals').list().map(readInterval));
    }
  const routeNode = root.get('route');
  if (!routeNode.present) throw new VigieError('bad_config', 'no routes provided');
  for (const key of ['match', 'match_re', 'matchers'])
    if (routeNode.get(key).present) routeNode.get(key).fail('root route must not have any matchers');
  if (routeNode.get('continue').bool()) routeNode.fail('cannot have continue in root route');
  for (const key of ['mute_time_intervals', 'active_time_intervals'])
    if (routeNode.get(key).list().length > 0)
      routeNode.get(key).fail(`root route must not have any ${key.split('_')[0]} time intervals`);
  if (!routeNode.get('receiver').string()) routeNode.fail('root route must specify a default receiver');
  const budget = { left: ROUTES_MAX };
  const route = readRoute(routeNode, undefined, '0', { receivers, timeIntervals, budget });
  const inhibitRules = root.get('inhibit_rules').list().map(readInhibitRule);
  if (inhibitRules.length > INHIBIT_RULES_MAX) root.get('inhibit_rules').fail(`more than ${INHIBIT_RULES_MAX} rules`);
  return {
    original: text,
    resolveTimeoutMs: root.get('global').get('resolve_timeout').durationMs() ?? 300_000,
    route,
    receivers,
    inhibitRules,
    timeIntervals,
    templates,
    directMail: readDirectMail(receivers.values(), { global, templates, ports }),
  };
}

interface RouteScope {
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly timeIntervals: ReadonlyMap<string, unknown>;
  readonly budget: { left: number };
}

function readRoute(n: ConfigNode, parent: Route | undefined, id: string, scope: RouteScope): Route {
  n.mapping(ROUTE_KEYS);
  if (--scope.budget.left < 0) n.fail(`more than ${ROUTES_MAX} routes`);
  const matchers = readMatchers(n, 'match', 'match_re', 'matchers');
  const receiver = n.get('receiver').string() || parent?.receiver || '';
  if (!scope.receivers.has(receiver))
    n.get('receiver').fail(`undefined receiver ${JSON.stringify(receiver)} used in route`);
  const groupBy = n.get('group_by').strings();
  if (groupBy && new Set(groupBy).size !== groupBy.length) n.get('group_by').fail('duplicated label in group_by');
  if (groupBy && groupBy.length > 1 && groupBy.includes('...'))
    n.get('group_by').fail('cannot have wildcard group_by (`...`) and other labels at the same time');
  const positive = (key: string): number | undefined => {
    const ms = n.get(key).durationMs();
    if (ms === 0) n.get(key).fail(`${key} cannot be zero`);
    return ms;
  };
  const intervals = (key: string): string[] =>
    n
      .get(key)
      .list()
      .map((i) => {
        const name = i.string() ?? '';
        if (!scope.timeIntervals.has(name)) i.fail(`undefined time interval ${JSON.stringify(name)} used in route`);
        return name;
      });
  const draft = {
    id,
    key: routeKey(parent?.key, matchers),
    receiver,
    matchers,
    continue: n.get('continue').bool() ?? false,
    groupBy: groupBy ? new Set(groupBy.filter((g) => g !== '...')) : (parent?.groupBy ?? new Set<string>()),
    groupByAll: groupBy ? groupBy.includes('...') : (parent?.groupByAll ?? false),
    groupWaitMs: n.get('group_wait').durationMs() ?? parent?.groupWaitMs ?? 30_000,
    groupIntervalMs: positive('group_interval') ?? parent?.groupIntervalMs ?? 300_000,
    repeatIntervalMs: positive('repeat_interval') ?? parent?.repeatIntervalMs ?? 14_400_000,
    muteTimeIntervals: intervals('mute_time_intervals'),
    activeTimeIntervals: intervals('active_time_intervals'),
    routes: [] as Route[],
  };
  draft.routes = n
    .get('routes')
    .list()
    .map((c, i) => readRoute(c, draft, `${id}/${i}`, scope));
  return draft;
}

/** The three spellings of matchers in one sorted list, as Alertmanager sorts them. */
function readMatchers(n: ConfigNode, equal: string, regex: string, list: string): CompiledMatcher[] {
  const out: CompiledMatcher[] = [];
  const map = (key: string, op: '=' | '=~'): void => {
    const values = n.get(key).stringMap() ?? {};
    for (const name of Object.keys(values)) {
      const compiled = n
        .get(key)
        .get(name)
        .at(() => compileMatcher({ name, op, value: values[name]! }));
      // group keys show expressions of match_re with their anchors
      out.push(op === '=~' ? { ...compiled, value: `^(?:${values[name]!})$` } : compiled);
    }
  };
  map(equal, '=');
  map(regex, '=~');
  for (const item of n.get(list).list()) out.push(...item.at(() => parseMatchers(item.string() ?? '')));
  const order = ['=', '!=', '=~', '!~'];
  return out.sort((a, b) =>
    a.name !== b.name
      ? a.name < b.name
        ? -1
        : 1
      : a.value !== b.value
        ? a.value < b.value
          ? -1
          : 1
        : order.indexOf(a.op) - order.indexOf(b.op),
  );
}

function readInhibitRule(n: ConfigNode): InhibitRule {
  n.mapping([
    'name',
    'source_match',
    'source_match_re',
    'source_matchers',
    'target_match',
    'target_match_re',
    'target_matchers',
    'equal',
  ]);
  return {
    name: n.get('name').string() ?? '',
    source: readMatchers(n, 'source_match', 'source_match_re', 'source_matchers'),
    target: readMatchers(n, 'target_match', 'target_match_re', 'target_matchers'),
    equal: n.get('equal').strings() ?? [],
  };
}

function readInterval(n: ConfigNode): TimeInterval {
  n.mapping(['times', 'weekdays', 'days_of_month', 'months', 'years', 'location']);
  const ranges = (key: string, parse: (text: string) => readonly [number, number]): (readonly [number, number])[] =>
    n
      .get(key)
      .list()
      .map((i) => i.at(() => parse(i.string() ?? '')));
  const location = n.get('location');
  return {
    times: n
      .get('times')
      .list()
      .map((t) => {
        t.mapping(['start_time', 'end_time']);
        const start = t.get('start_time').at(() => parseTimeOfDay(t.get('start_time').string() ?? ''));
        const end = t.get('end_time').at(() => parseTimeOfDay(t.get('end_time').string() ?? ''));
        if (start >= end) t.fail('start time cannot be equal or greater than end time');
        return [start, end] as const;
      }),
    weekdays: ranges('weekdays', parseWeekdays),
    daysOfMonth: ranges('days_of_month', parseDaysOfMonth),
    months: ranges('months', parseMonths),
    years: ranges('years', parseYears),
    location: location.present ? location.at(() => checkLocation(location.string() ?? '')) : undefined,
  };
}
