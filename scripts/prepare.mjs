// Makes a checkout ready before `npm start`, `npm test` and `npm run vigie`: installs what the lockfile names when it
// changed, builds the console when its sources changed (not with --no-console), and with --server emits the server as
// JavaScript, which starts in three quarters of the CPU time of the sources and without the program that strips their
// types in memory. Plain JavaScript for Node 20 and later, because it runs before node_modules (and the Node 24
// in it) exists. Does nothing, in well under a second, when all is fresh.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';

process.chdir(path.resolve(import.meta.dirname, '..'));
const skipConsole = process.argv.includes('--no-console');
const wantServer = process.argv.includes('--server');
const node24 = path.resolve('node_modules/.bin/node');
const LOCK_WAIT_MS_MAX = 10 * 60_000;

function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

function holds(file, text) {
  return existsSync(file) && readFileSync(file, 'utf8') === text;
}

function run(command, args, env = process.env) {
  const result = spawnSync(command, args, { stdio: ['ignore', 2, 2], env });
  if (result.status === 0) return;
  console.error(
    `vigie: \`${path.basename(command)} ${args.join(' ')}\` failed${result.error ? `: ${result.error.message}` : ''}`,
  );
  releaseLock();
  process.exit(1);
}

// `npm ci` removes node_modules/.bin while it runs, so npm must run on the system's own node
const systemPath = (process.env.PATH ?? '')
  .split(path.delimiter)
  .filter((folder) => !folder.endsWith(path.join('node_modules', '.bin')))
  .join(path.delimiter);

function npm(...args) {
  const env = { ...process.env, PATH: systemPath };
  const cli = process.env.npm_execpath;
  if (cli) run(process.env.npm_node_execpath ?? process.execPath, [cli, ...args, '--loglevel=error'], env);
  else run('npm', [...args, '--loglevel=error'], env);
}

// Two cold starts in one checkout must not install over each other.
const lockFile = path.resolve('.vigie/prepare.lock');
let locked = false;
function releaseLock() {
  if (locked) rmSync(lockFile, { force: true });
  locked = false;
}
function takeLock() {
  if (locked) return; // installing and building are one turn
  mkdirSync(path.dirname(lockFile), { recursive: true });
  const startedMs = Date.now();
  for (;;) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      locked = true;
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      let alive = true;
      try {
        process.kill(Number(readFileSync(lockFile, 'utf8')), 0);
      } catch (e) {
        alive = e.code === 'EPERM';
      }
      if (!alive || Date.now() - startedMs > LOCK_WAIT_MS_MAX) rmSync(lockFile, { force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
}

// Best compression once at build time: the server sends these as they are.
function compressConsole() {
  for (const entry of readdirSync('dist/console', { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    writeFileSync(`${file}.br`, brotliCompressSync(readFileSync(file)));
  }
}

function filesIn(...folders) {
  return folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name)),
    )
    .sort();
}

/** Runs `build` and stamps `folder` when the files are not those it was built of. */
function fresh(folder, files, build) {
  const wanted = digest(installed, ...files.flatMap((file) => [file, readFileSync(file)]));
  const stamp = path.join(folder, '.stamp');
  if (holds(stamp, wanted)) return;
  takeLock();
  if (holds(stamp, wanted)) return;
  build();
  mkdirSync(folder, { recursive: true });
  writeFileSync(stamp, wanted);
}

// what else stands in package.json (scripts, texts) changes nothing that is installed
const { scripts: _scripts, description: _description, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8'));
const installed = digest(process.platform, process.arch, JSON.stringify(manifest), readFileSync('package-lock.json'));
const installStamp = 'node_modules/.vigie-install';
if (!holds(installStamp, installed) || !existsSync(node24)) {
  takeLock();
  if (!holds(installStamp, installed) || !existsSync(node24)) {
    console.error('vigie: installing dependencies (first start or changed lockfile) ...');
    // npm would follow a link and empty the folder of another checkout
    if (lstatSync('node_modules', { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync('node_modules');
    npm('ci', '--include=dev'); // also where NODE_ENV=production
    if (!existsSync(node24)) npm('rebuild', 'node', '--ignore-scripts=false'); // where ignore-scripts is set
    writeFileSync(installStamp, installed);
  }
}

if (!skipConsole && existsSync('console/index.html'))
  fresh('dist/console', filesIn('console', 'src/http/contract'), () => {
    console.error('vigie: building the console ...');
    run(node24, ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn', 'console']);
    compressConsole();
  });

if (wantServer) {
  const sources = filesIn('src').filter((file) => !file.endsWith('.test.ts'));
  fresh('dist/server', [...sources, 'tsconfig.json', 'tsconfig.build.json'], () => {
    console.error('vigie: building the server ...');
    // beside the old one, which a running server may still load parts of and which stays when the types do not hold
    rmSync('dist/server.new', { recursive: true, force: true });
    run(node24, ['node_modules/tsc7/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', 'dist/server.new']);
    rmSync('dist/server', { recursive: true, force: true });
    renameSync('dist/server.new', 'dist/server');
  });
}
releaseLock();
