/** The packs of the catalogue in the process: which tenant gets which rules and dashboards. */
import path from 'node:path';
import { stringify } from 'yaml';
import { type Catalogue, loadCatalogue } from '../catalogue/load.ts';
import type { CatalogueDashboard } from '../dashboards/dashboard-store.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { Options } from './options.ts';
import type { SourceFile } from './tenant-config.ts';

export interface CataloguePacksInput {
  readonly options: () => Options;
  /** Owns the telemetry of this host and of Vigie; gets their packs beside the default tenant. */
  readonly hostTenant: TenantId;
  readonly logger: Logger;
}

export class CataloguePacks {
  readonly #i: CataloguePacksInput;
  #loaded: Catalogue | undefined;
  #rules: readonly SourceFile[] | undefined;
  #dashboards: readonly CatalogueDashboard[] | undefined;

  constructor(input: CataloguePacksInput) {
    this.#i = input;
  }

  /** Reads the packs anew at the next use. */
  reload(): void {
    this.#loaded = undefined;
    this.#rules = undefined;
    this.#dashboards = undefined;
  }

  get catalogue(): Catalogue {
    if (!this.#loaded) {
      const loaded = loadCatalogue(templatesFolder(), this.#i.options().packs);
      for (const p of loaded.problems)
        this.#i.logger.error('a pack of the catalogue does not load and is left out', { ...p });
      this.#loaded = loaded;
    }
    return this.#loaded;
  }

  #has(tenant: TenantId): boolean {
    return tenant === this.#i.options().tenant || tenant === this.#i.hostTenant;
  }

  rules(tenant: TenantId): readonly SourceFile[] {
    if (!this.#has(tenant)) return [];
    this.#rules ??= this.catalogue.packs.flatMap((pack) =>
      [...pack.rules].map(
        ([file, rules]): SourceFile => ({
          name: `catalogue/${path.basename(file)}`,
          text: stringify(rules),
          source: 'catalogue',
        }),
      ),
    );
    return this.#rules;
  }

  dashboards(_tenant: TenantId): readonly CatalogueDashboard[] {
    this.#dashboards ??= this.catalogue.packs.flatMap((pack) =>
      [...pack.dashboards].map(([file, dashboard]): CatalogueDashboard => {
        const uid = typeof dashboard['uid'] === 'string' ? dashboard['uid'] : path.basename(file, '.json');
        return { uid, folder: pack.manifest.title, dashboard };
      }),
    );
    return this.#dashboards;
  }
}

/** The catalogue that came with the program: beside src/ in a checkout, beside dist/ in the package. */
export function templatesFolder(): string {
  const root = path.resolve(import.meta.dirname, '../..');
  return path.join(path.basename(root) === 'dist' ? path.dirname(root) : root, 'templates');
}
