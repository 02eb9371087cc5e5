/**
 * A whole tree, file by file. Tenants that differ in nothing but their name share one rendering: it is made once for
 * a name that cannot occur, and the name is put in by replacement. That is safe because the writers always quote the
 * stand-in and a tenant id needs no escape inside quotes; a test compares with the plain way, file by file.
 */
import { VigieError } from '../../lib/errors.ts';
import type { Artefact } from '../artefact.ts';
import type { PackOverride } from '../pack.ts';
import { mergeOverrides, platformScope, type Scope, STAND_IN, slugOf, tenantScope } from '../scope.ts';
import { alertmanagerFile, alertmanagerKubernetes, alertmanagerTemplates } from './alertmanager.ts';
import { assets, elasticsearchTenant } from './assets.ts';
import { firstCollision } from './collisions.ts';
import type { RenderContext } from './context.ts';
import { dashboards, datasourceArtefacts, provisioning } from './grafana.ts';
import { isolation } from './kubernetes.ts';
import { rules } from './rules.ts';
import { scaling } from './scaling.ts';
import { scrapingFiles, scrapingKubernetes } from './scraping.ts';

/** Renderings kept for tenants that share them; beyond that they are made again. */
const SHARED_MAX = 64;

export interface RenderedScope {
  readonly scope: Scope;
  readonly artefacts: Iterable<Artefact>;
}

/** What was changed in a running Vigie, by tenant; `undefined` holds what counts for the operators' part. */
export type OwnChanges = ReadonlyMap<string | undefined, Readonly<Record<string, PackOverride>>>;
const NONE: OwnChanges = new Map();

/** The operators' part first, then each tenant in order of id. Nothing of one tenant is held while another is made. */
export function* renderTree(
  context: RenderContext,
  tenants?: readonly string[],
  own: OwnChanges = NONE,
): Generator<RenderedScope> {
  const ids = (tenants ?? Object.keys(context.config.tenants)).toSorted();
  const platform = withOwn(platformScope(context.config, context.environment), own);
  const slugs = [platform.slug, ...Object.keys(context.config.tenants).map(slugOf)];
  const collision = firstCollision(slugs, context.packNames());
  if (collision)
    throw new VigieError(
      'bad_config',
      `prometheus/rules/${collision.file} would be written twice, as tenant and pack ${collision.of.join(' and ')}; rename one of the packs`,
    );
  const scopes = function* (of: readonly string[]): Generator<Scope> {
    for (const id of of) yield withOwn(tenantScope(context.config, context.environment, id), own);
  };
  // one file routes for all, whichever tenants are asked for
  const all = (): Iterable<Scope> => scopes(Object.keys(context.config.tenants).toSorted());
  yield { scope: platform, artefacts: platformArtefacts(context, platform, all) };
  const shared = new Map<string, readonly Piece[]>();
  for (const scope of scopes(ids)) yield { scope, artefacts: sharedArtefacts(context, scope, shared) };
}

/** One tenant alone, whether the configuration names it or not. */
export function renderTenant(context: RenderContext, tenant: string, own: OwnChanges = NONE): RenderedScope {
  const scope = withOwn(tenantScope(context.config, context.environment, tenant), own);
  return { scope, artefacts: tenantArtefacts(context, scope) };
}

function withOwn(scope: Scope, own: OwnChanges): Scope {
  const changes = own.get(scope.tenant);
  return changes ? { ...scope, overrides: mergeOverrides(scope.overrides, changes) } : scope;
}

function* platformArtefacts(
  context: RenderContext,
  platform: Scope,
  tenants: () => Iterable<Scope>,
): Generator<Artefact> {
  yield* rules(context, platform);
  yield* dashboards(context, platform);
  yield* datasourceArtefacts(context, platform);
  yield* assets(context, platform);
  if (context.format === 'files') {
    yield* scrapingFiles(context, platform);
    yield alertmanagerFile(context, platform, tenants);
    yield* alertmanagerTemplates(context);
    yield* provisioning(context, platform);
  } else {
    yield* scrapingKubernetes(context, platform);
    yield* alertmanagerKubernetes(context, platform);
  }
}

/** What one tenant has of its own, made the plain way. */
export function* tenantArtefacts(context: RenderContext, scope: Scope): Generator<Artefact> {
  yield* rules(context, scope);
  yield* datasourceArtefacts(context, scope);
  yield* elasticsearchTenant(context, scope);
  if (context.format === 'files') {
    yield* scrapingFiles(context, scope);
    yield* provisioning(context, scope);
  } else {
    yield* scrapingKubernetes(context, scope);
    yield* alertmanagerKubernetes(context, scope);
    yield* isolation(context, scope);
    yield* scaling(context, scope);
  }
}

interface Piece extends Omit<Artefact, 'content'> {
  readonly content: string;
}

function* sharedArtefacts(
  context: RenderContext,
  scope: Scope,
  shared: Map<string, readonly Piece[]>,
): Generator<Artefact> {
  const { namespace: _own, display_name: _name, ...settings } = scope.settings ?? {};
  const key = JSON.stringify([settings, scope.overrides]);
  let pieces = shared.get(key);
  if (!pieces) {
    pieces = [...tenantArtefacts(context, { ...scope, ...STAND_IN })].map((a) => ({
      ...a,
      content: typeof a.content === 'string' ? a.content : [...a.content].join(''),
    }));
    if (shared.size < SHARED_MAX) shared.set(key, pieces);
  }
  const fill = (text: string): string =>
    text
      .replaceAll(STAND_IN.tenant, () => scope.tenant!)
      .replaceAll(STAND_IN.slug, scope.slug)
      .replaceAll(STAND_IN.namespace, scope.namespace);
  for (const piece of pieces)
    yield {
      ...piece,
      path: fill(piece.path),
      content: fill(piece.content),
      ...(piece.request ? { request: { ...piece.request, path: fill(piece.request.path) } } : {}),
    };
}
