import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toICalendar } from './icalendar.ts';
import { nextHandOver, onCallAt, scheduleSchema, shiftsBetween } from './schedule.ts';
import { instantOf, localTime, parseLocal, zoneOffsetMs } from './zone.ts';

const at = (text: string): number => Date.parse(text);
const schedule = (over: Record<string, unknown> = {}) =>
  scheduleSchema.parse({ version: 1, kind: 'schedule', name: 's', time_zone: 'Europe/Berlin', ...over });
const layer = (every: string, users: string[], more: Record<string, unknown> = {}) => ({
  name: 'l',
  start: '2026-01-05T09:00',
  rotation: { every, users },
  ...more,
});

describe('zones', () => {
  it.each([
    ['Europe/Berlin', '2026-01-15T12:00:00Z', 1],
    ['Europe/Berlin', '2026-07-15T12:00:00Z', 2],
    ['America/New_York', '2026-01-15T12:00:00Z', -5],
    ['Asia/Kathmandu', '2026-01-15T12:00:00Z', 5.75],
    ['Australia/Lord_Howe', '2026-01-15T12:00:00Z', 11],
    ['Australia/Lord_Howe', '2026-07-15T12:00:00Z', 10.5],
  ])('%s at %s is %d h ahead', (zone, time, hours) => {
    expect(zoneOffsetMs(zone, at(time))).toBe(hours * 3_600_000);
  });

  it('reads skipped and repeated local times as RFC 5545 says', () => {
    // 29 March 2026: 02:00 -> 03:00; 25 October 2026: 03:00 -> 02:00
    const berlin = (text: string) => new Date(instantOf('Europe/Berlin', parseLocal(text))).toISOString();
    expect(berlin('2026-03-29T02:30')).toBe('2026-03-29T01:30:00.000Z');
    expect(berlin('2026-03-29T03:00')).toBe('2026-03-29T01:00:00.000Z');
    expect(berlin('2026-10-25T02:30')).toBe('2026-10-25T00:30:00.000Z');
    expect(berlin('2026-10-25T03:00')).toBe('2026-10-25T02:00:00.000Z');
  });

  it('gives back every local time that exists', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at('2024-01-01T00:00Z') / 60_000, max: at('2030-01-01T00:00Z') / 60_000 }),
        fc.constantFrom(
          'Europe/Berlin',
          'America/New_York',
          'Asia/Kathmandu',
          'Australia/Lord_Howe',
          'America/Sao_Paulo',
          'UTC',
        ),
        (minute, zone) => {
          const t = localTime(zone, minute * 60_000);
          const back = instantOf(zone, t);
          // a local time that comes twice is the first of the two
          expect([0, 30, 60]).toContain(minute - back / 60_000);
          expect(localTime(zone, back)).toEqual(t);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('rotations', () => {
  it('hands over at the same local time through both changes of daylight saving', () => {
    const s = schedule({ layers: [layer('1w', ['ada', 'ben', 'cy'])] });
    const shifts = shiftsBetween(s, at('2026-03-16T00:00Z'), at('2026-04-14T00:00Z')).slice(1);
    expect(shifts.map((x) => [new Date(x.fromMs).toISOString().slice(0, 16), x.user])).toEqual([
      ['2026-03-16T08:00', 'ben'],
      ['2026-03-23T08:00', 'cy'],
      ['2026-03-30T07:00', 'ada'],
      ['2026-04-06T07:00', 'ben'],
      ['2026-04-13T07:00', 'cy'],
    ]);
    const autumn = shiftsBetween(s, at('2026-10-20T00:00Z'), at('2026-11-01T00:00Z'));
    expect(new Date(autumn[1]!.fromMs).toISOString()).toBe('2026-10-26T08:00:00.000Z');
    expect((autumn[1]!.fromMs - at('2026-10-19T07:00Z')) / 3_600_000).toBe(7 * 24 + 1);
  });

  it('counts real hours in an hour rotation', () => {
    const s = schedule({ layers: [layer('12h', ['ada', 'ben'])] });
    const shifts = shiftsBetween(s, at('2026-03-28T12:00Z'), at('2026-03-30T12:00Z'));
    for (const x of shifts.slice(1, -1)) expect(x.toMs - x.fromMs).toBe(12 * 3_600_000);
  });

  it('lets layers, restrictions and overrides win in that order', () => {
    const s = schedule({
      layers: [
        layer('1d', ['ada', 'ben']),
        layer('1w', ['nightowl'], {
          name: 'nights',
          restrictions: [{ days: ['fri', 'sat'], from: '22:00', to: '06:00' }],
        }),
      ],
      overrides: [{ user: 'cy', from: at('2026-01-09T22:30Z'), to: at('2026-01-09T23:00Z') }],
    });
    expect(onCallAt(s, at('2026-01-09T20:59Z'))).toEqual({ user: 'ada', layer: 'l' });
    expect(onCallAt(s, at('2026-01-09T21:00Z'))).toEqual({ user: 'nightowl', layer: 'nights' });
    expect(onCallAt(s, at('2026-01-09T22:45Z'))).toEqual({ user: 'cy', layer: 'override' });
    expect(onCallAt(s, at('2026-01-10T04:59Z')).user).toBe('nightowl');
    expect(onCallAt(s, at('2026-01-10T05:00Z')).user).toBe('ada');
    expect(onCallAt(s, at('2026-01-05T07:59Z')).user).toBe('');
    expect(nextHandOver(s, at('2026-01-09T20:59Z'))).toMatchObject({
      user: 'nightowl',
      fromMs: at('2026-01-09T21:00Z'),
    });
  });

  it('agrees with onCallAt at every moment, has no gap and no overlap', () => {
    const config = fc.record({
      time_zone: fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'),
      layers: fc.array(
        fc.record({
          every: fc.constantFrom('1d', '1w', '2w', '8h', '36h', '3d'),
          users: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 }),
          restricted: fc.boolean(),
          from: fc.constantFrom('00:00', '02:30', '09:00', '22:00'),
          to: fc.constantFrom('02:30', '06:00', '17:00', '24:00'),
          day: fc.constantFrom('sun', 'mon', 'sat'),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      fromMs: fc.integer({ min: at('2026-02-01T00:00Z'), max: at('2026-11-20T00:00Z') }),
      days: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(
        config,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 }),
        (c, points) => {
          const s = schedule({
            time_zone: c.time_zone,
            layers: c.layers.map((l, i) =>
              layer(l.every, l.users, {
                name: `l${i}`,
                ...(l.restricted ? { restrictions: [{ days: [l.day, 'wed'], from: l.from, to: l.to }] } : {}),
              }),
            ),
          });
          const toMs = c.fromMs + c.days * 86_400_000;
          const shifts = shiftsBetween(s, c.fromMs, toMs);
          expect(shifts[0]!.fromMs).toBe(c.fromMs);
          expect(shifts.at(-1)!.toMs).toBe(toMs);
          for (let i = 1; i < shifts.length; i++) expect(shifts[i]!.fromMs).toBe(shifts[i - 1]!.toMs);
          for (const p of points) {
            const t = Math.floor(c.fromMs + p * (toMs - c.fromMs - 1));
            const shift = shifts.find((x) => x.fromMs <= t && t < x.toMs)!;
            expect({ user: shift.user, layer: shift.layer }).toEqual(onCallAt(s, t));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    [{ time_zone: 'Mars/Olympus' }, /time zone/],
    [{ layers: [layer('1y', ['a'])] }, /want a number of h, d or w/],
    [{ layers: [layer('1d', [])] }, /users/],
    [{ layers: [layer('1d', ['a'], { start: '2026-02-30T09:00' })] }, /local time/],
    [{ layers: [layer('1d', ['a'], { restrictions: [{ from: '25:00' }] })] }, /time of day/],
    [{ extra: 1 }, /extra/],
  ])('refuses %j', (over, message) => {
    expect(() => schedule(over)).toThrow(message);
  });
});

describe('iCalendar', () => {
  it('is folded, escaped and stable', () => {
    const text = toICalendar({
      name: 'a;b,c and a name that is certainly longer than seventy-five octets, with ümläuts',
      shifts: [
        { fromMs: at('2026-01-05T08:00Z'), toMs: at('2026-01-12T08:00Z'), user: 'ada', layer: 'weekly' },
        { fromMs: at('2026-01-12T08:00Z'), toMs: at('2026-01-13T08:00Z'), user: '', layer: '' },
        { fromMs: at('2026-01-13T08:00Z'), toMs: at('2026-01-14T08:00Z'), user: 'ben', layer: 'weekly' },
      ],
      nowMs: at('2026-01-01T00:00Z'),
    });
    for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
    const unfolded = text.replaceAll('\r\n ', '');
    expect(unfolded).toContain('X-WR-CALNAME:On call: a\\;b\\,c');
    expect(unfolded).toContain('ümläuts');
    expect(unfolded.match(/BEGIN:VEVENT/g)).toHaveLength(2);
    expect(unfolded).toContain('DTSTART:20260105T080000Z\r\nDTEND:20260112T080000Z');
    expect(new Set(unfolded.match(/^UID:.*$/gm)).size).toBe(2);
  });
});
