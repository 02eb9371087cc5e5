/**
 * Who is on call: layers of rotations with restrictions, overrides on top. A day or week rotation hands over at the
 * same local time all year; an hour rotation counts real hours. The last layer that has somebody wins. Pure.
 */
import { z } from 'zod';
import { checkZone, dayNumber, instantOf, type LocalTime, localTime, parseClock, parseLocal } from './zone.ts';

export const LAYERS_MAX = 20;
export const USERS_PER_ROTATION_MAX = 100;
export const OVERRIDES_MAX = 500;
/** A calendar is asked for at most this far at a time. */
export const CALENDAR_MS_MAX = 400 * 86_400_000;
/** Changes of shift listed at most. */
export const SHIFTS_MAX = 5_000;

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,99}$/, 'want 1 to 100 of a-z A-Z 0-9 _ . @ -');
const clock = z.string().refine(ok(parseClock), 'want a time of day such as 09:30');
const local = z.string().refine(ok(parseLocal), 'want a local time such as 2026-01-05T09:00');

/** Version 1 of a schedule file; docs/incidents.md explains each key. */
export const scheduleSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('schedule'),
  name,
  description: z.string().max(500).default(''),
  time_zone: z.string().refine(ok(checkZone), 'want an IANA time zone such as Europe/Berlin'),
  layers: z
    .array(
      z.strictObject({
        name,
        /** Local time of the first hand-over. */
        start: local,
        end: local.optional(),
        rotation: z.strictObject({
          every: z.string().regex(/^[1-9]\d{0,3}[hdw]$/, 'want a number of h, d or w, such as 1w'),
          users: z.array(name).min(1).max(USERS_PER_ROTATION_MAX),
        }),
        restrictions: z
          .array(
            z.strictObject({
              days: z
                .array(z.enum(DAYS))
                .min(1)
                .default([...DAYS]),
              from: clock.default('00:00'),
              /** Before or equal to `from`: reaches into the next day. */
              to: clock.default('24:00'),
            }),
          )
          .max(20)
          .default([]),
      }),
    )
    .max(LAYERS_MAX)
    .default([]),
  overrides: z
    .array(z.strictObject({ user: name, from: z.number(), to: z.number(), reason: z.string().max(200).default('') }))
    .max(OVERRIDES_MAX)
    .default([]),
});
export type Schedule = z.output<typeof scheduleSchema>;
type Layer = Schedule['layers'][number];

export interface Shift {
  readonly fromMs: number;
  readonly toMs: number;
  /** '' when nobody is on call. */
  readonly user: string;
  /** Layer, or `override`. */
  readonly layer: string;
}

function ok(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
}

/** Who is on call at `atMs`; '' when nobody is. */
export function onCallAt(schedule: Schedule, atMs: number): { user: string; layer: string } {
  for (let i = schedule.overrides.length - 1; i >= 0; i--) {
    const o = schedule.overrides[i]!;
    if (o.from <= atMs && atMs < o.to) return { user: o.user, layer: 'override' };
  }
  for (let i = schedule.layers.length - 1; i >= 0; i--) {
    const layer = schedule.layers[i]!;
    const user = layerAt(schedule.time_zone, layer, atMs);
    if (user !== '') return { user, layer: layer.name };
  }
  return { user: '', layer: '' };
}

function layerAt(zone: string, layer: Layer, atMs: number): string {
  const start = parseLocal(layer.start);
  if (atMs < instantOf(zone, start)) return '';
  if (layer.end !== undefined && atMs >= instantOf(zone, parseLocal(layer.end))) return '';
  if (layer.restrictions.length > 0 && !layer.restrictions.some((r) => within(zone, r, atMs))) return '';
  const { users } = layer.rotation;
  return users[shiftNumber(zone, layer, start, atMs) % users.length]!;
}

function every(layer: Layer): { readonly n: number; readonly unit: 'h' | 'd' } {
  const unit = layer.rotation.every.at(-1)!;
  const n = Number(layer.rotation.every.slice(0, -1));
  return unit === 'h' ? { n, unit: 'h' } : { n: unit === 'w' ? n * 7 : n, unit: 'd' };
}

