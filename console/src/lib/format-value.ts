/**
 * Values with units, by Grafana's unit ids, in the reader's language. Scales: SI (1000), IEC (1024), time. An unknown id
 * is shown as a suffix, as Grafana does for custom units. Pure.
 */
const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const IEC = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const SMALL = ['', 'm', 'µ', 'n', 'p'];

type Scale = 'none' | 'short' | 'si' | 'iec' | 'percent' | 'percentunit' | 'time' | 'date' | 'bool' | 'hex';
interface Unit {
  readonly scale: Scale;
  readonly suffix: string;
  /** What one unit is in the base of its scale: seconds for time, 1 otherwise. */
  readonly factor?: number;
}

const u = (scale: Scale, suffix = '', factor = 1): Unit => ({ scale, suffix, factor });
const UNITS: Readonly<Record<string, Unit>> = {
  none: u('none'),
  '': u('short'),
  short: u('short'),
  string: u('none'),
  sishort: u('si'),
  percent: u('percent', '%'),
  percentunit: u('percentunit', '%'),
  humidity: u('none', '%H'),
  bytes: u('iec', 'B'),
  decbytes: u('si', 'B'),
  bits: u('iec', 'b'),
  decbits: u('si', 'b'),
  kbytes: u('iec', 'B', 1024),
  mbytes: u('iec', 'B', 1024 ** 2),
  gbytes: u('iec', 'B', 1024 ** 3),
  tbytes: u('iec', 'B', 1024 ** 4),
  deckbytes: u('si', 'B', 1e3),
  decmbytes: u('si', 'B', 1e6),
  decgbytes: u('si', 'B', 1e9),
  Bps: u('si', 'B/s'),
  binBps: u('iec', 'B/s'),
  bps: u('si', 'b/s'),
  binbps: u('iec', 'b/s'),
  KBs: u('si', 'B/s', 1e3),
  MBs: u('si', 'B/s', 1e6),
  GBs: u('si', 'B/s', 1e9),
  Kbits: u('si', 'b/s', 1e3),
  Mbits: u('si', 'b/s', 1e6),
  pps: u('si', 'p/s'),
  cps: u('short', ' c/s'),
  ops: u('short', ' ops/s'),
  opm: u('short', ' ops/min'),
  reqps: u('short', ' req/s'),
  reqpm: u('short', ' req/min'),
  rps: u('short', ' rd/s'),
  wps: u('short', ' wr/s'),
  iops: u('short', ' io/s'),
  eps: u('short', ' evt/s'),
  mps: u('short', ' msg/s'),
  rowsps: u('short', ' rows/s'),
  recps: u('short', ' rec/s'),
  locale: u('none'),
  hertz: u('si', 'Hz'),
  watt: u('si', 'W'),
  joule: u('si', 'J'),
  volt: u('si', 'V'),
  amp: u('si', 'A'),
  celsius: u('none', ' °C'),
  fahrenheit: u('none', ' °F'),
  kelvin: u('none', ' K'),
  rotrpm: u('none', ' rpm'),
  s: u('time'),
  ms: u('time', '', 1e-3),
  µs: u('time', '', 1e-6),
  us: u('time', '', 1e-6),
  ns: u('time', '', 1e-9),
  m: u('time', '', 60),
  h: u('time', '', 3600),
  d: u('time', '', 86400),
  dtdurations: u('time'),
  dtdurationms: u('time', '', 1e-3),
  clocks: u('time'),
  clockms: u('time', '', 1e-3),
  dateTimeAsIso: u('date'),
  dateTimeFromNow: u('date'),
  dateTimeAsLocal: u('date'),
  currencyUSD: u('short', ' $'),
  currencyEUR: u('short', ' €'),
  currencyGBP: u('short', ' £'),
  bool: u('bool', 'true/false'),
  bool_yes_no: u('bool', 'yes/no'),
  bool_on_off: u('bool', 'on/off'),
  hex: u('hex'),
};

const cache = new Map<string, Intl.NumberFormat>();
function number(value: number, locale: string, decimals: number | undefined, significant = 4): string {
  const key = `${locale}|${decimals ?? `s${significant}`}`;
  let format = cache.get(key);
  if (!format) {
    format = new Intl.NumberFormat(
      locale,
      decimals === undefined
        ? { maximumSignificantDigits: significant }
        : { minimumFractionDigits: decimals, maximumFractionDigits: decimals },
    );
    cache.set(key, format);
  }
  return format.format(value);
}

function scaled(value: number, base: number, names: readonly string[]): [number, string] {
  let at = 0;
  let v = value;
  while (Math.abs(v) >= base && at < names.length - 1) {
    v /= base;
    at++;
  }
  return [v, names[at]!];
}

