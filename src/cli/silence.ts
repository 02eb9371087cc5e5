/** `vigie silence`: add, list, expire and preview silences, with matchers as amtool takes them. */
import type { Command } from 'commander';
import { parseMatchers, printMatcher } from '../alerting/matchers.ts';
import type { SilencePreviewAnswer } from '../http/contract/routing.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';
import { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { type ServerFlags, VigieClient, withServerFlags } from './client.ts';
import type { CommandContext } from './context.ts';
import { table } from './table.ts';

/** As Alertmanager's API v2 writes one. */
export interface SilenceItem {
  readonly id: string;
  readonly status: { readonly state: 'active' | 'pending' | 'expired' };
  readonly comment: string;
  readonly createdBy: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly matchers: readonly {
    readonly name: string;
    readonly value: string;
    readonly isRegex: boolean;
    readonly isEqual?: boolean;
  }[];
}

interface AddFlags extends ServerFlags {
  author?: string;
  comment: string;
  duration: string;
  start?: string;
  end?: string;
}

export function addSilence(program: Command, context: CommandContext): void {
  const silence = program.command('silence').description('mute notifications for a while');
  const matchers = 'such as alertname=DiskFull or instance=~"web.*"; a bare word is the alertname';
  withServerFlags(silence.command('add'))
    .description('add a silence; prints its id')
    .argument('<matchers...>', matchers)
    .requiredOption('-c, --comment <text>', 'why')
    .option('-a, --author <name>', 'who (default: $USER)')
    .option('-d, --duration <duration>', 'how long', '1h')
    .option('--start <time>', 'RFC 3339 (default: now)')
    .option('--end <time>', 'RFC 3339, instead of --duration')
    .action(async (words: string[], flags: AddFlags) => {
      const body = silenceOf(words, flags, context.env['USER'] ?? 'vigie', Date.now());
      const answer = await new VigieClient(flags, context).request<{ silenceID: string }>(
        'POST',
        '/api/v2/silences',
        body,
      );
      context.stdout.write(`${answer.silenceID}\n`);
    });
  withServerFlags(silence.command('list'))
    .alias('query')
    .description('active and pending silences')
    .argument('[matchers...]', 'only silences that have these matchers')
    .option('--expired', 'the expired ones instead')
    .option('-q, --quiet', 'ids alone')
    .option('--json', 'print the answer of the API as it is')
    .action(async (words: string[], flags: ServerFlags & { expired?: boolean; quiet?: boolean; json?: boolean }) => {
      const query = new URLSearchParams(matchersOf(words).map((m): [string, string] => ['filter', printMatcher(m)]));
      const all = await new VigieClient(flags, context).request<readonly SilenceItem[]>(
        'GET',
        `/api/v2/silences?${query}`,
      );
      const shown = all.filter((s) => (s.status.state === 'expired') === (flags.expired ?? false));
      if (flags.json) context.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
      else if (flags.quiet) context.stdout.write(shown.map((s) => `${s.id}\n`).join(''));
      else context.stdout.write(silencesTable(shown, Date.now()));
    });
  withServerFlags(silence.command('expire'))
    .description('end silences now')
    .argument('<ids...>')
    .action(async (ids: string[], flags: ServerFlags) => {
      const client = new VigieClient(flags, context);
      for (const id of ids) {
        await client.raw('DELETE', `/api/v2/silence/${encodeURIComponent(id)}`);
        context.stdout.write(`${id} expired\n`);
      }
    });
  withServerFlags(silence.command('preview'))
    .description('which alerts a silence with these matchers would mute now')
    .argument('<matchers...>', matchers)
    .action(async (words: string[], flags: ServerFlags) => {
      const answer = await new VigieClient(flags, context).request<SilencePreviewAnswer>(
        'POST',
        '/vigie/v1/silences/preview',
        { matchers: matchersOf(words).map(printMatcher) },
      );
      context.stdout.write(previewText(answer));
    });
}

/** Words as amtool reads them: each one or more matchers; a first word without an operator is the alertname. */
export function matchersOf(words: readonly string[]): Matcher[] {
  return words.flatMap((word, i): Matcher[] => {
    if (i === 0 && /^[^=!~{}"]+$/.test(word)) return [{ name: 'alertname', op: '=', value: word }];
    return parseMatchers(word).map(({ name, op, value }) => ({ name, op, value }));
  });
}

/** The body of POST /api/v2/silences. Throws `bad_data` naming the flag. */
export function silenceOf(
  words: readonly string[],
  flags: Pick<AddFlags, 'author' | 'comment' | 'duration' | 'start' | 'end'>,
  user: string,
  nowMs: number,
): Record<string, unknown> {
  const time = (flag: string, text: string): number => {
    const ms = Date.parse(text);
    if (Number.isNaN(ms))
      throw new VigieError(
        'bad_data',
        `${flag}: want a time such as 2026-05-01T08:00:00Z, got ${JSON.stringify(text)}`,
      );
    return ms;
  };
  const startsAtMs = flags.start === undefined ? nowMs : time('--start', flags.start);
  let endsAtMs: number;
  if (flags.end !== undefined) endsAtMs = time('--end', flags.end);
  else {
    try {
      endsAtMs = startsAtMs + parseDuration(flags.duration);
    } catch (error) {
      throw new VigieError('bad_data', `--duration: ${messageOf(error)}`, { cause: error });
    }
  }
  if (endsAtMs <= startsAtMs) throw new VigieError('bad_data', 'the silence would end before it starts');
  const matchers = matchersOf(words);
  if (matchers.length === 0) throw new VigieError('bad_data', 'at least one matcher is needed');
  return {
    matchers: matchers.map(({ name, op, value }) => ({
      name,
      value,
      isRegex: op.endsWith('~'),
      isEqual: op.startsWith('='),
    })),
    startsAt: new Date(startsAtMs).toISOString(),
    endsAt: new Date(endsAtMs).toISOString(),
    createdBy: flags.author ?? user,
    comment: flags.comment,
  };
}

export function silencesTable(silences: readonly SilenceItem[], nowMs: number): string {
  const matcherText = (s: SilenceItem): string =>
    s.matchers
      .map(({ name, value, isRegex, isEqual = true }) =>
        printMatcher({ name, value, op: isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=' }),
      )
      .join(' ');
  const when = (s: SilenceItem): string => {
    const leftMs = Math.floor((Date.parse(s.endsAt) - nowMs) / 1000) * 1000;
    return s.status.state === 'active' && leftMs > 0 ? `${s.endsAt} (in ${formatDuration(leftMs)})` : s.endsAt;
  };
  return table(
    ['id', 'matchers', 'state', 'ends', 'created by', 'comment'],
    silences.map((s) => [s.id, matcherText(s), s.status.state, when(s), s.createdBy, s.comment]),
  );
}

export function previewText({ total, alerts }: SilencePreviewAnswer): string {
  const rows = alerts.map((a) => [
    a.labels['alertname'] ?? '',
    Labels.from(a.labels).toString(),
    a.receivers.join(', '),
    a.silencedBy.length > 0 ? 'silenced already' : '',
  ]);
  const more = total > alerts.length ? `and ${total - alerts.length} more\n` : '';
  return `${total} alert${total === 1 ? '' : 's'} would be muted\n${total === 0 ? '' : table(['alert', 'labels', 'receivers', ''], rows)}${more}`;
}
