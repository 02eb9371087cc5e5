/**
 * The configuration of every tenant: rule files, Alertmanager configuration and scrape configuration, from the
 * operator's files (catalogue packs, flags, `config_dir/tenants/<id>/`) and from what was stored through the API
 * (versioned). A change is checked as a whole before anything is swapped. Files that do not load leave the last good
 * ones in force, also across a restart: they are remembered as documents.
 */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { type TenantId, tenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { Options } from './options.ts';

export const TENANT_CONFIG: CollectionSpec = { name: 'tenant_config' };
export const TENANT_CONFIG_VERSIONS: CollectionSpec = { name: 'tenant_config_versions', indexed: ['version'] };
/** Versions kept per tenant. */
export const CONFIG_VERSIONS_MAX = 50;
export const RULE_FILES_MAX = 200;
export const CONFIG_BYTES_MAX = 4 * 1024 * 1024;
/** Names are labels only, never paths of the server; mimirtool's namespaces may hold spaces and slashes. */
const RULE_FILE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_. /-]{0,127}$/;
const CURRENT = 'current';
const LAST_GOOD = 'files';

/** What a tenant stored through the API. */
export interface StoredConfig {
  /** File name -> text of a Prometheus rule file. */
  readonly rules: Readonly<Record<string, string>>;
  readonly alertmanager?: string;
  /** Template files that the Alertmanager configuration may name. */
  readonly templates?: Readonly<Record<string, string>>;
  readonly scrape?: string;
  readonly by: string;
}
export interface ConfigChange {
  /** null removes a file. */
  readonly rules?: Readonly<Record<string, string | null>>;
  readonly alertmanager?: string | null;
  readonly templates?: Readonly<Record<string, string>> | null;
  readonly scrape?: string | null;
}
export interface ConfigView extends StoredConfig {
  readonly version: number;
  readonly updatedAtMs: number;
  /** Files of the operator, which the API cannot change. */
  readonly files: { readonly rules: readonly SourceFile[]; readonly alertmanager?: string; readonly scrape?: string };
  /** Why the newest configuration is not the one in force; '' when it is. */
  readonly problem: string;
}

export interface SourceFile {
  readonly name: string;
  readonly text: string;
  readonly source: 'catalogue' | 'file' | 'api';
}
/** Everything a tenant should run. */
export interface EffectiveConfig {
  readonly rules: readonly SourceFile[];
  readonly alertmanager?: {
    readonly yaml: string;
    /** The file it was read from, for messages. */
    readonly file?: string;
    readonly trusted: boolean;
    readonly baseDir?: string;
    readonly templates?: Readonly<Record<string, string>>;
  };
  readonly scrape?: string;
}

export interface TenantConfigPorts {
  readonly documents: DocumentStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: () => Options;
  /** Rule files of the catalogue for a tenant. */
  readonly catalogue: (tenant: TenantId) => Promise<readonly SourceFile[]>;
  /** Rule files that the default tenant's Prometheus configuration names. */
  readonly prometheusRuleFiles: () => readonly string[];
  /** Checks without using; throws `bad_config`. */
  readonly check: (tenant: TenantId, config: EffectiveConfig) => Promise<void>;
  readonly apply: (tenant: TenantId, config: EffectiveConfig) => Promise<void>;
}

export class TenantConfigs {
  readonly #p: TenantConfigPorts;
  readonly #problems = new Map<TenantId, string>();
  /** Changes of one tenant go one after the other. */
  readonly #tails = new Map<TenantId, Promise<unknown>>();
  /** Patterns of rule files that were said to match nothing. */
  readonly #emptyPatterns = new Set<string>();

  constructor(ports: TenantConfigPorts) {
    this.#p = ports;
  }

  /** Tenants that the operator's folder names. */
  fileTenants(): readonly TenantId[] {
    const folder = this.#folder();
    if (!folder || !existsSync(folder)) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((e) => e.isDirectory())
      .map((e) => tenantId(e.name));
  }

  problem(tenant: TenantId): string {
    return this.#problems.get(tenant) ?? '';
  }

  /** Loads what the tenant should run and runs it; what cannot be loaded leaves the last good. Never throws but for storage. */
  load(tenant: TenantId): Promise<string> {
    return this.#inTurn(tenant, () => this.#load(tenant));
  }

