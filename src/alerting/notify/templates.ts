/**
 * Notification templates with Alertmanager's data and functions: the defaults, then the configuration's files, then one
 * field after the other expanded over one notification. Parsed fields are kept, because the same few are expanded for
 * every notification. Checked against amtool in test/real/gotemplate-amtool.test.ts.
 */
import { FunctionError, TemplateError } from '../../gotemplate/errors.ts';
import { unescapeQuery } from '../../gotemplate/escape-text.ts';
import { OUTPUT_LENGTH_MAX } from '../../gotemplate/executor.ts';
import { humanizeDuration } from '../../gotemplate/humanize.ts';
import { toJson } from '../../gotemplate/json.ts';
import { quoteGo } from '../../gotemplate/quote.ts';
import { regexpFunctions } from '../../gotemplate/regexp-functions.ts';
import { titleCase, toLower, toUpper, trimSpace } from '../../gotemplate/strings.ts';
import { TemplateSet } from '../../gotemplate/template-set.ts';
import { formatTime } from '../../gotemplate/time-layout.ts';
import { civilTime, durationValue, instantOf, loadZone, timeFromMs, timeValue } from '../../gotemplate/time-value.ts';
import {
  basicOf,
  type Functions,
  GoFunction,
  type GoKey,
  GoMap,
  GoScalar,
  GoSlice,
  GoStruct,
  type GoValue,
  type Methods,
  stringSlice,
} from '../../gotemplate/value.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { type ErrorCode, VigieError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { compileRe2 } from '../../regex/re2.ts';
import { DEFAULT_TEMPLATES } from './default-templates.ts';
import type { TemplateAlert, TemplateData, Templates, TemplatesFactory } from './template-data.ts';

/** Parsed fields kept per configuration; a configuration with more fields parses the rest each time. */
export const PARSED_FIELDS_MAX = 2_000;

/** The factory with a clock of one's own; `since` is all that needs it. */
export function createGoTemplates(clock: Pick<Clock, 'now'>): TemplatesFactory {
  let defaults: TemplateSet | undefined;
  return (files) => {
    defaults ??= new TemplateSet(notificationFunctions(clock)).with('', DEFAULT_TEMPLATES);
    let set = defaults;
    for (const file of files) set = guarded('bad_config', () => set.with(file.name, file.text));
    return new GoTemplates(set);
  };
}

/** Alertmanager's templates on the system's clock. */
export const goTemplates: TemplatesFactory = createGoTemplates(systemClock);

class GoTemplates implements Templates {
  readonly #set: TemplateSet;
  readonly #fields = new Map<string, TemplateSet>();
  readonly #escapedFields = new Map<string, TemplateSet>();

  constructor(set: TemplateSet) {
    this.#set = set;
  }

