/**
 * Reads label matchers as Alertmanager writes them: first by the UTF-8 grammar, then by the classic one, so that both
 * old and new configurations load. Evaluation belongs to src/regex.
 */
import { VigieError } from '../lib/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { CompiledMatcher, Matcher, MatchOp } from '../model/matcher.ts';
import { compileMatcher } from '../regex/matcher.ts';

/** Longest text of matchers accepted, in UTF-16 units. */
export const MATCHERS_LENGTH_MAX = 16_384;

const OPERATORS = ['=~', '!~', '!=', '='] as const;
const RESERVED = /[\s{}!=~,\\"'`]/u;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', "'": "'" };

/** Every matcher of `text`, e.g. `{a="b", "c d"=~"x|y"}` or `a=b`. Throws `bad_data` naming the text. */
export function parseMatchers(text: string): CompiledMatcher[] {
  if (text.length > MATCHERS_LENGTH_MAX)
    throw new VigieError('bad_data', `matchers of ${text.length} characters, at most ${MATCHERS_LENGTH_MAX} are taken`);
  let parsed: Matcher[];
  try {
    parsed = parseUtf8(text);
  } catch (error) {
    try {
      parsed = splitClassic(text).map(parseClassic);
    } catch {
      throw error;
    }
  }
  return parsed.map(compileMatcher);
}

export function matchesAll(matchers: readonly CompiledMatcher[], labels: Labels): boolean {
  for (const m of matchers) if (!m.matches(labels.get(m.name))) return false;
  return true;
}

/** `name="value"` as Alertmanager prints it; names outside the classic alphabet are quoted. */
export function printMatcher(m: Matcher): string {
  const name = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(m.name) ? m.name : JSON.stringify(m.name);
  return `${name}${m.op}${quoteGo(m.value)}`;
}

/** Quotes as Go's `%q` does for printable text. */
export function quoteGo(text: string): string {
  return JSON.stringify(text)
    .replace(/\\b/g, '\\b')
    .replace(/\u007f/g, '\\x7f');
}

function bad(text: string, why: string): VigieError {
  return new VigieError('bad_data', `bad matcher format: ${JSON.stringify(text.slice(0, 200))}: ${why}`);
}

function parseUtf8(text: string): Matcher[] {
  let at = 0;
  const skip = (): void => {
    while (at < text.length && /\s/u.test(text[at]!)) at++;
  };
  const word = (what: string): string => {
    skip();
    if (text[at] === '"') {
      let out = '';
      for (at++; text[at] !== '"'; at++) {
        if (at >= text.length) throw bad(text, `missing end quote after ${what}`);
        if (text[at] !== '\\') {
          out += text[at];
          continue;
        }
        const next = text[++at];
        const plain = next === undefined ? undefined : ESCAPES[next];
        if (plain !== undefined) out += plain;
        else if (next === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) {
          out += String.fromCharCode(Number.parseInt(text.slice(at + 1, at + 5), 16));
          at += 4;
        } else throw bad(text, `invalid escape \\${next ?? ''} at ${at}`);
      }
      at++;
      return out;
    }
    const start = at;
    while (at < text.length && !RESERVED.test(text[at]!)) at++;
    if (start === at) throw bad(text, `expected ${what} at ${at}`);
    return text.slice(start, at);
  };
  const out: Matcher[] = [];
  skip();
  const braces = text[at] === '{';
  if (braces) at++;
  for (;;) {
    skip();
    if (at >= text.length || text[at] === '}') break;
    const name = word('a label name');
    skip();
    const op: MatchOp | undefined = OPERATORS.find((o) => text.startsWith(o, at));
    if (!op) throw bad(text, `expected one of =, !=, =~ or !~ at ${at}`);
    at += op.length;
    const value = word('a label value');
    if (name === '') throw bad(text, 'a label name is empty');
    out.push({ name, op, value });
    skip();
    if (text[at] === ',') at++;
    else if (at < text.length && text[at] !== '}') throw bad(text, `expected a comma at ${at}`);
  }
  if (braces) {
    if (text[at] !== '}') throw bad(text, 'expected a closing brace');
    at++;
    skip();
  }
  if (at < text.length) throw bad(text, `unexpected ${JSON.stringify(text[at])} at ${at}`);
  return out;
}

/** Cuts at commas outside quotes and drops the braces. */
function splitClassic(raw: string): string[] {
  const text = raw.trim().replace(/^\{/, '').replace(/\}$/, '');
  const out: string[] = [];
  let quoted = false;
  let part = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '\\') {
      part += c + (text[++i] ?? '');
      continue;
    }
    if (c === '"') quoted = !quoted;
    if (c === ',' && !quoted) {
      out.push(part);
      part = '';
    } else part += c;
  }
  if (part.trim() !== '' || out.length === 0) out.push(part);
  return out;
}

function parseClassic(text: string): Matcher {
  const m = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*((?:[\s\S])*?)\s*$/.exec(text);
  if (!m) throw bad(text, 'expected name, operator and value');
  let raw = m[3]!;
  if (raw.startsWith('"')) {
    if (raw.length < 2 || !raw.endsWith('"')) throw bad(text, 'matcher value contains unescaped double quote');
    raw = raw.slice(1, -1);
  }
  let value = '';
  for (let i = 0; i < raw.length; i++) {
    const c = raw[i]!;
    if (c === '"') throw bad(text, 'matcher value contains unescaped double quote');
    if (c !== '\\') value += c;
    else {
      const next = raw[++i];
      // an unknown escape keeps its backslash
      value += next === 'n' ? '\n' : next === '"' || next === '\\' ? next : `\\${next ?? ''}`;
    }
  }
  return { name: m[1]!, op: m[2] as MatchOp, value };
}
