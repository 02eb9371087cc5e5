/**
 * What `apply` has put where: one file per target system beside the rendered tree, written after every item, so that a
 * run that was cut off goes on where it stopped, and pruning takes away only what an earlier run made.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf, VigieError } from '../../lib/errors.ts';
import { RECORD_FOLDER } from '../write-tree.ts';

export class ApplyLedger {
  readonly #file: string;
  readonly #items: Map<string, string>;

  /** `target` names the system and its address: another cluster has another ledger. */
  constructor(folder: string, target: string) {
    const name = target.replace(/[^A-Za-z0-9.-]+/g, '_').slice(0, 120);
    this.#file = path.join(folder, RECORD_FOLDER, 'applied', `${name}.json`);
    this.#items = new Map();
    if (!existsSync(this.#file)) return;
    try {
      for (const [id, sha] of Object.entries(JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, string>))
        this.#items.set(id, sha);
    } catch (cause) {
      throw new VigieError('corrupt', `${this.#file}: not a record of what was applied (${messageOf(cause)})`, {
        cause,
      });
    }
  }

  has(id: string, sha256: string): boolean {
    return this.#items.get(id) === sha256;
  }
  ids(): readonly string[] {
    return [...this.#items.keys()];
  }
  put(id: string, sha256: string): void {
    this.#items.set(id, sha256);
    this.#write();
  }
  drop(id: string): void {
    this.#items.delete(id);
    this.#write();
  }

  #write(): void {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    const next = `${this.#file}.next`;
    writeFileSync(
      next,
      `${JSON.stringify(Object.fromEntries([...this.#items].sort(([a], [b]) => (a < b ? -1 : 1))))}\n`,
    );
    renameSync(next, this.#file);
  }
}
