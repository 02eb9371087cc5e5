/** What rendering now would change in a folder that an earlier render wrote. Writes nothing. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Artefact } from './artefact.ts';
import type { RenderedScope } from './render/tree.ts';
import { textDiff } from './text-diff.ts';
import { RECORD_FOLDER, readRecord } from './write-tree.ts';

export interface FileChange {
  /** Below the folder. */
  readonly path: string;
  readonly kind: 'new' | 'changed' | 'removed';
  /** Unified difference of a changed file. */
  readonly diff?: string;
}

export interface TreeDiffOptions {
  readonly folder: string;
  /** Differences as text; false: names only. */
  readonly texts: boolean;
  /** How a file is called in its difference; absent: by its path below the folder. */
  readonly nameOf?: (path: string) => string;
  /** Every artefact that was rendered, in order, with its text. */
  readonly onArtefact?: (slug: string, artefact: Artefact, text: string) => void;
  readonly onScope?: (slug: string) => void;
}

export function* treeDiff(scopes: Iterable<RenderedScope>, options: TreeDiffOptions): Generator<FileChange> {
  const { folder, texts, nameOf = (name: string) => name, onArtefact, onScope } = options;
  for (const { scope, artefacts } of scopes) {
    const record = readRecord(path.join(folder, RECORD_FOLDER, `${scope.slug}.json`));
    const left = new Set(record?.files.map((f) => f.path));
    for (const a of artefacts) {
      left.delete(a.path);
      const text = typeof a.content === 'string' ? a.content : [...a.content].join('');
      onArtefact?.(scope.slug, a, text);
      const file = path.join(folder, a.path);
      const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
      if (before === text) continue;
      if (before === undefined) yield { path: a.path, kind: 'new' };
      else
        yield {
          path: a.path,
          kind: 'changed',
          ...(texts ? { diff: textDiff(before, text, nameOf(a.path)) ?? '' } : {}),
        };
    }
    for (const gone of left) yield { path: gone, kind: 'removed' };
    onScope?.(scope.slug);
  }
}

/** Tells two renderings apart: over the paths and texts of all artefacts, in order. */
export class TreeDigest {
  readonly #hash = createHash('sha256');

  add(artefact: Artefact, text: string): void {
    this.#hash.update(`${artefact.path}\0${artefact.request?.path ?? ''}\0${text}\0`);
  }
  hex(): string {
    return this.#hash.digest('hex');
  }
}
