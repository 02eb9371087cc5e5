/**
 * How literal text moves the context: each function reads from the start of `s` and answers the context behind what it
 * read and how much that was. Markup is here; scripts and style sheets have files of their own.
 */
import { quoteGo } from '../quote.ts';
import { attrKind } from './attributes.ts';
import {
  ATTR_START,
  type Attr,
  at,
  type Context,
  type Delim,
  type Element,
  failed,
  isComment,
  isInScriptLiteral,
  type State,
  TEXT,
} from './context.ts';
import { inJs, inJsLineComment, inJsLiteral, inJsTemplate } from './script-transitions.ts';
import { inCss, inCssString } from './style-transitions.ts';

export type Step = readonly [Context, number];
export type Transition = (c: Context, s: string) => Step;

const SPACE = /[ \t\n\f\r]/;

export function skipSpace(s: string, from: number): number {
  let i = from;
  while (i < s.length && SPACE.test(s[i]!)) i++;
  return i;
}

/** Go's %.32q. */
export const quoteStart = (s: string): string => quoteGo([...s.slice(0, 64)].slice(0, 32).join(''));

const ELEMENTS: Readonly<Record<string, Element>> = {
  script: 'Script',
  style: 'Style',
  textarea: 'Textarea',
  title: 'Title',
  meta: 'Meta',
};

const TAG_NAME = /[A-Za-z](?:[A-Za-z0-9]|[:-](?=[A-Za-z0-9]))*/y;

function tagName(s: string, from: number): { readonly end: number; readonly element: Element } {
  TAG_NAME.lastIndex = from;
  const name = TAG_NAME.exec(s)?.[0] ?? '';
  const lower = name.toLowerCase();
  return { end: from + name.length, element: Object.hasOwn(ELEMENTS, lower) ? ELEMENTS[lower]! : 'None' };
}

function inText(c: Context, s: string): Step {
  let from = 0;
  for (;;) {
    let i = s.indexOf('<', from);
    if (i < 0 || i + 1 === s.length) return [c, s.length];
    if (s.startsWith('<!--', i)) return [at({ state: 'HTMLCmt' }), i + 4];
    i++;
    let closes = false;
    if (s[i] === '/') {
      if (i + 1 === s.length) return [c, s.length];
      closes = true;
      i++;
    }
    const { end, element } = tagName(s, i);
    if (end !== i) return [at({ state: 'Tag', element: closes ? 'None' : element }), end];
    from = end;
  }
}

const CONTENT: Readonly<Record<Element, State>> = {
  None: 'Text',
  Script: 'JS',
  Style: 'CSS',
  Textarea: 'RCDATA',
  Title: 'RCDATA',
  Meta: 'Text',
};

function inTag(c: Context, s: string): Step {
  const i = skipSpace(s, 0);
  if (i === s.length) return [c, s.length];
  if (s[i] === '>')
    return c.element === 'Meta' ? [TEXT, i + 1] : [at({ state: CONTENT[c.element], element: c.element }), i + 1];
  const end = attrNameEnd(s, i);
  if (typeof end !== 'number') return [end, s.length];
  if (end === i) return [failed(`expected space, attr name, or end of tag, but got ${quoteGo(s.slice(i))}`), s.length];
  const attr = attrOf(c.element, s.slice(i, end).toLowerCase());
  return [at({ state: end === s.length ? 'AttrName' : 'AfterName', element: c.element, attr }), end];
}

function attrOf(element: Element, name: string): Attr {
  if (element === 'Script' && name === 'type') return 'ScriptType';
  if (element === 'Meta' && name === 'content') return 'MetaContent';
  switch (attrKind(name)) {
    case 'url':
      return 'URL';
    case 'css':
      return 'Style';
    case 'js':
      return 'Script';
    case 'srcset':
      return 'Srcset';
    default:
      return 'None';
  }
}

function attrNameEnd(s: string, from: number): number | Context {
  for (let i = from; i < s.length; i++) {
    if (' \t\n\f\r=>'.includes(s[i]!)) return i;
    if ('\'"<'.includes(s[i]!)) return failed(`${quoteGo(s[i]!)} in attribute name: ${quoteStart(s)}`);
  }
  return s.length;
}

function inAttrName(c: Context, s: string): Step {
  const end = attrNameEnd(s, 0);
  if (typeof end !== 'number') return [end, s.length];
  return [end === s.length ? c : { ...c, state: 'AfterName' }, end];
}

