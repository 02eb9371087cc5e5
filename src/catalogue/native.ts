/** Native template files (YAML or JSON with value-level parameters), read and parsed once per process run. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { messageOf, VigieError } from '../lib/errors.ts';
import { type ParameterValues, substitute } from './parameters.ts';

export class NativeTemplates {
  readonly #folders: readonly string[];
  readonly #parsed = new Map<string, unknown>();

  /** Later folders win: users' own stand after the shipped one. */
  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** The folder that holds `file`. Throws `bad_config` when none does. */
  folderOf(file: string): string {
    const found = [...this.#folders].reverse().find((f) => existsSync(path.join(f, file)));
    if (found === undefined)
      throw new VigieError('bad_config', `no ${file} in the catalogue (${this.#folders.join(', ')})`);
    return found;
  }

  text(file: string): string {
    try {
      return readFileSync(path.join(this.folderOf(file), file), 'utf8');
    } catch (cause) {
      throw new VigieError('bad_config', `cannot read ${file} of the catalogue: ${messageOf(cause)}`, { cause });
    }
  }

  /** The parsed file with `values` put in. Members whose value is the placeholder of an absent value are left out. */
  object(file: string, values: Readonly<Record<string, ParameterValues[string] | undefined>>): Record<string, unknown> {
    let parsed = this.#parsed.get(file);
    if (parsed === undefined) {
      const counter = new LineCounter();
      const document = parseDocument(this.text(file), { lineCounter: counter, prettyErrors: false });
      const problem = document.errors[0];
      if (problem)
        throw new VigieError('bad_config', `${file}:${counter.linePos(problem.pos[0]).line}: ${problem.message}`);
      parsed = document.toJS({ maxAliasCount: 100 });
      this.#parsed.set(file, parsed);
    }
    const present = Object.fromEntries(Object.entries(values).filter((e) => e[1] !== undefined)) as ParameterValues;
    return substitute(withoutAbsent(parsed, values), present, file) as Record<string, unknown>;
  }
}

function withoutAbsent(tree: unknown, values: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(tree)) return tree.map((v) => withoutAbsent(v, values));
  if (typeof tree !== 'object' || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([, v]) => {
        const whole = typeof v === 'string' ? /^\$\{([a-z][a-z0-9_]*)\}$/.exec(v)?.[1] : undefined;
        return whole === undefined || !(whole in values) || values[whole] !== undefined;
      })
      .map(([k, v]) => [k, withoutAbsent(v, values)]),
  );
}
