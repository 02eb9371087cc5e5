/** The packs of the catalogue in the process: which tenant gets which, their dashboards and detectors. */
import path from 'node:path';
import { type Catalogue, loadCatalogue, packNames } from '../catalogue/load.ts';
import type { PackOverride } from '../catalogue/pack.ts';
import { tenantScope } from '../catalogue/scope.ts';
import type { CatalogueDashboard } from '../dashboards/dashboard-store.ts';
import type { Logger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { Options } from './options.ts';

export interface CataloguePacksInput {
  readonly options: () => Options;
  /** Owns the telemetry of this host and of Vigie; gets their packs beside the default tenant. */
  readonly hostTenant: TenantId;
  readonly isDemo: (tenant: TenantId) => boolean;
  readonly logger: Logger;
}

interface Rendered {
  readonly catalogue: Catalogue;
  readonly dashboards: readonly CatalogueDashboard[];
  /** Path in the catalogue -> parsed file. */
  readonly detectors: ReadonlyMap<string, unknown>;
}

export class CataloguePacks {
  readonly #i: CataloguePacksInput;
  /** By packs and what is tuned in them: most tenants share one. */
  readonly #rendered = new Map<string, Rendered>();

  constructor(input: CataloguePacksInput) {
    this.#i = input;
  }

  /** Reads the packs anew at the next use. */
  reload(): void {
    this.#rendered.clear();
  }

  /** The packs a tenant runs: those configured for the default tenant and the owner of this host, all for a synthetic one. */
  packs(tenant: TenantId): readonly string[] {
    if (this.#i.isDemo(tenant)) return this.#names();
    const { packs, catalogue, tenant: ownTenant } = this.#i.options();
    const settings = catalogue.tenants[tenant];
    if (settings) return settings.packs ?? this.#names();
    if (tenant !== ownTenant && tenant !== this.#i.hostTenant) return [];
    const { predictive, machine_learning } = this.#i.options().intelligent_alerts;
    return (predictive || machine_learning) && !packs.includes('intelligence') ? [...packs, 'intelligence'] : packs;
  }

  detectors(tenant: TenantId): ReadonlyMap<string, unknown> {
    return this.#of(tenant, this.packs(tenant)).detectors;
  }

  /** Dashboards cost nothing until somebody looks: every tenant has those of the default packs at least. */
  dashboards(tenant: TenantId): readonly CatalogueDashboard[] {
    const own = this.packs(tenant);
    return this.#of(tenant, own.length > 0 ? own : this.#i.options().packs).dashboards;
  }

  #names(): readonly string[] {
    return [...new Set(catalogueFolders(this.#i.options()).flatMap((f) => packNames(f)))].sort();
  }

  #load(names: readonly string[], overrides: Readonly<Record<string, PackOverride>>): Catalogue {
    const folders = catalogueFolders(this.#i.options()).toReversed();
    const loaded = names.map((name): Catalogue => {
      const folder = folders.find((f) => packNames(f).includes(name)) ?? templatesFolder();
      return loadCatalogue(folder, [name], overrides[name] ? { [name]: overrides[name] } : {});
    });
    return { packs: loaded.flatMap((c) => c.packs), problems: loaded.flatMap((c) => c.problems) };
  }

  #of(tenant: TenantId, names: readonly string[]): Rendered {
    const { catalogue: config, environment } = this.#i.options();
    const { overrides } = tenantScope(config, environment, tenant);
    const key = JSON.stringify([names, overrides]);
    let found = this.#rendered.get(key);
    if (!found) {
      const catalogue = this.#load(names, overrides);
      for (const p of catalogue.problems)
        this.#i.logger.error('a pack of the catalogue does not load and is left out', { ...p });
      found = {
        catalogue,
        detectors: new Map(catalogue.packs.flatMap((pack) => [...pack.detectors])),
        dashboards: catalogue.packs.flatMap((pack) =>
          [...pack.dashboards].map(([file, dashboard]): CatalogueDashboard => {
            const uid = typeof dashboard['uid'] === 'string' ? dashboard['uid'] : path.basename(file, '.json');
            return { uid, folder: pack.manifest.title, dashboard };
          }),
        ),
      };
      this.#rendered.set(key, found);
    }
    return found;
  }
}

/** The shipped catalogue first, then users' own folders; a pack of the same name in a later one wins. */
export function catalogueFolders(options: Options): readonly string[] {
  return [templatesFolder(), ...options.catalogue.folders];
}

/** The catalogue that came with the program: beside src/ in a checkout, beside dist/ in the package. */
export function templatesFolder(): string {
  const root = path.resolve(import.meta.dirname, '../..');
  return path.join(path.basename(root) === 'dist' ? path.dirname(root) : root, 'templates');
}