function seconds(value: number, locale: string, decimals: number | undefined): string {
  const abs = Math.abs(value);
  const plain = (v: number, unit: string): string => `${number(v, locale, decimals, 3)} ${unit}`;
  if (abs === 0) return plain(0, 's');
  if (abs < 1e-6) return plain(value * 1e9, 'ns');
  if (abs < 1e-3) return plain(value * 1e6, 'µs');
  if (abs < 1) return plain(value * 1e3, 'ms');
  if (abs < 60) return plain(value, 's');
  if (abs < 3600) return plain(value / 60, 'min');
  if (abs < 86400) return plain(value / 3600, 'h');
  if (abs < 365 * 86400) return plain(value / 86400, 'd');
  return plain(value / (365 * 86400), 'y');
}

export interface FormatOptions {
  readonly unit?: string | undefined;
  readonly decimals?: number | undefined;
  readonly locale?: string;
  readonly timeZone?: string | undefined;
}

/** The value for people: at most four significant digits unless `decimals` says otherwise. */
export function formatValue(value: number | null | undefined, options: FormatOptions = {}): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '+∞' : '−∞';
  const { decimals, locale = 'en' } = options;
  const id = options.unit ?? '';
  const custom = /^(prefix|suffix|si|count|currency|time):(.*)$/.exec(id);
  if (custom) {
    if (custom[1] === 'prefix') return `${custom[2]}${number(value, locale, decimals)}`;
    if (custom[1] === 'time') return formatDate(value, locale, options.timeZone);
    if (custom[1] === 'si') return join(scaled(value, 1000, SI), custom[2]!, locale, decimals);
    return `${number(value, locale, decimals)} ${custom[2]}`;
  }
  const unit = UNITS[id];
  if (!unit) return `${number(value, locale, decimals)} ${id}`;
  const v = value * (unit.factor ?? 1);
  switch (unit.scale) {
    case 'none':
      return `${number(v, locale, decimals)}${unit.suffix}`;
    case 'percent':
      return `${number(v, locale, decimals, Math.abs(v) >= 100 ? 4 : 3)} %`;
    case 'percentunit':
      return `${number(v * 100, locale, decimals, Math.abs(v) >= 1 ? 4 : 3)} %`;
    case 'short': {
      const [n, prefix] = scaled(v, 1000, ['', ' K', ' M', ' G', ' T']);
      return `${number(n, locale, decimals)}${prefix}${unit.suffix}`;
    }
    case 'si':
      if (v !== 0 && Math.abs(v) < 0.1 && unit.suffix !== 'B' && unit.suffix !== 'B/s') {
        let at = 0;
        let n = v;
        while (Math.abs(n) < 1 && at < SMALL.length - 1) {
          n *= 1000;
          at++;
        }
        return join([n, SMALL[at]!], unit.suffix, locale, decimals);
      }
      return join(scaled(v, 1000, SI), unit.suffix, locale, decimals);
    case 'iec':
      return join(scaled(v, 1024, IEC), unit.suffix, locale, decimals);
    case 'time':
      return seconds(v, locale, decimals);
    case 'date':
      return formatDate(value, locale, options.timeZone);
    case 'bool':
      return unit.suffix.split('/')[v === 0 ? 1 : 0]!;
    case 'hex':
      return Math.trunc(v).toString(16);
  }
}

function join([n, prefix]: [number, string], suffix: string, locale: string, decimals: number | undefined): string {
  return `${number(n, locale, decimals)} ${prefix}${suffix}`.trim();
}

export function formatDate(ms: number, locale = 'en', timeZone?: string): string {
  return dateFormat(locale, timeZone).format(ms);
}

const dates = new Map<string, Intl.DateTimeFormat>();
function dateFormat(locale: string, timeZone: string | undefined): Intl.DateTimeFormat {
  const key = `${locale}|${timeZone ?? ''}`;
  let format = dates.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(locale, {
      dateStyle: 'medium',
      timeStyle: 'medium',
      hourCycle: 'h23',
      ...(timeZone && timeZone !== 'browser' ? { timeZone } : {}),
    });
    dates.set(key, format);
  }
  return format;
}

/** "3 min ago" in the reader's language. */
const agos = new Map<string, Intl.RelativeTimeFormat>();
export function formatAgo(ms: number, nowMs: number, locale = 'en'): string {
  let format = agos.get(locale);
  if (!format) {
    format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
    agos.set(locale, format);
  }
  const s = (ms - nowMs) / 1_000;
  const abs = Math.abs(s);
  if (abs < 60) return format.format(Math.round(s), 'second');
  if (abs < 3_600) return format.format(Math.round(s / 60), 'minute');
  if (abs < 86_400) return format.format(Math.round(s / 3_600), 'hour');
  return format.format(Math.round(s / 86_400), 'day');
}

export function unitIsKnown(id: string): boolean {
  return id in UNITS || /^(prefix|suffix|si|count|currency|time):/.test(id);
}
