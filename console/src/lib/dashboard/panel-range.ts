/** A panel's own time: `timeFrom` takes the place of a relative range of the dashboard, `timeShift` moves any range into the past. */
import { absoluteRange, isRelative, parseDurationMs, parseTime, type TimeRange } from '../time-range.ts';
import { interpolate, type Values } from './interpolate.ts';
import type { Panel } from './model.ts';

export interface PanelRange {
  readonly range: TimeRange;
  readonly shiftMs: number;
  /** As the panel's header tells it; undefined where the dashboard's own range holds. */
  readonly from?: string;
  readonly shift?: string;
}

/** `1h`, or a beginning such as `now/d`, as a range that ends now; undefined when it is neither. */
export function ownRange(text: string): TimeRange | undefined {
  const t = text.trim();
  if (parseDurationMs(t) !== undefined) return { from: `now-${t}`, to: 'now' };
  return t.startsWith('now') && parseTime(t, 1e12) !== undefined ? { from: t, to: 'now' } : undefined;
}

export function panelRange(panel: Panel, range: TimeRange, values: Values): PanelRange {
  const from = panel.timeFrom ? interpolate(panel.timeFrom, values, 'text') : '';
  const shift = panel.timeShift ? interpolate(panel.timeShift, values, 'text') : '';
  const own = from !== '' && isRelative(range) ? ownRange(from) : undefined;
  const shiftMs = shift === '' ? undefined : parseDurationMs(shift);
  return {
    range: own ?? range,
    shiftMs: shiftMs ?? 0,
    ...(own ? { from } : {}),
    ...(shiftMs ? { shift } : {}),
  };
}

/** Both ends in epoch milliseconds. */
export function shifted(own: PanelRange, nowMs: number, utc: boolean): { startMs: number; endMs: number } {
  const { startMs, endMs } = absoluteRange(own.range, nowMs, utc);
  return { startMs: startMs - own.shiftMs, endMs: endMs - own.shiftMs };
}
