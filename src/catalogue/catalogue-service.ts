/**
 * The catalogue as people browse and tune it in a running process: packs, what their parameters do, and each tenant's
 * own changes, kept as versioned documents. A change is checked as a whole before it is kept: a pack that would not
 * render is refused, and the one in force stays.
 */
import { messageOf, VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { type CheckPorts, knownMetrics } from './check/catalogue.ts';
import type { CheckedRule, Finding } from './check/finding.ts';
import { checkRules } from './check/rules.ts';
import type { CatalogueConfig, Environment } from './config.ts';
import { loadCatalogue, packNames } from './load.ts';
import { type PackOverride, packOverrideSchema, type RenderedPack, type RuleNode, renderPack } from './pack.ts';
import { mergeOverrides } from './scope.ts';
import { textDiff } from './text-diff.ts';
import { yamlText } from './yaml-text.ts';

export const OVERRIDES: CollectionSpec = { name: 'catalogue_overrides' };
/** Bytes of one tenant's changes to one pack. */
export const OVERRIDE_BYTES_MAX = 64 * 1024;

export interface CatalogueServiceInput {
  /** The shipped `templates/` first, then users' own. */
  readonly folders: () => readonly string[];
  readonly config: () => CatalogueConfig;
  readonly environment: () => Environment;
  readonly documents: DocumentStore;
  readonly checkTemplate?: CheckPorts['checkTemplate'];
  /** Called after a tenant's changes were kept: its rules must be loaded again. */
  readonly onChange?: (tenant: TenantId) => void;
}

export interface PackSummary {
  readonly pack: string;
  readonly version: string;
  readonly title: string;
  readonly description: string;
  readonly scope: 'platform' | 'tenant';
  readonly alerts: number;
  readonly recordings: number;
  readonly dashboards: readonly string[];
  readonly tuned: boolean;
  /** The pack does not load, with this message; the others do. */
  readonly problem?: string;
}

export interface PackDetail {
  readonly pack: RenderedPack;
  /** In force for the tenant: configuration below, the tenant's own on top. */
  readonly effective: PackOverride;
  readonly own: PackOverride;
  /** Of the stored document; 0 without one. */
  readonly version: number;
  /** Parameter -> rules whose text it changes. */
  readonly usedBy: Readonly<Record<string, readonly string[]>>;
  readonly shipped: RenderedPack;
}

export interface PreviewResult {
  readonly problems: readonly string[];
  readonly findings: readonly Finding[];
  /** Unified difference of the rule file, against what is in force; '' when nothing changes. */
  readonly diff: string;
}

export class CatalogueService {
  readonly #i: CatalogueServiceInput;
  readonly #own = new Map<TenantId, ReadonlyMap<string, { override: PackOverride; version: number }>>();

  constructor(input: CatalogueServiceInput) {
    this.#i = input;
  }

  async list(tenant: TenantId): Promise<readonly PackSummary[]> {
    const own = await this.#ofTenant(tenant);
    return this.#names().map((name): PackSummary => {
      const loaded = loadCatalogue(
        this.#folderOf(name),
        [name],
        this.#only(name, this.#effective(tenant, name, own.get(name)?.override)),
      );
      const pack = loaded.packs[0];
      const rules = pack ? [...pack.rules.values()].flatMap((f) => f.groups.flatMap((g) => g.rules)) : [];
      return {
        pack: name,
        version: pack?.manifest.version ?? '',
        title: pack?.manifest.title ?? name,
        description: pack?.manifest.description ?? '',
        scope: pack?.manifest.scope ?? 'platform',
        alerts: rules.filter((r) => r.alert).length,
        recordings: rules.filter((r) => r.record).length,
        dashboards: [...(pack?.dashboards.values() ?? [])].map((d) => String(d['uid'])),
        tuned: own.has(name),
        ...(loaded.problems[0] ? { problem: loaded.problems[0].message } : {}),
      };
    });
  }

  async detail(tenant: TenantId, name: string): Promise<PackDetail> {
    const folder = this.#folderOf(name);
    const stored = (await this.#ofTenant(tenant)).get(name);
    const effective = this.#effective(tenant, name, stored?.override);
    const shipped = renderPack(folder, name);
    return {
      pack: renderPack(folder, name, effective),
      effective,
      own: stored?.override ?? {},
      version: stored?.version ?? 0,
      usedBy: this.#usedBy(folder, name, shipped),
      shipped,
    };
  }

  /** What a change would do; nothing is kept. Problems are data here, not errors. */
  async preview(tenant: TenantId, name: string, override: unknown): Promise<PreviewResult> {
    const folder = this.#folderOf(name);
    const checked = packOverrideSchema.safeParse(override);
    if (!checked.success)
      return { problems: checked.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`), findings: [], diff: '' };
    const own = await this.#ofTenant(tenant);
    try {
      const before = renderPack(folder, name, this.#effective(tenant, name, own.get(name)?.override));
      const after = renderPack(folder, name, this.#effective(tenant, name, checked.data));
      return {
        problems: [],
        findings: this.#findings(after),
        diff: textDiff(rulesText(before), rulesText(after), `${name}.yml`) ?? '',
      };
    } catch (error) {
      return { problems: messageOf(error).split('\n'), findings: [], diff: '' };
    }
  }

  /**
   * Keeps a tenant's changes to a pack. `expect` is the version that the change was made from, 0 for none. Throws
   * `bad_config` when the pack would not render, `conflict` when somebody was faster.
   */
  async save(tenant: TenantId, name: string, override: unknown, expect: number): Promise<number> {
    this.#folderOf(name);
    const bytes = Buffer.byteLength(JSON.stringify(override ?? null));
    if (bytes > OVERRIDE_BYTES_MAX)
      throw new VigieError('too_large', `changes to ${name} have ${bytes} bytes; at most ${OVERRIDE_BYTES_MAX}`);
    const preview = await this.preview(tenant, name, override);
    const bad = [
      ...preview.problems,
      ...preview.findings.filter((f) => f.level === 'error').map((f) => `${f.where}: ${f.message}`),
    ];
    if (bad.length > 0) throw new VigieError('bad_config', bad.join('\n'));
    const stored = await this.#i.documents
      .collection<PackOverride>(tenant, OVERRIDES)
      .put(name, packOverrideSchema.parse(override), expect === 0 ? 'absent' : expect);
    this.#changed(tenant);
    return stored.version;
  }

  /** Back to what the configuration says. */
  async reset(tenant: TenantId, name: string): Promise<void> {
    this.#folderOf(name);
    await this.#i.documents.collection<PackOverride>(tenant, OVERRIDES).delete(name);
    this.#changed(tenant);
  }

  /** The rule files of `packs` as tuned for a tenant, for the rule service. Broken packs are left out and told. */
  async ruleFiles(
    tenant: TenantId,
    packs: readonly string[],
    onProblem: (pack: string, message: string) => void,
  ): Promise<readonly { readonly name: string; readonly text: string }[]> {
    const own = await this.#ofTenant(tenant);
    return packs.flatMap((name) => {
      try {
        const override = this.#effective(tenant, name, own.get(name)?.override);
        if (override.enabled === false) return [];
        const pack = renderPack(this.#folderOf(name), name, override);
        return [...pack.rules].map(([file, content]) => ({
          name: `catalogue/${file.slice(file.lastIndexOf('/') + 1)}`,
          text: yamlText(content),
        }));
      } catch (error) {
        onProblem(name, messageOf(error));
        return [];
      }
    });
  }

  /** A tenant's own changes, by pack: what `apply` puts on top of the configuration. */
  async ownChanges(tenant: TenantId): Promise<Readonly<Record<string, PackOverride>>> {
    return Object.fromEntries([...(await this.#ofTenant(tenant))].map(([pack, own]) => [pack, own.override]));
  }

  /** Forget copies in memory: another process may have changed the documents. */
  refresh(tenant: TenantId): void {
    this.#own.delete(tenant);
  }

  #changed(tenant: TenantId): void {
    this.#own.delete(tenant);
    this.#i.onChange?.(tenant);
  }

  async #ofTenant(tenant: TenantId): Promise<ReadonlyMap<string, { override: PackOverride; version: number }>> {
    let own = this.#own.get(tenant);
    if (!own) {
      const { items } = await this.#i.documents.collection<PackOverride>(tenant, OVERRIDES).list();
      own = new Map(items.map((d) => [d.id, { override: d.body, version: d.version }]));
      this.#own.set(tenant, own);
    }
    return own;
  }

  #names(): readonly string[] {
    return [...new Set(this.#i.folders().flatMap((f) => packNames(f)))].sort();
  }

  #folderOf(name: string): string {
    const found = [...this.#i.folders()].reverse().find((f) => packNames(f).includes(name));
    if (!found)
      throw new VigieError(
        'not_found',
        `no pack ${JSON.stringify(name.slice(0, 80))}; known are ${this.#names().join(', ')}`,
      );
    return found;
  }

  #only(name: string, override: PackOverride): Record<string, PackOverride> {
    const { enabled: _shownAnyway, ...rest } = override;
    return { [name]: rest };
  }

  #effective(tenant: TenantId, name: string, own: PackOverride | undefined): PackOverride {
    const config = this.#i.config();
    const environment = this.#i.environment();
    const settings = config.tenants[tenant];
    const layers = [
      config.overrides,
      config.environments[environment]?.overrides,
      settings?.overrides,
      settings?.environments[environment]?.overrides,
      own ? { [name]: own } : undefined,
    ];
    return (
      layers.reduce<Readonly<Record<string, PackOverride>>>((all, next) => mergeOverrides(all, next ?? {}), {})[name] ??
      {}
    );
  }

  #findings(pack: RenderedPack): readonly Finding[] {
    const rules = [...pack.rules].flatMap(([file, f]) =>
      f.groups.flatMap((g) => g.rules.map((r): CheckedRule => asChecked(r, file, g.name))),
    );
    const findings = checkRules({ rules, queries: [], metrics: undefined, complete: false }).filter(
      (f) => f.kind !== 'unused-recording',
    );
    if (knownMetrics([pack]).size === 0 || !this.#i.checkTemplate) return findings;
    const templates = rules.flatMap((r) =>
      Object.entries(r.annotations).flatMap(([key, text]): Finding[] => {
        try {
          this.#i.checkTemplate!(text, r.name);
          return [];
        } catch (error) {
          return [{ level: 'error', kind: 'bad-template', where: `${r.where}: ${key}`, message: messageOf(error) }];
        }
      }),
    );
    return [...findings, ...templates];
  }

  /** Which rules change when a parameter does: rendered once more with each parameter moved. */
  #usedBy(folder: string, name: string, shipped: RenderedPack): Record<string, readonly string[]> {
    const texts = ruleTexts(shipped);
    return Object.fromEntries(
      Object.entries(shipped.manifest.parameters).map(([parameter, declared]) => {
        const moved =
          declared.type === 'number'
            ? declared.default === (declared.max ?? Number.POSITIVE_INFINITY)
              ? (declared.min ?? declared.default - 1)
              : Math.min(declared.max ?? Number.POSITIVE_INFINITY, declared.default + 0.0123)
            : declared.type === 'boolean'
              ? !declared.default
              : declared.type === 'duration'
                ? (declared.max ?? '13w')
                : (declared.values?.find((v) => v !== declared.default) ?? `${declared.default}x`);
        const other = ruleTexts(renderPack(folder, name, { parameters: { [parameter]: moved } }));
        return [parameter, [...texts].filter(([rule, text]) => other.get(rule) !== text).map(([rule]) => rule)];
      }),
    );
  }
}

function ruleTexts(pack: RenderedPack): Map<string, string> {
  return new Map(
    [...pack.rules.values()].flatMap((f) =>
      f.groups.flatMap((g) =>
        g.rules.map((r) => [r.alert ?? r.record ?? '', JSON.stringify([r, g.interval])] as const),
      ),
    ),
  );
}

const rulesText = (pack: RenderedPack): string =>
  yamlText({ groups: [...pack.rules.values()].flatMap((f) => f.groups) });

function asChecked(rule: RuleNode, file: string, group: string): CheckedRule {
  const name = rule.alert ?? rule.record ?? '';
  return {
    where: `${file}: ${name}`,
    file,
    group,
    name,
    kind: rule.alert ? 'alert' : 'record',
    expr: rule.expr,
    forMs: 0,
    labels: rule.labels ?? {},
    annotations: rule.annotations ?? {},
    intervalMs: 0,
  };
}
