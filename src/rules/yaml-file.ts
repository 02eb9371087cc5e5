/**
 * Reads YAML the way rule and test files are read by Go's strict decoder: scalars are taken as written, unknown and
 * repeated keys are problems, and each problem has file, line, column and path. Problems are collected, not thrown.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { messageOf, VigieError } from '../lib/errors.ts';
import { yamlProblem } from '../lib/nesting.ts';
import { parseDuration } from '../model/duration.ts';

export const RULE_FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Problems told of one file. */
const PROBLEMS_MAX = 50;
const ALIAS_DEPTH_MAX = 20;

export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** What was written at one place; `undefined` values stand for absent or null. */
export class YamlValue {
  readonly #file: YamlFile;
  readonly node: Node | undefined;
  readonly path: string;

  constructor(file: YamlFile, node: Node | undefined, path: string) {
    this.#file = file;
    this.node = node;
    this.path = path;
  }

  get present(): boolean {
    return this.node !== undefined && !(isScalar(this.node) && this.#isNull);
  }

  get line(): number {
    return this.#file.position(this.node).line;
  }

  /** Lines between the place of this value and its text: block scalars begin on the next line. */
  get textLineOffset(): number {
    return isScalar(this.node) && (this.node.type === 'BLOCK_LITERAL' || this.node.type === 'BLOCK_FOLDED') ? 1 : 0;
  }

  problem(message: string): void {
    this.#file.problem(this.node, this.path, message);
  }

  /** '' when absent. */
  text(): string {
    if (!this.present) return '';
    if (!isScalar(this.node)) {
      this.#wrong('a string');
      return '';
    }
    return this.#source;
  }

  integer(): number {
    if (!this.present) return 0;
    const text = isScalar(this.node) ? this.#source : '';
    if (!isScalar(this.node) || !/^[-+]?\d[\d_]*$/.test(text)) {
      this.#wrong('a whole number');
      return 0;
    }
    return Number(text.replaceAll('_', ''));
  }

  /** A float as Go's decoder takes it: `.inf`, `.nan` and exponents included. */
  float(): number {
    if (!this.present) return 0;
    const text = isScalar(this.node) ? this.#source.replaceAll('_', '') : '';
    if (/^[-+]?\.inf$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    if (/^\.nan$/i.test(text)) return Number.NaN;
    if (!isScalar(this.node) || !/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) {
      this.#wrong('a number');
      return 0;
    }
    return Number(text);
  }

  boolean(): boolean {
    if (!this.present) return false;
    const text = isScalar(this.node) ? this.#source : '';
    if (/^(true|True|TRUE)$/.test(text)) return true;
    if (!/^(false|False|FALSE)$/.test(text)) this.#wrong('true or false');
    return false;
  }

  /** Undefined when absent. */
  durationMs(): number | undefined {
    if (!this.present) return undefined;
    const text = this.text();
    try {
      return parseDuration(text);
    } catch (error) {
      this.problem(messageOf(error));
      return undefined;
    }
  }

  list(): readonly YamlValue[] {
    if (!this.present) return [];
    if (!isSeq(this.node)) {
      this.#wrong('a list');
      return [];
    }
    return this.node.items.map((item, i) => new YamlValue(this.#file, this.#file.resolve(item), `${this.path}[${i}]`));
  }

  /** Name and value of each entry; merged keys (`<<`) count where they are not overridden. */
  entries(): readonly (readonly [string, YamlValue])[] {
    if (!this.present) return [];
    if (!isMap(this.node)) {
      this.#wrong('a mapping');
      return [];
    }
    const out = new Map<string, YamlValue>();
    const merged: YamlValue[] = [];
    for (const pair of this.node.items) {
      const name = isScalar(pair.key) ? String(pair.key.source ?? pair.key.value) : String(pair.key);
      const at = `${this.path === '' ? '' : `${this.path}.`}${name}`;
      const value = new YamlValue(this.#file, this.#file.resolve(pair.value), at);
      if (name === '<<') merged.push(...(isSeq(value.node) ? value.list() : [value]));
      else if (out.has(name))
        this.#file.problem(pair.key as Node, at, `mapping key ${JSON.stringify(name)} already defined`);
      else out.set(name, value);
    }
    for (const m of merged) for (const [name, value] of m.entries()) if (!out.has(name)) out.set(name, value);
    return [...out];
  }

  /** The mapping's values by name; names outside `known` are problems. */
  fields<K extends string>(known: readonly K[]): Readonly<Record<K, YamlValue>> {
    const out = {} as Record<K, YamlValue>;
    for (const name of known)
      out[name] = new YamlValue(this.#file, undefined, `${this.path === '' ? '' : `${this.path}.`}${name}`);
    for (const [name, value] of this.entries()) {
      if ((known as readonly string[]).includes(name)) out[name as K] = value;
      else value.problem(`unknown field ${JSON.stringify(name)}; known are ${known.join(', ')}`);
    }
    return out;
  }

  /** A mapping of text to text. */
  texts(): Map<string, string> {
    return new Map(this.entries().map(([name, value]) => [name, value.text()]));
  }

  get #isNull(): boolean {
    const n = this.node;
    return (
      isScalar(n) &&
      (n.type === undefined || n.type === 'PLAIN') &&
      ['', '~', 'null', 'Null', 'NULL'].includes(this.#source)
    );
  }

  get #source(): string {
    return isScalar(this.node) ? String(this.node.value ?? '') : '';
  }

  #wrong(wanted: string): void {
    const n = this.node;
    const got = isMap(n) ? 'a mapping' : isSeq(n) ? 'a list' : JSON.stringify(this.#source.slice(0, 80));
    this.problem(`got ${got}, want ${wanted}`);
  }
}

export class YamlFile {
  readonly name: string;
  readonly root: YamlValue;
  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #problems: Problem[] = [];

  /** Throws `bad_config` for text that is no YAML. */
  constructor(name: string, text: string) {
    this.name = name;
    if (Buffer.byteLength(text) > RULE_FILE_BYTES_MAX)
      throw new VigieError('bad_config', `${name}: larger than ${RULE_FILE_BYTES_MAX} bytes`);
    // scalars stay text: `yes`, `1.0` and `08:00` are what a string field gets
    this.#document = parseDocument(text, {
      schema: 'failsafe',
      uniqueKeys: false,
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    const bad = this.#document.errors.find((e) => e.code !== 'MULTIPLE_DOCS');
    if (bad) {
      const { line, col } = this.#lines.linePos(bad.pos[0]);
      throw new VigieError('bad_config', `${name}:${line}:${col}: ${yamlProblem(bad)}`);
    }
    this.root = new YamlValue(this, this.resolve(this.#document.contents), '');
  }

  position(node: Node | undefined): { readonly line: number; readonly column: number } {
    const at = node?.range?.[0];
    if (at === undefined) return { line: 1, column: 1 };
    const { line, col } = this.#lines.linePos(at);
    return { line, column: col };
  }

  problem(node: Node | undefined, path: string, message: string): void {
    this.problemAt(this.position(node), path, message);
  }

  problemAt(position: { readonly line: number; readonly column: number }, path: string, message: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ ...position, path, message });
  }

  resolve(node: unknown): Node | undefined {
    let n = node;
    for (let depth = 0; isAlias(n); depth++) {
      if (depth > ALIAS_DEPTH_MAX) throw new VigieError('bad_config', `${this.name}: aliases nest too deeply`);
      n = n.resolve(this.#document);
    }
    return (n as Node | null | undefined) ?? undefined;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Throws `bad_config` with all problems, if any. */
  throwProblems(): void {
    if (this.#problems.length === 0) return;
    throw new VigieError(
      'bad_config',
      this.#problems
        .map((p) => `${this.name}:${p.line}:${p.column}: ${p.path === '' ? '' : `${p.path}: `}${p.message}`)
        .join('\n'),
      { details: { file: this.name, problems: this.#problems } },
    );
  }
}
