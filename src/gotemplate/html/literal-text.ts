/** Follows the context through one text node and rewrites what must not stay: comments, stray `<`, "</script" in strings. */
import { quoteGo } from '../quote.ts';
import { isScriptType } from './attributes.ts';
import { at, type Context, failed, isComment, isInScriptLiteral } from './context.ts';
import { decodeEntities } from './entities.ts';
import { type Step, TRANSITIONS, toEndTag } from './transitions.ts';

export const DELIM_ENDS = { DoubleQuote: /"/, SingleQuote: /'/, SpaceOrTagEnd: /[ \t\n\f\r>]/ } as const;

function contextAfter(c: Context, s: string): Step {
  if (c.delim === 'None') {
    const [after, length] = toEndTag(c, s);
    return length === 0 ? [after, 0] : TRANSITIONS[c.state](c, s.slice(0, length));
  }
  const found = s.search(DELIM_ENDS[c.delim]);
  const end = found < 0 ? s.length : found;
  if (c.delim === 'SpaceOrTagEnd') {
    // browsers disagree about these, so an unquoted value may not hold them
    const bad = s.slice(0, end).search(/["'<=`]/);
    if (bad >= 0) return [failed(`${quoteGo(s[bad]!)} in unquoted attr: ${quoteGo(s.slice(0, end))}`), s.length];
  }
  if (end === s.length) {
    let here = c;
    for (let rest = decodeEntities(s); rest !== ''; ) {
      const [next, length] = TRANSITIONS[here.state](here, rest);
      here = next;
      rest = rest.slice(length);
    }
    return [here, s.length];
  }
  const dataBlock =
    c.state === 'Attr' && c.element === 'Script' && c.attr === 'ScriptType' && !isScriptType(s.slice(0, end));
  return [at({ state: 'Tag', element: dataBlock ? 'None' : c.element }), c.delim === 'SpaceOrTagEnd' ? end : end + 1];
}

const SCRIPT_TAG = /<(script|\/script|!--)/gi;

/** The context behind `text` and the text as it may be put out. */
export function followText(start: Context, text: string): readonly [Context, string] {
  let c = start;
  let out = '';
  let written = 0;
  for (let i = 0; i !== text.length; ) {
    const [next, length] = contextAfter(c, text.slice(i));
    const end = i + length;
    const hidden = isComment(c.state) && c.delim === 'None';
    if (c.state === 'Text' || c.state === 'RCDATA') {
      let until = end;
      if (next.state !== c.state) {
        const open = text.lastIndexOf('<', end - 1);
        if (open >= i) until = open;
      }
      for (let j = text.indexOf('<', i); j >= 0 && j < until; j = text.indexOf('<', j + 1)) {
        if (text.slice(j, j + 9).toUpperCase() === '<!DOCTYPE') continue;
        out += `${text.slice(written, j)}&lt;`;
        written = j + 1;
      }
    } else if (hidden) {
      // a comment may stand for the space or the line end between two words
      if (c.state === 'JSBlockCmt') out += /[\n\r\u2028\u2029]/.test(text.slice(written, end)) ? '\n' : ' ';
      else if (c.state === 'CSSBlockCmt') out += ' ';
      written = end;
    }
    if (c.state !== next.state && isComment(next.state) && next.delim === 'None') {
      const mark =
        next.state === 'HTMLCmt' || next.state === 'JSHTMLOpenCmt' ? 4 : next.state === 'JSHTMLCloseCmt' ? 3 : 2;
      out += text.slice(written, end - mark);
      written = end;
    }
    if (isInScriptLiteral(c.state)) {
      const piece = text.slice(i, end);
      const harmless = piece.replace(SCRIPT_TAG, '\\x3C$1');
      if (harmless !== piece) {
        out += text.slice(written, i) + harmless;
        written = end;
      }
    }
    if (end === i && c.state === next.state)
      throw new Error(`BUG: no way on from ${c.state} at ${quoteGo(text.slice(i, i + 40))}`);
    c = next;
    i = end;
  }
  if (written === 0 || c.state === 'Error') return [c, text];
  return [c, isComment(c.state) && c.delim === 'None' ? out : out + text.slice(written)];
}
