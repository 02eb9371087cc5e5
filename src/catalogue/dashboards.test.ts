import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { dashboardFiles } from '../../scripts/build-dashboards.ts';
import { loadCatalogue, packNames } from './load.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../templates');
/** A ConfigMap holds at most 1 MiB; `kubectl apply` keeps the object once more in an annotation of at most 256 KiB. */
const CONFIG_MAP_BYTES_MAX = 200_000;

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
  options?: { content?: string };
}
interface Dashboard {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string }[] };
}

describe('the dashboards of the catalogue', () => {
  const files = [...dashboardFiles()];

  it.each(files)('%s is what the script writes', (file, content) => {
    expect(JSON.parse(readFileSync(path.join(TEMPLATES, file), 'utf8')), 'run scripts/build-dashboards.ts').toEqual(
      JSON.parse(content),
    );
    expect(Buffer.byteLength(content)).toBeLessThan(CONFIG_MAP_BYTES_MAX);
  });

  it.each(files)('%s asks only for variables it has; every panel has a query or says why not', (_file, content) => {
    const dashboard = JSON.parse(content) as Dashboard;
    const known = new Set(dashboard.templating.list.map((v) => v.name));
    for (const panel of dashboard.panels) {
      if (panel.type === 'row') continue;
      if (panel.type === 'text') expect(panel.options?.content?.length, panel.title).toBeGreaterThan(40);
      else expect(panel.targets?.length, panel.title).toBeGreaterThan(0);
      for (const target of panel.targets ?? [])
        for (const [, name] of target.expr.matchAll(/\$([a-z_]+)/g)) expect(known, target.expr).toContain(name);
    }
    const ids = dashboard.panels.map((p) => p.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(files)('%s has no two panels in one place', (_file, content) => {
    const taken = new Set<string>();
    for (const { gridPos: g } of (JSON.parse(content) as Dashboard).panels)
      for (let x = g.x; x < g.x + g.w; x++)
        for (let y = g.y; y < g.y + g.h; y++) {
          expect(taken.has(`${x}/${y}`), `${x}/${y}`).toBe(false);
          taken.add(`${x}/${y}`);
        }
  });

  it('have stable, distinct uids and are all listed by a pack', () => {
    const uids = files.map(([, content]) => (JSON.parse(content) as Dashboard).uid);
    expect(new Set(uids).size).toBe(files.length);
    for (const uid of uids) expect(uid).toMatch(/^vigie-[a-z-]+$/);
    const { packs } = loadCatalogue(TEMPLATES, packNames(TEMPLATES));
    const listed = packs.flatMap((p) => [...p.dashboards.keys()]).sort();
    expect(listed).toEqual(files.map(([file]) => file).sort());
  });
});
