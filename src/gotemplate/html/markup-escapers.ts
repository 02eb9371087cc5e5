/** Escapers for element text, attribute values and names. */
import { attrKind } from './attributes.ts';
import { type Context, isInTag, TEXT } from './context.ts';
import { DELIM_ENDS } from './literal-text.ts';
import { replaceBy } from './replace-table.ts';
import { type Content, UNSAFE } from './stringify.ts';
import { TRANSITIONS } from './transitions.ts';

const QUOTED = { '\0': '\ufffd', '"': '&#34;', "'": '&#39;', '+': '&#43;', '<': '&lt;', '>': '&gt;' };
const UNQUOTED = {
  ...QUOTED,
  '\0': '&#xfffd;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\v': '&#11;',
  '\f': '&#12;',
  '\r': '&#13;',
  ' ': '&#32;',
  '=': '&#61;',
  '`': '&#96;',
};

/** For markup that the author vouched for: references in it stay. */
const keepReferences = replaceBy(QUOTED);
const escapeAll = replaceBy({ ...QUOTED, '&': '&amp;' });
const keepReferencesUnquoted = replaceBy(UNQUOTED);
const escapeAllUnquoted = replaceBy({ ...UNQUOTED, '&': '&amp;' });

/** Some browsers end an unquoted value at these. */
const escapeNoncharacters = (text: string): string =>
  text.replace(/[\ufdd0-\ufdef\ufff0-\uffff]/g, (c) => `&#x${c.charCodeAt(0).toString(16)};`);

export const htmlEscaper = ({ text, kind }: Content): string => (kind === 'html' ? text : escapeAll(text));

export const rcdataEscaper = ({ text, kind }: Content): string =>
  kind === 'html' ? keepReferences(text) : escapeAll(text);

export const attrEscaper = ({ text, kind }: Content): string =>
  kind === 'html' ? keepReferences(stripTags(text)) : escapeAll(text);

export function nospaceEscaper({ text, kind }: Content): string {
  // an empty unquoted value would take the next attribute for its value
  if (text === '') return UNSAFE;
  return escapeNoncharacters(kind === 'html' ? keepReferencesUnquoted(stripTags(text)) : escapeAllUnquoted(text));
}

/** Only plain names may come from data; never one that carries script, style or addresses. */
export function htmlNameFilter({ text, kind }: Content): string {
  if (kind === 'htmlattr') return text;
  const name = text.toLowerCase();
  return name !== '' && attrKind(name) === 'plain' && /^[0-9a-z]+$/.test(name) ? name : UNSAFE;
}

export const commentEscaper = (): string => '';

/** The text of a piece of markup, without its tags. */
export function stripTags(html: string): string {
  let out = '';
  let c: Context = TEXT;
  let onlyText = true;
  let i = 0;
  while (i !== html.length) {
    if (c.delim === 'None') {
      const state = c.element !== 'None' && !isInTag(c.state) ? 'RCDATA' : c.state;
      const [next, length] = TRANSITIONS[state](c, html.slice(i));
      const end = i + length;
      if (c.state === 'Text' || c.state === 'RCDATA') {
        const open = next.state === c.state ? -1 : html.lastIndexOf('<', end - 1);
        out += html.slice(i, open >= i ? open : end);
      } else onlyText = false;
      // a script's text is read as character data: nothing moves on before its end tag
      if (end === i && next.state === c.state) break;
      c = next;
      i = end;
      continue;
    }
    const found = html.slice(i).search(DELIM_ENDS[c.delim]);
    if (found < 0) break;
    i += found + (c.delim === 'SpaceOrTagEnd' ? 0 : 1);
    c = { ...TEXT, state: 'Tag', element: c.element };
  }
  if (onlyText) return html;
  return c.state === 'Text' || c.state === 'RCDATA' ? out + html.slice(i) : out;
}
