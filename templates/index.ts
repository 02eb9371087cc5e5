/**
 * The manager of the catalogue (TP0): what each folder of this tree is for, which packs there are and what they hold.
 * `node templates/index.ts` prints it; rendering is `vigie render`, checking is `vigie check`.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TEMPLATE_FOLDERS, type TemplateFolder } from '../src/catalogue/folders.ts';
import { type Catalogue, loadCatalogue, packNames } from '../src/catalogue/load.ts';

export interface FolderContent extends TemplateFolder {
  /** Files below the folder, relative to it, without its README. */
  readonly files: readonly string[];
}

/** Every folder of the table with what lies in it, in the order of the table. */
export function catalogueFolders(templates: string = import.meta.dirname): readonly FolderContent[] {
  return TEMPLATE_FOLDERS.map((folder) => ({
    ...folder,
    files: readdirSync(path.join(templates, folder.path), { withFileTypes: true, recursive: true })
      .filter((e) => e.isFile() && !/^README(\.[a-z]{2})?\.md$/.test(e.name))
      .map((e) => path.relative(path.join(templates, folder.path), path.join(e.parentPath, e.name)))
      .sort(),
  }));
}

/** All packs with their defaults; a broken one is among the problems and the others load. */
export function cataloguePacks(templates: string = import.meta.dirname): Catalogue {
  return loadCatalogue(templates, packNames(templates));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const f of catalogueFolders())
    process.stdout.write(
      `${f.id.padEnd(5)}${f.path.padEnd(34)}${String(f.files.length).padStart(3)} files  ${f.state}\n`,
    );
  const { packs, problems } = cataloguePacks();
  for (const p of packs) {
    const rules = [...p.rules.values()].flatMap((r) => r.groups.flatMap((g) => g.rules));
    process.stdout.write(
      `${p.manifest.pack.padEnd(16)}${p.manifest.version}  ${rules.filter((r) => r.alert).length} alerts, ${rules.filter((r) => r.record).length} recordings, ${p.dashboards.size} dashboards\n`,
    );
  }
  for (const p of problems) process.stderr.write(`${p.pack}: ${p.message}\n`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