/** Number of the shift that `atMs` falls into, from 0. */
function shiftNumber(zone: string, layer: Layer, start: LocalTime, atMs: number): number {
  const { n, unit } = every(layer);
  if (unit === 'h') return Math.floor((atMs - instantOf(zone, start)) / (n * 3_600_000));
  const days = dayNumber(localTime(zone, atMs)) - dayNumber(start);
  let shift = Math.max(0, Math.floor(days / n));
  // the hand-over of today may still be ahead
  if (shift > 0 && atMs < handOver(zone, start, shift * n)) shift--;
  return shift;
}

const handOver = (zone: string, start: LocalTime, days: number): number =>
  instantOf(zone, { ...start, day: start.day + days });

/** Is `atMs` within a restriction? Compared as instants, so that a skipped or repeated hour does not shift its edges. */
function within(zone: string, r: Layer['restrictions'][number], atMs: number): boolean {
  const now = localTime(zone, atMs);
  // it may have begun yesterday
  for (const back of [0, 1]) {
    const weekday = DAYS[(now.weekday + 7 - back) % 7]!;
    if (!r.days.includes(weekday)) continue;
    const [from, to] = edges(zone, { ...now, day: now.day - back }, r);
    if (from <= atMs && atMs < to) return true;
  }
  return false;
}

function edges(zone: string, day: LocalTime, r: Layer['restrictions'][number]): [number, number] {
  const from = parseClock(r.from);
  const to = parseClock(r.to);
  const at = (minutes: number): number =>
    instantOf(zone, { ...day, hour: Math.floor(minutes / 60), minute: minutes % 60 });
  return [at(from), at(to <= from ? to + 1_440 : to)];
}

/** The shifts that touch [fromMs, toMs), in order, without gaps: a gap is a shift of nobody. */
export function shiftsBetween(schedule: Schedule, fromMs: number, toMs: number): readonly Shift[] {
  const endMs = Math.min(toMs, fromMs + CALENDAR_MS_MAX);
  const cuts = new Set<number>([fromMs]);
  const cut = (t: number): void => {
    if (t > fromMs && t < endMs && cuts.size < SHIFTS_MAX * 4) cuts.add(t);
  };
  for (const o of schedule.overrides) {
    cut(o.from);
    cut(o.to);
  }
  for (const layer of schedule.layers) layerCuts(schedule.time_zone, layer, fromMs, endMs, cut);
  const sorted = [...cuts].sort((a, b) => a - b);
  const out: Shift[] = [];
  for (const [i, at] of sorted.entries()) {
    const until = sorted[i + 1] ?? endMs;
    const who = onCallAt(schedule, at);
    const last = out.at(-1);
    if (last && last.user === who.user && last.layer === who.layer) out[out.length - 1] = { ...last, toMs: until };
    else if (out.length < SHIFTS_MAX) out.push({ fromMs: at, toMs: until, ...who });
  }
  return out;
}

function layerCuts(zone: string, layer: Layer, fromMs: number, endMs: number, cut: (t: number) => void): void {
  const start = parseLocal(layer.start);
  const startMs = instantOf(zone, start);
  cut(startMs);
  if (layer.end !== undefined) cut(instantOf(zone, parseLocal(layer.end)));
  const { n, unit } = every(layer);
  const first = Math.max(0, shiftNumber(zone, layer, start, Math.max(fromMs, startMs)));
  for (let s = first; s < first + SHIFTS_MAX; s++) {
    const t = unit === 'h' ? startMs + s * n * 3_600_000 : handOver(zone, start, s * n);
    if (t >= endMs) break;
    cut(t);
  }
  if (layer.restrictions.length === 0) return;
  const firstDay = localTime(zone, fromMs);
  const days = Math.ceil((endMs - fromMs) / 86_400_000) + 2;
  for (let d = -1; d < days; d++) {
    const day = new Date(Date.UTC(firstDay.year, firstDay.month - 1, firstDay.day + d));
    const weekday = DAYS[day.getUTCDay()]!;
    for (const r of layer.restrictions) {
      if (!r.days.includes(weekday)) continue;
      for (const t of edges(
        zone,
        { year: day.getUTCFullYear(), month: day.getUTCMonth() + 1, day: day.getUTCDate(), hour: 0, minute: 0 },
        r,
      ))
        cut(t);
    }
  }
}

/** The next change of person after `atMs` within a week, for hand-over notices. */
export function nextHandOver(schedule: Schedule, atMs: number): Shift | undefined {
  return shiftsBetween(schedule, atMs, atMs + 7 * 86_400_000)[1];
}
