import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { openDataFolder, STORE_FORMATS } from './data-folder.ts';

const HOLD = `const { openDataFolder } = await import(process.argv[1]); openDataFolder(process.argv[2], process.pid).announce('http://127.0.0.1:1'); console.log('held'); setInterval(() => {}, 1000);`;
const MODULE = path.resolve(import.meta.dirname, 'data-folder.ts');

describe('openDataFolder', () => {
  it('creates the folder with its formats, and can be opened again after release', () => {
    using folder = temporaryFolder();
    const root = path.join(folder.path, 'deep/er');
    openDataFolder(root, 1).release();
    const again = openDataFolder(root, 2);
    expect(JSON.parse(readFileSync(path.join(root, 'FORMAT'), 'utf8'))).toEqual(STORE_FORMATS);
    again.release();
  });

  it('refuses a second process by name, and is free at once when the first is killed', async () => {
    using folder = temporaryFolder();
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', HOLD, MODULE, folder.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    using _ended = { [Symbol.dispose]: () => void child.kill('SIGKILL') };
    await once(child.stdout, 'data');
    expect(() => openDataFolder(folder.path, 3)).toThrow(
      new RegExp(`in use by another Vigie \\(pid ${child.pid}, http://127.0.0.1:1\\)`),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    openDataFolder(folder.path, 3).release();
  });

  it('refuses a folder of a newer release, naming the store', () => {
    using folder = temporaryFolder();
    writeFileSync(path.join(folder.path, 'FORMAT'), JSON.stringify({ ...STORE_FORMATS, metrics: 99 }));
    expect(() => openDataFolder(folder.path, 1)).toThrow(
      /newer Vigie: store "metrics" has format 99, this one knows 1/,
    );
    writeFileSync(path.join(folder.path, 'FORMAT'), JSON.stringify({ folder: 1, dreams: 1 }));
    expect(() => openDataFolder(folder.path, 1)).toThrow(/store "dreams" has format 1, this one knows no such store/);
    writeFileSync(path.join(folder.path, 'FORMAT'), 'not json');
    expect(() => openDataFolder(folder.path, 1)).toThrow(/not readable as JSON/);
  });

  it('says so when the place cannot be written', () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'file');
    writeFileSync(file, '');
    expect(() => openDataFolder(path.join(file, 'x'), 1)).toThrow(/cannot create the data folder/);
    if (execFileSync('id', ['-u']).toString().trim() === '0') return; // root writes everywhere
    chmodSync(folder.path, 0o500);
    expect(() => openDataFolder(folder.path, 1)).toThrow(/cannot write to the data folder/);
  });
});
