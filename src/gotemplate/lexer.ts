/**
 * Cuts a template into text and actions, and actions into tokens. Trim markers and comments end here. A mistake becomes
 * an `error` token, so that faults in earlier actions are reported first.
 */

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'identifier'
  | 'keyword'
  | 'field'
  | 'variable'
  | 'dot'
  | 'nil'
  | 'bool'
  | 'number'
  | 'char-constant'
  | 'string'
  | 'raw-string'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'left-paren'
  | 'right-paren'
  | 'char'
  | 'eof'
  | 'error';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** UTF-16 offset in the source. */
  readonly at: number;
  /** From 1. */
  readonly line: number;
  /** Was there white space before it? Separates arguments: `.a .b` are two, `.a.b` is one. */
  readonly spaced: boolean;
}

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with']);
const SPACE = ' \t\r\n';
const WORD = /[\p{L}\p{Nd}_]/u;
const AFTER_WORD = ' \t\r\n.,|:)(';
const NUMBER =
  /^[+-]?(?:0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*|0[bB][01_]*|[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9_]*)?)i?/;

export function tokenize(source: string): readonly Token[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #lineAt = 0;
  #spaced = false;

  constructor(source: string) {
    this.#source = source;
  }

  run(): readonly Token[] {
    const s = this.#source;
    let trimNext = false;
    while (this.#at < s.length) {
      const found = s.indexOf('{{', this.#at);
      const open = found < 0 ? s.length : found;
      let start = this.#at;
      let end = open;
      if (trimNext) while (start < end && SPACE.includes(s[start]!)) start++;
      const trimsLeft = open < s.length && s[open + 2] === '-' && isSpace(s[open + 3]);
      if (trimsLeft) while (end > start && SPACE.includes(s[end - 1]!)) end--;
      if (end > start) this.#push('text', s.slice(start, end), start);
      trimNext = false;
      if (open === s.length) break;
      this.#at = open + 2;
      const afterMark = open + (trimsLeft ? 4 : 2);
      // a comment may stand directly behind the trim marker and its space
      if (s.startsWith('/*', trimsLeft ? afterMark : open + 2)) {
        const close = s.indexOf('*/', afterMark + 2);
        if (close < 0) return this.#fail('unclosed comment', afterMark);
        const after = close + 2;
        trimNext = isSpace(s[after]) && s.startsWith('-}}', after + 1);
        if (!trimNext && !s.startsWith('}}', after))
          return this.#fail('comment ends before closing delimiter', afterMark);
        this.#at = after + (trimNext ? 4 : 2);
        continue;
      }
      this.#push('open', '{{', open);
      // the marker's space belongs to it: `{{- -}}` holds a minus
      this.#at = afterMark;
      this.#spaced = false;
      const outcome = this.#action();
      if (outcome === 'error') return this.#tokens;
      trimNext = outcome === 'trim';
    }
    this.#at = s.length;
    this.#push('eof', 'EOF', s.length);
    return this.#tokens;
  }

  #lineOf(at: number): number {
    for (; this.#lineAt < at; this.#lineAt++) if (this.#source[this.#lineAt] === '\n') this.#line++;
    return this.#line;
  }

  #push(kind: TokenKind, text: string, at: number): void {
    this.#tokens.push({ kind, text, at, line: this.#lineOf(at), spaced: this.#spaced });
    this.#spaced = false;
  }

  #fail(message: string, at: number): readonly Token[] {
    this.#push('error', message, at);
    return this.#tokens;
  }

  /** Everything up to and including `}}`. */
  #action(): 'plain' | 'trim' | 'error' {
    const s = this.#source;
    let depth = 0;
    const error = (message: string, at: number): 'error' => {
      this.#fail(message, at);
      return 'error';
    };
    for (;;) {
      const start = this.#at;
      const trim = isSpace(s[start]) && s.startsWith('-}}', start + 1);
      if (trim || s.startsWith('}}', start)) {
        if (depth > 0) return error('unclosed left paren', start);
        if (trim) this.#at++;
        this.#push('close', '}}', this.#at + (trim ? 1 : 0));
        this.#at += trim ? 3 : 2;
        return trim ? 'trim' : 'plain';
      }
      if (start >= s.length) return error('unclosed action', start);
      const c = s[start]!;
      if (SPACE.includes(c)) {
        this.#at++;
        this.#spaced = true;
        continue;
      }
      const problem = this.#token(c);
      if (problem !== undefined) return error(problem, start);
      const last = this.#tokens[this.#tokens.length - 1]!.kind;
      if (last === 'left-paren') depth++;
      if (last === 'right-paren' && --depth < 0) {
        this.#tokens.pop();
        return error('unexpected right paren', start);
      }
    }
  }

  /** One token; a message when it is malformed. */
  #token(c: string): string | undefined {
    const s = this.#source;
    const start = this.#at;
    const take = (kind: TokenKind, length: number): undefined => {
      this.#at = start + length;
      this.#push(kind, s.slice(start, this.#at), start);
    };
    if (c === '=') return take('assign', 1);
    if (c === ':') return s[start + 1] === '=' ? take('declare', 2) : 'expected :=';
    if (c === '|') return take('pipe', 1);
    if (c === '(') return take('left-paren', 1);
    if (c === ')') return take('right-paren', 1);
    if (c === '"' || c === "'") {
      const end = this.#quoted(c);
      if (end === undefined) return c === '"' ? 'unterminated quoted string' : 'unterminated character constant';
      return take(c === '"' ? 'string' : 'char-constant', end - start);
    }
    if (c === '`') {
      const end = s.indexOf('`', start + 1);
      return end < 0 ? 'unterminated raw quoted string' : take('raw-string', end + 1 - start);
    }
    if (c === '$' || (c === '.' && !/[0-9]/.test(s[start + 1] ?? ''))) {
      const length = 1 + this.#wordLength(start + 1);
      const bad = this.#badAfter(start + length);
      if (bad !== undefined) return bad;
      return take(c === '$' ? 'variable' : length === 1 ? 'dot' : 'field', length);
    }
    if (c === '.' || c === '+' || c === '-' || (c >= '0' && c <= '9')) {
      const text = NUMBER.exec(s.slice(start, start + 400))![0];
      const next = s.codePointAt(start + text.length);
      if (text === '' || (next !== undefined && WORD.test(String.fromCodePoint(next))))
        return `bad number syntax: ${JSON.stringify(text + (next === undefined ? '' : String.fromCodePoint(next)))}`;
      const sign = s[start + text.length];
      if (sign === '+' || sign === '-') {
        // 1+2i: a complex number, or nothing
        const rest = NUMBER.exec(s.slice(start + text.length, start + text.length + 400))![0];
        const whole = text + (rest || sign);
        const after = s.codePointAt(start + whole.length);
        const more = after !== undefined && WORD.test(String.fromCodePoint(after)) ? String.fromCodePoint(after) : '';
        if (more || !whole.endsWith('i')) return `bad number syntax: ${JSON.stringify(whole + more)}`;
        return take('number', whole.length);
      }
      return take('number', text.length);
    }
    const length = this.#wordLength(start);
    if (length > 0) {
      const bad = this.#badAfter(start + length);
      if (bad !== undefined) return bad;
      const word = s.slice(start, start + length);
      if (word === 'nil') return take('nil', length);
      if (word === 'true' || word === 'false') return take('bool', length);
      return take(KEYWORDS.has(word) ? 'keyword' : 'identifier', length);
    }
    if (c >= '!' && c <= '~') return take('char', 1);
    return `unrecognized character in action: ${unicodeText(s.codePointAt(start)!)}`;
  }

  #wordLength(from: number): number {
    let at = from;
    for (;;) {
      const code = this.#source.codePointAt(at);
      if (code === undefined) break;
      const char = String.fromCodePoint(code);
      if (!WORD.test(char)) break;
      at += char.length;
    }
    return at - from;
  }

  #badAfter(at: number): string | undefined {
    const next = this.#source[at];
    if (next === undefined || AFTER_WORD.includes(next) || this.#source.startsWith('}}', at)) return undefined;
    return `bad character ${unicodeText(this.#source.codePointAt(at)!)}`;
  }

  /** The end of a quoted literal that starts here; undefined when it is not closed on its line. */
  #quoted(mark: string): number | undefined {
    const s = this.#source;
    for (let i = this.#at + 1; i < s.length; i++) {
      const c = s[i]!;
      if (c === '\n') return undefined;
      if (c === '\\') {
        if (i + 1 >= s.length || s[i + 1] === '\n') return undefined;
        i++;
      } else if (c === mark) return i + 1;
    }
    return undefined;
  }
}

const isSpace = (c: string | undefined): boolean => c !== undefined && SPACE.includes(c);

/** Go's %#U. */
function unicodeText(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}${code >= 0x20 ? ` '${String.fromCodePoint(code)}'` : ''}`;
}
