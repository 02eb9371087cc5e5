/** OpenTelemetry names and units to Prometheus names, as Prometheus' OTLP receiver does with its default strategy. */
import { VigieError } from '../../lib/errors.ts';

const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '1': '',
  '%': 'percent',
};
const PER_UNITS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

const lookup = (table: Readonly<Record<string, string>>, unit: string): string =>
  Object.hasOwn(table, unit) ? table[unit]! : unit;
const tokens = (text: string): string[] => text.split(/[^a-zA-Z0-9:]+/).filter((t) => t !== '');

/** Prometheus name of a metric: tokens joined by `_`, unit and `_total`/`_ratio` appended. Throws `bad_data` if nothing is left. */
export function prometheusName(name: string, unit: string, kind: 'counter' | 'gauge' | 'other'): string {
  let parts = tokens(name);
  const [main, per] = unitSuffixes(unit);
  if (main !== '' && !parts.includes(main)) parts.push(main);
  if (per !== '' && !parts.includes(per)) parts.push(per);
  const last = (token: string): void => {
    parts = [...parts.filter((p) => p !== token), token];
  };
  if (kind === 'counter') last('total');
  if (unit === '1' && kind === 'gauge') last('ratio');
  const joined = parts.join('_');
  if (joined === '')
    throw new VigieError(
      'bad_data',
      `metric ${JSON.stringify(name.slice(0, 80))} has no character that a Prometheus name may have`,
    );
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

/** `By/s` -> `bytes`, `per_second`; annotations in braces count for nothing. */
function unitSuffixes(unit: string): [string, string] {
  const slash = unit.indexOf('/');
  const head = (slash < 0 ? unit : unit.slice(0, slash)).trim();
  const tail = slash < 0 ? '' : unit.slice(slash + 1).trim();
  const main = head === '' || /[{}]/.test(head) ? '' : tokens(lookup(UNITS, head)).join('_');
  const per = tail === '' || /[{}]/.test(tail) ? '' : tokens(lookup(PER_UNITS, tail)).join('_');
  return [main, per === '' ? '' : `per_${per}`];
}

/** Prometheus name of an attribute: other characters become `_`; a leading digit or single `_` gets `key` before it. */
export function labelName(attribute: string): string {
  const name = attribute.replace(/[^a-zA-Z0-9_]/gu, '_');
  if (/^\d/.test(name)) return `key_${name}`;
  return name.startsWith('_') && !name.startsWith('__') ? `key${name}` : name;
}
