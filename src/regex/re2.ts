/**
 * RE2 syntax in linear time: the only place where expressions given by users are compiled and run. Common shapes
 * (literals, alternations of literals, a literal prefix or suffix around `.*`) never reach the engine. Not here: any
 * native RegExp over user text, back-references, look-around; RE2 has none.
 */
import { RE2JS } from 're2js';
import { messageOf, VigieError } from '../lib/errors.ts';

/** Longest accepted expression, in UTF-16 units. */
export const PATTERN_LENGTH_MAX = 8_192;
/** Instructions of a compiled expression; `(a{1000}){1000}` is refused by the parser, this bounds the rest. */
export const PROGRAM_SIZE_MAX = 100_000;
/** Compiled expressions kept; the least recently used goes first. */
export const COMPILED_KEPT_MAX = 5_000;

export interface Re2 {
  readonly pattern: string;
  readonly anchored: boolean;
  /** Group number by name; empty without named groups. */
  readonly groupNames: Readonly<Record<string, number>>;
  /** Does the expression match (the whole text when anchored, anywhere otherwise)? */
  test(text: string): boolean;
  /** Groups of the first match: [whole, group 1, ...], an unmatched group is undefined. */
  match(text: string): readonly (string | undefined)[] | undefined;
  /** The template with $1, ${1}, ${name} put in from the first match, as Go's Regexp.Expand; undefined without a match. */
  expand(text: string, template: string): string | undefined;
  /** Every match replaced by the expanded template, as Go's ReplaceAllString. */
  replaceAll(text: string, template: string): string;
  /** All texts that match, when the expression is one literal or an alternation of literals (anchored only). */
  readonly literals: readonly string[] | undefined;
  /** What every matching text begins with; '' when nothing is known (anchored only). */
  readonly prefix: string;
}

export interface Re2Options {
  /** `^(?s:...)$`, as Prometheus and Alertmanager anchor. Default false. */
  readonly anchored?: boolean;
}

const cache = new Map<string, Re2>();

/** Compiles an expression. Throws `bad_data` naming the expression and what is wrong with it. */
export function compileRe2(pattern: string, options: Re2Options = {}): Re2 {
  const anchored = options.anchored ?? false;
  const key = `${anchored ? 'a' : 'u'}${pattern}`;
  const known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const compiled = new CompiledRe2(pattern, anchored);
  cache.set(key, compiled);
  if (cache.size > COMPILED_KEPT_MAX) cache.delete(cache.keys().next().value!);
  return compiled;
}

class CompiledRe2 implements Re2 {
  readonly pattern: string;
  readonly anchored: boolean;
  readonly groupNames: Readonly<Record<string, number>>;
  readonly literals: readonly string[] | undefined;
  readonly prefix: string;
  readonly #engine: RE2JS;
  readonly #fast: ((text: string) => boolean) | undefined;

  constructor(pattern: string, anchored: boolean) {
    if (pattern.length > PATTERN_LENGTH_MAX)
      throw new VigieError(
        'bad_data',
        `regular expression of ${pattern.length} characters, at most ${PATTERN_LENGTH_MAX} are taken`,
      );
    this.pattern = pattern;
    this.anchored = anchored;
    try {
      // compiled once bare, so that `a)(b` cannot slip through the anchoring group
      RE2JS.compile(pattern);
      this.#engine = anchored ? RE2JS.compile(`^(?s:${pattern})$`) : RE2JS.compile(pattern);
    } catch (cause) {
      throw new VigieError(
        'bad_data',
        `invalid regular expression ${JSON.stringify(pattern.slice(0, 200))}: ${messageOf(cause)}`,
        { cause },
      );
    }
    const size = this.#engine.programSize();
    if (size > PROGRAM_SIZE_MAX)
      throw new VigieError(
        'bad_data',
        `regular expression ${JSON.stringify(pattern.slice(0, 80))}... is too complex: ${size} instructions, at most ${PROGRAM_SIZE_MAX}`,
      );
    this.groupNames = this.#engine.namedGroups() as Record<string, number>;
    const shape = anchored ? shapeOf(pattern) : undefined;
    this.literals = shape?.literals;
    this.prefix = shape?.prefix ?? '';
    this.#fast = shape?.test;
  }

  test(text: string): boolean {
    return this.#fast ? this.#fast(text) : this.#engine.test(text);
  }

