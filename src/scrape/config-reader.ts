/**
 * Reads a YAML file key by key with the line of every problem. A key that nobody asked for is an error by name, so
 * that nothing is accepted and ignored. Knows YAML, not what the keys mean.
 */
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { messageOf, VigieError } from '../lib/errors.ts';
import { checkNesting, yamlProblem } from '../lib/nesting.ts';
import { parseDuration } from '../model/duration.ts';

/** Bytes of one configuration file. */
export const CONFIG_BYTES_MAX = 16 * 1024 * 1024;
/** Alias expansions in one file; more is an attack ("billion laughs"). */
const ALIASES_MAX = 1_000;

export class ConfigFile {
  readonly file: string;
  readonly document: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #secrets: { value: unknown }[] = [];

  /** Throws `bad_config` with file and line. */
  constructor(file: string, text: string) {
    this.file = file;
    if (text.length > CONFIG_BYTES_MAX)
      throw new VigieError('bad_config', `${file}: larger than ${CONFIG_BYTES_MAX} bytes`);
    this.document = parseDocument(text, { lineCounter: this.#lines, merge: true, logLevel: 'error' });
    const first = this.document.errors[0];
    if (first) {
      const line = this.#lines.linePos(first.pos[0]).line;
      throw new VigieError('bad_config', `${file}:${line}: ${yamlProblem(first)}`, { cause: first });
    }
    try {
      checkNesting(this.document.toJS({ maxAliasCount: ALIASES_MAX }), 'the file');
    } catch (cause) {
      throw new VigieError('bad_config', `${file}: ${yamlProblem(cause)}`, { cause });
    }
  }

  root(): Section {
    const { contents } = this.document;
    if (contents === null) return new Section(this, undefined, '');
    if (!isMap(contents)) throw this.problem(contents, '', 'want a mapping at the top of the file');
    return new Section(this, contents, '');
  }

  problem(node: unknown, path: string, message: string): VigieError {
    const offset = (node as Node | undefined)?.range?.[0];
    const line = offset === undefined ? 1 : this.#lines.linePos(offset).line;
    return new VigieError('bad_config', `${this.file}:${line}: ${path ? `${path}: ` : ''}${message}`, {
      details: { file: this.file, line, path },
    });
  }

  keepSecret(node: unknown): void {
    if (isScalar(node)) this.#secrets.push(node);
  }

  /** The file as YAML with every secret that was read printed as `<secret>`. */
  printed(): string {
    const kept = this.#secrets.map((s) => s.value);
    for (const s of this.#secrets) s.value = '<secret>';
    const text = this.document.toString({ lineWidth: 0 });
    this.#secrets.forEach((s, i) => {
      s.value = kept[i];
    });
    return text;
  }
}

export class Section {
  readonly #file: ConfigFile;
  readonly #map: YAMLMap | undefined;
  readonly path: string;
  readonly #used = new Set<string>();

  constructor(file: ConfigFile, map: YAMLMap | undefined, path: string) {
    this.#file = file;
    this.#map = map;
    this.path = path;
  }

  has(key: string): boolean {
    return this.#node(key) !== undefined;
  }

  string(key: string): string | undefined;
  string(key: string, fallback: string): string;
  string(key: string, fallback?: string): string | undefined {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    return this.#text(node, key);
  }

  /** A string that `printed()` hides. */
  secret(key: string): string | undefined {
    const node = this.#node(key);
    this.#file.keepSecret(node);
    return node === undefined ? undefined : this.#text(node, key);
  }

  required(key: string): string {
    const value = this.string(key);
    if (value === undefined || value === '') throw this.problem(undefined, `${key} is missing`);
    return value;
  }

  boolean(key: string, fallback: boolean): boolean {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    throw this.#wrong(node, key, 'true or false');
  }

  integer(key: string, fallback: number): number {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    if (isScalar(node) && Number.isSafeInteger(node.value) && (node.value as number) >= 0) return node.value as number;
    throw this.#wrong(node, key, 'a whole number from 0 on');
  }

  float(key: string, fallback: number): number {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    if (isScalar(node) && typeof node.value === 'number') return node.value;
    throw this.#wrong(node, key, 'a number');
  }

