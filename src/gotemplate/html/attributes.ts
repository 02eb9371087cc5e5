/** What kind of value an HTML attribute takes. Unknown names are judged by how they sound, on the safe side. */

export type AttrKind = 'plain' | 'url' | 'css' | 'js' | 'html' | 'srcset' | 'unsafe';

const KINDS = new Map<string, AttrKind>();
const add = (kind: AttrKind, names: string): void => {
  for (const name of names.split(' ')) KINDS.set(name, kind);
};
add(
  'url',
  'action archive background cite classid codebase data formaction href icon longdesc manifest poster profile src usemap xmlns',
);
add('css', 'style');
add('html', 'srcdoc');
add('srcset', 'srcset');
// these change how content is read, or what the browser sends and where
add(
  'unsafe',
  'accept-charset async challenge charset content crossorigin defer enctype form formenctype formmethod formnovalidate http-equiv keytype language method novalidate pattern rel sandbox type value',
);
add(
  'plain',
  'accept alt autocomplete autofocus autoplay border checked class cols colspan contenteditable contextmenu controls coords datetime default dir dirname disabled draggable dropzone for formtarget headers height hidden high hreflang id ismap kind label lang list loop low max maxlength media mediagroup min multiple name open optimum placeholder preload pubdate radiogroup readonly required reversed rows rowspan spellcheck scope scoped seamless selected shape size sizes span srclang start step tabindex target title width wrap',
);

/** Of a name in lower case; `data-x` and `ns:x` are judged as `x`. */
export function attrKind(attribute: string): AttrKind {
  let name = attribute;
  const colon = name.indexOf(':');
  if (name.startsWith('data-')) name = name.slice(5);
  else if (colon >= 0) {
    if (name.slice(0, colon) === 'xmlns') return 'url';
    name = name.slice(colon + 1);
  }
  const known = KINDS.get(name);
  if (known) return known;
  if (name.startsWith('on')) return 'js';
  return /src|uri|url/.test(name) ? 'url' : 'plain';
}

const SCRIPT_TYPES = new Set([
  '',
  'application/ecmascript',
  'application/javascript',
  'application/json',
  'application/ld+json',
  'application/x-ecmascript',
  'application/x-javascript',
  'module',
  'text/ecmascript',
  'text/javascript',
  'text/javascript1.0',
  'text/javascript1.1',
  'text/javascript1.2',
  'text/javascript1.3',
  'text/javascript1.4',
  'text/javascript1.5',
  'text/jscript',
  'text/livescript',
  'text/x-ecmascript',
  'text/x-javascript',
]);

/** Does a script element of this type hold JavaScript (or JSON)? */
export function isScriptType(mimeType: string): boolean {
  return SCRIPT_TYPES.has(mimeType.split(';')[0]!.toLowerCase().trim());
}
