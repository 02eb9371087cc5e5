/** Go's quoting of strings and characters (strconv.Quote, QuoteToASCII, QuoteRune) and its reverse. */

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Is the character printed as it stands by %q? */
export const isPrintable = (char: string): boolean => PRINTABLE.test(char);

const SHORT: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** The text in `mark` quotes; with `ascii` everything past 0x7e is escaped. */
export function quoteGo(text: string, ascii = false, mark = '"'): string {
  let out = mark;
  for (const char of text) {
    if (char === mark || char === '\\') out += `\\${char}`;
    else if (isPrintable(char) && !(ascii && char.codePointAt(0)! > 0x7e)) out += char;
    else out += SHORT[char] ?? escapeCode(char.codePointAt(0)!);
  }
  return out + mark;
}

function escapeCode(code: number): string {
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code >= 0xd800 && code <= 0xdfff) return '\\ufffd';
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}

const UNESCAPED: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** What a quoted literal ("...", `...` or '...') stands for; undefined when it is malformed. */
export function unquoteGo(literal: string): string | undefined {
  const mark = literal[0]!;
  const body = literal.slice(1, -1);
  if (mark === '`') return body.includes('`') ? undefined : body.replaceAll('\r', '');
  const bytes: Buffer[] = [];
  for (let i = 0; i < body.length; ) {
    const c = body[i]!;
    if (c === mark || c === '\n') return undefined;
    if (c !== '\\') {
      const char = String.fromCodePoint(body.codePointAt(i)!);
      bytes.push(Buffer.from(char));
      i += char.length;
      continue;
    }
    const e = body[i + 1];
    if (e === undefined) return undefined;
    if (e === mark || Object.hasOwn(UNESCAPED, e)) {
      bytes.push(Buffer.from(e === mark ? mark : UNESCAPED[e]!));
      i += 2;
      continue;
    }
    const width = e === 'x' ? 2 : e === 'u' ? 4 : e === 'U' ? 8 : 0;
    if (width > 0) {
      const hex = body.slice(i + 2, i + 2 + width);
      if (hex.length !== width || !/^[0-9a-fA-F]+$/.test(hex)) return undefined;
      const code = Number.parseInt(hex, 16);
      if (e === 'x') bytes.push(Buffer.from([code]));
      else if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
      else bytes.push(Buffer.from(String.fromCodePoint(code)));
      i += 2 + width;
      continue;
    }
    const octal = body.slice(i + 1, i + 4);
    if (!/^[0-7]{3}$/.test(octal) || Number.parseInt(octal, 8) > 255) return undefined;
    bytes.push(Buffer.from([Number.parseInt(octal, 8)]));
    i += 4;
  }
  return Buffer.concat(bytes).toString('utf8');
}
