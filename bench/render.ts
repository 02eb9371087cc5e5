/**
 * How fast the catalogue renders and is checked: 1,000 tenants x the whole catalogue in one run with flat memory, tuned
 * alike and each in its own way, and the rule files alone against Debian's jsonnet making the same objects from a library in the style of the monitoring mixins
 * (format strings with the tenant's selector). Outputs are compared as data before any figure is printed.
 *
 *   node bench/render.ts [--tenants 1000]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { checkCatalogue } from '../src/catalogue/check/catalogue.ts';
import { catalogueConfigSchema, DEFAULT_SECTIONS } from '../src/catalogue/config.ts';
import { RenderContext } from '../src/catalogue/render/context.ts';
import { rules } from '../src/catalogue/render/rules.ts';
import { renderTree } from '../src/catalogue/render/tree.ts';
import { tenantScope } from '../src/catalogue/scope.ts';
import { writeTree } from '../src/catalogue/write-tree.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const argument = (name: string, fallback: string): string => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1]! : fallback;
};
const TENANTS = Number(argument('--tenants', '1000'));
/** jsonnet needs about 0.4 s of CPU per tenant: more would only take longer. */
const COMPARED_TENANTS_MAX = 50;
const ids = Array.from({ length: TENANTS }, (_, i) => `tenant-${String(i).padStart(5, '0')}`);
const contextFor = (format: 'files' | 'kubernetes', tuning: 'alike' | 'own' = 'alike') =>
  new RenderContext({
    config: catalogueConfigSchema.parse({
      receivers: { slack: { channel: '#ops' } },
      tenants: Object.fromEntries(
        ids.map((id, i) => [
          id,
          tuning === 'own'
            ? { overrides: { api: { parameters: { error_ratio: 0.01 + i / 1_000_000 } } } }
            : i % 10 === 0
              ? { language: 'fr' }
              : {},
        ]),
      ),
    }),
    sections: DEFAULT_SECTIONS,
    environment: 'prod',
    format,
    folders: [path.join(ROOT, 'templates')],
  });

