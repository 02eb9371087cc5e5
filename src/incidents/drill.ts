/**
 * A drill: whoever is on call gets a page that says it is one, and acknowledges it. It opens no incident and tells
 * nobody else; what is measured is whether the page arrived and how soon somebody answered. Pure.
 */
import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import { parseCron } from './cron.ts';
import type { OutgoingMessage } from './message.ts';
import type { ReachedTarget } from './reach.ts';
import { checkZone } from './zone.ts';

export const DRILLS_PER_TENANT_MAX = 50;
/** Runs kept per tenant; the oldest go. */
export const DRILL_RUNS_MAX = 1_000;
/** What the figures look back on. */
export const DRILL_FIGURES_MS = 90 * 86_400_000;

const accepted =
  (parse: (text: string) => unknown) =>
  (text: string): boolean => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };

/** Version 1 of a drill document; docs/incidents.md explains each key. */
export const drillSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('drill'),
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$/, 'want 1 to 100 of a-z A-Z 0-9 _ . -'),
  /** The on-call schedule whose person is paged. */
  schedule: z.string().min(1).max(100),
  cron: z.string().refine(accepted(parseCron), 'want five fields such as "0 10 * * mon"'),
  /** Default: the schedule's. */
  time_zone: z.string().refine(accepted(checkZone), 'want an IANA time zone').optional(),
  /** The level whose contact rules and quiet hours apply. */
  criticality: z.enum(['P1', 'P2', 'P3', 'P4']).default('P2'),
  /** Acknowledged within this counts as answered. */
  within: z.string().refine(accepted(parseDuration), 'want a duration such as 15m').default('15m'),
  enabled: z.boolean().default(true),
});
export type Drill = z.output<typeof drillSchema>;

export const DRILL_RESULTS = ['waiting', 'acknowledged', 'late', 'missed', 'nobody'] as const;
export type DrillResult = (typeof DRILL_RESULTS)[number];

/** One drill that was held. Indexed by `atMs`. */
export interface DrillRun {
  /** `DRILL-<ms>-<name>`. */
  readonly id: string;
  readonly drill: string;
  readonly schedule: string;
  readonly atMs: number;
  /** '' when nobody was on call. */
  readonly user: string;
  readonly withinMs: number;
  /** Receivers that were told: programs that keep incidents of their own are told when it is over. */
  readonly receivers: readonly string[];
  readonly result: DrillResult;
  /** Why nobody could be paged. */
  readonly why: string;
  readonly acknowledgedAtMs?: number;
  readonly acknowledgedBy?: string;
}

export const drillRunId = (drill: string, atMs: number): string => `DRILL-${atMs}-${drill}`;
export const isDrill = (id: string): boolean => id.startsWith('DRILL-');

/** The run after somebody answered; the first answer counts. */
export function answered(run: DrillRun, by: string, nowMs: number): DrillRun {
  if (run.acknowledgedAtMs !== undefined || run.result === 'nobody') return run;
  const result = nowMs - run.atMs <= run.withinMs ? 'acknowledged' : 'late';
  return { ...run, result, acknowledgedAtMs: nowMs, acknowledgedBy: by };
}

/** A run whose time is over without an answer is missed; a late answer still counts as late. */
export const overdue = (run: DrillRun, nowMs: number): DrillRun =>
  run.result === 'waiting' && nowMs - run.atMs > run.withinMs ? { ...run, result: 'missed' } : run;

export interface DrillFigures {
  readonly held: number;
  /** Answered in time, of those held and decided; 0..1. Absent before the first. */
  readonly answeredShare?: number;
  readonly medianAcknowledgeMs?: number;
  /** People of the rotations, and how many of them answered a drill in time: whom the night was tried with. */
  readonly people: number;
  readonly peopleAnswered: number;
  readonly untried: readonly string[];
}

/** Over the runs of `DRILL_FIGURES_MS` before `nowMs`; `people` are those of all rotations. */
export function drillFigures(runs: readonly DrillRun[], people: ReadonlySet<string>, nowMs: number): DrillFigures {
  const recent = runs.filter((r) => nowMs - r.atMs <= DRILL_FIGURES_MS);
  const decided = recent.filter((r) => r.result !== 'waiting');
  const inTime = decided.filter((r) => r.result === 'acknowledged');
  const took = recent
    .filter((r) => r.acknowledgedAtMs !== undefined)
    .map((r) => r.acknowledgedAtMs! - r.atMs)
    .sort((a, b) => a - b);
  const tried = new Set(inTime.map((r) => r.user));
  const untried = [...people].filter((p) => !tried.has(p)).sort();
  return {
    held: recent.length,
    ...(decided.length === 0 ? {} : { answeredShare: inTime.length / decided.length }),
    ...(took.length === 0 ? {} : { medianAcknowledgeMs: took[took.length >> 1]! }),
    people: people.size,
    peopleAnswered: people.size - untried.length,
    untried,
  };
}

export interface DrillMessageInput {
  readonly tenant: string;
  readonly run: DrillRun;
  readonly to: ReachedTarget;
  readonly n: number;
  readonly acknowledgeUrl: string;
}

/** The run a message of it belongs to; '' for any other message. */
export const drillOfMessage = (message: Pick<OutgoingMessage, 'kind' | 'id'>): string =>
  message.kind === 'drill' ? (message.id.split('/')[1] ?? '') : '';

/** Ends it in programs that keep incidents of their own. */
export function drillOver(tenant: string, run: DrillRun, receiver: string, n: number): OutgoingMessage {
  const title = `DRILL over: ${run.drill}`;
  const id = `${tenant}/${run.id}/${n}/over`;
  return {
    id,
    incident: '',
    group: run.id,
    kind: 'drill_over',
    receiver,
    contact: '',
    level: '',
    status: 'resolved',
    title,
    text: title,
    labels: { alertname: title, severity: 'info', drill: run.drill },
    annotations: { summary: title, description: title },
    links: [],
    thread: { messageId: `<${id.replaceAll('/', '.')}@vigie>`.toLowerCase(), references: [] },
  };
}

/** A page that nobody can take for a true one. */
export function drillMessage({ tenant, run, to, n, acknowledgeUrl }: DrillMessageInput): OutgoingMessage {
  const title = `DRILL: is ${run.user} reachable? (${run.drill})`;
  const minutes = Math.round(run.withinMs / 60_000);
  const lines = [
    'This is a drill. Nothing is wrong and no incident is open.',
    `${run.user} is on call for ${run.schedule}: please acknowledge within ${minutes} minutes.`,
    `acknowledge: ${acknowledgeUrl}`,
  ];
  const id = `${tenant}/${run.id}/${n}`;
  return {
    id,
    incident: '',
    group: run.id,
    kind: 'drill',
    ...(to.receiver === undefined ? {} : { receiver: to.receiver }),
    ...(to.email === undefined ? {} : { email: to.email }),
    contact: to.contact,
    level: '',
    status: 'firing',
    title,
    text: lines.join('\n'),
    labels: { alertname: title, severity: 'info', drill: run.drill },
    annotations: { summary: title, description: lines.join('\n'), acknowledge_url: acknowledgeUrl },
    links: [{ action: 'acknowledge', url: acknowledgeUrl }],
    thread: { messageId: `<${id.replaceAll('/', '.')}@vigie>`.toLowerCase(), references: [] },
  };
}
