/** Where in an HTML document a point of a template's output is: element text, an attribute, a script, a style sheet. */

export type State =
  | 'Text'
  | 'Tag'
  | 'AttrName'
  | 'AfterName'
  | 'BeforeValue'
  | 'HTMLCmt'
  | 'RCDATA'
  | 'Attr'
  | 'URL'
  | 'Srcset'
  | 'JS'
  | 'JSDqStr'
  | 'JSSqStr'
  | 'JSTmplLit'
  | 'JSRegexp'
  | 'JSBlockCmt'
  | 'JSLineCmt'
  | 'JSHTMLOpenCmt'
  | 'JSHTMLCloseCmt'
  | 'CSS'
  | 'CSSDqStr'
  | 'CSSSqStr'
  | 'CSSDqURL'
  | 'CSSSqURL'
  | 'CSSURL'
  | 'CSSBlockCmt'
  | 'CSSLineCmt'
  | 'Error'
  | 'MetaContent'
  | 'MetaContentURL'
  /** Behind a `break` or `continue`. */
  | 'Dead';

export type Delim = 'None' | 'DoubleQuote' | 'SingleQuote' | 'SpaceOrTagEnd';
export type UrlPart = 'None' | 'PreQuery' | 'QueryOrFrag' | 'Unknown';
/** What a `/` would begin in a script. */
export type JsCtx = 'Regexp' | 'DivOp' | 'Unknown';
export type Attr = 'None' | 'Script' | 'ScriptType' | 'Style' | 'URL' | 'Srcset' | 'MetaContent';
export type Element = 'None' | 'Script' | 'Style' | 'Textarea' | 'Title' | 'Meta';

/** A fault found while escaping: `place` is `NAME:LINE:COLUMN` where it is known. */
export interface EscapeFault {
  readonly place?: string;
  readonly line?: number;
  readonly description: string;
}

export interface Context {
  readonly state: State;
  readonly delim: Delim;
  readonly urlPart: UrlPart;
  readonly jsCtx: JsCtx;
  /** Open braces within each `${` of the template literals around this point. */
  readonly jsBraces: readonly number[];
  readonly attr: Attr;
  readonly element: Element;
  readonly fault: EscapeFault | undefined;
}

export const TEXT: Context = {
  state: 'Text',
  delim: 'None',
  urlPart: 'None',
  jsCtx: 'Regexp',
  jsBraces: [],
  attr: 'None',
  element: 'None',
  fault: undefined,
};

export const at = (parts: Partial<Context>): Context => ({ ...TEXT, ...parts });

export function failed(description: string, where: Omit<EscapeFault, 'description'> = {}): Context {
  return at({ state: 'Error', fault: { ...where, description } });
}

export function sameContext(a: Context, b: Context): boolean {
  return (
    a.state === b.state &&
    a.delim === b.delim &&
    a.urlPart === b.urlPart &&
    a.jsCtx === b.jsCtx &&
    a.attr === b.attr &&
    a.element === b.element &&
    a.fault === b.fault &&
    a.jsBraces.join() === b.jsBraces.join()
  );
}

export function contextText(c: Context): string {
  return `{state${c.state} delim${c.delim} urlPart${c.urlPart} jsCtx${c.jsCtx} [${c.jsBraces.join(' ')}] attr${c.attr} element${c.element} ${c.fault?.description ?? '<nil>'}}`;
}

/** The name of a template's copy that is escaped for another place than element text. */
export function derivedName(name: string, c: Context): string {
  if (c.state === 'Text') return name;
  let out = `${name}$htmltemplate_state${c.state}`;
  if (c.delim !== 'None') out += `_delim${c.delim}`;
  if (c.urlPart !== 'None') out += `_urlPart${c.urlPart}`;
  if (c.jsCtx !== 'Regexp') out += `_jsCtx${c.jsCtx}`;
  if (c.jsBraces.length > 0) out += `_jsBraceDepth([${c.jsBraces.join(' ')}])`;
  if (c.attr !== 'None') out += `_attr${c.attr}`;
  if (c.element !== 'None') out += `_element${c.element}`;
  return out;
}

const COMMENTS = new Set<State>([
  'HTMLCmt',
  'JSBlockCmt',
  'JSLineCmt',
  'JSHTMLOpenCmt',
  'JSHTMLCloseCmt',
  'CSSBlockCmt',
  'CSSLineCmt',
]);
const IN_TAG = new Set<State>(['Tag', 'AttrName', 'AfterName', 'BeforeValue', 'Attr']);
const SCRIPT_LITERALS = new Set<State>(['JSDqStr', 'JSSqStr', 'JSTmplLit', 'JSRegexp']);

export const isComment = (s: State): boolean => COMMENTS.has(s);
export const isInTag = (s: State): boolean => IN_TAG.has(s);
export const isInScriptLiteral = (s: State): boolean => SCRIPT_LITERALS.has(s);

/** The state in which an attribute's value begins. */
export const ATTR_START: Readonly<Record<Attr, State>> = {
  None: 'Attr',
  Script: 'JS',
  ScriptType: 'Attr',
  Style: 'CSS',
  URL: 'URL',
  Srcset: 'Srcset',
  MetaContent: 'MetaContent',
};

/** What an action in this place begins: an attribute's name or an unquoted value. */
export function nudge(c: Context): Context {
  if (c.state === 'Tag') return { ...c, state: 'AttrName' };
  if (c.state === 'BeforeValue') return { ...c, state: ATTR_START[c.attr], delim: 'SpaceOrTagEnd', attr: 'None' };
  if (c.state === 'AfterName') return { ...c, state: 'AttrName', attr: 'None' };
  return c;
}
