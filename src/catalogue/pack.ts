/**
 * A pack: one subject (host, API, ...) with its rule files, their unit tests and dashboards, declared in
 * `packs/<pack>.yaml`. Loading reads and checks everything of one pack; a broken pack fails alone, by file and path.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { messageOf, VigieError } from '../lib/errors.ts';
import { type ParameterValues, parameterSchema, parameterValues, substitute } from './parameters.ts';

const relativeFile = z
  .string()
  .regex(/^[a-zA-Z0-9_-][a-zA-Z0-9_./-]*$/, 'want a path inside the catalogue')
  .refine((p) => !p.split('/').includes('..'), 'must stay inside the catalogue');

export const packSchema = z.strictObject({
  pack: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'want lower-case letters, digits and -'),
  version: z.string().regex(/^\d+\.\d+\.\d+$/, 'want major.minor.patch'),
  title: z.string().min(1),
  description: z.string().min(1),
  /** Metrics without which the pack is blind. */
  needs: z.strictObject({ metrics: z.array(z.string()).default([]) }).prefault({}),
  /** `tenant`: its series carry tenant_id, and it is rendered once per tenant. `platform`: once, for the operators. */
  scope: z.enum(['platform', 'tenant']).default('platform'),
  /** The dashboard that alerts of this pack link to, by uid. */
  dashboard: z.string().optional(),
  files: z.strictObject({
    rules: z.array(relativeFile).default([]),
    tests: z.array(relativeFile).default([]),
    dashboards: z.array(relativeFile).default([]),
    /** Native JSON or YAML files that are rendered as they are, with values put in. */
    assets: z.array(relativeFile).default([]),
    /** Declarations of detectors and forecasts; the engine that runs them checks their schema. */
    detectors: z.array(relativeFile).default([]),
  }),
  /** Exporters that the pack reads: the jobs of the scrape configuration. */
  scrape: z
    .array(
      z.strictObject({
        job: z.string().regex(/^[a-z][a-z0-9-]*$/),
        port: z.int().min(1).max(65_535),
        path: z.string().startsWith('/').default('/metrics'),
        /** Name of the port in the exporter's Service. */
        port_name: z.string().default('metrics'),
      }),
    )
    .default([]),
  /** Alerts that say what is known already while another one fires. */
  inhibit: z
    .array(
      z.strictObject({
        source: z.record(z.string(), z.string()),
        target: z.record(z.string(), z.string()),
        equal: z.array(z.string()).min(1),
      }),
    )
    .default([]),
  parameters: z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), parameterSchema).default({}),
});

export type PackManifest = z.output<typeof packSchema>;

