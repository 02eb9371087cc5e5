/** A system that rendered artefacts go to, and the run that brings it in line with a tree. */
import { createHash } from 'node:crypto';
import type { Target } from '../artefact.ts';
import type { ApplyLedger } from './ledger.ts';

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}
/** One request to the system; the caller holds address and credential. Rejects when nobody answers. */
export type Send = (request: {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}) => Promise<HttpReply>;

export interface Item {
  /** Stable name in the ledger, such as `PrometheusRule/tenant-a/vigie-a-api`. */
  readonly id: string;
  readonly body: string;
  /** What the system needs besides the body; only the system looks inside. */
  readonly data: unknown;
  /** Slug of the scope it was rendered for. */
  readonly scope?: string;
}

export interface System {
  readonly name: string;
  readonly targets: readonly Target[];
  /** Its answers cannot tell whether an item is in place, so the ledger decides even when asked to verify. */
  readonly ledgerDecides?: boolean;
  /** The items of one file, in the order in which they must exist. */
  items(file: {
    readonly path: string;
    readonly text: string;
    readonly request?: { method: string; path: string };
  }): readonly Item[];
  /** Which items come first: lower before higher. */
  rank?(item: Item): number;
  /** What applying would do, asked of the live system. */
  compare(item: Item): Promise<'create' | 'update' | 'same'>;
  put(item: Item): Promise<void>;
  /** Takes an item of an earlier run away; answers false when the system says that it is not ours or already gone. */
  remove(id: string): Promise<boolean>;
  /** After all items: reload and wait for the verdict. */
  finish?(): Promise<string | undefined>;
}

export interface ApplyStep {
  readonly action: 'create' | 'update' | 'same' | 'remove' | 'kept' | 'done';
  readonly id: string;
}
export interface ApplyOptions {
  readonly dryRun: boolean;
  readonly prune: boolean;
  /** Ask the live system even where the ledger says that the item is in place. */
  readonly verify: boolean;
  /** Prune within these scopes only; absent: all. */
  readonly scopes?: readonly string[];
  readonly onStep: (step: ApplyStep, done: number, total: number) => void;
}
export interface ApplyReport {
  created: number;
  updated: number;
  same: number;
  removed: number;
}

/** Brings `system` in line. Throws at the first failure; what was done until then is in the ledger. */
export async function applyTo(
  system: System,
  items: readonly Item[],
  ledger: ApplyLedger,
  options: ApplyOptions,
): Promise<ApplyReport> {
  const report: ApplyReport = { created: 0, updated: 0, same: 0, removed: 0 };
  const ordered = system.rank ? items.toSorted((a, b) => system.rank!(a) - system.rank!(b)) : items;
  const wanted = new Set(ordered.map((i) => i.id));
  const gone = options.prune ? ledger.ids(...(options.scopes ?? [])).filter((id) => !wanted.has(id)) : [];
  const total = ordered.length + gone.length;
  let done = 0;
  for (const item of ordered) {
    const sha = createHash('sha256').update(item.body).digest('hex');
    const action =
      (!options.verify || system.ledgerDecides) && ledger.has(item.id, sha) ? 'same' : await system.compare(item);
    if (!options.dryRun) {
      if (action !== 'same') {
        if (system.finish) ledger.finished = false;
        await system.put(item);
      }
      if (!ledger.has(item.id, sha)) ledger.put(item.id, sha, item.scope);
    }
    if (action === 'create') report.created++;
    else if (action === 'update') report.updated++;
    else report.same++;
    options.onStep({ action, id: item.id }, ++done, total);
  }
  for (const id of gone) {
    if (!options.dryRun && system.finish) ledger.finished = false;
    const removed = options.dryRun || (await system.remove(id));
    if (!options.dryRun) ledger.drop(id);
    if (removed) report.removed++;
    options.onStep({ action: removed ? 'remove' : 'kept', id }, ++done, total);
  }
  // also after a run whose reload failed: its items are in the ledger, and the program has not read them
  if (!options.dryRun && system.finish && !ledger.finished) {
    const said = await system.finish();
    ledger.finished = true;
    if (said) options.onStep({ action: 'done', id: said }, total, total);
  }
  return report;
}
