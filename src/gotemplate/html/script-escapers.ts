/** Escapers for values, strings, template literals and regular expressions in JavaScript. */
import { FunctionError } from '../errors.ts';
import { sprint } from '../format.ts';
import { toJson } from '../json.ts';
import { GoFunction, GoScalar, GoStruct, type GoValue } from '../value.ts';
import { replaceBy } from './replace-table.ts';
import type { Content } from './stringify.ts';

/** A value as an expression. What cannot be written becomes null with the reason in a comment. */
export function jsValue(args: readonly GoValue[]): string {
  let value: GoValue = args.length === 1 ? args[0] : sprint(args);
  if (value instanceof GoScalar && value.goType === 'template.JS') return String(value.value);
  if (value instanceof GoScalar && value.goType === 'template.JSStr') return `"${value.value}"`;
  const isTime = value instanceof GoStruct && value.goType === 'time.Time';
  if (typeof value === 'object' && !(value instanceof GoFunction) && value.text && !isTime)
    value = (value.text as (self: unknown) => string)(value);
  let json: string;
  try {
    json = toJson(value);
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    const reason = error.message
      .replace(/<(\/?)script/gi, '\\x3C$1script')
      .replaceAll('*/', '* /')
      .replaceAll('<!--', '\\x3C!--');
    return ` /* ${reason} */null `;
  }
  // `in{{.X}}` must not become one word
  return /^[$\w]|[$\w]$/.test(json) ? ` ${json} ` : json;
}

const CONTROLS: Record<string, string> = {};
for (let i = 0; i < 0x20; i++) CONTROLS[String.fromCharCode(i)] = `\\u${i.toString(16).padStart(4, '0')}`;

const COMMON = {
  ...CONTROLS,
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\u0022',
  '&': '\\u0026',
  "'": '\\u0027',
  '+': '\\u002b',
  '<': '\\u003c',
  '>': '\\u003e',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};
const IN_STRING = { ...COMMON, '`': '\\u0060', '/': '\\/' };

const escapeVouched = replaceBy(IN_STRING);
const escapeString = replaceBy({ ...IN_STRING, '\\': '\\\\' });
const escapeTemplate = replaceBy({ ...IN_STRING, '\\': '\\\\', $: '\\u0024', '{': '\\u007b', '}': '\\u007d' });
const REGEXP_SPECIAL: Record<string, string> = {};
for (const c of '$()*-./?[\\]^{|}') REGEXP_SPECIAL[c] = `\\${c}`;
const escapeRegexp = replaceBy({ ...COMMON, ...REGEXP_SPECIAL });

export const jsStringEscaper = ({ text, kind }: Content): string =>
  kind === 'jsstr' ? escapeVouched(text) : escapeString(text);

export const jsTemplateEscaper = ({ text }: Content): string => escapeTemplate(text);

/** An empty expression would begin a comment: `//`. */
export const jsRegexpEscaper = ({ text }: Content): string => escapeRegexp(text) || '(?:)';
