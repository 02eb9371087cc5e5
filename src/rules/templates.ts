/**
 * Templates in labels and annotations of rules, as Prometheus expands them: `$labels`, `$value` and its functions.
 * `query` is asynchronous while templates are not, so an expansion runs until it meets a query without an answer,
 * waits for that answer and starts again: N different queries cost N + 1 runs, N at most QUERIES_MAX. Texts without
 * `{{` never reach the engine, and parsed texts are kept, because thousands of rules are expanded every few seconds.
 */
import { FunctionError, TemplateError } from '../gotemplate/errors.ts';
import { escapeQuery } from '../gotemplate/escape-text.ts';
import {
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage,
  humanizeTimestamp,
  secondsToTime,
  toFloat,
} from '../gotemplate/humanize.ts';
import { regexpFunctions } from '../gotemplate/regexp-functions.ts';
import { titleCase, toLower, toUpper } from '../gotemplate/strings.ts';
import { TemplateSet } from '../gotemplate/template-set.ts';
import { durationValue } from '../gotemplate/time-value.ts';
import {
  compareBytes,
  type Functions,
  GoFunction,
  GoMap,
  GoScalar,
  GoSlice,
  GoStruct,
  type GoValue,
  stringMap,
} from '../gotemplate/value.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { parseDuration } from '../model/duration.ts';
import type { Labels } from '../model/labels.ts';
import { compileRe2 } from '../regex/re2.ts';

/** Parsed texts kept; the least recently used goes first. */
export const PARSED_TEXTS_MAX = 20_000;
/** Different queries in one expansion. */
export const QUERIES_MAX = 32;
/** An annotation needs far less than a page: see executor.ts for the page's limits. */
export const RULE_STEPS_MAX = 500_000;
export const RULE_OUTPUT_LENGTH_MAX = 1_000_000;

/** One series of a query's answer. */
export interface TemplateSample {
  readonly labels: Labels;
  readonly value: number;
}

export interface RuleTemplatePorts {
  /** An instant query of the rule's tenant; templates get an error where it is absent. */
  readonly query?: (expr: string, timeMs: number) => Promise<readonly TemplateSample[]> | readonly TemplateSample[];
  readonly externalUrl: string;
  readonly externalLabels: Labels;
  /** Told of each expansion that failed, for the log; the text carries the same words. */
  readonly onError?: (message: string) => void;
}

export interface RuleTemplateData {
  readonly labels: Labels;
  readonly value: number;
  /** Of the evaluation: for `query` and `now`. */
  readonly timeMs: number;
  /** The alert's name, for error texts. */
  readonly name?: string;
}

export interface RuleTemplates {
  /** Parses without running. Throws `bad_config` in Go's words. */
  check(text: string, name?: string): void;
  /** The text; a promise only where the template queries. Never throws: a fault stands in the text as Prometheus writes it. */
  expand(text: string, data: RuleTemplateData): string | Promise<string>;
}

const PRELUDE =
  '{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}';

/** As Go names the type in error texts. */
const DATA_TYPE =
  'struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }';

