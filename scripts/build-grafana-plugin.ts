/** Builds and packs the Grafana plugin in the official layout: one folder named after its id, and a zip of it. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32, deflateRawSync } from 'node:zlib';
import { build } from 'vite';

const ROOT = path.resolve(import.meta.dirname, '..');
const SOURCE = path.join(ROOT, 'templates/grafana/plugins/vigie-datasource');

export interface PackedPlugin {
  readonly id: string;
  readonly folder: string;
  readonly zip: string;
}

/** `today` stands in the manifest, `YYYY-MM-DD`. */
export async function buildGrafanaPlugin(out: string, today: string): Promise<PackedPlugin> {
  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const manifest = readFileSync(path.join(SOURCE, 'src/plugin.json'), 'utf8')
    .replace('%VERSION%', version)
    .replace('%TODAY%', today);
  const { id } = JSON.parse(manifest) as { id: string };
  const folder = path.join(out, id);
  rmSync(folder, { recursive: true, force: true });
  await build({
    configFile: false,
    logLevel: 'warn',
    root: SOURCE,
    build: {
      outDir: folder,
      emptyOutDir: true,
      minify: true,
      target: 'es2022',
      lib: { entry: path.join(SOURCE, 'src/module.ts'), formats: ['umd'], name: 'vigie', fileName: () => 'module.js' },
      rollupOptions: {
        // Grafana's loader provides these
        external: [/^@grafana\//, 'react'],
        output: { globals: { '@grafana/data': 'grafanaData', '@grafana/runtime': 'grafanaRuntime', react: 'React' } },
      },
    },
  });
  writeFileSync(path.join(folder, 'plugin.json'), manifest);
  mkdirSync(path.join(folder, 'img'), { recursive: true });
  copyFileSync(path.join(SOURCE, 'src/img/logo.svg'), path.join(folder, 'img/logo.svg'));
  for (const file of ['README.md', 'CHANGELOG.md']) copyFileSync(path.join(SOURCE, file), path.join(folder, file));
  copyFileSync(path.join(ROOT, 'LICENSE'), path.join(folder, 'LICENSE'));
  const zip = path.join(out, `${id}-${version}.zip`);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => path.relative(out, path.join(e.parentPath, e.name)).split(path.sep).join('/'))
    .sort();
  writeFileSync(zip, zipOf(files.map((name) => ({ name, data: readFileSync(path.join(out, name)) }))));
  return { id, folder, zip };
}

/** A zip archive without time stamps, so that equal content gives equal bytes. */
export function zipOf(files: readonly { readonly name: string; readonly data: Buffer }[]): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, data } of files) {
    const packed = deflateRawSync(data);
    const title = Buffer.from(name, 'utf8');
    // version 2.0, UTF-8 names, deflate, 1980-01-01
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt16LE(0, 6);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(title.length, 22);
    const local = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), common, title]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from([0x50, 0x4b, 1, 2, 20, 3]), common, tail, title]));
    parts.push(local, packed);
    offset += local.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 0, 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const made = await buildGrafanaPlugin(path.join(ROOT, 'dist/grafana-plugin'), new Date().toISOString().slice(0, 10));
  console.log(`${made.folder}\n${made.zip}`);
}