  text(template: string, data: TemplateData): string {
    if (!template.includes('{{')) return template;
    return guarded('bad_data', () => this.#parsed(template).text('', dataValue(data)));
  }

  html(template: string, data: TemplateData): string {
    if (template === '') return '';
    return guarded('bad_data', () => this.#escaped(template).text('', dataValue(data)));
  }

  check(template: string, kind: 'text' | 'html'): void {
    if (kind === 'html' && template !== '') guarded('bad_config', () => this.#escaped(template));
    else if (template.includes('{{')) guarded('bad_config', () => this.#parsed(template));
  }

  #parsed(template: string): TemplateSet {
    // the field is the template named "", over whatever the defaults left there
    return kept(this.#fields, template, () => this.#set.without('').with('', template));
  }

  #escaped(template: string): TemplateSet {
    return kept(this.#escapedFields, template, () => this.#parsed(template).escaped(''));
  }
}

function kept(cache: Map<string, TemplateSet>, template: string, make: () => TemplateSet): TemplateSet {
  const known = cache.get(template);
  if (known) return known;
  const made = make();
  if (cache.size < PARSED_FIELDS_MAX) cache.set(template, made);
  return made;
}

function guarded<T>(code: ErrorCode, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof TemplateError) throw new VigieError(code, cause.message, { cause });
    throw cause;
  }
}

// --- data ---------------------------------------------------------------------------------------------------------------

const fn = (params: readonly string[], call: (...args: never[]) => GoValue, variadic?: string): GoFunction =>
  new GoFunction(params, call, variadic);
const thunk = (call: () => GoValue): GoFunction => fn([], call);
const textOf = (v: GoValue): string => v as string;

const PAIRS_METHODS: Methods<GoSlice> = {
  Names: (pairs) => thunk(() => stringSlice(pairs.items.map((p) => textOf((p as GoStruct).fields.get('Name'))))),
  Values: (pairs) => thunk(() => stringSlice(pairs.items.map((p) => textOf((p as GoStruct).fields.get('Value'))))),
  String: (pairs) => thunk(() => pairsText(pairs)),
};

function pairsText(pairs: GoSlice): string {
  return pairs.items
    .map((p) => `${(p as GoStruct).fields.get('Name')}=${(p as GoStruct).fields.get('Value')}`)
    .join(', ');
}

/** By name, `alertname` first. */
function sortedPairs(kv: GoMap): GoSlice {
  const entries = kv.sorted();
  const first = entries.filter(([name]) => name === 'alertname');
  const rest = entries.filter(([name]) => name !== 'alertname');
  const pairs = [...first, ...rest].map(([Name, Value]) => new GoStruct('template.Pair', { Name, Value }));
  return new GoSlice(pairs, 'template.Pair', { goType: 'template.Pairs', methods: PAIRS_METHODS, text: pairsText });
}

const KV_METHODS: Methods<GoMap> = {
  SortedPairs: (kv) => thunk(() => sortedPairs(kv)),
  Names: (kv) => thunk(() => PAIRS_METHODS['Names']!(sortedPairs(kv)).call()),
  Values: (kv) => thunk(() => PAIRS_METHODS['Values']!(sortedPairs(kv)).call()),
  Remove: (kv) =>
    fn(['[]string'], (names: GoSlice) =>
      kvOf([...kv.entries].filter(([name]) => !names.items.includes(name as string))),
    ),
  String: (kv) => thunk(() => pairsText(sortedPairs(kv))),
};

function kvOf(pairs: Iterable<readonly [GoKey, GoValue]>): GoMap {
  return new GoMap(new Map(pairs), 'string', {
    goType: 'template.KV',
    methods: KV_METHODS,
    text: (kv) => pairsText(sortedPairs(kv)),
  });
}

const ALERTS_METHODS: Methods<GoSlice> = {
  Firing: (alerts) => thunk(() => withStatus(alerts, 'firing')),
  Resolved: (alerts) => thunk(() => withStatus(alerts, 'resolved')),
};

function withStatus(alerts: GoSlice, status: string): GoSlice {
  return new GoSlice(
    alerts.items.filter((a) => (a as GoStruct).fields.get('Status') === status),
    'template.Alert',
  );
}

const JSON_NAMES = {
  Receiver: 'receiver',
  Status: 'status',
  Alerts: 'alerts',
  GroupLabels: 'groupLabels',
  CommonLabels: 'commonLabels',
  CommonAnnotations: 'commonAnnotations',
  ExternalURL: 'externalURL',
  NotificationReason: 'notificationReason',
  Labels: 'labels',
  Annotations: 'annotations',
  StartsAt: 'startsAt',
  EndsAt: 'endsAt',
  GeneratorURL: 'generatorURL',
  Fingerprint: 'fingerprint',
};

const labels = (set: Labels): GoMap => kvOf(set.entries());

function alertValue(alert: TemplateAlert): GoStruct {
  return new GoStruct(
    'template.Alert',
    {
      Status: alert.status,
      Labels: labels(alert.labels),
      Annotations: labels(alert.annotations),
      StartsAt: timeFromMs(alert.startsAtMs),
      EndsAt: timeFromMs(alert.endsAtMs),
      GeneratorURL: alert.generatorURL,
      Fingerprint: alert.fingerprint,
    },
    { jsonNames: JSON_NAMES },
  );
}

/** What `.` is in a notification's templates. */
export function dataValue(data: TemplateData): GoStruct {
  const alerts = new GoSlice(data.alerts.map(alertValue), 'template.Alert', {
    goType: 'template.Alerts',
    methods: ALERTS_METHODS,
  });
  return new GoStruct(
    'template.Data',
    {
      Receiver: data.receiver,
      Status: data.status,
      Alerts: alerts,
      NotificationReason: data.notificationReason,
      GroupLabels: labels(data.groupLabels),
      CommonLabels: labels(data.commonLabels),
      CommonAnnotations: labels(data.commonAnnotations),
      ExternalURL: data.externalURL,
    },
    { jsonNames: JSON_NAMES },
  );
}

// --- functions ----------------------------------------------------------------------------------------------------------

function since(clock: Pick<Clock, 'now'>, time: GoStruct): GoValue {
  const ns = BigInt(Math.trunc(clock.now())) * 1_000_000n - instantOf(time)!.ns;
  return durationValue(BigInt.asIntN(64, ns));
}

function joined(mark: string, list: GoSlice): string {
  let length = mark.length * list.items.length;
  for (const item of list.items) length += (item as string).length;
  if (length > OUTPUT_LENGTH_MAX) throw new FunctionError(`text of more than ${OUTPUT_LENGTH_MAX} characters`);
  return list.items.join(mark);
}

function dict(args: readonly GoValue[]): GoMap {
  if (args.length % 2 !== 0) throw new FunctionError('dict requires an even number of arguments');
  const entries = new Map<GoKey, GoValue>();
  for (let i = 0; i < args.length; i += 2) {
    const key = basicOf(args[i]);
    if (typeof key !== 'string') throw new FunctionError('dict keys must be strings');
    entries.set(key, args[i + 1]);
  }
  return new GoMap(entries);
}

function notificationFunctions(clock: Pick<Clock, 'now'>): Functions {
  return {
    toUpper: fn(['string'], (text: string) => toUpper(text)),
    toLower: fn(['string'], (text: string) => toLower(text)),
    title: fn(['string'], (text: string) => titleCase(text)),
    trimSpace: fn(['string'], (text: string) => trimSpace(text)),
    join: fn(['string', '[]string'], joined),
    ...regexpFunctions(compileRe2),
    safeHtml: fn(['string'], (text: string) => new GoScalar('template.HTML', text)),
    safeUrl: fn(['string'], (text: string) => new GoScalar('template.URL', text)),
    urlUnescape: fn(['string'], (text: string) => {
      const result = unescapeQuery(text);
      if ('bad' in result) throw new FunctionError(`invalid URL escape ${quoteGo(result.bad)}`);
      return result.text;
    }),
    stringSlice: fn([], (...items: string[]) => stringSlice(items), 'string'),
    date: fn(['string', 'time.Time'], (layout: string, time: GoStruct) =>
      formatTime(civilTime(instantOf(time)!), layout),
    ),
    tz: fn(['string', 'time.Time'], (name: string, time: GoStruct) => timeValue(instantOf(time)!.ns, loadZone(name))),
    since: fn(['time.Time'], (time: GoStruct) => since(clock, time)),
    humanizeDuration: fn(['any'], (value: GoValue) => humanizeDuration(value)),
    toJson: fn(['any'], (value: GoValue) => toJson(value)),
    list: fn([], (...items: GoValue[]) => new GoSlice(items), 'any'),
    append: fn(
      ['[]interface {}'],
      (list: GoSlice, ...items: GoValue[]) => new GoSlice([...list.items, ...items]),
      'any',
    ),
    dict: fn([], (...args: GoValue[]) => dict(args), 'any'),
  };
}
