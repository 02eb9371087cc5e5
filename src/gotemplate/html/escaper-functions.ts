/** The escapers under the names by which escaper.ts puts them into pipelines. */
import { sprint } from '../format.ts';
import { type Functions, GoFunction, type GoValue } from '../value.ts';
import { cssEscaper, cssValueFilter, srcsetEscaper, urlEscaper, urlFilter, urlNormalizer } from './address-escapers.ts';
import {
  attrEscaper,
  commentEscaper,
  htmlEscaper,
  htmlNameFilter,
  nospaceEscaper,
  rcdataEscaper,
} from './markup-escapers.ts';
import { jsRegexpEscaper, jsStringEscaper, jsTemplateEscaper, jsValue } from './script-escapers.ts';
import { type Content, stringify } from './stringify.ts';

const over = (escaper: (content: Content) => string): GoFunction =>
  new GoFunction([], (...args: GoValue[]) => escaper(stringify(args)), 'any');
const overArgs = (escaper: (args: readonly GoValue[]) => string): GoFunction =>
  new GoFunction([], (...args: GoValue[]) => escaper(args), 'any');

export const ESCAPER_FUNCTIONS: Functions = {
  _html_template_attrescaper: over(attrEscaper),
  _html_template_commentescaper: over(commentEscaper),
  _html_template_cssescaper: over(cssEscaper),
  _html_template_cssvaluefilter: over(cssValueFilter),
  _html_template_htmlnamefilter: over(htmlNameFilter),
  _html_template_htmlescaper: over(htmlEscaper),
  _html_template_jsregexpescaper: over(jsRegexpEscaper),
  _html_template_jsstrescaper: over(jsStringEscaper),
  _html_template_jstmpllitescaper: over(jsTemplateEscaper),
  _html_template_jsvalescaper: overArgs(jsValue),
  _html_template_nospaceescaper: over(nospaceEscaper),
  _html_template_rcdataescaper: over(rcdataEscaper),
  _html_template_srcsetescaper: over(srcsetEscaper),
  _html_template_urlescaper: over(urlEscaper),
  _html_template_urlfilter: over(urlFilter),
  _html_template_urlnormalizer: over(urlNormalizer),
  _eval_args_: overArgs(sprint),
};
