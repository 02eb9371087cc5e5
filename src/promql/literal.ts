/** Numbers, durations and string literals as PromQL writes them. */

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const UNIT_SECONDS = [31_536_000, 604_800, 86_400, 3_600, 60, 1];

/** Value of a number token: decimal, hexadecimal, Inf, NaN, or a duration in seconds. NaN-safe: undefined when malformed. */
export function parseNumber(text: string): { readonly value: number; readonly duration: boolean } | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  let t = text.replace(/^[-+]\s*/, '');
  if (/^inf$/i.test(t)) return { value: sign * Number.POSITIVE_INFINITY, duration: false };
  if (/^nan$/i.test(t)) return { value: Number.NaN, duration: false };
  const d = DURATION.exec(t);
  if (d && /[a-z]/.test(t)) {
    let seconds = 0;
    for (let i = 0; i < 6; i++) if (d[i + 1]) seconds += Number(d[i + 1]) * UNIT_SECONDS[i]!;
    const ms = d[7] ? Number(d[7]) : 0;
    return { value: (sign * (seconds * 1000 + ms)) / 1000, duration: true };
  }
  t = t.replaceAll('_', '');
  // a leading zero means octal, as Go's ParseInt with base 0 has it
  if (/^0[0-7]+$/.test(t)) return { value: sign * Number.parseInt(t, 8), duration: false };
  const value = Number(t);
  return t === '' || Number.isNaN(value) ? undefined : { value: sign * value, duration: false };
}

const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
};

/** The value of a quoted string, or a message saying what is wrong with it. */
export function unquote(text: string): { readonly value: string } | { readonly error: string } {
  const q = text[0]!;
  if (text.length < 2 || !text.endsWith(q)) return { error: 'unterminated quoted string' };
  const body = text.slice(1, -1);
  if (q === '`' || !body.includes('\\')) return { value: body };
  const parts: Buffer[] = [];
  for (let i = 0; i < body.length; ) {
    if (body[i] !== '\\') {
      let j = i;
      while (j < body.length && body[j] !== '\\') j++;
      parts.push(Buffer.from(body.slice(i, j), 'utf8'));
      i = j;
      continue;
    }
    const c = body[i + 1] ?? '';
    const simple = SIMPLE[c];
    if (simple !== undefined) {
      if ((c === '"' || c === "'") && c !== q) return { error: `unknown escape sequence U+${hex4(c)} '${c}'` };
      parts.push(Buffer.from([simple]));
      i += 2;
      continue;
    }
    const digits = c === 'x' ? 2 : c === 'u' ? 4 : c === 'U' ? 8 : 0;
    if (digits > 0) {
      const h = body.slice(i + 2, i + 2 + digits);
      if (h.length < digits || !/^[0-9a-fA-F]+$/.test(h)) return { error: 'illegal character in escape sequence' };
      const code = Number.parseInt(h, 16);
      if (c === 'x') parts.push(Buffer.from([code]));
      else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return { error: 'escape sequence is an invalid Unicode code point' };
      else parts.push(Buffer.from(String.fromCodePoint(code), 'utf8'));
      i += 2 + digits;
      continue;
    }
    const octal = /^[0-7]{3}/.exec(body.slice(i + 1, i + 4));
    if (!octal)
      return { error: c === '' ? 'escape sequence not terminated' : `unknown escape sequence U+${hex4(c)} '${c}'` };
    parts.push(Buffer.from([Number.parseInt(octal[0], 8) & 255]));
    i += 4;
  }
  return { value: Buffer.concat(parts).toString('utf8') };
}

const hex4 = (c: string): string => c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');

/** Shortest decimal notation without exponent, as Go's FormatFloat(v, 'f', -1, 64). */
export function formatPlain(v: number): string {
  if (Number.isNaN(v)) return 'NaN';
  if (v === Number.POSITIVE_INFINITY) return '+Inf';
  if (v === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(v, -0)) return '-0';
  const s = String(v);
  const m = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(s);
  if (!m) return s;
  const digits = m[2]! + (m[3] ?? '');
  const exp = Number(m[4]);
  if (exp >= 0) return m[1]! + digits.padEnd(exp + 1, '0');
  return `${m[1]}0.${'0'.repeat(-exp - 1)}${digits}`;
}

/** Shortest decimal as Prometheus' JSON writes values: exponents below 1e-6 and from 1e21, with at least two digits. */
export function formatValue(v: number): string {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? 'NaN' : v > 0 ? '+Inf' : '-Inf';
  if (v === 0) return Object.is(v, -0) ? '-0' : '0';
  const text = String(v);
  const at = v < 1e-6 && v > -1e-6 ? text.indexOf('e') : -1;
  // only the exponents -7 to -9 have one digit
  return at > 0 && text.length === at + 3 ? `${text.slice(0, at + 2)}0${text[at + 2]!}` : text;
}

/** Go's %g: exponents below 1e-4 and from 1e6, at least two exponent digits. */
export function formatG(v: number): string {
  if (!Number.isFinite(v)) return formatValue(v);
  if (v === 0) return Object.is(v, -0) ? '-0' : '0';
  const abs = Math.abs(v);
  if (abs >= 1e-4 && abs < 1e6) return String(v);
  return v.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
