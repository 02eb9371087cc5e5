/**
 * The direction of imports, the size of files and the agreement of code and documents, checked with no exception.
 * ARCHITECTURE.md explains the rules; a failure names the file and the rule.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '../src/lib/errors.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const LINES_MAX = 800;

/** Lower may be imported by higher, never the other way round. Features share one layer and never import each other. */
const LAYERS: Readonly<Record<string, number>> = {
  lib: 0,
  model: 1,
  promql: 2,
  gotemplate: 2,
  regex: 2,
  algorithms: 2,
  replay: 2,
  store: 2,
  tenancy: 3,
  http: 5,
  app: 6,
  cli: 7,
};
const FEATURE_LAYER = 4;

interface SourceFile {
  readonly file: string;
  readonly folder: string;
  readonly text: string;
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[];
}

function walk(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((e) => e.isFile() && /\.tsx?$/.test(e.name))
    .map((e) => path.relative(ROOT, path.join(e.parentPath, e.name)));
}

function folderOf(file: string): string {
  const parts = file.split(path.sep);
  return parts.length === 2 ? parts[1]! : parts[1]!;
}

function read(file: string): SourceFile {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const imports: { target: string; typeOnly: boolean }[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?[^'"();]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s+['"]([^'"]+)['"]/g;
  for (const m of text.matchAll(pattern)) {
    const specifier = m[2] ?? m[3] ?? m[4]!;
    const target = specifier.startsWith('.')
      ? path.relative(ROOT, path.resolve(ROOT, path.dirname(file), specifier))
      : specifier;
    imports.push({ target, typeOnly: m[1] !== undefined });
  }
  return { file, folder: folderOf(file), text, imports };
}

const isTest = (file: string): boolean => /\.(long\.)?test\.tsx?$/.test(file);
const sources = walk(path.join(ROOT, 'src')).map(read);
const production = sources.filter((s) => !isTest(s.file));
const layerOf = (folder: string): number => (folder === 'main.ts' ? 8 : (LAYERS[folder] ?? FEATURE_LAYER));

function directionProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  for (const s of files) {
    for (const { target } of s.imports) {
      if (!target.startsWith(`src${path.sep}`)) {
        if (target.startsWith('test') || target.startsWith('console') || target.startsWith('bench'))
          problems.push(`${s.file} imports ${target}: src/ imports neither tests nor console`);
        continue;
      }
      const to = folderOf(target);
      if (to === s.folder) continue;
      const from = layerOf(s.folder);
      const below = layerOf(to);
      const storeBackend = /^src\/store\/(embedded|external)\//.test(target);
      if (storeBackend && s.folder !== 'app')
        problems.push(`${s.file} imports ${target}: only app/ imports store backends`);
      else if (from === FEATURE_LAYER && below === FEATURE_LAYER)
        problems.push(`${s.file} imports ${target}: features never import features; declare a port`);
      else if (below >= from)
        problems.push(
          `${s.file} imports ${target}: direction is lib <- model <- {promql, store, ...} <- tenancy <- features <- http <- app <- cli <- main`,
        );
    }
  }
  return problems;
}

function cycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map((f) => [f.file, f.imports.filter((i) => i.target.startsWith('src')).map((i) => i.target)]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) if (graph.has(next)) visit(next, [...trail, file]);
    state.set(file, 'done');
  };
  for (const f of files) visit(f.file, []);
  return found;
}

