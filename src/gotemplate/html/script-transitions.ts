/** Literal text in JavaScript: strings, regular expressions, comments, template literals, and what a `/` means. */
import { quoteGo } from '../quote.ts';
import { type Context, failed, type JsCtx } from './context.ts';

type Step = readonly [Context, number];

const TRAILING_SPACE = /[\f\n\r\t\v \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+$/;
const REGEXP_WORDS = new Set(
  'break case continue delete do else finally in instanceof return throw try typeof void'.split(' '),
);

/** What a `/` behind `text` would begin; `before` is the answer for blank text. */
export function jsContextAfter(text: string, before: JsCtx): JsCtx {
  const s = text.replace(TRAILING_SPACE, '');
  if (s === '') return before;
  const last = s[s.length - 1]!;
  if (last === '+' || last === '-') {
    // `x++ /` divides, `x + /` does not
    let run = 0;
    while (run < s.length && s[s.length - 1 - run] === last) run++;
    return run % 2 === 1 ? 'Regexp' : 'DivOp';
  }
  if (last === '.') return /[0-9]\.$/.test(s) ? 'DivOp' : 'Regexp';
  if (',<>=*%&|^?!~([:;{}'.includes(last)) return 'Regexp';
  const word = /[$0-9A-Za-z_]*$/.exec(s)![0];
  return REGEXP_WORDS.has(word) ? 'Regexp' : 'DivOp';
}

export function inJs(c: Context, s: string): Step {
  const i = s.search(/["`'/{}<\-#]/);
  if (i < 0) return [{ ...c, jsCtx: jsContextAfter(s, c.jsCtx) }, s.length];
  const here: Context = { ...c, jsCtx: jsContextAfter(s.slice(0, i), c.jsCtx) };
  const literal = (state: Context['state']): Step => [{ ...here, state, jsCtx: 'Regexp' }, i + 1];
  switch (s[i]) {
    case '"':
      return literal('JSDqStr');
    case "'":
      return literal('JSSqStr');
    case '`':
      return literal('JSTmplLit');
    case '/':
      if (s[i + 1] === '/') return [{ ...here, state: 'JSLineCmt' }, i + 2];
      if (s[i + 1] === '*') return [{ ...here, state: 'JSBlockCmt' }, i + 2];
      if (here.jsCtx === 'Regexp') return [{ ...here, state: 'JSRegexp' }, i + 1];
      if (here.jsCtx === 'DivOp') return [{ ...here, jsCtx: 'Regexp' }, i + 1];
      return [
        failed(`'/' could start a division or regexp: ${quoteGo([...s.slice(i)].slice(0, 32).join(''))}`),
        s.length,
      ];
    case '<':
      return s.startsWith('<!--', i) ? [{ ...here, state: 'JSHTMLOpenCmt' }, i + 4] : [here, i + 1];
    case '-':
      return s.startsWith('-->', i) ? [{ ...here, state: 'JSHTMLCloseCmt' }, i + 3] : [here, i + 1];
    case '#':
      return s[i + 1] === '!' ? [{ ...here, state: 'JSLineCmt' }, i + 2] : [here, i + 1];
    default:
      return brace(here, s[i]!, i + 1);
  }
}

/** Braces are counted only within `${`, to know which one ends it. */
function brace(c: Context, char: string, end: number): Step {
  const next: Context = { ...c, jsCtx: jsContextAfter(char, c.jsCtx) };
  if (c.jsBraces.length === 0) return [next, end];
  const outer = c.jsBraces.slice(0, -1);
  const depth = c.jsBraces[c.jsBraces.length - 1]! + (char === '{' ? 1 : -1);
  return depth < 0
    ? [{ ...c, jsBraces: outer, state: 'JSTmplLit' }, end]
    : [{ ...next, jsBraces: [...outer, depth] }, end];
}

const unfinished = (s: string): Context => failed(`unfinished escape sequence in JS string: ${quoteGo(s)}`);

export function inJsTemplate(c: Context, s: string): Step {
  for (let i = 0; i < s.length; i++) {
    if (s[i] === '\\') {
      if (++i === s.length) return [unfinished(s), s.length];
    } else if (s[i] === '$' && s[i + 1] === '{') return [{ ...c, jsBraces: [...c.jsBraces, 0], state: 'JS' }, i + 2];
    else if (s[i] === '`') return [{ ...c, state: 'JS' }, i + 1];
  }
  return [c, s.length];
}

const ENDS = { JSDqStr: '"', JSSqStr: "'", JSRegexp: '/' } as const;

/** Quoted strings and regular expressions. */
export function inJsLiteral(c: Context, s: string): Step {
  const end = ENDS[c.state as keyof typeof ENDS];
  const regexp = c.state === 'JSRegexp';
  let inSet = false;
  for (let i = 0; i < s.length; i++) {
    const char = s[i]!;
    if (char === '\\') {
      if (++i === s.length) return [unfinished(s), s.length];
    } else if (regexp && char === '[') inSet = true;
    else if (regexp && char === ']') inSet = false;
    else if (char === end) {
      // "</script" inside the literal is no end of it; the text before it is made harmless
      if (regexp && i > 0 && s.slice(i - 1, i + 7).toLowerCase() === '</script') i++;
      else if (!inSet) return [{ ...c, state: 'JS', jsCtx: 'DivOp' }, i + 1];
    }
  }
  return inSet ? [failed(`unfinished JS regexp charset: ${quoteGo(s)}`), s.length] : [c, s.length];
}

export function inJsLineComment(c: Context, s: string): Step {
  const i = s.search(/[\n\r\u2028\u2029]/);
  return i < 0 ? [c, s.length] : [{ ...c, state: 'JS' }, i];
}