export function createRuleTemplates(ports: RuleTemplatePorts): RuleTemplates {
  const parsed = new Map<string, TemplateSet>();
  // set for the length of one synchronous run: so the functions are made once, not for each expansion
  let current: Evaluation | undefined;
  const base = new TemplateSet({
    ...ruleFunctions(ports.externalUrl),
    ...evaluationFunctions(() => current!, ports.query !== undefined),
  });
  const externalLabels = stringMap(ports.externalLabels.entries());

  const parse = (text: string, alert: string): TemplateSet => {
    const key = `${alert}\0${text}`;
    let set = parsed.get(key);
    if (set) parsed.delete(key);
    else set = base.with(`__alert_${alert}`, PRELUDE + text);
    parsed.set(key, set);
    if (parsed.size > PARSED_TEXTS_MAX) parsed.delete(parsed.keys().next().value!);
    return set;
  };

  const run = (text: string, data: RuleTemplateData, answers: Answers): string => {
    const alert = data.name ?? '';
    const set = parse(text, alert);
    const root = new GoStruct(DATA_TYPE, {
      Labels: stringMap(data.labels.entries()),
      ExternalLabels: externalLabels,
      ExternalURL: ports.externalUrl,
      Value: data.value,
    });
    current = { timeMs: data.timeMs, answers };
    try {
      return set.text(`__alert_${alert}`, root, { stepsMax: RULE_STEPS_MAX, outputLengthMax: RULE_OUTPUT_LENGTH_MAX });
    } finally {
      current = undefined;
    }
  };

  const afterQueries = async (text: string, data: RuleTemplateData, first: PendingQuery): Promise<string> => {
    const answers: Answers = new Map();
    let pending = first;
    for (let i = 0; i < QUERIES_MAX; i++) {
      answers.set(pending.expr, await ask(ports, pending.expr, data.timeMs));
      try {
        return run(text, data, answers);
      } catch (error) {
        if (!(error instanceof PendingQuery)) return failed(error, data, ports);
        pending = error;
      }
    }
    return failed(new TemplateError(`more than ${QUERIES_MAX} queries`, true), data, ports);
  };

  return {
    check(text, name = '') {
      if (!text.includes('{{')) return;
      try {
        parse(text, name);
      } catch (cause) {
        if (cause instanceof TemplateError) throw new VigieError('bad_config', cause.message, { cause });
        throw cause;
      }
    },
    expand(text, data) {
      if (!text.includes('{{')) return text;
      try {
        return run(text, data, new Map());
      } catch (error) {
        return error instanceof PendingQuery ? afterQueries(text, data, error) : failed(error, data, ports);
      }
    },
  };
}

type Answer = { readonly samples: GoSlice } | { readonly error: string };
type Answers = Map<string, Answer>;
interface Evaluation {
  readonly timeMs: number;
  readonly answers: Answers;
}

/** Leaves the executor when a query has no answer yet. */
class PendingQuery extends Error {
  readonly expr: string;
  constructor(expr: string) {
    super('a query waits for its answer');
    this.expr = expr;
  }
}

