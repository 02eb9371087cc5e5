/** Literal text in style sheets and style attributes: strings, `url(...)` and comments. */
import { quoteGo } from '../quote.ts';
import { type Context, failed } from './context.ts';

type Step = readonly [Context, number];

/** Does `s` up to `end` close with the word `url`, not as the tail of another name? */
function endsWithUrl(s: string, end: number): boolean {
  let last = end;
  while (last > 0 && '\t\n\f\r '.includes(s[last - 1]!)) last--;
  if (last < 3 || s.slice(last - 3, last).toLowerCase() !== 'url') return false;
  return last === 3 || !/[a-zA-Z0-9\-_\u0080-\ufffd]/.test(s[last - 4]!);
}

export function inCss(c: Context, s: string): Step {
  for (let i = 0; i < s.length; i++) {
    const char = s[i]!;
    if (char === '"') return [{ ...c, state: 'CSSDqStr' }, i + 1];
    if (char === "'") return [{ ...c, state: 'CSSSqStr' }, i + 1];
    if (char === '/' && s[i + 1] === '/') return [{ ...c, state: 'CSSLineCmt' }, i + 2];
    if (char === '/' && s[i + 1] === '*') return [{ ...c, state: 'CSSBlockCmt' }, i + 2];
    if (char !== '(' || !endsWithUrl(s, i)) continue;
    let j = i + 1;
    while (j < s.length && '\t\n\f\r '.includes(s[j]!)) j++;
    if (s[j] === '"') return [{ ...c, state: 'CSSDqURL' }, j + 1];
    if (s[j] === "'") return [{ ...c, state: 'CSSSqURL' }, j + 1];
    return [{ ...c, state: 'CSSURL' }, j];
  }
  return [c, s.length];
}

const ENDS: Readonly<Record<string, string>> = {
  CSSDqStr: '"',
  CSSDqURL: '"',
  CSSSqStr: "'",
  CSSSqURL: "'",
  CSSURL: '\t\n\f\r )',
};

/** Strings may hold URLs too (`@import "..."`), so the part of the URL is followed in all of them. */
export function inCssString(c: Context, s: string): Step {
  const ends = ENDS[c.state]!;
  let here = c;
  let rest = 0;
  for (let i = 0; i < s.length; i++) {
    if (s[i] === '\\') {
      if (++i === s.length) return [failed(`unfinished escape sequence in CSS string: ${quoteGo(s)}`), s.length];
      here = withUrlPart(here, decodeCss(s.slice(0, i + 1)));
      rest = i + 1;
    } else if (ends.includes(s[i]!)) return [{ ...here, state: 'CSS' }, i + 1];
  }
  return [withUrlPart(here, s.slice(rest)), s.length];
}

function withUrlPart(c: Context, text: string): Context {
  if (/[#?]/.test(text)) return { ...c, urlPart: 'QueryOrFrag' };
  return c.urlPart === 'None' && /[^ \t\n\f\r]/.test(text) ? { ...c, urlPart: 'PreQuery' } : c;
}

/** The characters that CSS escapes (`\26 `, `\(`) stand for. */
export function decodeCss(s: string): string {
  return s.replace(
    /\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[\t\n\f\r ])?|([\s\S])|$)/gu,
    (_, hex: string | undefined, char: string | undefined) => {
      if (hex === undefined) return char ?? '';
      const code = Number.parseInt(hex, 16);
      if (code > 0x10ffff) return String.fromCodePoint(Number.parseInt(hex.slice(0, 5), 16)) + hex.slice(5);
      return code >= 0xd800 && code <= 0xdfff ? '\ufffd' : String.fromCodePoint(code);
    },
  );
}
