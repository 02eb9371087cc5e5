/** Escapers for addresses, sets of addresses and style sheets. */
import { type Content, UNSAFE } from './stringify.ts';
import { decodeCss } from './style-transitions.ts';

/** Has it no scheme, or one that cannot run code? */
function isSafeUrl(text: string): boolean {
  const colon = text.indexOf(':');
  if (colon < 0) return true;
  const scheme = text.slice(0, colon);
  return scheme.includes('/') || /^(?:http|https|mailto)$/i.test(scheme);
}

/** %xx for what may not stand in a URL; `keep` leaves reserved characters and present escapes. */
function encodeUrl(text: string, keep: boolean): string {
  const bytes = Buffer.from(text, 'utf8');
  let out = '';
  for (let i = 0; i < bytes.length; i++) {
    const c = String.fromCharCode(bytes[i]!);
    const stays =
      /[a-zA-Z0-9\-._~]/.test(c) ||
      (keep && '!#$&*+,/:;=?@[]'.includes(c)) ||
      (keep && c === '%' && /^[0-9a-fA-F]{2}$/.test(bytes.subarray(i + 1, i + 3).toString('latin1')));
    out += stays && bytes[i]! < 0x80 ? c : `%${bytes[i]!.toString(16).padStart(2, '0')}`;
  }
  return out;
}

export const urlFilter = ({ text, kind }: Content): string => (kind === 'url' || isSafeUrl(text) ? text : `#${UNSAFE}`);
export const urlEscaper = ({ text, kind }: Content): string => encodeUrl(text, kind === 'url');
export const urlNormalizer = ({ text }: Content): string => encodeUrl(text, true);

export function srcsetEscaper({ text, kind }: Content): string {
  if (kind === 'srcset') return text;
  if (kind === 'url') return encodeUrl(text, true).replaceAll(',', '%2c');
  return text.split(',').map(srcsetElement).join(',');
}

const SPACES = '[\\t\\n\\f\\r ]';
const ELEMENT = new RegExp(`^(${SPACES}*)([^\\t\\n\\f\\r ]*)((?:${SPACES}|[A-Za-z0-9])*)$`);

/** An address and its width or density. */
function srcsetElement(text: string): string {
  const m = ELEMENT.exec(text);
  return m && isSafeUrl(m[2]!) ? m[1]! + encodeUrl(m[2]!, true) + m[3]! : `#${UNSAFE}`;
}

const CSS_CODES: Record<string, string> = {};
for (const c of '\0\t\n\f\r"&\'()+/:;<>{}') CSS_CODES[c] = `\\${c.charCodeAt(0).toString(16)}`;

/** In a quoted string. A code that could run on into the next character is closed by a space. */
export function cssEscaper({ text }: Content): string {
  return text.replace(/[\0\t\n\f\r"&'()+/:;<>{}\\]/g, (c, at: number) => {
    if (c === '\\') return '\\\\';
    const next = text[at + 1];
    return CSS_CODES[c]! + (next === undefined || /[0-9a-fA-F\t\n\f\r ]/.test(next) ? ' ' : '');
  });
}

/** As a value of a property: plain words, numbers and colours only. */
export function cssValueFilter({ text, kind }: Content): string {
  if (kind === 'css') return text;
  const decoded = decodeCss(text);
  if (/[\0"'()/;@[\\\]`{}<>]/.test(decoded) || decoded.includes('--')) return UNSAFE;
  const letters = decoded.replace(/[^a-zA-Z0-9_]/g, '').toLowerCase();
  return letters.includes('expression') || letters.includes('mozbinding') ? UNSAFE : decoded;
}