  durationMs(key: string): number | undefined;
  durationMs(key: string, fallback: number): number;
  durationMs(key: string, fallback?: number): number | undefined {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    try {
      return parseDuration(this.#text(node, key));
    } catch (cause) {
      throw this.#file.problem(node, `${this.path}${key}`, messageOf(cause));
    }
  }

  /** Bytes from `10MB`, `1KiB`, `0`: units are powers of 1024, as in Prometheus. */
  bytes(key: string, fallback: number): number {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    const m = /^(\d+(?:\.\d+)?)\s*(?:([KMGTPE])i?)?B?$/i.exec(this.#text(node, key));
    if (!m) throw this.#wrong(node, key, 'a size such as 10MB');
    return Math.floor(Number(m[1]) * 1024 ** ('KMGTPE'.indexOf((m[2] ?? '').toUpperCase()) + 1 || 0) || 0) || 0;
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T;
  choice<T extends string>(key: string, choices: readonly T[]): T | undefined;
  choice<T extends string>(key: string, choices: readonly T[], fallback?: T): T | undefined {
    const node = this.#node(key);
    if (node === undefined) return fallback;
    const text = this.#text(node, key);
    const found = choices.find((c) => c === text);
    if (found === undefined) throw this.#wrong(node, key, `one of ${choices.join(', ')}`);
    return found;
  }

  strings(key: string): readonly string[] | undefined {
    const node = this.#node(key);
    if (node === undefined) return undefined;
    if (!isSeq(node)) throw this.#wrong(node, key, 'a list of strings');
    return node.items.map((item, i) => this.#text(this.#resolve(item), `${key}[${i}]`));
  }

  /** A mapping of strings to strings. */
  record(key: string): Readonly<Record<string, string>> {
    const node = this.#node(key);
    if (node === undefined) return {};
    if (!isMap(node)) throw this.#wrong(node, key, 'a mapping of strings');
    return Object.fromEntries(
      node.items.map((p) => [
        String(isScalar(p.key) ? p.key.value : p.key),
        this.#text(this.#resolve(p.value), `${key}.${p.key}`),
      ]),
    );
  }

  /** The mapping under `key`, or undefined. The caller must `end()` it. */
  section(key: string): Section | undefined {
    const node = this.#node(key);
    if (node === undefined) return undefined;
    if (!isMap(node)) throw this.#wrong(node, key, 'a mapping');
    return new Section(this.#file, node, `${this.path}${key}.`);
  }

  sections(key: string): readonly Section[] {
    const node = this.#node(key);
    if (node === undefined) return [];
    if (!isSeq(node)) throw this.#wrong(node, key, 'a list');
    return node.items.map((raw, i) => {
      const item = this.#resolve(raw);
      if (!isMap(item)) throw this.#wrong(item, `${key}[${i}]`, 'a mapping');
      return new Section(this.#file, item, `${this.path}${key}[${i}].`);
    });
  }

  /** The raw value, for parts that another feature reads. */
  raw(key: string): unknown {
    const node = this.#node(key);
    return node === undefined ? undefined : (node as Node).toJS(this.#file.document);
  }

  /** Hides every value below `key` whose own key looks like a secret from `printed()`. */
  hideSecrets(key: string): void {
    const visit = (node: unknown): void => {
      if (isSeq(node)) for (const item of node.items) visit(item);
      if (!isMap(node)) return;
      for (const pair of node.items) {
        const name = isScalar(pair.key) ? String(pair.key.value) : '';
        if (/^(password|credentials|bearer_token|client_secret|secret_key|key|api_key|token)$/.test(name))
          this.#file.keepSecret(pair.value);
        else visit(pair.value);
      }
    };
    visit(this.#node(key));
  }

  /** Refuses a key that is known and not supported. */
  refuse(key: string, why: string): void {
    const node = this.#node(key);
    if (node !== undefined) throw this.#file.problem(node, `${this.path}${key}`, `not supported: ${why}`);
  }

  /** Every key must have been read. Throws `bad_config` naming the first that was not. */
  end(): void {
    for (const pair of this.#map?.items ?? []) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      if (name === '<<' || this.#used.has(name)) continue;
      throw this.#file.problem(pair.key, `${this.path}${name}`, 'unknown key');
    }
  }

  problem(key: string | undefined, message: string): VigieError {
    const node = key === undefined ? undefined : this.#node(key);
    return this.#file.problem(node ?? this.#map, `${this.path}${key ?? ''}`.replace(/\.$/, ''), message);
  }

  #node(key: string): Node | undefined {
    this.#used.add(key);
    const node = this.#resolve(this.#map?.get(key, true));
    if (node === undefined || node === null || (isScalar(node) && node.value === null)) return undefined;
    return node as Node;
  }

  #resolve(node: unknown): unknown {
    return node && typeof node === 'object' && 'source' in node && 'resolve' in node
      ? ((node as { resolve(d: unknown): unknown }).resolve(this.#file.document) ?? undefined)
      : node;
  }

  #text(node: unknown, key: string): string {
    if (!isScalar(node)) throw this.#wrong(node, key, 'a string');
    const { value, source } = node;
    if (typeof value === 'string') return value;
    if (value === null) return '';
    // what YAML reads as number or boolean is text here, as written: 5m, 080, 1.0
    return typeof source === 'string' ? source : String(value);
  }

  #wrong(node: unknown, key: string, wanted: string): VigieError {
    const got = isMap(node)
      ? 'a mapping'
      : isSeq(node)
        ? 'a list'
        : isScalar(node)
          ? JSON.stringify(node.value)
          : 'nothing';
    return this.#file.problem(node, `${this.path}${key}`, `got ${got}, want ${wanted}`);
  }
}
