/** `vigie alert`: list what fires, post an alert by hand, and ask why somebody was told, or not. */
import type { Command } from 'commander';
import { printMatcher } from '../alerting/matchers.ts';
import type { DecisionsAnswer } from '../http/contract/routing.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';
import { Labels } from '../model/labels.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { matchersOf } from './silence.ts';
import { table } from './table.ts';

/** As Alertmanager's API v2 writes one. */
export interface AlertItem {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly status: {
    readonly state: string;
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
  };
}

interface ListFlags extends ServerFlags {
  silenced?: boolean;
  inhibited?: boolean;
  receiver?: string;
  json?: boolean;
}
interface AddFlags extends ServerFlags {
  annotation?: string[];
  duration?: string;
  generatorUrl?: string;
}

const collect = (value: string, all: string[] = []): string[] => [...all, value];

export function addAlert(program: Command, context: CommandContext): void {
  const alert = program.command('alert').description('alerts as the router holds them');
  withServerFlags(alert.command('list'))
    .alias('query')
    .description('alerts that are active, by default without silenced and inhibited ones')
    .argument('[matchers...]', 'such as severity=critical; a bare word is the alertname')
    .option('--silenced', 'silenced ones too')
    .option('--inhibited', 'inhibited ones too')
    .option('--receiver <regex>', 'only those that a receiver of this name gets')
    .option('--json', 'print the answer of the API as it is')
    .action(async (words: string[], flags: ListFlags) => {
      const query = new URLSearchParams(matchersOf(words).map((m): [string, string] => ['filter', printMatcher(m)]));
      query.set('silenced', String(flags.silenced ?? false));
      query.set('inhibited', String(flags.inhibited ?? false));
      if (flags.receiver !== undefined) query.set('receiver', flags.receiver);
      const alerts = await new VigieClient(flags, context).request<readonly AlertItem[]>(
        'GET',
        `/api/v2/alerts?${query}`,
      );
      context.stdout.write(flags.json ? `${JSON.stringify(alerts, undefined, 2)}\n` : alertsTable(alerts, Date.now()));
    });
  withServerFlags(alert.command('add'))
    .description('post an alert by hand')
    .argument('<labels...>', 'such as alertname=Test severity=info; a bare first word is the alertname')
    .option('--annotation <name=value>', 'may be repeated', collect)
    .option('-d, --duration <duration>', 'it ends after this long (default: resolve_timeout after the last post)')
    .option('--generator-url <url>', 'where it came from')
    .action(async (words: string[], flags: AddFlags) => {
      const body = alertOf(words, flags, Date.now());
      await new VigieClient(flags, context).raw('POST', '/api/v2/alerts', JSON.stringify([body]));
      context.stdout.write('alert taken\n');
    });
  withServerFlags(alert.command('why'))
    .description('decisions about an alert: who was told, who was not, and why; newest first')
    .argument('[alert...]', 'its labels (alertname=X node=~"a.*"), or its fingerprint (default: all alerts)')
    .option('--receiver <name>', 'only decisions about this receiver')
    .option('--verdict <verdict>', 'sent, failed, silenced, inhibited, muted_by_time, outside_active_time, not_needed')
    .option('--limit <n>', 'at most this many', '50')
    .action(async (words: string[], flags: ServerFlags & { receiver?: string; verdict?: string; limit: string }) => {
      const query = new URLSearchParams({ limit: flags.limit });
      if (words.length === 1 && /^[0-9a-f]{16}$/.test(words[0]!)) query.set('fingerprint', words[0]!);
      else for (const m of matchersOf(words)) query.append('filter', printMatcher(m));
      if (flags.receiver !== undefined) query.set('receiver', flags.receiver);
      if (flags.verdict !== undefined) query.set('verdict', flags.verdict);
      const answer = await new VigieClient(flags, context).request<DecisionsAnswer>(
        'GET',
        `/vigie/v1/notifications/decisions?${query}`,
      );
      context.stdout.write(decisionsTable(answer.decisions));
    });
}

/** The labels of `alertname=x severity=y`: equality only, each once. Throws `bad_data`. */
function labelsOf(words: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { name, op, value } of matchersOf(words)) {
    if (op !== '=') throw new VigieError('bad_data', `want name=value, got ${JSON.stringify(`${name}${op}${value}`)}`);
    if (Object.hasOwn(out, name)) throw new VigieError('bad_data', `label ${name} is given twice`);
    out[name] = value;
  }
  return out;
}

/** One alert as POST /api/v2/alerts takes it. */
export function alertOf(
  words: readonly string[],
  flags: Pick<AddFlags, 'annotation' | 'duration' | 'generatorUrl'>,
  nowMs: number,
): Record<string, unknown> {
  const annotations = (flags.annotation ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new VigieError('bad_data', `--annotation: want name=value, got ${JSON.stringify(text)}`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  let endsAt: string | undefined;
  if (flags.duration !== undefined) {
    try {
      endsAt = new Date(nowMs + parseDuration(flags.duration)).toISOString();
    } catch (error) {
      throw new VigieError('bad_data', `--duration: ${messageOf(error)}`, { cause: error });
    }
  }
  return {
    labels: labelsOf(words),
    annotations: Object.fromEntries(annotations),
    startsAt: new Date(nowMs).toISOString(),
    ...(endsAt === undefined ? {} : { endsAt }),
    ...(flags.generatorUrl === undefined ? {} : { generatorURL: flags.generatorUrl }),
  };
}

export function alertsTable(alerts: readonly AlertItem[], nowMs: number): string {
  const state = ({ status }: AlertItem): string =>
    status.silencedBy.length > 0 ? 'silenced' : status.inhibitedBy.length > 0 ? 'inhibited' : status.state;
  return table(
    ['fingerprint', 'alert', 'state', 'for', 'receivers', 'labels', 'summary'],
    alerts.map((a) => {
      const { alertname = '', ...labels } = a.labels;
      return [
        a.fingerprint,
        alertname,
        state(a),
        formatDuration(Math.max(0, Math.floor((nowMs - Date.parse(a.startsAt)) / 1000) * 1000)),
        a.receivers.map((r) => r.name).join(', '),
        Labels.from(labels).toString(),
        a.annotations['summary'] ?? '',
      ];
    }),
  );
}

export function decisionsTable(decisions: DecisionsAnswer['decisions']): string {
  return table(
    ['at', 'verdict', 'receiver', 'group', 'alerts', 'why'],
    decisions.map((d) => [
      new Date(d.atMs).toISOString(),
      d.verdict,
      d.integration === '' ? d.receiver : `${d.receiver} ${d.integration}`,
      Labels.from(d.groupLabels).toString(),
      `${d.firing} firing, ${d.resolved} resolved`,
      d.reason,
    ]),
  );
}
