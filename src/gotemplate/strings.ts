/** Go's string functions where JavaScript's differ: case by rune, white space, the two ways to title. */

/** strings.ToUpper: rune by rune, so that the length in runes stays (`ß` is kept). */
export function toUpper(text: string): string {
  return mapRunes(text, (c) => c.toUpperCase());
}

export function toLower(text: string): string {
  return mapRunes(text, (c) => c.toLowerCase());
}

function mapRunes(text: string, change: (char: string) => string): string {
  // one pass for the usual case; only texts with special casing need care
  const whole = change(text);
  if (whole.length === text.length && !/[ßŉǰΐΰև\u0130\u1e96-\u1e9a\ufb00-\ufb17]/.test(text)) return sigma(text, whole);
  let out = '';
  for (const char of text) {
    const changed = change(char);
    out += [...changed].length === 1 ? changed : char === '\u0130' ? 'i' : char;
  }
  return out;
}

/** JavaScript writes a Greek word's last sigma differently; Go does not. */
const sigma = (before: string, after: string): string =>
  after.includes('ς') && before.includes('Σ')
    ? [...before].map((c, i) => (c === 'Σ' ? 'σ' : [...after][i])).join('')
    : after;

const SPACE = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const OUTER_SPACE = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

/** strings.TrimSpace. */
export function trimSpace(text: string): string {
  return text.replace(OUTER_SPACE, '');
}

const upperOne = (char: string): string => {
  const upper = char.toUpperCase();
  return [...upper].length === 1 ? upper : char;
};

/**
 * cases.Title(language.AmericanEnglish): words by Unicode's rules, first letter upper and the rest lower case, or as it
 * is with `keepRest`. `_` joins words, and so do `.`, `'`, `:` and `·` between letters.
 */
export function titleCase(text: string, keepRest = false): string {
  return text.replace(/[\p{L}\p{M}\p{N}_]+(?:[.'’:·][\p{L}\p{M}]+)*/gu, (word) => {
    const first = /[\p{L}]/u.exec(word);
    if (!first) return word;
    const at = first.index;
    const head = [...word.slice(at)][0]!;
    const rest = word.slice(at + head.length);
    return word.slice(0, at) + upperOne(head) + (keepRest ? rest : toLower(rest));
  });
}