/** CPU seconds (user and system) of a child. */
function cpuOf(command: string): { seconds: number; rssMb: number } {
  const r = spawnSync('bash', ['-c', `${command}\nexit_code=$?\ntimes >&2\nexit $exit_code`], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (r.status !== 0) throw new Error(`${command}: ${r.stderr.slice(-2_000)}`);
  const seconds = [...(r.stderr.trimEnd().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  );
  return { seconds, rssMb: 0 };
}

if (process.argv.includes('--ours')) {
  // the rules of all tenants, written as the comparison writes them
  const out = argument('--out', '');
  const context = contextFor('files');
  for (const { scope, artefacts } of renderTree(context, ids)) {
    if (scope.tenant === undefined) continue;
    for (const a of artefacts)
      if (a.path.startsWith('prometheus/rules/'))
        writeFileSync(path.join(out, path.basename(a.path)), String(a.content));
  }
} else await main();

async function main(): Promise<void> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'vigie-bench-'));
  try {
    wholeTree('files', path.join(scratch, 'files'));
    wholeTree('kubernetes', path.join(scratch, 'kubernetes'));
    for (const tuning of ['alike', 'own'] as const) await checkAndRender(tuning, path.join(scratch, tuning));
    againstJsonnet(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function wholeTree(format: 'files' | 'kubernetes', folder: string): void {
  const start = process.cpuUsage();
  const wall = performance.now();
  const rss: number[] = [];
  let scopes = 0;
  const report = writeTree(renderTree(contextFor(format)), {
    folder,
    complete: true,
    onScope: () => {
      if (++scopes % Math.max(1, Math.floor(TENANTS / 10)) !== 0) return;
      rss.push(process.memoryUsage().rss / 1e6);
      process.stderr.write(`\r${format}: ${scopes} of ${TENANTS + 1}   `);
    },
  });
  process.stderr.write('\r'.padEnd(50) + '\r');
  const used = process.cpuUsage(start);
  console.log(
    `${format}: ${TENANTS} tenants, ${report.files} files, ${(report.bytes / 1e6).toFixed(0)} MB in ${((performance.now() - wall) / 1_000).toFixed(1)} s (${((used.user + used.system) / 1e6).toFixed(1)} s of CPU); resident memory after 10 %, 50 %, 100 %: ${[rss[0], rss[Math.floor(rss.length / 2)], rss.at(-1)].map((m) => `${m?.toFixed(0)} MB`).join(', ')}`,
  );
}

/** What `vigie render --check` does: one context, checked, then written; unit tests aside, which no tenant adds to. */
async function checkAndRender(tuning: 'alike' | 'own', folder: string): Promise<void> {
  const start = process.cpuUsage();
  const context = contextFor('files', tuning);
  const rss: number[] = [];
  let done = 0;
  const step = (): void => {
    if (++done % Math.max(1, Math.floor(TENANTS / 5)) !== 0) return;
    rss.push(process.memoryUsage().rss / 1e6);
    process.stderr.write(`\rcheck and render, tuned ${tuning}: ${done} of ${2 * (TENANTS + 1)}   `);
  };
  const report = await checkCatalogue(context, {}, undefined, step);
  const checked = process.cpuUsage(start);
  const errors = report.findings.filter((f) => f.level === 'error');
  if (errors.length > 0 || report.scopes !== TENANTS + 1)
    throw new Error(`${report.scopes} scopes checked, errors: ${JSON.stringify(errors.slice(0, 3))}`);
  const written = writeTree(renderTree(context), { folder, complete: true, onScope: step });
  const used = process.cpuUsage(start);
  process.stderr.write('\r'.padEnd(60) + '\r');
  const seconds = (u: NodeJS.CpuUsage): string => ((u.user + u.system) / 1e6).toFixed(1);
  console.log(
    `check and render, tenants tuned ${tuning === 'own' ? 'each in its own way' : 'alike'}: ${report.scopes} scopes, ${written.files} files, checked in ${seconds(checked)} s of CPU, with rendering ${seconds(used)} s; resident memory after 10 %, 50 %, 100 %: ${[rss[0], rss[Math.floor(rss.length / 2)], rss.at(-1)].map((m) => `${m?.toFixed(0)} MB`).join(', ')}`,
  );
}

function againstJsonnet(scratch: string): void {
  const some = ids.slice(0, COMPARED_TENANTS_MAX);
  const jsonnet = ['/usr/bin/jsonnet'].find((p) => spawnSync(p, ['--version']).status === 0);
  if (!jsonnet) {
    console.log('jsonnet is not installed: no comparison');
    return;
  }
  const version = execFileSync(jsonnet, ['--version'], { encoding: 'utf8' }).trim();
  const [oursFolder, theirs, library] = ['ours', 'theirs', 'lib'].map((n) => path.join(scratch, n)) as [
    string,
    string,
    string,
  ];
  for (const f of [oursFolder, theirs, library]) mkdirSync(f);
  writeLibrary(library);
  const tenants = path.join(library, 'tenants.json');
  writeFileSync(tenants, JSON.stringify(some));
  const ours = cpuOf(
    `${process.execPath} ${path.join(ROOT, 'bench/render.ts')} --ours --tenants ${some.length} --out ${oursFolder}`,
  );
  const other = cpuOf(`timeout 400 ${jsonnet} -m ${theirs} ${path.join(library, 'main.jsonnet')} >/dev/null`);
  let compared = 0;
  const names = readdirSync(oursFolder).sort();
  const stride = Math.max(1, Math.floor(names.length / 200));
  if (readdirSync(theirs).length !== names.length)
    throw new Error(`ours made ${names.length} files, jsonnet ${readdirSync(theirs).length}`);
  for (let i = 0; i < names.length; i += stride) {
    const [a, b] = [oursFolder, theirs].map((f) =>
      JSON.stringify(sorted(parse(readFileSync(path.join(f, names[i]!), 'utf8')))),
    );
    if (a !== b) throw new Error(`${names[i]} differs:\n${a?.slice(0, 600)}\n${b?.slice(0, 600)}`);
    compared++;
  }
  console.log(
    `rule files of ${some.length} tenants (${names.length} files; ${compared} compared as data, all equal): ours ${ours.seconds.toFixed(2)} s of CPU with start-up, ${version} ${other.seconds.toFixed(2)} s: ${(other.seconds / ours.seconds).toFixed(1)} times as many per CPU second`,
  );
}

/** The same rules as a jsonnet library, written as JSON (its YAML writer is far slower still): expressions are format strings, as in the published mixins. */
function writeLibrary(folder: string): void {
  const context = contextFor('files');
  const scope = tenantScope(context.config, 'prod', 'x');
  const packs: string[] = [];
  const MARK = '⟦t⟧';
  const marked = { ...scope, tenant: MARK, slug: MARK, settings: undefined };
  for (const artefact of rules(context, marked)) {
    const content = parse(String(artefact.content)) as { groups: unknown };
    const text = (value: unknown): string => {
      if (typeof value === 'string') {
        const quoted = JSON.stringify(value);
        return value.includes(MARK)
          ? `(${JSON.stringify(value.replaceAll('%', '%%').replaceAll(MARK, '%(tenant)s'))} % config)`
          : quoted;
      }
      if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`;
      if (typeof value === 'object' && value !== null)
        return `{ ${Object.entries(value)
          .map(([k, v]) => `${JSON.stringify(k)}: ${text(v)}`)
          .join(', ')} }`;
      return JSON.stringify(value);
    };
    const name = path.basename(artefact.path, '.yml').replace(`${MARK}-`, '');
    writeFileSync(path.join(folder, `${name}.libsonnet`), `function(config) { groups: ${text(content.groups)} }\n`);
    packs.push(name);
  }
  writeFileSync(
    path.join(folder, 'main.jsonnet'),
    `local packs = { ${packs.map((p) => `${JSON.stringify(p)}: import '${p}.libsonnet'`).join(', ')} };\n` +
      "local tenants = import 'tenants.json';\n" +
      "{ [tenant + '-' + pack + '.yml']: packs[pack]({ tenant: tenant }) for tenant in tenants for pack in std.objectFields(packs) }\n",
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([k, v]) => [k, sorted(v)]),
    );
  return value;
}
