/**
 * Go's fmt over template values: Sprintf with its verbs, flags, widths, argument indexes and error marks, Sprint and
 * Sprintln. Checked against Go in test/real. Not here: %p and %w, which templates have no values for.
 */
import { FunctionError } from './errors.ts';
import { formatFloat } from './float-text.ts';
import { isPrintable, quoteGo } from './quote.ts';
import { basicOf, GoFunction, GoMap, GoSlice, GoStruct, type GoValue, typeName } from './value.ts';

/** Widths and precisions past this are refused as Go refuses them. */
const WIDTH_MAX = 1_000_000;
/** Printing stops descending here; Go has no bound because it has pointers to stop at. */
const PRINT_DEPTH_MAX = 100;
/** Longest text one call makes, in UTF-16 units: a list may hold the same list many times over. */
export const PRINT_LENGTH_MAX = 10_000_000;

interface Flags {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  plusV: boolean;
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

const noFlags = (): Flags => ({
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
  plusV: false,
  sharpV: false,
  width: undefined,
  precision: undefined,
});

/** Counts what is printed within lists and maps; throws FunctionError past the limit. */
let printed = 0;
function count(text: string): string {
  printed += text.length + 1;
  if (printed > PRINT_LENGTH_MAX) throw new FunctionError(`text of more than ${PRINT_LENGTH_MAX} characters`);
  return text;
}

/** fmt.Sprint: a space between operands when neither is a string. */
export function sprint(args: readonly GoValue[]): string {
  printed = 0;
  let out = '';
  let previousString = true;
  args.forEach((arg, i) => {
    const isString = arg !== undefined && typeof basicOf(arg) === 'string';
    if (i > 0 && !isString && !previousString) out += ' ';
    out += count(printArg(arg, 'v', noFlags()));
    previousString = isString;
  });
  return out;
}

/** fmt.Sprintln: spaces between all, a newline at the end. */
export function sprintln(args: readonly GoValue[]): string {
  printed = 0;
  return `${args.map((a) => count(printArg(a, 'v', noFlags()))).join(' ')}\n`;
}

/** One value as %v prints it. */
export function printValueText(value: GoValue): string {
  printed = 0;
  return typeof value === 'string' ? value : printArg(value, 'v', noFlags());
}

/** fmt.Sprintf. Mistakes stand in the text as Go marks them. */
export function sprintf(format: string, args: readonly GoValue[]): string {
  printed = 0;
  return new Formatter(format, args).run();
}

class Formatter {
  readonly #format: string;
  readonly #args: readonly GoValue[];
  #at = 0;
  #arg = 0;
  #reordered = false;
  #goodIndex = true;

  constructor(format: string, args: readonly GoValue[]) {
    this.#format = format;
    this.#args = args;
  }

