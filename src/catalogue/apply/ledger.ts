/**
 * What `apply` has put where: one log per target system beside the rendered tree, a line added after every item, so
 * that a run that was cut off goes on where it stopped, and pruning takes away only what an earlier run made.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { messageOf, VigieError } from '../../lib/errors.ts';
import { RECORD_FOLDER } from '../write-tree.ts';

/** Of an item: its digest and the scope it was rendered for; `null` when it was taken away. Or the state of the reload. */
type Line =
  | { readonly id: string; readonly sha: string | null; readonly scope?: string }
  | { readonly finished: boolean };

export class ApplyLedger {
  readonly #file: string;
  readonly #items = new Map<string, { sha: string; scope: string | undefined }>();
  #finished = true;

  /** `target` names the system and its address: another cluster has another ledger. Throws `corrupt`. */
  constructor(folder: string, target: string) {
    const name = target.replace(/[^A-Za-z0-9.-]+/g, '_').slice(0, 80);
    const digest = createHash('sha256').update(target).digest('hex').slice(0, 8);
    this.#file = path.join(folder, RECORD_FOLDER, 'applied', `${name}-${digest}.log`);
    if (!existsSync(this.#file)) return;
    const bytes = readFileSync(this.#file);
    const end = bytes.lastIndexOf(0x0a) + 1;
    // a crash in the middle of a line: the item is asked about again
    if (end < bytes.length) truncateSync(this.#file, end);
    const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
    for (const [i, text] of lines.entries()) this.#read(text, i + 1);
  }

  has(id: string, sha256: string): boolean {
    return this.#items.get(id)?.sha === sha256;
  }
  /** All items, or those of some scopes. */
  ids(...scopes: readonly string[]): readonly string[] {
    const wanted = new Set(scopes);
    return [...this.#items]
      .filter(([, item]) => wanted.size === 0 || (item.scope !== undefined && wanted.has(item.scope)))
      .map(([id]) => id);
  }
  /** Whether the system took over everything that was put: false after a reload that failed. */
  get finished(): boolean {
    return this.#finished;
  }
  set finished(value: boolean) {
    if (value === this.#finished) return;
    this.#finished = value;
    this.#add({ finished: value });
  }
  put(id: string, sha256: string, scope?: string): void {
    this.#items.set(id, { sha: sha256, scope });
    this.#add({ id, sha: sha256, ...(scope === undefined ? {} : { scope }) });
  }
  drop(id: string): void {
    this.#items.delete(id);
    this.#add({ id, sha: null });
  }

  #add(line: Line): void {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  #read(text: string, number: number): void {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
      if (!('finished' in line) && typeof line.id !== 'string') throw new Error('neither an item nor a state');
    } catch (cause) {
      throw new VigieError(
        'corrupt',
        `${this.#file}:${number}: not a record of what was applied (${messageOf(cause)})`,
        {
          cause,
        },
      );
    }
    if ('finished' in line) this.#finished = line.finished;
    else if (line.sha === null) this.#items.delete(line.id);
    else this.#items.set(line.id, { sha: line.sha, scope: line.scope });
  }
}
