import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { compileCacheFolder, paysToKeep } from './compile-cache.ts';

const MODULE = path.join(import.meta.dirname, 'compile-cache.ts');

/** Runs a script that keeps its code and prints whether it does; the variables given are all there are. */
function run(folder: string, env: Record<string, string>): string {
  const script = path.join(folder, 'script.ts');
  writeFileSync(
    script,
    `import { keepCompiledCode, saveCompiledCode } from ${JSON.stringify(MODULE)};
     const kept = keepCompiledCode(process.env);
     await import(${JSON.stringify(path.join(folder, 'part.ts'))});
     saveCompiledCode();
     console.log(kept);
     process.kill(process.pid, 'SIGKILL');`,
  );
  writeFileSync(path.join(folder, 'part.ts'), 'export const part: number = 1;');
  try {
    return execFileSync(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch (error) {
    return (error as { stdout: Buffer }).stdout.toString();
  }
}

const files = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).length;

describe('compiled code between starts', () => {
  it.each([
    ['check', [], true],
    [undefined, [], true],
    ['serve', [], false],
    ['serve', ['--min-semi-space-size=16', '--no-profile-guided-optimization'], true],
  ])('%s with %j: %s', (command, execArgv, wanted) => {
    expect(paysToKeep(command, execArgv)).toBe(wanted);
  });

  it('is kept by `npm start`', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(paysToKeep('serve', scripts['start']!.split(' '))).toBe(true);
  });

  it('is kept in a folder of the user, written before a kill', () => {
    using folder = temporaryFolder('vigie-compile-');
    expect(run(folder.path, { HOME: folder.path })).toBe('true\n');
    expect(files(path.join(folder.path, '.cache/vigie/compile'))).toBeGreaterThan(0);
  });

  it('is not taken from a folder that others can write to', () => {
    using folder = temporaryFolder('vigie-compile-');
    const cache = path.join(folder.path, 'vigie/compile');
    mkdirSync(cache, { recursive: true });
    chmodSync(cache, 0o777);
    expect(run(folder.path, { XDG_CACHE_HOME: folder.path })).toBe('false\n');
    expect(files(cache)).toBe(0);
  });

  it('is off without a home, on demand, and when the folder cannot be made', () => {
    using folder = temporaryFolder('vigie-compile-');
    expect(run(folder.path, {})).toBe('false\n');
    expect(run(folder.path, { HOME: folder.path, NODE_DISABLE_COMPILE_CACHE: '1' })).toBe('false\n');
    expect(run(folder.path, { HOME: path.join(folder.path, 'script.ts') })).toBe('false\n');
  });

  it('chooses the folder', () => {
    expect(compileCacheFolder({ HOME: '/home/a' })).toBe('/home/a/.cache/vigie/compile');
    expect(compileCacheFolder({ HOME: '/home/a', XDG_CACHE_HOME: '/c' })).toBe('/c/vigie/compile');
    expect(compileCacheFolder({ HOME: '/home/a', NODE_COMPILE_CACHE: '/n' })).toBe('/n');
    expect(compileCacheFolder({ XDG_CACHE_HOME: 'relative' })).toBeUndefined();
  });
});
