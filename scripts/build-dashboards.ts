/** Writes every dashboard of the catalogue as JSON. Run it after a change of `scripts/dashboards/`; a test compares. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAIN_DASHBOARDS } from './dashboards/grafana.ts';
import { build } from './dashboards/kit.ts';
import { PACK_DASHBOARDS } from './dashboards/packs.ts';
import { PROMETHEUS_DASHBOARDS } from './dashboards/prometheus.ts';

/** Path below `templates/` -> file content, the same bytes on every run. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  return new Map(
    [...PROMETHEUS_DASHBOARDS, ...PACK_DASHBOARDS, ...MAIN_DASHBOARDS].map((spec) => [
      spec.file,
      `${JSON.stringify(build(spec), null, 2)}\n`,
    ]),
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const templates = path.resolve(import.meta.dirname, '../templates');
  for (const [file, content] of dashboardFiles()) {
    mkdirSync(path.dirname(path.join(templates, file)), { recursive: true });
    writeFileSync(path.join(templates, file), content);
  }
}
