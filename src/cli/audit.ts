/** `vigie audit`: list, verify and export the hash-chained log of changes; verify works without a server too. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Command } from 'commander';
import type { AuditAnswer, AuditVerifyAnswer } from '../http/contract/administration.ts';
import { systemClock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { tenantId } from '../model/tenant.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { optionsFrom } from './server-options.ts';
import { table } from './table.ts';

const PAGE = 1_000;
/** Pages of one export: ten million entries. */
const PAGES_MAX = 10_000;

interface ListFlags extends ServerFlags {
  action?: string;
  who?: string;
  limit: string;
  json?: boolean;
}

export function addAudit(program: Command, context: CommandContext): void {
  const audit = program.command('audit').description('who changed what');
  withServerFlags(audit.command('list'))
    .description('entries of the tenant, newest first')
    .option('--action <action>', 'only this kind, such as key.create')
    .option('--who <id>', 'only this principal')
    .option('--limit <n>', 'at most this many', '50')
    .option('--json', 'print the entries as JSON lines')
    .action(async (flags: ListFlags) => {
      const query = new URLSearchParams({ limit: flags.limit });
      if (flags.action !== undefined) query.set('action', flags.action);
      if (flags.who !== undefined) query.set('who', flags.who);
      const { entries } = await new VigieClient(flags, context).request<AuditAnswer>('GET', `/vigie/v1/audit?${query}`);
      context.stdout.write(flags.json ? linesOf(entries) : entriesTable(entries));
    });
  withServerFlags(audit.command('verify'))
    .description('walk the chain: exits 1 when an entry was altered, removed or put in')
    .option('--offline', 'read the data folder itself, without a server')
    .option('-c, --config <file>', 'with --offline: configuration file')
    .option('--data-dir <dir>', 'with --offline: the data folder')
    .action(async (flags: ServerFlags & { offline?: boolean; config?: string; dataDir?: string }) => {
      const verdict = flags.offline ? await verifyOffline(flags, context) : await verifyOnline(flags, context);
      context.stdout.write(verdictText(verdict));
      context.exitCode = verdict.ok ? 0 : 1;
    });
  withServerFlags(audit.command('export'))
    .description('all entries of the tenant as JSON lines, newest first')
    .option('-o, --output <file>', 'write to a file instead of standard output')
    .action(async (flags: ServerFlags & { output?: string }) => {
      const client = new VigieClient(flags, context);
      const to = flags.output === undefined ? context.stdout : createWriteStream(flags.output, { mode: 0o600 });
      for await (const entries of pagesOf((query) => client.request<AuditAnswer>('GET', `/vigie/v1/audit?${query}`)))
        if (!to.write(linesOf(entries))) await once(to, 'drain');
      if (flags.output !== undefined) {
        to.end();
        await once(to, 'finish');
      }
    });
}

type Verdict = AuditVerifyAnswer & { readonly reason?: string };

function verifyOnline(flags: ServerFlags, context: CommandContext): Promise<Verdict> {
  return new VigieClient(flags, context).request<Verdict>('POST', '/vigie/v1/audit/verify', {});
}

async function verifyOffline(
  flags: ServerFlags & { config?: string; dataDir?: string },
  context: CommandContext,
): Promise<Verdict> {
  if (flags.url !== undefined || flags.key !== undefined)
    throw new VigieError('bad_data', '--offline asks no server; leave --url and --key out');
  const { openOffline } = await import('../app/offline.ts');
  const { options } = optionsFrom(flags, context.env);
  await using offline = await openOffline({
    options,
    clock: systemClock,
    pid: process.pid,
    uid: process.getuid?.(),
    whenLocked: 'Ask the running server instead: leave --offline out.',
  });
  // awaited here: the store closes when this function ends
  return await offline.auditLog.verify(tenantId(flags.tenant ?? options.tenant));
}

/** Pages from newest to oldest; each asks for what lies before the last entry of the one before. */
export async function* pagesOf(
  get: (query: URLSearchParams) => Promise<AuditAnswer>,
): AsyncGenerator<AuditAnswer['entries']> {
  let before: number | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (before !== undefined) query.set('before', String(before));
    const { entries, next } = await get(query);
    if (entries.length > 0) yield entries;
    if (next === undefined) return;
    if (before !== undefined && next >= before)
      throw new VigieError('upstream', `the server repeats a page of the audit log: before ${before} came ${next}`);
    before = next;
  }
  throw new VigieError('too_large', `more than ${PAGE * PAGES_MAX} entries`);
}

const linesOf = (entries: AuditAnswer['entries']): string => entries.map((e) => `${JSON.stringify(e)}\n`).join('');

export function entriesTable(entries: AuditAnswer['entries']): string {
  return table(
    ['#', 'at', 'who', 'action', 'target', 'after'],
    entries.map((e) => [
      String(e.sequence),
      new Date(e.atMs).toISOString(),
      e.who,
      e.action,
      e.target,
      e.after === undefined ? '' : JSON.stringify(e.after),
    ]),
  );
}

export function verdictText(verdict: Verdict): string {
  const count = `${verdict.entries} ${verdict.entries === 1 ? 'entry' : 'entries'}`;
  if (verdict.ok) return `the chain holds: ${count}\n`;
  return `THE CHAIN IS BROKEN at entry ${verdict.brokenAt ?? '?'}${verdict.reason ? `: ${verdict.reason}` : ''} (${count} before it hold)\n`;
}
