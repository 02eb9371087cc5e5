/**
 * The README's commands, executed as written: every `sh` block in order, against the program that its first block
 * starts (on the address it names; only the data folder is another). `npm test` itself is left out, for it is what runs
 * this. `console` blocks need a cluster or files of the reader's own; their commands and flags are checked to exist.
 * The three languages must show the same code.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { eventually, MAIN, NODE } from '../support/vigie.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');

interface Block {
  readonly language: string;
  readonly text: string;
}
const blocks = (file: string): Block[] =>
  [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((m) => ({
    language: m[1]!,
    text: m[2]!,
  }));
const english = blocks('README.md');

describe('README', () => {
  it.each(['README.fr.md', 'README.de.md'])('%s shows the same code', (file) => {
    expect(blocks(file)).toEqual(english);
  });

  it('links to nothing that is not there', () => {
    for (const file of ['README.md', 'README.fr.md', 'README.de.md'])
      for (const [, target] of readFileSync(path.join(ROOT, file), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)\)/g))
        expect(() => readFileSync(path.join(ROOT, target!)), `${file}: ${target}`).not.toThrow();
  });

  it('names commands and flags that exist', async () => {
    let checked = 0;
    for (const { text } of english.filter((b) => b.language === 'console'))
      for (const line of text.split('\n')) {
        const call =
          /vigie -- (.*)$/.exec(line)?.[1] ??
          (/npm start -- (.*)$/.exec(line) ? `serve ${/npm start -- (.*)$/.exec(line)![1]}` : undefined);
        if (!call) continue;
        const words = call.split(' ');
        const command = words.filter((w, i) => !w.startsWith('-') && i < 2 && !words[i - 1]?.startsWith('-'));
        const { stdout } = await run(NODE, [MAIN, ...command, '--help'], { cwd: ROOT });
        for (const flag of words.filter((w) => w.startsWith('--'))) expect(stdout, line).toContain(flag);
        checked++;
      }
    expect(checked).toBeGreaterThanOrEqual(3);
  }, 60_000);

  it('works as written', async () => {
    const shell = english.filter((b) => b.language === 'sh').map((b) => b.text.trim());
    expect(shell[0]).toBe('npm start');
    const data = mkdtempSync(path.join(tmpdir(), 'vigie-readme-'));
    const env = { ...process.env, VIGIE_DATA_DIR: data, TENANT_ID: '', MONITORING_ENV: '', NODE_ENV: '' };
    const server = spawn('sh', ['-c', `exec ${shell[0]}`], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    server.stdout.on('data', (part: Buffer) => {
      printed += part.toString();
    });
    try {
      await eventually(
        'the server of `npm start`',
        async () => printed.includes('is ready at http://127.0.0.1:9390'),
        120_000,
      );
      await eventually('a first scrape', async () =>
        (await (await fetch('http://127.0.0.1:9390/api/v1/query?query=up')).text()).includes('"host"'),
      );
      const outputs: string[] = [];
      for (const block of shell.slice(1).filter((b) => b !== 'npm test'))
        for (const line of block.split('\n')) outputs.push((await run('sh', ['-c', line], { cwd: ROOT, env })).stdout);
      expect(outputs).toHaveLength(4);
      expect(outputs[0]).toContain('"status":"success"');
      expect(outputs[1]).toMatch(/^\[/);
      expect(outputs[2]).toContain('{job="host"} => 1');
      expect(outputs[3]).toContain('0 problems');
    } finally {
      server.kill('SIGTERM');
      await new Promise((done) => server.once('exit', done));
      rmSync(data, { recursive: true, force: true });
    }
  }, 240_000);
});
