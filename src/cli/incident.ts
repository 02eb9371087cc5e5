/** `vigie incident`: list, show and act on incidents of a running Vigie; who is on call; drafts of post-mortems. */
import type { Command } from 'commander';
import type { IncidentAnswer, IncidentsAnswer } from '../http/contract/incidents.ts';
import type { OnCallAnswer } from '../http/contract/on-call.ts';
import { parseDuration } from '../model/duration.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

interface ActFlags extends ServerFlags {
  comment?: string;
  for?: string;
  into?: string;
}

export function addIncident(program: Command, context: CommandContext): void {
  const incident = program.command('incident').description('incidents of a running Vigie');
  const print = (text: string): void => void context.stdout.write(`${text}\n`);
  withServerFlags(incident.command('list'))
    .description('list incidents, newest first')
    .option('--all', 'also those that are over')
    .action(async (flags: ServerFlags & { all?: boolean }) => {
      const client = new VigieClient(flags, context);
      const { incidents } = await client.request<IncidentsAnswer>(
        'GET',
        `/vigie/v1/incidents${flags.all ? '' : '?live=true'}`,
      );
      if (incidents.length === 0) print('none');
      for (const i of incidents)
        print(
          [
            i.id.padEnd(9),
            i.criticality,
            i.state.padEnd(12),
            new Date(i.openedAtMs).toISOString().slice(0, 16),
            `${i.firing}/${i.alerts} firing`.padEnd(14),
            i.title,
            i.cause ? `<- ${i.cause}` : '',
          ].join('  '),
        );
    });
  withServerFlags(incident.command('show'))
    .description('one incident: verdict, causes with evidence, time line')
    .argument('<id>')
    .action(async (id: string, flags: ServerFlags) => {
      const client = new VigieClient(flags, context);
      const { incident: i, actions } = await client.request<IncidentAnswer>('GET', path(id));
      print(`${i.id} ${i.criticality} ${i.state}: ${i.title}`);
      print(`who is hit: ${i.verdict.words}`);
      for (const c of i.causes) print(`cause ${Math.round(c.score * 100)} %: ${c.component}: ${c.evidence.join('; ')}`);
      for (const a of i.alerts) print(`alert ${a.state}: ${a.labels['alertname']} (${a.why.join('; ')})`);
      for (const e of i.timeline) print(`${new Date(e.atMs).toISOString()} ${e.kind}: ${e.text} [${e.actor}]`);
      print(`possible: ${actions.join(', ')}`);
    });
  withServerFlags(incident.command('act'))
    .description('acknowledge, snooze, mitigate, resolve, reopen, escalate, silence, remediate or merge')
    .argument('<id>')
    .argument('<action>')
    .option('--comment <text>', 'for the time line')
    .option('--for <duration>', 'for snooze and silence', '1h')
    .option('--into <id>', 'for merge')
    .action(async (id: string, action: string, flags: ActFlags) => {
      const { incident: i } = await new VigieClient(flags, context).request<IncidentAnswer>(
        'POST',
        `${path(id)}/actions`,
        {
          action,
          durationMs: parseDuration(flags.for ?? '1h'),
          ...(flags.comment === undefined ? {} : { comment: flags.comment }),
          ...(flags.into === undefined ? {} : { into: flags.into }),
        },
      );
      print(`${i.id}: ${i.state}`);
    });
  withServerFlags(incident.command('post-mortem'))
    .description('draft of a post-mortem in Markdown')
    .argument('<id>')
    .action(async (id: string, flags: ServerFlags) => {
      const response = await new VigieClient(flags, context).raw('GET', `${path(id)}/post-mortem`);
      context.stdout.write(await response.text());
    });
  withServerFlags(incident.command('on-call'))
    .description('who is on call now')
    .action(async (flags: ServerFlags) => {
      const answer = await new VigieClient(flags, context).request<OnCallAnswer>('GET', '/vigie/v1/on-call');
      for (const o of answer.onCall) {
        const next = o.next
          ? `; from ${new Date(o.next.fromMs).toISOString().slice(0, 16)} ${o.next.user || 'nobody'}`
          : '';
        print(`${o.schedule}: ${o.user || 'NOBODY'} (${o.layer || 'no layer'})${next}`);
      }
      if (answer.uncovered.length > 0) print(`no policy tells anybody of ${answer.uncovered.join(', ')}`);
    });
}

const path = (id: string): string => `/vigie/v1/incidents/${encodeURIComponent(id)}`;
