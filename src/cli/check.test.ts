/** The command on files and folders of users. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import { addCheck } from './check.ts';
import type { CommandContext } from './context.ts';

async function check(argv: string[]) {
  let out = '';
  const write = (text: string): boolean => {
    out += text;
    return true;
  };
  const stream = { write } as unknown as NodeJS.WritableStream;
  const context: CommandContext = { env: {}, stdout: stream, stderr: stream, exitCode: 0 };
  const program = new Command().exitOverride();
  addCheck(program, context);
  await program.parseAsync(['check', ...argv], { from: 'user' });
  return { out, code: context.exitCode };
}

const RULES =
  'groups:\n  - name: g\n    rules:\n      - { alert: Down, expr: up == 0, labels: { severity: warning } }\n';

describe('vigie check of files', () => {
  it('takes a folder, checks what it knows in it, and counts the rest', async () => {
    using folder = temporaryFolder('vigie-check-');
    mkdirSync(path.join(folder.path, 'rules'));
    writeFileSync(path.join(folder.path, 'rules/a.yml'), RULES);
    writeFileSync(path.join(folder.path, 'object.yaml'), 'kind: ConfigMap\n---\nkind: Secret\n');
    writeFileSync(path.join(folder.path, 'other.json'), '{"mappings": {}}');
    const collector = 'receivers: { otlp: { protocols: { http: {} } } }\nexporters: { debug: {} }\n';
    writeFileSync(path.join(folder.path, 'collector.yaml'), collector);
    writeFileSync(path.join(folder.path, 'map.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\n');
    const object = `apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n  ${RULES.replaceAll('\n', '\n  ')}`;
    writeFileSync(path.join(folder.path, 'object-rules.yaml'), object);
    const good = await check([folder.path]);
    expect(good.out).toContain(`checked ${folder.path}/object-rules.yaml: 1 rules`);
    expect(good.code).toBe(0);
    expect(good.out).toContain(`checked ${folder.path}/rules/a.yml: 1 rules`);
    expect(good.out).toContain('4 files are of no kind that is checked here');
    writeFileSync(path.join(folder.path, 'rules/b.yml'), RULES.replace('up == 0', 'up =='));
    const bad = await check([folder.path]);
    expect([bad.code, bad.out.includes('b.yml')]).toEqual([1, true]);
  });

  it.each([
    ['nothing', 'holds no file'],
    ['missing.yml', 'cannot read'],
  ])('says what is wrong with %s', async (name, message) => {
    using folder = temporaryFolder('vigie-check-');
    mkdirSync(path.join(folder.path, 'nothing'));
    await expect(check([path.join(folder.path, name)])).rejects.toThrow(message);
  });

  it('calls a fault of YAML a fault of syntax, with its line', async () => {
    using folder = temporaryFolder('vigie-check-');
    const file = path.join(folder.path, 'x.yml');
    writeFileSync(file, 'groups:\n  - name: "g\n');
    const { out, code } = await check([file]);
    expect(code).toBe(1);
    expect(out).toMatch(/bad-syntax .*x\.yml.*line [23]/s);
  });
});
