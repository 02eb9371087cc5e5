/** The escapers that both template packages share: html, js and urlquery. */

const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (c) => HTML[c]!);
}

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

/** text/template's JSEscape: for use within a quoted JavaScript string. */
export function escapeJs(text: string): string {
  let out = '';
  for (const char of text) {
    const known = JS[char];
    if (known !== undefined) out += known;
    else if (char < ' ') out += `\\u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
    else if (char > '\u007f' && !/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char))
      out += `\\u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
    else out += char;
  }
  return out;
}

/** url.QueryEscape: everything but unreserved characters as %XX, a space as `+`. */
export function escapeQuery(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const c = String.fromCharCode(byte);
    if (byte < 0x80 && /[A-Za-z0-9\-_.~]/.test(c)) out += c;
    else out += c === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** url.QueryUnescape and url.PathUnescape; undefined with the first bad escape. */
export function unescapeQuery(text: string, plusIsSpace = true): { readonly text: string } | { readonly bad: string } {
  const bytes: number[] = [];
  const source = Buffer.from(text, 'utf8');
  for (let i = 0; i < source.length; i++) {
    const c = String.fromCharCode(source[i]!);
    if (c === '%') {
      const hex = source.subarray(i + 1, i + 3).toString('latin1');
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) return { bad: source.subarray(i, i + 3).toString('utf8') };
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    } else bytes.push(c === '+' && plusIsSpace ? 0x20 : source[i]!);
  }
  return { text: Buffer.from(bytes).toString('utf8') };
}
