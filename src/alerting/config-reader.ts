/** Walks a YAML document with the line and path of every value, so that a wrong one is named exactly. */
import { LineCounter, parseDocument, type Scalar, visit } from 'yaml';
import { messageOf, VigieError } from '../lib/errors.ts';
import { checkNesting, yamlProblem } from '../lib/nesting.ts';
import { parseDuration } from '../model/duration.ts';

/** Largest configuration accepted, in bytes. */
export const CONFIG_BYTES_MAX = 1024 * 1024;
const ALIASES_MAX = 100;

/** Scalars stay the text they were written as: `yes`, `1.0` and `08:00` are what a string field gets. The library's warnings would print parts of the text. */
export const AS_WRITTEN = { schema: 'failsafe', merge: true, logLevel: 'error' } as const;
/** Is this scalar nothing at all, written without quotes? */
export const isNull = (node: Scalar): boolean =>
  (node.type === undefined || node.type === 'PLAIN') &&
  ['', '~', 'null', 'Null', 'NULL'].includes(String(node.value ?? ''));
const TRUE = ['true', 'True', 'TRUE', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'];
const FALSE = ['false', 'False', 'FALSE', 'no', 'No', 'NO', 'off', 'Off', 'OFF'];

const GO_DURATION = /^(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/;
const GO_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

interface Lines {
  lineOf(path: readonly (string | number)[]): number;
}

export class ConfigNode {
  readonly value: unknown;
  readonly path: readonly (string | number)[];
  readonly #root: Lines;

  private constructor(value: unknown, path: readonly (string | number)[], root: Lines) {
    this.value = value;
    this.path = path;
    this.#root = root;
  }

  /** Throws `bad_config` for text that is no YAML, with the line. */
  static parse(text: string): ConfigNode {
    if (Buffer.byteLength(text) > CONFIG_BYTES_MAX)
      throw new VigieError('bad_config', `the configuration exceeds ${CONFIG_BYTES_MAX} bytes`);
    const lines = new LineCounter();
    const doc = parseDocument(text, { ...AS_WRITTEN, lineCounter: lines, prettyErrors: false });
    const first = doc.errors[0];
    if (first) throw new VigieError('bad_config', `line ${lines.linePos(first.pos[0]).line}: ${yamlProblem(first)}`);
    const lineOf = (path: readonly (string | number)[]): number => {
      for (let n = path.length; n >= 0; n--) {
        const found = n === 0 ? doc.contents : (doc.getIn(path.slice(0, n), true) as { range?: number[] } | undefined);
        const at = (found as { range?: number[] | null } | null | undefined)?.range?.[0];
        if (at !== undefined) return lines.linePos(at).line;
      }
      return 1;
    };
    try {
      visit(doc, { Scalar: (_key, node) => void (isNull(node) && (node.value = null)) });
      const value = doc.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
      checkNesting(value, 'the file');
      return new ConfigNode(value, [], { lineOf });
    } catch (cause) {
      throw new VigieError('bad_config', `configuration: ${yamlProblem(cause)}`, { cause });
    }
  }

  get where(): string {
    let text = '';
    for (const p of this.path) text += typeof p === 'number' ? `[${p}]` : text === '' ? p : `.${p}`;
    return `line ${this.#root.lineOf(this.path)}: ${text === '' ? 'configuration' : text}`;
  }

  fail(message: string, cause?: unknown): never {
    throw new VigieError('bad_config', `${this.where}: ${message}`, cause === undefined ? {} : { cause });
  }

  /** Runs `work`; what it throws is reported at this place. */
  at<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      return this.fail(messageOf(error), error);
    }
  }

  get present(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  get(key: string): ConfigNode {
    const own = this.value as Record<string, unknown> | null | undefined;
    const value = own && typeof own === 'object' && Object.hasOwn(own, key) ? own[key] : undefined;
    return new ConfigNode(value, [...this.path, key], this.#root);
  }

  /** Checks that this is a mapping with no other keys than `allowed`. */
  mapping(allowed: readonly string[]): this {
    if (!this.present) return this;
    if (typeof this.value !== 'object' || Array.isArray(this.value)) this.fail('expected a mapping');
    for (const key of Object.keys(this.value as object))
      if (!allowed.includes(key)) this.get(key).fail(`field ${key} not found`);
    return this;
  }

  keys(): string[] {
    if (!this.present) return [];
    if (typeof this.value !== 'object' || Array.isArray(this.value)) this.fail('expected a mapping');
    return Object.keys(this.value as object);
  }

  list(): ConfigNode[] {
    if (!this.present) return [];
    if (!Array.isArray(this.value)) return this.fail('expected a list');
    return this.value.map((v, i) => new ConfigNode(v, [...this.path, i], this.#root));
  }

  string(): string | undefined {
    if (!this.present) return undefined;
    if (typeof this.value === 'object') return this.fail('expected a string');
    return String(this.value);
  }

  strings(): string[] | undefined {
    return this.present ? this.list().map((n) => n.string() ?? '') : undefined;
  }

  bool(): boolean | undefined {
    if (!this.present) return undefined;
    if (TRUE.includes(String(this.value))) return true;
    return FALSE.includes(String(this.value)) ? false : this.fail('expected true or false');
  }

  int(): number | undefined {
    if (!this.present) return undefined;
    const number = /^[-+]?\d+$/.test(String(this.value)) ? Number(this.value) : Number.NaN;
    return Number.isSafeInteger(number) ? number : this.fail('expected a whole number');
  }

  durationMs(): number | undefined {
    const text = this.string();
    return text === undefined ? undefined : this.at(() => parseDuration(text));
  }

  /** Milliseconds of a duration as Go's time.ParseDuration reads it, for example `1h30m` or `1.5s`. */
  goDurationMs(): number | undefined {
    const text = this.string();
    if (text === undefined) return undefined;
    if (text === '0') return 0;
    let ms = 0;
    let rest = text;
    for (let m = GO_DURATION.exec(rest); m && rest !== ''; m = GO_DURATION.exec(rest)) {
      ms += Number(m[1]) * GO_UNITS_MS[m[2]!]!;
      rest = rest.slice(m[0].length);
    }
    return rest === '' && text !== '' ? ms : this.fail(`not a valid duration string: ${JSON.stringify(text)}`);
  }

  stringMap(): Record<string, string> | undefined {
    if (!this.present) return undefined;
    return Object.fromEntries(this.keys().map((k) => [k, this.get(k).string() ?? '']));
  }
}
