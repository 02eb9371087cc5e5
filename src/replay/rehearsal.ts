/**
 * "Who would have been told, when, how often": stored episodes of alerts are lived through again by the engines handed
 * in, on a clock of their own. It knows neither routing nor escalation; the engines are the real ones.
 */
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import type { PostableAlert } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import { RehearsalClock } from './rehearsal-clock.ts';

export const EPISODES_MAX = 200_000;
export const PERIOD_MS_MAX = 400 * 86_400_000;
/** What follows the last episode (recoveries, last steps) is lived through too. */
const AFTERMATH_MS = 6 * 3_600_000;

/** One firing of one alert. */
export interface Episode {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** First bad sample, when it is known. */
  readonly firstBadAtMs?: number;
  readonly startsAtMs: number;
  /** Absent: it still fires at the end of the period. */
  readonly endsAtMs?: number;
}

/** Something that was, or would have been, said. */
export interface Told {
  readonly atMs: number;
  /** Receiver, contact or mail address. */
  readonly to: string;
  /** `notification`: by the alert's routes. `page`: by escalation. */
  readonly kind: 'notification' | 'page';
  /** Group key, or incident. */
  readonly about: string;
  readonly reason: string;
  /** Names of the alerts it speaks of. */
  readonly rules: readonly string[];
  readonly resolved: boolean;
}

/** The engines of one rehearsal: alerting and incidents with one configuration. */
export interface RehearsedEngines {
  /** Takes alerts at the clock's time, as from the rules. */
  accept(alerts: readonly RehearsedAlert[]): Promise<void>;
  close(): Promise<void>;
}
export interface RehearsedAlert {
  readonly alert: PostableAlert;
  readonly episode: Episode;
  readonly status: 'firing' | 'resolved';
}
export type MakeEngines = (clock: Clock, tell: (told: Told) => void) => Promise<RehearsedEngines>;

export interface Rehearsal {
  readonly fromMs: number;
  readonly toMs: number;
  readonly episodes: number;
  readonly told: readonly Told[];
  /** Timers the engines had. */
  readonly timers: number;
}

/** Lives through the episodes. Throws `too_large`, `bad_data`, and what the engines throw. */
export async function rehearse(
  episodes: readonly Episode[],
  period: { readonly fromMs: number; readonly toMs: number },
  make: MakeEngines,
): Promise<Rehearsal> {
  const { fromMs, toMs } = period;
  if (!(toMs > fromMs) || toMs - fromMs > PERIOD_MS_MAX)
    throw new VigieError('bad_data', 'period: want an end after the begin, at most 400 days');
  if (episodes.length > EPISODES_MAX)
    throw new VigieError('too_large', `${episodes.length} episodes, at most ${EPISODES_MAX} are rehearsed`);
  const clock = new RehearsalClock(fromMs);
  const told: Told[] = [];
  const engines = await make(clock, (t) => void told.push(t));
  try {
    for (const [atMs, batch] of moments(episodes, fromMs, toMs)) {
      await clock.advanceTo(atMs);
      await engines.accept(batch);
    }
    await clock.advanceTo(toMs + AFTERMATH_MS);
  } finally {
    await engines.close();
  }
  const within = told.filter((t) => t.atMs < toMs).sort((a, b) => a.atMs - b.atMs);
  return { fromMs, toMs, episodes: episodes.length, told: within, timers: clock.fired };
}

/** Begins and ends in order of time; what begins at one moment is handed over together, ends before begins. */
function moments(episodes: readonly Episode[], fromMs: number, toMs: number): [number, RehearsedAlert[]][] {
  // an alert that fires is posted again and again with a later end; one post with a far end is the same to the engines
  const farMs = toMs + 10 * 86_400_000;
  const at = new Map<number, RehearsedAlert[]>();
  const put = (atMs: number, alert: RehearsedAlert): void => {
    const list = at.get(atMs);
    if (list) list.push(alert);
    else at.set(atMs, [alert]);
  };
  for (const episode of episodes) {
    if (episode.startsAtMs >= toMs || (episode.endsAtMs ?? farMs) < fromMs) continue;
    const base = {
      labels: Labels.from(episode.labels),
      annotations: Labels.from(episode.annotations),
      generatorURL: '',
      startsAtMs: episode.startsAtMs,
    };
    put(Math.max(fromMs, episode.startsAtMs), {
      alert: { ...base, endsAtMs: farMs },
      episode,
      status: 'firing',
    });
    if (episode.endsAtMs !== undefined && episode.endsAtMs < toMs)
      put(episode.endsAtMs, { alert: { ...base, endsAtMs: episode.endsAtMs }, episode, status: 'resolved' });
  }
  for (const list of at.values()) list.sort((a, b) => (a.status === b.status ? 0 : a.status === 'resolved' ? -1 : 1));
  return [...at].sort((a, b) => a[0] - b[0]);
}
