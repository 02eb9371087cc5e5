/**
 * Floating-point numbers as Go's strconv.FormatFloat writes them, for any precision: digits come from the exact binary
 * value, halves round to even. Not here: width, sign and padding flags (format.ts).
 */

interface Decimal {
  /** Significant digits without leading zeros; '' for zero. */
  digits: string;
  /** The decimal point stands after this many digits. */
  point: number;
}

/** Text of |value|'s format with a leading `-` when negative. `precision` -1 is the shortest that reads back. */
export function formatFloat(value: number, verb: string, precision: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const abs = Math.abs(value);
  if (verb === 'b') return sign + binaryText(abs);
  if (verb === 'x' || verb === 'X') {
    const text = hexText(abs, precision);
    return sign + (verb === 'X' ? text.toUpperCase() : text);
  }
  const lower = verb.toLowerCase();
  const shortest = precision < 0;
  let d = shortest ? shortestDecimal(abs) : exactDecimal(abs);
  let prec = precision;
  if (shortest)
    prec =
      lower === 'e' ? d.digits.length - 1 : lower === 'f' ? Math.max(d.digits.length - d.point, 0) : d.digits.length;
  else if (lower === 'e') d = round(d, prec + 1);
  else if (lower === 'f') d = round(d, d.point + prec);
  else {
    if (prec === 0) prec = 1;
    d = round(d, prec);
  }
  if (lower === 'e') return sign + exponentText(d, Math.max(prec, 0), verb);
  if (lower === 'f') return sign + fixedText(d, prec);
  let exponentFrom = prec;
  if (exponentFrom > d.digits.length && d.digits.length >= d.point) exponentFrom = d.digits.length;
  if (shortest) exponentFrom = 6;
  const exponent = d.point - 1;
  if (exponent < -4 || exponent >= exponentFrom) {
    const kept = Math.min(prec, d.digits.length);
    return sign + exponentText(d, Math.max(kept - 1, 0), verb === 'G' ? 'E' : 'e');
  }
  return sign + fixedText(d, Math.max(d.digits.length - d.point, 0));
}

function shortestDecimal(abs: number): Decimal {
  if (abs === 0) return { digits: '', point: 0 };
  const [mantissa, exponent] = abs.toExponential().split('e') as [string, string];
  return trimmed({ digits: mantissa.replace('.', ''), point: Number(exponent) + 1 });
}

const bits = new DataView(new ArrayBuffer(8));

/** Mantissa and power of two: value = mantissa * 2^exponent. */
function parts(abs: number): { mantissa: bigint; exponent: number } {
  bits.setFloat64(0, abs);
  const raw = bits.getBigUint64(0);
  const biased = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: biased - 1075 };
}

function exactDecimal(abs: number): Decimal {
  if (abs === 0) return { digits: '', point: 0 };
  const { mantissa, exponent } = parts(abs);
  if (exponent >= 0) {
    const digits = (mantissa << BigInt(exponent)).toString();
    return trimmed({ digits, point: digits.length });
  }
  // m / 2^k = m * 5^k / 10^k
  const digits = (mantissa * 5n ** BigInt(-exponent)).toString();
  return trimmed({ digits, point: digits.length + exponent });
}

function trimmed(d: Decimal): Decimal {
  return { digits: d.digits.replace(/0+$/, ''), point: d.point };
}

/** To `count` digits, half to even. */
function round(d: Decimal, count: number): Decimal {
  if (count >= d.digits.length) return d;
  if (count < 0) return { digits: '', point: 0 };
  const rest = d.digits.slice(count);
  const last = count > 0 ? Number(d.digits[count - 1]) : 0;
  const half = /^50*$/.test(rest);
  const up = half ? last % 2 === 1 : rest[0]! >= '5';
  if (!up) {
    const kept = trimmed({ digits: d.digits.slice(0, count), point: d.point });
    return kept.digits === '' ? { digits: '', point: 0 } : kept;
  }
  const raised = (BigInt(d.digits.slice(0, count) || '0') + 1n).toString();
  const point = raised.length > count ? d.point + 1 : d.point;
  return trimmed({ digits: raised, point });
}

function exponentText(d: Decimal, fraction: number, verb: string): string {
  const digits = d.digits.padEnd(fraction + 1, '0');
  const exponent = d.digits === '' ? 0 : d.point - 1;
  const tail = fraction > 0 ? `.${digits.slice(1, fraction + 1)}` : '';
  const magnitude = String(Math.abs(exponent)).padStart(2, '0');
  return `${digits[0]}${tail}${verb}${exponent < 0 ? '-' : '+'}${magnitude}`;
}

function fixedText(d: Decimal, fraction: number): string {
  const whole = d.point > 0 ? d.digits.slice(0, d.point).padEnd(d.point, '0') : '0';
  if (fraction <= 0) return whole;
  let after = '';
  for (let i = 0; i < fraction; i++) {
    const at = d.point + i;
    after += at >= 0 && at < d.digits.length ? d.digits[at] : '0';
  }
  return `${whole}.${after}`;
}

function binaryText(abs: number): string {
  const { mantissa, exponent } = parts(abs);
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
}

/** -0x1.yyyyp±dd with the mantissa normalised to 1. */
function hexText(abs: number, precision: number): string {
  if (abs === 0) return `0x0${precision > 0 ? `.${'0'.repeat(precision)}` : ''}p+00`;
  let { mantissa, exponent } = parts(abs);
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n;
    exponent--;
  }
  let e = exponent + 52;
  let fractionDigits = 13;
  if (precision >= 0 && precision < 13) {
    const shift = BigInt((13 - precision) * 4);
    const rest = mantissa & ((1n << shift) - 1n);
    const half = 1n << (shift - 1n);
    mantissa >>= shift;
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa += 1n;
    fractionDigits = precision;
    if (mantissa >= 2n << BigInt(precision * 4)) {
      mantissa >>= 1n;
      e++;
    }
  }
  const hex = mantissa.toString(16);
  let fraction = hex.slice(1).padStart(fractionDigits, '0');
  if (precision < 0) fraction = fraction.replace(/0+$/, '');
  else fraction = fraction.padEnd(precision, '0');
  const magnitude = String(Math.abs(e)).padStart(2, '0');
  return `0x${hex[0]}${fraction ? `.${fraction}` : ''}p${e < 0 ? '-' : '+'}${magnitude}`;
}
