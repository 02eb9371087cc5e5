/** What every renderer is handed: configuration, templates, the packs as tuned for a scope, and a list of complaints. */

import type { CatalogueConfig, Environment, SectionsForRender } from '../config.ts';
import { type Catalogue, loadCatalogue, packNames } from '../load.ts';
import { NativeTemplates } from '../native.ts';
import type { PackOverride, ParsedFiles, RenderedPack } from '../pack.ts';
import type { Scope } from '../scope.ts';

export type Format = 'files' | 'kubernetes';

/** Scopes whose list of packs is kept, and tuned packs; beyond that they are made again from the parsed files. */
const SCOPES_CACHED_MAX = 64;
const PACKS_CACHED_MAX = 512;

export interface RenderOptions {
  readonly config: CatalogueConfig;
  readonly sections: SectionsForRender;
  readonly environment: Environment;
  readonly format: Format;
  /** The shipped `templates/` first, then users' folders. */
  readonly folders: readonly string[];
}

export interface Problem {
  readonly where: string;
  readonly message: string;
}

export class RenderContext {
  readonly config: CatalogueConfig;
  readonly sections: SectionsForRender;
  readonly environment: Environment;
  readonly format: Format;
  readonly native: NativeTemplates;
  readonly problems: Problem[] = [];
  readonly #folderOfPack = new Map<string, string>();
  readonly #cache = new Map<string, readonly RenderedPack[]>();
  readonly #tuned = new Map<string, Catalogue>();
  readonly #parsed: ParsedFiles = new Map();

  constructor(options: RenderOptions) {
    this.config = options.config;
    this.sections = options.sections;
    this.environment = options.environment;
    this.format = options.format;
    this.native = new NativeTemplates(options.folders);
    for (const folder of options.folders) for (const name of packNames(folder)) this.#folderOfPack.set(name, folder);
    for (const name of options.config.packs)
      if (!this.#folderOfPack.has(name))
        this.complain(`catalogue.packs`, `no pack ${JSON.stringify(name)}; known are ${this.packNames().join(', ')}`);
  }

  packNames(): readonly string[] {
    return [...this.#folderOfPack.keys()].sort();
  }

  complain(where: string, message: string): void {
    if (!this.problems.some((p) => p.where === where && p.message === message)) this.problems.push({ where, message });
  }

  /** The packs of a scope, tuned; broken ones are complained of and left out. */
  packs(scope: Scope): readonly RenderedPack[] {
    const key = JSON.stringify([scope.overrides, scope.settings?.packs ?? null, scope.tenant === undefined]);
    const cached = recent(this.#cache, key);
    if (cached) return cached;
    const wanted = new Set(scope.settings?.packs ?? []);
    const names = this.packNames().filter(
      (n) => (this.config.packs.length === 0 || this.config.packs.includes(n)) && (wanted.size === 0 || wanted.has(n)),
    );
    const where = scope.tenant === undefined ? 'catalogue' : `catalogue.tenants.${scope.tenant}`;
    for (const unknown of [...Object.keys(scope.overrides), ...wanted])
      if (!this.#folderOfPack.has(unknown))
        this.complain(where, `no pack ${JSON.stringify(unknown)}; known are ${this.packNames().join(', ')}`);
    const found = names.flatMap((name) => {
      const loaded = this.#load(name, scope);
      for (const p of loaded.problems) this.complain(`${where}: pack ${p.pack}`, p.message);
      return loaded.packs;
    });
    // tenants get the packs whose series carry tenant_id; the operators those too unless tenants are named
    const tenantsNamed = Object.keys(this.config.tenants).length > 0;
    const packs = found.filter((p) =>
      scope.tenant === undefined ? !(p.manifest.scope === 'tenant' && tenantsNamed) : p.manifest.scope === 'tenant',
    );
    // tenants tuned each in its own way would keep a catalogue each
    keep(this.#cache, key, packs, SCOPES_CACHED_MAX);
    return packs;
  }

  /** Every pack, whatever its scope, with the operators' values: for what is rendered once, such as dashboards. */
  allPacks(scope: Scope): readonly RenderedPack[] {
    const names = this.packNames().filter((n) => this.config.packs.length === 0 || this.config.packs.includes(n));
    return names.flatMap((name) => this.#load(name, scope).packs);
  }

  #load(name: string, scope: Scope): Catalogue {
    const override = scope.overrides[name];
    const key = `${name}\0${JSON.stringify(override ?? null)}`;
    let loaded = recent(this.#tuned, key);
    if (!loaded) {
      const only: Record<string, PackOverride> = override ? { [name]: override } : {};
      loaded = loadCatalogue(this.#folderOfPack.get(name)!, [name], only, this.#parsed);
      keep(this.#tuned, key, loaded, PACKS_CACHED_MAX);
    }
    return loaded;
  }
}

/** The value, which becomes the most recently used. */
function recent<V>(map: Map<string, V>, key: string): V | undefined {
  const value = map.get(key);
  if (value === undefined) return undefined;
  map.delete(key);
  map.set(key, value);
  return value;
}
function keep<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  if (map.size >= max) map.delete(map.keys().next().value!);
  map.set(key, value);
}
