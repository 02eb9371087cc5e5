/**
 * One run from catalogue to systems: render, compare with the last render and with what is live, and, when it is no
 * dry run, write the files and bring the systems in line. It says what it does as events and holds nothing afterwards;
 * the ledger beside the files makes a later run go on where this one stopped. Runs in a worker thread (apply-worker.ts).
 */
import path from 'node:path';
import { VigieError } from '../../lib/errors.ts';
import type { CatalogueConfig, Environment, SectionsForRender, SystemName } from '../config.ts';
import type { PackOverride } from '../pack.ts';
import { type Format, RenderContext } from '../render/context.ts';
import { type OwnChanges, type RenderedScope, renderTenant, renderTree } from '../render/tree.ts';
import { type FileChange, TreeDigest, treeDiff } from '../tree-diff.ts';
import { writeTree } from '../write-tree.ts';
import { type ConnectedSystem, connectedSystems, type SystemAddresses } from './connections.ts';
import { ApplyLedger } from './ledger.ts';
import { type ApplyReport, type ApplyStep, applyTo, type Item } from './system.ts';

/** `tenant`: that one's own part. `platform`: the operators' part. `all`: both, and what is no longer rendered goes. */
export type JobScope =
  | { readonly kind: 'tenant'; readonly tenant: string }
  | { readonly kind: 'platform' }
  | { readonly kind: 'all' };

/** Plain data: it travels to the worker thread. */
export interface ApplyJobInput {
  /**
   * `files`: compare with the last render only. `plan`: ask the systems too, changing nothing. `apply`: do it.
   */
  readonly mode: 'files' | 'plan' | 'apply';
  readonly scope: JobScope;
  readonly config: CatalogueConfig;
  readonly sections: SectionsForRender;
  readonly environment: Environment;
  readonly folders: readonly string[];
  /** What tenants changed in the running Vigie, on top of the configuration. */
  readonly own: readonly (readonly [string | undefined, Readonly<Record<string, PackOverride>>])[];
  /** The trees are `<output>/files` and `<output>/kubernetes`. */
  readonly output: string;
  readonly addresses: SystemAddresses;
  readonly targets: readonly SystemName[] | undefined;
  /** For `apply`: the digest that the confirmed plan ended with. */
  readonly digest?: string;
}

export type ApplyEvent =
  | { readonly kind: 'progress'; readonly stage: string; readonly done: number; readonly total: number }
  | { readonly kind: 'file'; readonly change: FileChange }
  | { readonly kind: 'step'; readonly system: string; readonly step: ApplyStep }
  | {
      readonly kind: 'system';
      readonly system: string;
      readonly address: string;
      readonly report: ApplyReport;
      /** What a reload answered. */
      readonly said?: string;
    }
  | { readonly kind: 'problem'; readonly where: string; readonly message: string }
  | { readonly kind: 'end'; readonly digest: string; readonly files: number };

/** Throws at the first failure, `conflict` when the catalogue is not what the plan showed. */
export async function runApplyJob(input: ApplyJobInput, tell: (event: ApplyEvent) => void): Promise<void> {
  const systems =
    input.mode === 'files' ? [] : connectedSystems(input.addresses, input.targets ?? input.config.apply.targets);
  const formats: readonly Format[] = systems.some((s) => s.system.name === 'kubernetes')
    ? ['files', 'kubernetes']
    : ['files'];
  const own: OwnChanges = new Map(input.own);
  const digest = new TreeDigest();
  const slugs = new Set<string>();
  const items = new Map<ConnectedSystem, Item[]>(systems.map((s) => [s, []]));
  let files = 0;
  for (const format of formats) {
    const context = contextOf(input, format);
    const total = scopesOf(input);
    const changes = treeDiff(scopes(input, context, own), {
      folder: path.join(input.output, format),
      texts: true,
      onArtefact: (slug, artefact, text) => {
        files++;
        digest.add(artefact, text);
        for (const [{ system }, list] of items)
          if (formatOf(system.name) === format && system.targets.includes(artefact.target))
            for (const item of system.items({
              path: artefact.path,
              text,
              ...(artefact.request ? { request: artefact.request } : {}),
            }))
              list.push({ ...item, scope: slug });
      },
      onScope: (slug) => {
        slugs.add(slug);
        tell({ kind: 'progress', stage: `render ${format}`, done: slugs.size, total });
      },
    });
    for (const change of changes) tell({ kind: 'file', change: { ...change, path: `${format}/${change.path}` } });
    for (const p of context.problems) tell({ kind: 'problem', ...p });
    // a pack that does not load would look like one that was taken away, and be pruned
    if (context.problems.length > 0 && input.mode === 'apply')
      throw new VigieError('bad_config', context.problems.map((p) => `${p.where}: ${p.message}`).join('\n'));
  }
  const rendered = digest.hex();
  if (input.mode === 'apply') {
    if (input.digest !== rendered)
      throw new VigieError('conflict', 'the catalogue was changed after the dry run; make another one');
    for (const format of formats)
      writeTree(scopes(input, contextOf(input, format), own), {
        folder: path.join(input.output, format),
        complete: input.scope.kind === 'all',
      });
  }
  for (const connected of systems) await bringInLine(input, connected, items.get(connected)!, [...slugs], tell);
  tell({ kind: 'end', digest: rendered, files });
}

async function bringInLine(
  input: ApplyJobInput,
  { system, address }: ConnectedSystem,
  items: readonly Item[],
  slugs: readonly string[],
  tell: (event: ApplyEvent) => void,
): Promise<void> {
  const ledger = new ApplyLedger(path.join(input.output, formatOf(system.name)), `${system.name}-${address}`);
  const dryRun = input.mode === 'plan';
  let said: string | undefined;
  const report = await applyTo(system, items, ledger, {
    dryRun,
    prune: true,
    verify: dryRun,
    ...(input.scope.kind === 'all' ? {} : { scopes: slugs }),
    onStep: (step, done, total) => {
      if (step.action === 'done') said = step.id;
      else if (step.action !== 'same') tell({ kind: 'step', system: system.name, step });
      tell({ kind: 'progress', stage: system.name, done, total });
    },
  });
  tell({ kind: 'system', system: system.name, address, report, ...(said === undefined ? {} : { said }) });
}

const formatOf = (system: string): Format => (system === 'kubernetes' ? 'kubernetes' : 'files');

const contextOf = (input: ApplyJobInput, format: Format): RenderContext =>
  new RenderContext({
    config: input.config,
    sections: input.sections,
    environment: input.environment,
    format,
    folders: input.folders,
  });

function* scopes(input: ApplyJobInput, context: RenderContext, own: OwnChanges): Generator<RenderedScope> {
  if (input.scope.kind === 'tenant') yield renderTenant(context, input.scope.tenant, own);
  else yield* renderTree(context, input.scope.kind === 'platform' ? [] : undefined, own);
}
const scopesOf = (input: ApplyJobInput): number =>
  input.scope.kind === 'all' ? 1 + Object.keys(input.config.tenants).length : 1;
