import { describe, expect, it } from 'vitest';
import {
  absoluteRange,
  durationText,
  parseDurationMs,
  parseTime,
  rateIntervalMs,
  shiftRange,
  stepFor,
  zoomRange,
} from './time-range.ts';

const NOW = Date.UTC(2026, 4, 20, 13, 45, 30);

describe('parseTime', () => {
  it.each([
    ['now', NOW],
    ['now-5m', NOW - 300_000],
    ['now-1d+2h', NOW - 86_400_000 + 7_200_000],
    ['1779284730000', 1_779_284_730_000],
    ['1779284730', 1_779_284_730_000],
    ['2026-05-20T10:00:00Z', Date.UTC(2026, 4, 20, 10)],
    ['2026-05-20 10:00', Date.UTC(2026, 4, 20, 10)],
    ['now/d', Date.UTC(2026, 4, 20)],
    ['now/w', Date.UTC(2026, 4, 18)],
    ['now/M', Date.UTC(2026, 4, 1)],
    ['now-1y/y', Date.UTC(2025, 0, 1)],
  ])('%s', (text, want) => expect(parseTime(text, NOW, false, true)).toBe(want));
  it('rounds up at the end of a range', () =>
    expect(parseTime('now/d', NOW, true, true)).toBe(Date.UTC(2026, 4, 21) - 1));
  it.each(['', 'yesterday-ish', 'now-5', 'now-5x'])('cannot read %j', (text) =>
    expect(parseTime(text, NOW)).toBeUndefined(),
  );
});

describe('durations', () => {
  it.each([
    ['90s', 90_000, '90s'],
    ['1d12h', 129_600_000, '36h'],
    ['1h', 3_600_000, '1h'],
    ['7d', 604_800_000, '1w'],
    ['250ms', 250, '250ms'],
  ])('%s', (text, ms, back) => {
    expect(parseDurationMs(text)).toBe(ms);
    expect(durationText(ms)).toBe(back);
  });
  it.each(['', 'h', '5', '5 minutes'])('refuses %j', (text) => expect(parseDurationMs(text)).toBeUndefined());
});

describe('ranges', () => {
  it('falls back to an hour when it is unreadable or empty', () => {
    const hour = { startMs: NOW - 3_600_000, endMs: NOW };
    expect(absoluteRange({ from: 'x', to: 'now' }, NOW)).toEqual(hour);
    expect(absoluteRange({ from: 'now', to: 'now-1h' }, NOW)).toEqual(hour);
  });
  it('moves and zooms', () => {
    const range = { startMs: 1_000, endMs: 3_000 };
    expect(shiftRange(range, -0.5)).toEqual({ from: '0', to: '2000' });
    expect(zoomRange(range, 2)).toEqual({ from: '0', to: '4000' });
  });
  it.each([
    [3_600_000, 800, 10_000],
    [300_000, 800, 5_000],
    [86_400_000 * 30, 1_000, 7_200_000],
  ])('a round step for %d ms on %d px', (length, width, want) =>
    expect(stepFor({ startMs: 0, endMs: length }, width)).toBe(want),
  );
  it('a rate needs four scrapes', () => {
    expect(rateIntervalMs(5_000)).toBe(60_000);
    expect(rateIntervalMs(120_000)).toBe(135_000);
  });
});
