/** `vigie rehearse`: who would have been told in a past period, with the present or a proposed configuration. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { RehearsalAnswer, RehearsalInput, RehearsalSide } from '../http/contract/rehearsal.ts';
import { parseDuration } from '../model/duration.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

interface RehearseFlags extends ServerFlags {
  last: string;
  alertmanager?: string;
  policies?: string;
  acknowledgeAfter?: string;
  timeZone: string;
  json?: boolean;
}

export function addRehearse(program: Command, context: CommandContext): void {
  withServerFlags(program.command('rehearse'))
    .description('live through stored history again: who would have been told, when, how often')
    .option('--last <duration>', 'how far back', '21d')
    .option('--alertmanager <file>', 'a proposed Alertmanager configuration')
    .option('--policies <file>', 'proposed escalation policies, YAML documents separated by ---')
    .option('--acknowledge-after <duration>', 'assume that each incident is acknowledged so long after its first page')
    .option('--time-zone <zone>', 'for what counts as night', 'UTC')
    .option('--json', 'print the answer of the API as it is')
    .action(async (flags: RehearseFlags) => {
      const toMs = Date.now();
      const proposed = {
        ...(flags.alertmanager === undefined ? {} : { alertmanager: readFileSync(flags.alertmanager, 'utf8') }),
        ...(flags.policies === undefined ? {} : { policies: readFileSync(flags.policies, 'utf8') }),
        ...(flags.acknowledgeAfter === undefined ? {} : { acknowledgeAfterMs: parseDuration(flags.acknowledgeAfter) }),
      };
      const input: RehearsalInput = {
        fromMs: toMs - parseDuration(flags.last),
        toMs,
        timeZone: flags.timeZone,
        ...(Object.keys(proposed).length === 0 ? {} : { proposed }),
      };
      const answer = await new VigieClient(flags, context).request<RehearsalAnswer>(
        'POST',
        '/vigie/v1/rehearsals',
        input,
      );
      context.stdout.write(flags.json ? `${JSON.stringify(answer, undefined, 2)}\n` : rehearsalText(answer));
    });
}

/** The answer for people. */
export function rehearsalText(a: RehearsalAnswer): string {
  const days = ((a.toMs - a.fromMs) / 86_400_000).toFixed(1);
  const lines = [`${days} days, ${a.episodes} firings, lived through in ${(a.tookMs / 1000).toFixed(1)} s`];
  lines.push('present:', ...sideText(a.present));
  if (a.reality)
    lines.push(
      `beside what was really sent: ${a.reality.agreeing} of ${a.reality.sent} agree, ${a.reality.missing} missing, ${a.reality.extra} extra`,
    );
  if (a.proposed) lines.push('proposed:', ...sideText(a.proposed));
  if (a.diff) {
    lines.push(`difference: ${a.diff.same} the same, ${a.diff.addedCount} more, ${a.diff.removedCount} fewer`);
    for (const t of a.diff.added.slice(0, 20))
      lines.push(`  + ${time(t.atMs)} ${t.to} ${t.rules.join(',')} (${t.reason})`);
    for (const t of a.diff.removed.slice(0, 20))
      lines.push(`  - ${time(t.atMs)} ${t.to} ${t.rules.join(',')} (${t.reason})`);
  }
  return `${lines.join('\n')}\n`;
}

function sideText(s: RehearsalSide): string[] {
  return [
    `  ${s.messages} messages, ${s.pages} pages`,
    ...s.budgets.map(
      (b) =>
        `  ${b.to}: ${b.pages} (${b.perWeek.toFixed(1)} a week of ${b.budgetPerWeek}${b.over ? ', OVER' : ''}; ${b.atNight} at night); ${b.rules
          .slice(0, 3)
          .map((r) => `${r.rule} ${r.pages}`)
          .join(', ')}`,
    ),
  ];
}

const time = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
