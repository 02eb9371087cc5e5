/** `vigie query`: a PromQL query against a running Vigie, as a table, values per line, or the JSON of the API. */
import type { Command } from 'commander';
import { VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';

interface QueryFlags extends ServerFlags {
  time?: string;
  start?: string;
  end?: string;
  step?: string;
  json?: boolean;
}

interface QueryAnswer {
  readonly data: {
    readonly resultType: string;
    readonly result:
      | readonly {
          metric: Record<string, string>;
          value?: [number, string];
          values?: [number, string][];
          histogram?: [number, unknown];
        }[]
      | [number, string];
  };
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

export function addQuery(program: Command, context: CommandContext): void {
  withServerFlags(program.command('query'))
    .description('run a PromQL query on a running Vigie')
    .argument('<expr>', "the expression, such as 'sum by (job) (up)'")
    .option('--time <time>', 'evaluation time, RFC 3339 or Unix seconds (default: now)')
    .option('--start <time>', 'start of a range query')
    .option('--end <time>', 'end of a range query (default: now)')
    .option('--step <duration>', 'step of a range query, such as 1m', '1m')
    .option('--json', 'print the answer of the API as it is')
    .action(async (expr: string, flags: QueryFlags) => {
      const client = new VigieClient(flags, context);
      const parameters = new URLSearchParams({ query: expr });
      if (flags.start === undefined && flags.end !== undefined) throw new VigieError('bad_data', '--end needs --start');
      if (flags.start !== undefined) {
        parameters.set('start', flags.start);
        parameters.set('end', flags.end ?? String(Date.now() / 1000));
        parameters.set('step', flags.step ?? '1m');
      } else if (flags.time !== undefined) parameters.set('time', flags.time);
      const answer = await client.request<QueryAnswer>(
        'GET',
        `/api/v1/query${flags.start === undefined ? '' : '_range'}?${parameters}`,
      );
      if (flags.json) context.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
      else printAnswer(answer, context);
    });
}

function printAnswer(answer: QueryAnswer, context: CommandContext): void {
  const { result, resultType } = answer.data;
  if (resultType === 'scalar' || resultType === 'string') {
    context.stdout.write(`${(result as [number, string])[1]}\n`);
  } else {
    const rows = result as Exclude<typeof result, [number, string]>;
    if (rows.length === 0) context.stdout.write('(no series)\n');
    for (const row of rows) {
      const name = Labels.from(row.metric).toString();
      if (row.value) context.stdout.write(`${name} => ${row.value[1]} @[${row.value[0]}]\n`);
      else if (row.values)
        context.stdout.write(`${name} =>\n${row.values.map(([t, v]) => `  ${v} @[${t}]`).join('\n')}\n`);
      else context.stdout.write(`${name} => ${JSON.stringify(row.histogram?.[1])}\n`);
    }
  }
  for (const w of [...(answer.warnings ?? []), ...(answer.infos ?? [])]) context.stderr.write(`vigie: ${w}\n`);
}
