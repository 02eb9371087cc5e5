import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextCron, parseCron } from './cron.ts';
import { localTime } from './zone.ts';

const next = (text: string, after: string, zone = 'Europe/Berlin'): string =>
  new Date(nextCron(parseCron(text), zone, Date.parse(after))!).toISOString();

describe('cron', () => {
  it.each([
    ['0 10 * * mon', '2026-03-02T09:00:00Z', '2026-03-09T09:00:00.000Z'],
    ['0 10 * * mon', '2026-03-02T08:59:59Z', '2026-03-02T09:00:00.000Z'],
    ['*/15 9-17 * * 1-5', '2026-03-06T16:50:00Z', '2026-03-09T08:00:00.000Z'],
    ['30 8 1 jan,jul *', '2026-03-02T00:00:00Z', '2026-07-01T06:30:00.000Z'],
    ['0 0 29 2 *', '2026-03-02T00:00:00Z', '2028-02-28T23:00:00.000Z'],
    // either day: the 13th or a Friday
    ['0 12 13 * fri', '2026-03-02T12:00:00Z', '2026-03-06T11:00:00.000Z'],
    ['0 12 * * 7', '2026-03-02T12:00:00Z', '2026-03-08T11:00:00.000Z'],
    ['5/20 * * * *', '2026-03-02T12:06:00Z', '2026-03-02T12:25:00.000Z'],
    // the same local time before and after daylight saving begins
    ['0 10 * * *', '2026-03-28T09:00:00Z', '2026-03-29T08:00:00.000Z'],
  ])('%s after %s is %s', (text, after, expected) => {
    expect(next(text, after)).toBe(expected);
  });

  it('comes once for a time that happens twice, and for one that is skipped', () => {
    const times: string[] = [];
    let atMs = Date.parse('2026-10-24T12:00:00Z');
    for (let i = 0; i < 3; i++) {
      atMs = nextCron(parseCron('30 2 * * *'), 'Europe/Berlin', atMs)!;
      times.push(new Date(atMs).toISOString());
    }
    expect(times).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z', '2026-10-27T01:30:00.000Z']);
    expect(next('30 2 * * *', '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:30:00.000Z');
    expect(next('30 2 * * *', '2026-03-29T01:30:00Z')).toBe('2026-03-30T00:30:00.000Z');
  });

  it.each([
    ['* * * *', /five fields/],
    ['60 * * * *', /minute: want 0 to 59/],
    ['* 5-3 * * *', /hour: want/],
    ['* * 0 * *', /day of the month: want 1 to 31/],
    ['* * * foo *', /month: want/],
    ['* * * * */0', /day of the week: want/],
    ['x * * * *', /minute: want/],
    ['', /five fields/],
  ])('refuses %j', (text, message) => {
    expect(() => parseCron(text)).toThrow(message);
  });

  it('says so when a day never comes, and is always later and as written (property)', () => {
    expect(nextCron(parseCron('0 0 30 2 *'), 'UTC', 0)).toBeUndefined();
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2030, 0) }),
        (minute, hour, afterMs) => {
          const atMs = nextCron(parseCron(`${minute} ${hour} * * *`), 'America/New_York', afterMs)!;
          expect(atMs).toBeGreaterThan(afterMs);
          expect(atMs - afterMs).toBeLessThanOrEqual(25 * 3_600_000);
          const local = localTime('America/New_York', atMs);
          // two o'clock does not exist on one night a year
          if (hour !== 2) expect([local.hour, local.minute]).toEqual([hour, minute]);
        },
      ),
    );
  });
});