  async #load(tenant: TenantId): Promise<string> {
    const stored = (await this.#stored(tenant))?.body;
    let files: EffectiveConfig;
    let problem = '';
    try {
      files = await this.#files(tenant);
      const wanted = merged(files, stored);
      await this.#p.check(tenant, wanted);
      await this.#p.apply(tenant, wanted);
      await this.#remember(tenant, files);
    } catch (error) {
      problem = messageOf(error);
      this.#p.logger.error('the configuration of a tenant does not load; its last good one stays', {
        tenant,
        error: problem,
      });
      const good = await this.#p.documents.collection<EffectiveConfig>(tenant, TENANT_CONFIG).get(LAST_GOOD);
      if (good) {
        // the catalogue travels with the program and is never the broken part
        const last = { ...good.body, rules: [...(await this.#p.catalogue(tenant)), ...good.body.rules] };
        await this.#p.apply(tenant, merged(last, stored)).catch((e: unknown) => {
          this.#p.logger.error('the last good configuration of a tenant does not load either', {
            tenant,
            error: messageOf(e),
          });
        });
      } else {
        const shipped = await this.#p.catalogue(tenant);
        await this.#p
          .apply(tenant, merged({ rules: shipped }, stored))
          .catch(() => this.#p.apply(tenant, { rules: shipped }))
          .catch(() => undefined);
      }
    }
    if (problem) this.#problems.set(tenant, problem);
    else this.#problems.delete(tenant);
    return problem;
  }

  /** For a strict start and for reload: throws what is wrong with the operator's own files of the default tenant. */
  async checkFiles(tenant: TenantId): Promise<void> {
    await this.#p.check(tenant, merged(await this.#files(tenant), (await this.#stored(tenant))?.body));
  }

  async get(tenant: TenantId): Promise<ConfigView> {
    const stored = await this.#stored(tenant);
    let files: EffectiveConfig;
    try {
      files = await this.#files(tenant);
    } catch {
      files = { rules: [] };
    }
    return {
      ...(stored?.body ?? { rules: {}, by: '' }),
      version: stored?.version ?? 0,
      updatedAtMs: stored?.updatedAtMs ?? 0,
      files: {
        rules: files.rules,
        ...(files.alertmanager ? { alertmanager: files.alertmanager.yaml } : {}),
        ...(files.scrape === undefined ? {} : { scrape: files.scrape }),
      },
      problem: this.problem(tenant),
    };
  }

  /** Checks the changed whole, stores it as a new version, runs it. Throws `bad_config`, `conflict`. */
  put(tenant: TenantId, change: ConfigChange, by: string, expectVersion?: number): Promise<ConfigView> {
    return this.#inTurn(tenant, async () => {
      const before = await this.#stored(tenant);
      if (expectVersion !== undefined && (before?.version ?? 0) !== expectVersion)
        throw new VigieError(
          'conflict',
          `the configuration of ${tenant} has version ${before?.version ?? 0}, expected ${expectVersion}`,
        );
      await this.#store(tenant, changed(before?.body, change, by), before?.version);
      return this.get(tenant);
    });
  }

  async #store(tenant: TenantId, next: StoredConfig, version: number | undefined): Promise<void> {
    const wanted = merged(await this.#files(tenant), next);
    await this.#p.check(tenant, wanted);
    const collection = this.#p.documents.collection<StoredConfig>(tenant, TENANT_CONFIG);
    const stored = await collection.put(CURRENT, next, version ?? 'absent');
    const versions = this.#p.documents.collection<StoredConfig & { version: number }>(tenant, TENANT_CONFIG_VERSIONS);
    await versions.put(String(stored.version), { ...next, version: stored.version });
    if (stored.version > CONFIG_VERSIONS_MAX) await versions.delete(String(stored.version - CONFIG_VERSIONS_MAX));
    await this.#p.apply(tenant, wanted);
    this.#problems.delete(tenant);
  }

  /** Newest first. */
  async versions(
    tenant: TenantId,
  ): Promise<readonly { readonly version: number; readonly atMs: number; readonly config: StoredConfig }[]> {
    const page = await this.#p.documents
      .collection<StoredConfig & { version: number }>(tenant, TENANT_CONFIG_VERSIONS)
      .list({ orderBy: { field: 'version', direction: 'desc' }, limit: CONFIG_VERSIONS_MAX });
    return page.items.map(({ body: { version, ...config }, createdAtMs }) => ({ version, atMs: createdAtMs, config }));
  }

  /** Makes an older version the newest. Throws `not_found`. */
  restore(tenant: TenantId, version: number, by: string): Promise<ConfigView> {
    return this.#inTurn(tenant, async () => {
      const found = await this.#p.documents
        .collection<StoredConfig & { version: number }>(tenant, TENANT_CONFIG_VERSIONS)
        .get(String(version));
      if (!found) throw new VigieError('not_found', `no version ${version} of the configuration of ${tenant}`);
      const { version: _old, ...config } = found.body;
      await this.#store(tenant, { ...config, by }, (await this.#stored(tenant))?.version);
      return this.get(tenant);
    });
  }

  #stored(tenant: TenantId) {
    return this.#p.documents.collection<StoredConfig>(tenant, TENANT_CONFIG).get(CURRENT);
  }

  async #remember(tenant: TenantId, files: EffectiveConfig): Promise<void> {
    const own: EffectiveConfig = { ...files, rules: files.rules.filter((r) => r.source === 'file') };
    if (own.rules.length === 0 && !own.alertmanager && own.scrape === undefined) return;
    const collection = this.#p.documents.collection<EffectiveConfig>(tenant, TENANT_CONFIG);
    const before = await collection.get(LAST_GOOD);
    if (before && JSON.stringify(before.body) === JSON.stringify(own)) return;
    await collection.put(LAST_GOOD, own);
  }

  #folder(): string | undefined {
    const { config_dir } = this.#p.options();
    return config_dir === undefined ? undefined : path.join(config_dir, 'tenants');
  }

  /** No error: a folder may be filled later, and the next reload finds it. Told once, for files are read often. */
  #tellEmpty(pattern: string, isEmpty: boolean): void {
    if (!isEmpty) this.#emptyPatterns.delete(pattern);
    else if (!this.#emptyPatterns.has(pattern)) {
      this.#emptyPatterns.add(pattern);
      this.#p.logger.warn('a pattern of rule files matches no file; no rules come from it', { pattern });
    }
  }

  /** Reads the operator's files of a tenant. Throws `bad_config` for one that cannot be read. */
  async #files(tenant: TenantId): Promise<EffectiveConfig> {
    const options = this.#p.options();
    const rules: SourceFile[] = [...(await this.#p.catalogue(tenant))];
    let alertmanager: EffectiveConfig['alertmanager'];
    let scrape: string | undefined;
    const isDefault = tenant === options.tenant;
    if (isDefault) {
      for (const pattern of [...options.rules, ...this.#p.prometheusRuleFiles()]) {
        const matches = /[*?[{]/.test(pattern) ? globSync(pattern).sort() : [pattern];
        this.#tellEmpty(pattern, matches.length === 0);
        for (const file of matches) rules.push({ name: file, text: read(file), source: 'file' });
      }
      if (options.alertmanager_config !== undefined)
        alertmanager = {
          yaml: read(options.alertmanager_config),
          file: options.alertmanager_config,
          trusted: true,
          baseDir: path.dirname(options.alertmanager_config),
        };
    }
    const folder = this.#folder();
    if (folder) {
      const own = path.join(folder, tenant);
      const ruleFolder = path.join(own, 'rules');
      if (existsSync(ruleFolder))
        for (const name of readdirSync(ruleFolder).sort())
          if (/\.ya?ml$/.test(name)) rules.push({ name, text: read(path.join(ruleFolder, name)), source: 'file' });
      const routing = path.join(own, 'alertmanager.yml');
      if (existsSync(routing)) alertmanager = { yaml: read(routing), file: routing, trusted: true, baseDir: own };
      const targets = path.join(own, 'scrape.yml');
      if (existsSync(targets)) scrape = read(targets);
    }
    return { rules, ...(alertmanager ? { alertmanager } : {}), ...(scrape === undefined ? {} : { scrape }) };
  }

  #inTurn<R>(tenant: TenantId, work: () => Promise<R>): Promise<R> {
    const before = this.#tails.get(tenant) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(work);
    this.#tails.set(tenant, mine);
    const forget = (): void => {
      if (this.#tails.get(tenant) === mine) this.#tails.delete(tenant);
    };
    mine.then(forget, forget);
    return mine;
  }

  forget(tenant: TenantId): void {
    this.#problems.delete(tenant);
  }
}

/** What the tenant stored comes on top of the files: its rule files beside them, its routing and scraping instead. */
function merged(files: EffectiveConfig, stored: StoredConfig | undefined): EffectiveConfig {
  if (!stored) return files;
  const own: SourceFile[] = Object.entries(stored.rules).map(([name, text]) => ({ name, text, source: 'api' }));
  const alertmanager =
    stored.alertmanager === undefined
      ? files.alertmanager
      : { yaml: stored.alertmanager, trusted: false, ...(stored.templates ? { templates: stored.templates } : {}) };
  const scrape = stored.scrape ?? files.scrape;
  return {
    rules: [...files.rules.filter((f) => !own.some((o) => o.name === f.name)), ...own],
    ...(alertmanager ? { alertmanager } : {}),
    ...(scrape === undefined ? {} : { scrape }),
  };
}

function changed(before: StoredConfig | undefined, change: ConfigChange, by: string): StoredConfig {
  const rules: Record<string, string> = { ...before?.rules };
  for (const [name, text] of Object.entries(change.rules ?? {})) {
    if (!RULE_FILE_NAME.test(name))
      throw new VigieError(
        'bad_data',
        `rule file name ${JSON.stringify(name.slice(0, 100))}: want letters, digits, spaces, _ . / - and at most 128 of them`,
      );
    if (text === null) delete rules[name];
    else rules[name] = text;
  }
  if (Object.keys(rules).length > RULE_FILES_MAX)
    throw new VigieError('quota', `at most ${RULE_FILES_MAX} rule files per tenant`);
  const pick = <T>(next: T | null | undefined, old: T | undefined): T | undefined =>
    next === null ? undefined : (next ?? old);
  const alertmanager = pick(change.alertmanager, before?.alertmanager);
  const templates = pick(change.templates, before?.templates);
  const scrape = pick(change.scrape, before?.scrape);
  const next: StoredConfig = {
    rules,
    by,
    ...(alertmanager === undefined ? {} : { alertmanager }),
    ...(templates === undefined ? {} : { templates }),
    ...(scrape === undefined ? {} : { scrape }),
  };
  if (Buffer.byteLength(JSON.stringify(next)) > CONFIG_BYTES_MAX)
    throw new VigieError('too_large', `the configuration of a tenant may have ${CONFIG_BYTES_MAX} bytes`);
  return next;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