function afterName(c: Context, s: string): Step {
  const i = skipSpace(s, 0);
  if (i === s.length) return [c, s.length];
  return s[i] === '=' ? [{ ...c, state: 'BeforeValue' }, i + 1] : [{ ...c, state: 'Tag' }, i];
}

function beforeValue(c: Context, s: string): Step {
  const i = skipSpace(s, 0);
  if (i === s.length) return [c, s.length];
  const delim: Delim = s[i] === "'" ? 'SingleQuote' : s[i] === '"' ? 'DoubleQuote' : 'SpaceOrTagEnd';
  return [{ ...c, state: ATTR_START[c.attr], delim }, delim === 'SpaceOrTagEnd' ? i : i + 1];
}

function inComment(c: Context, s: string): Step {
  const i = s.indexOf('-->');
  return i < 0 ? [c, s.length] : [TEXT, i + 3];
}

/** How far text in a script, style, textarea or title may go before the element's end tag; -1 without one. */
function endTagAt(s: string, name: string): number {
  for (let i = s.indexOf('</'); i >= 0; i = s.indexOf('</', i + 2)) {
    const end = i + 2 + name.length;
    if (s.slice(i + 2, end).toLowerCase() === name && end < s.length && '> \t\n\f/'.includes(s[end]!)) return i;
  }
  return -1;
}

const END_TAG: Readonly<Record<Element, string>> = {
  None: '',
  Script: 'script',
  Style: 'style',
  Textarea: 'textarea',
  Title: 'title',
  Meta: '',
};

export function toEndTag(c: Context, s: string): Step {
  if (c.element === 'None') return [c, s.length];
  if (c.element === 'Script' && (isInScriptLiteral(c.state) || isComment(c.state))) return [c, s.length];
  const i = endTagAt(s, END_TAG[c.element]);
  return i < 0 ? [c, s.length] : [TEXT, i];
}

export function inUrl(c: Context, s: string): Step {
  if (/[#?]/.test(s)) return [{ ...c, urlPart: 'QueryOrFrag' }, s.length];
  if (c.urlPart === 'None' && skipSpace(s, 0) !== s.length) return [{ ...c, urlPart: 'PreQuery' }, s.length];
  return [c, s.length];
}

function inMetaContent(c: Context, s: string): Step {
  const m = /url(?=.)[ \t\n\f\r]*=/is.exec(s);
  return m ? [{ ...c, state: 'MetaContentURL' }, m.index + m[0].length] : [c, s.length];
}

function inMetaContentUrl(c: Context, s: string): Step {
  const i = s.indexOf(';');
  return i < 0 ? [c, s.length] : [{ ...c, state: 'MetaContent' }, i + 1];
}

function inBlockComment(c: Context, s: string): Step {
  const i = s.indexOf('*/');
  return i < 0 ? [c, s.length] : [{ ...c, state: c.state === 'JSBlockCmt' ? 'JS' : 'CSS' }, i + 2];
}

function inCssLineComment(c: Context, s: string): Step {
  const i = s.search(/[\n\f\r]/);
  return i < 0 ? [c, s.length] : [{ ...c, state: 'CSS' }, i];
}

const stay: Transition = (c, s) => [c, s.length];

export const TRANSITIONS: Readonly<Record<State, Transition>> = {
  Text: inText,
  Tag: inTag,
  AttrName: inAttrName,
  AfterName: afterName,
  BeforeValue: beforeValue,
  HTMLCmt: inComment,
  RCDATA: toEndTag,
  Attr: stay,
  URL: inUrl,
  Srcset: inUrl,
  MetaContent: inMetaContent,
  MetaContentURL: inMetaContentUrl,
  JS: inJs,
  JSDqStr: inJsLiteral,
  JSSqStr: inJsLiteral,
  JSRegexp: inJsLiteral,
  JSTmplLit: inJsTemplate,
  JSBlockCmt: inBlockComment,
  JSLineCmt: inJsLineComment,
  JSHTMLOpenCmt: inJsLineComment,
  JSHTMLCloseCmt: inJsLineComment,
  CSS: inCss,
  CSSDqStr: inCssString,
  CSSSqStr: inCssString,
  CSSDqURL: inCssString,
  CSSSqURL: inCssString,
  CSSURL: inCssString,
  CSSBlockCmt: inBlockComment,
  CSSLineCmt: inCssLineComment,
  Error: stay,
  Dead: stay,
};