/** What a user may change on one rule without editing the template. */
export const ruleOverrideSchema = z.strictObject({
  enabled: z.boolean().optional(),
  for: z.string().optional(),
  severity: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export const packOverrideSchema = z.strictObject({
  enabled: z.boolean().optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  rules: z.record(z.string(), ruleOverrideSchema).optional(),
});
export type PackOverride = z.output<typeof packOverrideSchema>;

export interface RuleNode {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  keep_firing_for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
export interface RuleFile {
  readonly groups: { name: string; interval?: string; rules: RuleNode[]; [key: string]: unknown }[];
}

export interface RenderedPack {
  readonly manifest: PackManifest;
  readonly parameters: ParameterValues;
  /** Catalogue path -> rule file with values put in and overrides applied. */
  readonly rules: ReadonlyMap<string, RuleFile>;
  /** Catalogue path -> parsed dashboard JSON. */
  readonly dashboards: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** Catalogue path -> parsed native file with values put in. */
  readonly assets: ReadonlyMap<string, unknown>;
  /** Catalogue path -> parsed detector file with values put in. */
  readonly detectors: ReadonlyMap<string, unknown>;
}

/** Parsed files of one run, by path: a pack that is tuned for a thousand tenants is read once. Nobody may change them. */
export type ParsedFiles = Map<string, unknown>;

/** Reads one pack from a catalogue folder and renders it with `override`. Throws `bad_config` with file, line and path. */
export function renderPack(
  folder: string,
  name: string,
  override: PackOverride = {},
  parsed: ParsedFiles = new Map(),
): RenderedPack {
  const file = `packs/${name}.yaml`;
  const manifest = kept(parsed, `${folder}\0${file}`, () => checkManifest(readYaml(folder, file), file, name));
  const yaml = (at: string): unknown => kept(parsed, `${folder}\0${at}`, () => readYaml(folder, at));
  const parameters = parameterValues(manifest.parameters, override.parameters ?? {}, `${name}.parameters`);
  const rules = new Map<string, RuleFile>();
  const seen = new Set<string>();
  for (const ruleFile of manifest.files.rules) {
    const tree = substitute(yaml(ruleFile), parameters, ruleFile) as RuleFile;
    if (!Array.isArray(tree?.groups)) throw new VigieError('bad_config', `${ruleFile}: want a rule file with groups`);
    rules.set(ruleFile, applyRuleOverrides(tree, override.rules ?? {}, seen));
  }
  for (const rule of Object.keys(override.rules ?? {})) {
    if (!seen.has(rule))
      throw new VigieError(
        'bad_config',
        `${name}.rules: no rule ${JSON.stringify(rule)} in this pack; it has ${[...seen].sort().join(', ')}`,
      );
  }
  const dashboards = new Map<string, Readonly<Record<string, unknown>>>();
  for (const dashboard of manifest.files.dashboards) {
    try {
      const json = () => JSON.parse(read(folder, dashboard)) as Record<string, unknown>;
      dashboards.set(dashboard, kept(parsed, `${folder}\0${dashboard}`, json));
    } catch (cause) {
      if (cause instanceof VigieError) throw cause;
      throw new VigieError('bad_config', `${dashboard}: ${messageOf(cause)}`, { cause });
    }
  }
  const assets = new Map<string, unknown>();
  for (const asset of manifest.files.assets) assets.set(asset, substitute(yaml(asset), parameters, asset));
  const detectors = new Map<string, unknown>();
  for (const d of manifest.files.detectors) detectors.set(d, substitute(yaml(d), parameters, d));
  return { manifest, parameters, rules, dashboards, assets, detectors };
}

function kept<T>(parsed: ParsedFiles, key: string, make: () => T): T {
  if (parsed.has(key)) return parsed.get(key) as T;
  const made = make();
  parsed.set(key, made);
  return made;
}

function checkManifest(value: unknown, file: string, name: string): PackManifest {
  const result = packSchema.safeParse(value);
  if (!result.success)
    throw new VigieError(
      'bad_config',
      result.error.issues.map((i) => `${file}: ${i.path.join('.')}: ${i.message}`).join('\n'),
    );
  if (result.data.pack !== name)
    throw new VigieError(
      'bad_config',
      `${file}: pack: got ${JSON.stringify(result.data.pack)}, want ${JSON.stringify(name)} as the file is called`,
    );
  return result.data;
}

function applyRuleOverrides(
  file: RuleFile,
  overrides: Readonly<Record<string, z.output<typeof ruleOverrideSchema>>>,
  seen: Set<string>,
): RuleFile {
  const groups = file.groups.map((group) => {
    const rules = group.rules.flatMap((rule) => {
      const name = rule.alert ?? rule.record ?? '';
      seen.add(name);
      const o = overrides[name];
      if (!o) return [rule];
      if (o.enabled === false) return [];
      const labels = { ...rule.labels, ...(o.severity === undefined ? {} : { severity: o.severity }), ...o.labels };
      const annotations = { ...rule.annotations, ...o.annotations };
      return [
        {
          ...rule,
          ...(o.for === undefined ? {} : { for: o.for }),
          ...(Object.keys(labels).length > 0 ? { labels } : {}),
          ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
        },
      ];
    });
    return { ...group, rules };
  });
  return { groups: groups.filter((g) => g.rules.length > 0) };
}

function read(folder: string, file: string): string {
  try {
    return readFileSync(path.join(folder, file), 'utf8');
  } catch (cause) {
    throw new VigieError('bad_config', `cannot read ${file} of the catalogue: ${messageOf(cause)}`, { cause });
  }
}

function readYaml(folder: string, file: string): unknown {
  const counter = new LineCounter();
  const document = parseDocument(read(folder, file), { lineCounter: counter, prettyErrors: false });
  const problem = document.errors[0];
  if (problem)
    throw new VigieError('bad_config', `${file}:${counter.linePos(problem.pos[0]).line}: ${problem.message}`);
  return document.toJS({ maxAliasCount: 100 });
}
