/** Reads times, durations, limits and matchers from Prometheus' query parameters; errors name the parameter. */
import { VigieError } from '../../lib/errors.ts';
import { parseDuration } from '../../model/duration.ts';
import type { Matcher } from '../../model/matcher.ts';
import { type Expr, positionText } from '../../promql/ast.ts';
import { NO_MATCHER } from '../../promql/check.ts';

/** Widest times in ms that Prometheus takes as "from the beginning" and "to the end". */
export const MIN_TIME_MS = -62_135_596_800_000;
export const MAX_TIME_MS = 253_402_300_799_999;

function invalid(name: string, what: string): VigieError {
  return new VigieError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${what}`);
}

/** RFC 3339 or seconds since the epoch, in ms. */
export function timeParam(form: URLSearchParams, name: string, fallbackMs?: number): number {
  const text = form.get(name) ?? '';
  if (text === '' && fallbackMs !== undefined) return fallbackMs;
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) {
    const ms = Math.round(Number(text) * 1000);
    if (Number.isFinite(ms)) return ms;
  }
  if (text === '-292273086-05-16T16:47:06Z') return MIN_TIME_MS;
  if (text === '+292277025-08-18T07:12:54.999999999Z' || text === '292277025-08-18T07:12:54.999999999Z')
    return MAX_TIME_MS;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
  }
  // Prometheus words it in its own way where a time may be left out
  const what = `cannot parse ${JSON.stringify(text)} to a valid timestamp`;
  throw invalid(name, fallbackMs === undefined ? what : `invalid time value for '${name}': ${what}`);
}

/** Seconds as a float, or Prometheus' notation, in ms. */
export function durationParam(form: URLSearchParams, name: string): number {
  const text = form.get(name) ?? '';
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) {
    const ms = Number(text) * 1000;
    if (Number.isFinite(ms) && Math.abs(ms) > 9_223_372_036_854)
      throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`);
    if (Number.isFinite(ms)) return ms;
  }
  try {
    return parseDuration(text);
  } catch {
    throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
}

/** Look-back of one query; undefined for the engine's own. */
export function lookbackParam(form: URLSearchParams): number | undefined {
  if (!form.get('lookback_delta')) return undefined;
  try {
    return durationParam(form, 'lookback_delta') || undefined;
  } catch {
    const text = JSON.stringify(form.get('lookback_delta'));
    throw new VigieError('bad_data', `error parsing lookback delta duration: cannot parse ${text} to a valid duration`);
  }
}

/** 0 means none. */
export function limitParam(form: URLSearchParams): number {
  const text = form.get('limit');
  if (text === null || text === '') return 0;
  if (!/^[-+]?\d+$/.test(text)) throw invalid('limit', `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const limit = Number(text);
  if (Math.abs(limit) >= 2 ** 63)
    throw invalid('limit', `strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  if (limit < 0) throw invalid('limit', 'limit must be non-negative');
  return limit;
}

/** Matcher sets of all `match[]` values; each must be a plain selector. `named`: errors name the parameter. */
export function matcherSets(form: URLSearchParams, parse: (text: string) => Expr, named: boolean): Matcher[][] {
  return form.getAll('match[]').map((text) => {
    const fail = (what: string): VigieError => (named ? invalid('match[]', what) : new VigieError('bad_data', what));
    let e: Expr;
    try {
      e = parse(text);
    } catch (cause) {
      if (!(cause instanceof VigieError)) throw cause;
      if (cause.message.endsWith(NO_MATCHER)) throw fail('match[] must contain at least one non-empty matcher');
      throw fail(cause.message);
    }
    if (e.kind === 'selector' && !e.offset && !e.at) return [...e.matchers];
    // what follows the selector is the fault
    const end = /^\s*(?:[\w:]+\s*)?(?:\{(?:[^"'`}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?\s*/.exec(text)![0]
      .length;
    throw fail(`${positionText(text, end)}: parse error: unexpected ${JSON.stringify(text[end] ?? '')}`);
  });
}
