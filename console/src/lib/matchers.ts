/** Label matchers as people type them: `a="b", c=~"d.*", e!="f"`; quotes may be left out around plain words. */
export interface TypedMatcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
}

/** Undefined when the text is empty or cannot be read. */
export function parseMatchers(text: string): readonly TypedMatcher[] | undefined {
  const matchers: TypedMatcher[] = [];
  let rest = text.trim().replace(/^\{/, '').replace(/\}$/, '').trim();
  while (rest !== '') {
    const m =
      /^([a-zA-Z_][a-zA-Z0-9_.]*|"(?:[^"\\]|\\.)*")\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,{}"]+)\s*(?:,\s*|$)/.exec(
        rest,
      );
    if (!m) return undefined;
    matchers.push({
      name: unquote(m[1]!),
      value: unquote(m[3]!),
      isRegex: m[2]!.includes('~'),
      isEqual: !m[2]!.startsWith('!'),
    });
    rest = rest.slice(m[0].length);
  }
  return matchers.length > 0 ? matchers : undefined;
}

function unquote(text: string): string {
  return text.startsWith('"')
    ? text.slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c))
    : text;
}