  run(): string {
    const f = this.#format;
    let out = '';
    while (this.#at < f.length) {
      const percent = f.indexOf('%', this.#at);
      if (percent < 0) {
        out += f.slice(this.#at);
        break;
      }
      out += f.slice(this.#at, percent);
      this.#at = percent + 1;
      out += count(this.#directive());
    }
    if (!this.#reordered && this.#arg < this.#args.length) {
      const extra = this.#args
        .slice(this.#arg)
        .map((a) => (a === undefined ? '<nil>' : `${typeName(a)}=${printArg(a, 'v', noFlags())}`));
      out += `%!(EXTRA ${extra.join(', ')})`;
    }
    return out;
  }

  #directive(): string {
    const f = this.#format;
    const flags = noFlags();
    this.#goodIndex = true;
    let marks = '';
    for (; this.#at < f.length; this.#at++) {
      const c = f[this.#at]!;
      if (c === '#') flags.sharp = true;
      else if (c === '0') flags.zero = true;
      else if (c === '+') flags.plus = true;
      else if (c === '-') flags.minus = true;
      else if (c === ' ') flags.space = true;
      else break;
    }
    let indexed = this.#argNumber();
    if (f[this.#at] === '*') {
      this.#at++;
      const width = this.#intArg();
      if (width === undefined) marks += '%!(BADWIDTH)';
      else {
        flags.width = Math.abs(width);
        if (width < 0) {
          flags.minus = true;
          flags.zero = false;
        }
      }
      indexed = false;
    } else {
      const width = this.#number();
      flags.width = width;
      if (indexed && width !== undefined) this.#goodIndex = false;
    }
    if (f[this.#at] === '.') {
      this.#at++;
      if (indexed) this.#goodIndex = false;
      indexed = this.#argNumber();
      if (f[this.#at] === '*') {
        this.#at++;
        const precision = this.#intArg();
        if (precision === undefined || precision < 0) {
          if (precision === undefined) marks += '%!(BADPREC)';
        } else flags.precision = precision;
        indexed = false;
      } else flags.precision = this.#number() ?? 0;
    }
    if (!indexed) this.#argNumber();
    if (this.#at >= f.length) return `${marks}%!(NOVERB)`;
    const verb = String.fromCodePoint(f.codePointAt(this.#at)!);
    this.#at += verb.length;
    if (verb === '%') return `${marks}%`;
    if (!this.#goodIndex) return `${marks}%!${verb}(BADINDEX)`;
    if (this.#arg >= this.#args.length) return `${marks}%!${verb}(MISSING)`;
    if (verb === 'v') {
      flags.sharpV = flags.sharp;
      flags.plusV = flags.plus;
      flags.sharp = false;
      flags.plus = false;
    }
    return marks + printArg(this.#args[this.#arg++], verb, flags);
  }

  #number(): number | undefined {
    const digits = /^\d+/.exec(this.#format.slice(this.#at, this.#at + 12))?.[0];
    if (digits === undefined) return undefined;
    this.#at += digits.length;
    const n = Number(digits);
    return n > WIDTH_MAX ? undefined : n;
  }

  #intArg(): number | undefined {
    const arg = this.#args[this.#arg];
    if (this.#arg < this.#args.length) this.#arg++;
    const n = typeof arg === 'bigint' ? Number(arg) : undefined;
    return n === undefined || Math.abs(n) > WIDTH_MAX ? undefined : n;
  }

  /** `[3]`: the next argument's number. */
  #argNumber(): boolean {
    if (this.#format[this.#at] !== '[') return false;
    this.#reordered = true;
    const close = this.#format.indexOf(']', this.#at);
    if (close < 0) {
      this.#goodIndex = false;
      this.#at++;
      return false;
    }
    const text = this.#format.slice(this.#at + 1, close);
    this.#at = close + 1;
    const n = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    if (n < 1 || n > this.#args.length) {
      this.#goodIndex = false;
      return true;
    }
    this.#arg = n - 1;
    return true;
  }
}

function printArg(arg: GoValue, verb: string, flags: Flags): string {
  if (arg === undefined) return verb === 'T' || verb === 'v' ? pad('<nil>', flags) : badVerb(arg, verb, flags);
  if (verb === 'T') return formatString(typeName(arg), 's', flags);
  return print(arg, verb, flags, 0, true);
}

function print(v: GoValue, verb: string, flags: Flags, depth: number, methods: boolean): string {
  if (depth > PRINT_DEPTH_MAX) return '...';
  if (
    methods &&
    typeof v === 'object' &&
    !(v instanceof GoFunction) &&
    v.text &&
    !flags.sharpV &&
    'vsxXq'.includes(verb)
  )
    return formatString((v.text as (self: unknown) => string)(v), verb, flags) ?? '';
  const basic = basicOf(v);
  switch (typeof basic) {
    case 'undefined':
      return depth > 0 ? pad(flags.sharpV ? 'interface {}(nil)' : '<nil>', flags) : badVerb(v, verb, flags);
    case 'boolean':
      return verb === 't' || verb === 'v' ? pad(String(basic), { ...flags, zero: false }) : badVerb(v, verb, flags);
    case 'bigint':
      return formatInteger(basic, verb, flags) ?? badVerb(v, verb, flags);
    case 'number':
      return formatNumber(basic, verb, flags) ?? badVerb(v, verb, flags);
    case 'string':
      return formatString(basic, verb, flags) ?? badVerb(v, verb, flags);
    default:
      return printComposite(basic, verb, flags, depth, methods);
  }
}

function printComposite(v: GoValue, verb: string, flags: Flags, depth: number, methods: boolean): string {
  const inner = (x: GoValue): string => count(print(x, verb, flags, depth + 1, methods));
  const sep = flags.sharpV ? ', ' : ' ';
  if (v instanceof GoMap) {
    const entries = v.sorted().map(([k, x]) => `${inner(k)}:${inner(x)}`);
    return flags.sharpV ? `${v.goType}{${entries.join(sep)}}` : `map[${entries.join(sep)}]`;
  }
  if (v instanceof GoSlice) {
    const items = v.items.map(inner);
    return flags.sharpV ? `${v.goType}{${items.join(sep)}}` : `[${items.join(sep)}]`;
  }
  if (v instanceof GoStruct) {
    const named = flags.plusV || flags.sharpV;
    const fields = [...v.fields].map(([name, x]) => (named ? `${name}:${inner(x)}` : inner(x)));
    return `${flags.sharpV ? v.goType : ''}{${fields.join(sep)}}`;
  }
  // a function: Go prints its address, which says nothing
  return verb === 'v' || verb === 'x' ? '0x0' : badVerb(v, verb, flags);
}

function badVerb(v: GoValue, verb: string, flags: Flags): string {
  if (v === undefined) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(v)}=${print(v, 'v', { ...flags, plusV: false, sharpV: false }, 0, false)})`;
}

function runeCount(text: string): number {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

function pad(text: string, flags: Flags): string {
  if (flags.width === undefined) return text;
  const missing = flags.width - runeCount(text);
  if (missing <= 0) return text;
  if (flags.minus) return text + ' '.repeat(missing);
  return (flags.zero ? '0' : ' ').repeat(missing) + text;
}

function cut(text: string, precision: number | undefined): string {
  return precision === undefined ? text : [...text].slice(0, precision).join('');
}

function formatString(text: string, verb: string, flags: Flags): string;
function formatString(text: string, verb: string, flags: Flags): string | undefined {
  if (verb === 'v') return flags.sharpV ? pad(quoteGo(text), flags) : pad(cut(text, flags.precision), flags);
  if (verb === 's') return pad(cut(text, flags.precision), flags);
  if (verb === 'q') {
    const t = cut(text, flags.precision);
    const raw = flags.sharp && !/[`\u0000-\u0008\u000a-\u001f\u007f\ufeff]/.test(t);
    return pad(raw ? `\`${t}\`` : quoteGo(t, flags.plus), flags);
  }
  if (verb === 'x' || verb === 'X') {
    const bytes = Buffer.from(text, 'utf8').subarray(0, flags.precision ?? undefined);
    const one = (b: number): string => b.toString(16).padStart(2, '0');
    const hex = [...bytes].map(one);
    let out = flags.space
      ? hex.map((h) => (flags.sharp ? `0x${h}` : h)).join(' ')
      : (flags.sharp && hex.length > 0 ? '0x' : '') + hex.join('');
    if (verb === 'X') out = out.toUpperCase();
    return pad(out, flags);
  }
  return undefined;
}

function formatInteger(v: bigint, verb: string, flags: Flags): string | undefined {
  switch (verb) {
    case 'v':
    case 'd':
      return digits(v, 10, verb, flags);
    case 'b':
      return digits(v, 2, verb, flags);
    case 'o':
    case 'O':
      return digits(v, 8, verb, flags);
    case 'x':
    case 'X':
      return digits(v, 16, verb, flags);
    case 'c':
      return pad(charOf(v), flags);
    case 'q':
      return pad(quoteGo(charOf(v), flags.plus, "'"), flags);
    case 'U': {
      const hex = (v < 0n ? BigInt.asUintN(64, v) : v).toString(16).toUpperCase();
      const char = charOf(v);
      const shown = flags.sharp && isPrintable(char) ? ` '${char}'` : '';
      return pad(`U+${hex.padStart(Math.max(4, flags.precision ?? 0), '0')}${shown}`, { ...flags, zero: false });
    }
    default:
      return undefined;
  }
}

function charOf(v: bigint): string {
  return v < 0n || v > 0x10ffffn || (v >= 0xd800n && v <= 0xdfffn) ? '\ufffd' : String.fromCodePoint(Number(v));
}

function digits(v: bigint, base: number, verb: string, flags: Flags): string {
  const negative = v < 0n;
  let text = (negative ? -v : v).toString(base);
  if (flags.precision !== undefined) {
    if (flags.precision === 0 && v === 0n) return pad('', { ...flags, zero: false });
    text = text.padStart(flags.precision, '0');
  } else if (flags.zero && !flags.minus && flags.width !== undefined) {
    const sign = negative || flags.plus || flags.space ? 1 : 0;
    text = text.padStart(flags.width - sign, '0');
  }
  let prefix = '';
  if (flags.sharp) {
    if (base === 2) prefix = '0b';
    else if (base === 8 && text[0] !== '0') prefix = '0';
    else if (base === 16) prefix = '0x';
  }
  if (verb === 'O') prefix = '0o';
  const sign = negative ? '-' : flags.plus ? '+' : flags.space ? ' ' : '';
  let out = sign + prefix + text;
  if (verb === 'X') out = out.toUpperCase();
  return pad(out, { ...flags, zero: false });
}

function formatNumber(v: number, verb: string, flags: Flags): string | undefined {
  let precision: number;
  let letter = verb;
  if (verb === 'v') {
    letter = 'g';
    precision = -1;
  } else if (verb === 'b' || 'gGxX'.includes(verb)) precision = -1;
  else if ('eE'.includes(verb)) precision = 6;
  else if ('fF'.includes(verb)) {
    precision = 6;
    letter = 'f';
  } else return undefined;
  if (flags.precision !== undefined && verb !== 'b') precision = flags.precision;
  let text = formatFloat(v, letter, precision);
  let sign = '+';
  if (text[0] === '-' || text[0] === '+') {
    sign = text[0];
    text = text.slice(1);
  }
  const special = text === 'Inf' || text === 'NaN';
  if (flags.sharp && letter !== 'b' && !special) text = withPoint(text, letter, precision);
  const plus = flags.plus;
  const shown = sign === '-' ? '-' : plus ? '+' : flags.space ? ' ' : '';
  // an infinity always shows its sign
  const lead =
    text === 'Inf' && sign === '+' && !flags.space ? '+' : text === 'NaN' && !plus && !flags.space ? '' : shown;
  if (flags.zero && !flags.minus && flags.width !== undefined && !special)
    return lead + text.padStart(flags.width - lead.length, '0');
  return pad(lead + text, { ...flags, zero: false });
}

/** The # flag: always a decimal point, and for %g trailing zeros up to the precision. */
function withPoint(text: string, verb: string, precision: number): string {
  let wanted = 0;
  if ('gG'.includes(verb)) wanted = precision < 0 ? 6 : precision;
  const at = text.search(/[eEpP]/);
  const tail = at < 0 || 'xX'.includes(verb) ? '' : text.slice(at);
  let body = tail ? text.slice(0, at) : text;
  const point = body.includes('.');
  const significant = body.replace('.', '').replace(/^0+/, '').length;
  if (!point) body += '.';
  if (wanted > significant)
    body += '0'.repeat(wanted - Math.max(significant, body.startsWith('0.') && significant === 0 ? 1 : 0));
  return body + tail;
}