describe('direction', () => {
  it('has something to check', () => expect(production.length).toBeGreaterThan(15));
  it('flows one way', () => expect(directionProblems(production)).toEqual([]));
  it('has no cycles', () => expect(cycles(production)).toEqual([]));
  it('would see a planted fault', () => {
    const planted: SourceFile = {
      file: 'src/lib/planted.ts',
      folder: 'lib',
      text: '',
      imports: [{ target: 'src/app/setup.ts', typeOnly: false }],
    };
    const feature: SourceFile = {
      file: 'src/rules/planted.ts',
      folder: 'rules',
      text: '',
      imports: [{ target: 'src/alerting/route.ts', typeOnly: false }],
    };
    const backend: SourceFile = {
      file: 'src/http/planted.ts',
      folder: 'http',
      text: '',
      imports: [{ target: 'src/store/embedded/metrics/store.ts', typeOnly: false }],
    };
    expect(directionProblems([planted, feature, backend])).toHaveLength(3);
    const a: SourceFile = {
      file: 'src/lib/a.ts',
      folder: 'lib',
      text: '',
      imports: [{ target: 'src/lib/b.ts', typeOnly: true }],
    };
    const b: SourceFile = {
      file: 'src/lib/b.ts',
      folder: 'lib',
      text: '',
      imports: [{ target: 'src/lib/a.ts', typeOnly: true }],
    };
    expect(cycles([a, b])).toHaveLength(1);
  });
});

describe('time and environment are passed in', () => {
  const allowed = /^src\/(lib\/clock\.ts|main\.ts|cli\/)/;
  const forbidden = /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bprocess\.env\b/;
  it('no Date.now, timers or process.env outside lib/clock, main and cli', () => {
    const offenders = production
      .filter((s) => !allowed.test(s.file))
      .filter((s) => forbidden.test(s.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')))
      .map((s) => s.file);
    expect(offenders).toEqual([]);
  });
});

describe('user-given expressions', () => {
  it('re2js is imported by src/regex only', () => {
    const offenders = production
      .filter((s) => s.folder !== 'regex' && s.imports.some((i) => i.target === 're2js'))
      .map((s) => s.file);
    expect(offenders).toEqual([]);
  });
});

describe('size and shape', () => {
  it(`no file past ${LINES_MAX} lines`, () => {
    const long = production
      .filter((s) => s.text.split('\n').length > LINES_MAX)
      .map((s) => `${s.file}: ${s.text.split('\n').length}`);
    expect(long).toEqual([]);
  });
  it('no barrel files', () => {
    const barrels = production.filter((s) => path.basename(s.file) === 'index.ts').map((s) => s.file);
    expect(barrels).toEqual([]);
  });
  it('main stays under 80 lines', () => {
    expect(readFileSync(path.join(ROOT, 'src/main.ts'), 'utf8').split('\n').length).toBeLessThan(80);
  });
  it('every file opens with what it is for', () => {
    const bare = production.filter((s) => !/^(#!.*\n)?\/(\*\*|\/)/.test(s.text)).map((s) => s.file);
    expect(bare).toEqual([]);
  });
});

describe('documents', () => {
  it('every folder of src/ stands in ARCHITECTURE.md', () => {
    const text = readFileSync(path.join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const folders = readdirSync(path.join(ROOT, 'src'), { withFileTypes: true }).filter((e) => e.isDirectory());
    expect(folders.map((f) => f.name).filter((n) => !text.includes(`src/${n}/`))).toEqual([]);
  });
  it('the error table and docs/errors.md agree both ways', () => {
    const text = readFileSync(path.join(ROOT, 'docs/errors.md'), 'utf8');
    const documented = [...text.matchAll(/^\| `([a-z_]+)` \| (\d+) \|/gm)].map((m) => `${m[1]} ${m[2]}`).sort();
    const coded = Object.entries(ERROR_TABLE)
      .map(([code, e]) => `${code} ${e.status}`)
      .sort();
    expect(documented).toEqual(coded);
  });
});

describe('console', () => {
  it('imports only types from src/http/contract', () => {
    const offenders = walk(path.join(ROOT, 'console'))
      .filter((f) => !isTest(f))
      .map(read)
      .flatMap((s) =>
        s.imports
          .filter(
            (i) => i.target.startsWith(`src${path.sep}`) && !(i.typeOnly && i.target.startsWith('src/http/contract/')),
          )
          .map((i) => `${s.file} imports ${i.target}`),
      );
    expect(offenders).toEqual([]);
  });
});