async function ask(ports: RuleTemplatePorts, expr: string, timeMs: number): Promise<Answer> {
  try {
    return { samples: samplesValue(await ports.query!(expr, timeMs)) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** Template faults only: anything else is a fault of ours and must be seen. */
function failed(error: unknown, data: RuleTemplateData, ports: RuleTemplatePorts): string {
  if (!(error instanceof TemplateError)) throw error;
  const doing = / executing "/.test(error.message) ? 'executing' : 'parsing';
  const message = `error ${doing} template __alert_${data.name ?? ''}: ${error.message}`;
  ports.onError?.(message);
  return `<error expanding template: ${message}>`;
}

function samplesValue(samples: readonly TemplateSample[]): GoSlice {
  return results(
    samples.map((s) => new GoStruct('*template.sample', { Labels: stringMap(s.labels.entries()), Value: s.value })),
  );
}

const results = (items: readonly GoValue[]): GoSlice =>
  new GoSlice(items, '*template.sample', { goType: 'template.queryResult' });

const fn = (params: readonly string[], call: (...args: never[]) => GoValue, variadic?: string): GoFunction =>
  new GoFunction(params, call, variadic);

const SAMPLE = '*template.sample';
/** The sample; nil ends as it does in Go. */
function present(sample: GoValue): GoStruct {
  if (sample instanceof GoStruct) return sample;
  throw new FunctionError('runtime error: invalid memory address or nil pointer dereference');
}
const labelOf = (sample: GoValue, name: string): string => {
  const labels = present(sample).fields.get('Labels') as GoMap;
  return (labels.entries.get(name) as string | undefined) ?? '';
};

/** What depends on the evaluation: its time and its queries' answers. */
function evaluationFunctions(evaluation: () => Evaluation, canQuery: boolean): Functions {
  return {
    query: fn(['string'], (expr: string) => {
      if (!canQuery) throw new FunctionError('queries are not available here');
      const answer = evaluation().answers.get(expr);
      if (!answer) throw new PendingQuery(expr);
      if ('error' in answer) throw new FunctionError(answer.error);
      return answer.samples;
    }),
    now: fn([], () => evaluation().timeMs / 1000),
  };
}

/** net.SplitHostPort; undefined where it fails. */
function splitHostPort(text: string): { readonly host: string; readonly port: string } | undefined {
  const m = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(text);
  return m ? { host: m[1] ?? m[2] ?? '', port: m[3]! } : undefined;
}

const isAddress = (host: string): boolean =>
  /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(host) ||
  (host.includes(':') && /^[0-9a-fA-F:.]+$/.test(host));

function stripDomain(hostPort: string): string {
  const split = splitHostPort(hostPort);
  const host = split?.host ?? hostPort;
  if (isAddress(host)) return hostPort;
  const short = host.split('.')[0]!;
  return split?.port ? `${short}:${split.port}` : short;
}

function seconds(text: string): number {
  if (text === '') throw new FunctionError('empty duration string');
  try {
    return parseDuration(text) / 1000;
  } catch (error) {
    throw new FunctionError(messageOf(error));
  }
}

function pathOf(url: string): string {
  try {
    const path = decodeURI(new URL(url).pathname);
    return path === '/' && !url.endsWith('/') ? '' : path;
  } catch {
    return '';
  }
}

function duration(value: GoValue): GoValue {
  const v = toFloat(value);
  if (!Number.isFinite(v)) throw new FunctionError('value is NaN or Inf');
  const ns = v * 1e9;
  if (Math.abs(ns) >= 2 ** 63)
    throw new FunctionError(`${v} cannot be represented as a nanoseconds duration since it overflows int64`);
  return durationValue(BigInt(Math.trunc(ns)));
}

function ruleFunctions(externalUrl: string): Functions {
  const onText = (change: (text: string) => string): GoFunction => fn(['string'], change as never);
  const onNumber = (show: (v: GoValue) => GoValue): GoFunction => fn(['any'], show as never);
  return {
    first: fn(['template.queryResult'], (list: GoSlice) => {
      if (list.items.length === 0) throw new FunctionError('first() called on vector with no elements');
      return list.items[0];
    }),
    label: fn(['string', SAMPLE], (name: string, sample: GoStruct) => labelOf(sample, name)),
    value: fn([SAMPLE], (sample: GoValue) => present(sample).fields.get('Value')),
    strvalue: fn([SAMPLE], (sample: GoStruct) => labelOf(sample, '__value__')),
    sortByLabel: fn(['string', 'template.queryResult'], (name: string, list: GoSlice) =>
      results([...list.items].sort((a, b) => compareBytes(labelOf(a, name), labelOf(b, name)))),
    ),
    args: fn([], (...args: GoValue[]) => new GoMap(new Map(args.map((a, i) => [`arg${i}`, a]))), 'any'),
    ...regexpFunctions(compileRe2),
    safeHtml: fn(['string'], (text: string) => new GoScalar('template.HTML', text)),
    title: onText((text) => titleCase(text, true)),
    toUpper: onText(toUpper),
    toLower: onText(toLower),
    graphLink: onText((expr) => `/graph?g0.expr=${escapeQuery(expr)}&g0.tab=0`),
    tableLink: onText((expr) => `/graph?g0.expr=${escapeQuery(expr)}&g0.tab=1`),
    stripPort: onText((hostPort) => splitHostPort(hostPort)?.host ?? hostPort),
    stripDomain: onText(stripDomain),
    urlQueryEscape: onText(escapeQuery),
    humanize: onNumber(humanize),
    humanize1024: onNumber(humanize1024),
    humanizeDuration: onNumber(humanizeDuration),
    humanizePercentage: onNumber(humanizePercentage),
    humanizeTimestamp: onNumber(humanizeTimestamp),
    toTime: onNumber(secondsToTime),
    toDuration: onNumber(duration),
    parseDuration: fn(['string'], (text: string) => seconds(text)),
    pathPrefix: fn([], () => pathOf(externalUrl)),
    externalURL: fn([], () => externalUrl),
  };
}