  match(text: string): readonly (string | undefined)[] | undefined {
    const matcher = this.#engine.matcher(text);
    if (!matcher.find()) return undefined;
    const groups: (string | undefined)[] = [];
    for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? undefined);
    return groups;
  }

  expand(text: string, template: string): string | undefined {
    const groups = this.match(text);
    return groups && this.#expand(template, groups);
  }

  replaceAll(text: string, template: string): string {
    const matcher = this.#engine.matcher(text);
    let out = '';
    let at = 0;
    let afterMatch = -1;
    while (matcher.find()) {
      const start = matcher.start();
      const end = matcher.end();
      // Go takes no empty match that touches the one before
      if (start === end && start === afterMatch) continue;
      const groups: (string | undefined)[] = [];
      for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? undefined);
      out += text.slice(at, start) + this.#expand(template, groups);
      at = end;
      afterMatch = end;
    }
    return out + text.slice(at);
  }

  #expand(template: string, groups: readonly (string | undefined)[]): string {
    // the longest run of letters, digits and _ is the name: $1x is the group "1x"
    return template.replace(
      /\$(?:\$|([0-9A-Za-z_]+)|\{([0-9A-Za-z_]+)\})/g,
      (whole, bare: string | undefined, braced: string | undefined) => {
        if (whole === '$$') return '$';
        const name = bare ?? braced!;
        const index = /^[0-9]+$/.test(name)
          ? Number(name)
          : Object.hasOwn(this.groupNames, name)
            ? this.groupNames[name]
            : undefined;
        return index === undefined ? '' : (groups[index] ?? '');
      },
    );
  }
}

interface Shape {
  readonly literals?: readonly string[];
  readonly prefix?: string;
  readonly test: (text: string) => boolean;
}

/** Alternations longer than this go to the engine: a set look-up would do, but enumerating them for an index would not. */
const LITERALS_MAX = 1_000;

/** Fast tests for shapes that need no engine; undefined for all others. */
function shapeOf(pattern: string): Shape | undefined {
  const literals = literalsOf(pattern);
  if (literals) {
    if (literals.length === 1) {
      const only = literals[0]!;
      return { literals, prefix: only, test: (text) => text === only };
    }
    const set = new Set(literals);
    return { literals, prefix: commonPrefix(literals), test: (text) => set.has(text) };
  }
  if (pattern === '.*') return { test: () => true };
  if (pattern === '.+') return { test: (text) => text !== '' };
  const around = /^(\.[*+])?([^.*+?()[\]{}|\\^$]+)(\.[*+])?$/.exec(pattern);
  if (around && (around[1] || around[3])) {
    const [, before, text, after] = around as unknown as [string, string | undefined, string, string | undefined];
    const longer = (value: string): boolean => value.length > text.length;
    if (!before)
      return {
        prefix: text,
        test: after === '.*' ? (v) => v.startsWith(text) : (v) => v.startsWith(text) && longer(v),
      };
    if (!after) return { test: before === '.*' ? (v) => v.endsWith(text) : (v) => v.endsWith(text) && longer(v) };
    if (before === '.*' && after === '.*') return { test: (v) => v.includes(text) };
  }
  const prefix = /^[^.*+?()[\]{}|\\^$]+(?=[.([])/.exec(pattern);
  // a known beginning helps the index even where the engine must decide; not under an alternation at top level
  if (prefix && !hasTopLevelAlternation(pattern)) {
    const engine = RE2JS.compile(`^(?s:${pattern})$`);
    const start = prefix[0];
    return { prefix: start, test: (v) => v.startsWith(start) && engine.test(v) };
  }
  return undefined;
}

/** The texts of `a`, `a|b`, `(a|b)`, `(?:a|b)` with escaped punctuation; undefined when anything else occurs. */
function literalsOf(pattern: string): readonly string[] | undefined {
  const inner = /^\((?:\?:)?([^()]*)\)$/.exec(pattern)?.[1] ?? pattern;
  const out: string[] = [];
  let current = '';
  for (let i = 0; i < inner.length; i++) {
    const c = inner[i]!;
    if (c === '|') {
      out.push(current);
      current = '';
    } else if (c === '\\') {
      const next = inner[++i];
      if (next === undefined || /[a-zA-Z0-9]/.test(next)) return undefined;
      current += next;
    } else if ('.*+?()[]{}^$'.includes(c)) return undefined;
    else current += c;
  }
  out.push(current);
  return out.length > LITERALS_MAX ? undefined : out;
}

function hasTopLevelAlternation(pattern: string): boolean {
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '\\') i++;
    else if (c === '(') depth++;
    else if (c === ')') depth--;
    // a bracket class may hold unbalanced parentheses: then depth says nothing, and "yes" is the safe answer
    else if (c === '[') return pattern.includes('|');
    else if (c === '|' && depth === 0) return true;
  }
  return false;
}

function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? '';
  for (const t of texts) while (!t.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix;
}
