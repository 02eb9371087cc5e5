/**
 * Numbers of the text formats as Go's ParseFloat reads them (decimal only: Prometheus refuses hexadecimal and
 * underscores). Up to 15 digits are converted without leaving bytes; the rest goes through the engine's own parser.
 */
const POW10 = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** Result of the last `parseNumber`: false when the bytes are no number. Read it right after the call. */
export let numberOk = false;

/** The number in `b[start, end)`; sets `numberOk`. `1e999` is refused, as in Go. */
export function parseNumber(b: Uint8Array, start: number, end: number): number {
  let i = start;
  let negative = false;
  if (i < end && (b[i] === 45 || b[i] === 43)) negative = b[i++] === 45;
  let mantissa = 0;
  let digits = 0;
  let fraction = -1;
  for (; i < end; i++) {
    const c = b[i]! - 48;
    if (c >= 0 && c <= 9) {
      mantissa = mantissa * 10 + c;
      digits++;
      if (fraction >= 0) fraction++;
    } else if (c === -2 && fraction < 0) fraction = 0;
    else break;
  }
  let exponent = fraction > 0 ? -fraction : 0;
  if (digits > 0 && digits <= 15) {
    if (i < end && (b[i]! | 32) === 101 && i + 1 < end) {
      let j = i + 1;
      let down = false;
      if (b[j] === 45 || b[j] === 43) down = b[j++] === 45;
      let e = 0;
      const first = j;
      for (; j < end && j - first < 3; j++) {
        const c = b[j]! - 48;
        if (c < 0 || c > 9) break;
        e = e * 10 + c;
      }
      if (j > first && j === end) {
        exponent += down ? -e : e;
        i = end;
      }
    }
    if (i === end && exponent >= -22 && exponent <= 22) {
      numberOk = true;
      const v = exponent < 0 ? mantissa / POW10[-exponent]! : mantissa * POW10[exponent]!;
      return negative ? -v : v;
    }
  }
  return parseSlow(b, start, end);
}

function parseSlow(b: Uint8Array, start: number, end: number): number {
  const text = end - start > 400 ? '' : Buffer.from(b.buffer, b.byteOffset + start, end - start).toString('latin1');
  numberOk = true;
  if (DECIMAL.test(text)) {
    const v = Number(text);
    if (Number.isFinite(v)) return v;
  } else {
    const m = INFINITE.exec(text);
    if (m) return m[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    if (/^nan$/i.test(text)) return Number.NaN;
  }
  numberOk = false;
  return Number.NaN;
}

/** A float as OpenMetrics writes `le` and `quantile`: `1.0`, `+Inf`, `1e+06`. */
export function formatBound(v: number): string {
  if (v === 1) return '1.0';
  if (v === 0) return Object.is(v, -0) ? '-0.0' : '0.0';
  if (v === -1) return '-1.0';
  if (Number.isNaN(v)) return 'NaN';
  if (v === Number.POSITIVE_INFINITY) return '+Inf';
  if (v === Number.NEGATIVE_INFINITY) return '-Inf';
  const text = formatGoFloat(v);
  return /[e.]/.test(text) ? text : `${text}.0`;
}

/** Go's `strconv.FormatFloat(v, 'g', -1, 64)` for finite numbers: exponent below -4 and from 6 on. */
export function formatGoFloat(v: number): string {
  const [digits, exp] = v.toExponential().split('e') as [string, string];
  const e = Number(exp);
  if (e < -4 || e >= 6) return `${digits}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
  const plain = String(v);
  if (!plain.includes('e')) return plain;
  // JavaScript switches to exponents already below 1e-6; these are within 1e-4, so toFixed is never reached with rounding
  return v.toFixed(Math.max(0, (digits.split('.')[1]?.length ?? 0) - e));
}
