/** A schedule as an iCalendar file (RFC 5545), for the calendars people already have. Times are written in UTC. */
import type { Shift } from './schedule.ts';

export interface CalendarOptions {
  readonly name: string;
  readonly shifts: readonly Shift[];
  readonly nowMs: number;
  /** Only the shifts of this person. */
  readonly user?: string;
}

export function toICalendar(options: CalendarOptions): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Vigie//On-call//EN',
    'CALSCALE:GREGORIAN',
    'METHOD:PUBLISH',
    `X-WR-CALNAME:${escaped(`On call: ${options.name}`)}`,
  ];
  for (const s of options.shifts) {
    if (s.user === '' || (options.user !== undefined && s.user !== options.user)) continue;
    lines.push(
      'BEGIN:VEVENT',
      // stable: a calendar that fetches again updates the event instead of adding one
      `UID:${escaped(`${options.name}-${s.fromMs}-${s.user}`)}@vigie`,
      `DTSTAMP:${stamp(options.nowMs)}`,
      `DTSTART:${stamp(s.fromMs)}`,
      `DTEND:${stamp(s.toMs)}`,
      `SUMMARY:${escaped(`${s.user} on call (${options.name})`)}`,
      `DESCRIPTION:${escaped(`Layer ${s.layer}`)}`,
      'TRANSP:TRANSPARENT',
      'END:VEVENT',
    );
  }
  lines.push('END:VCALENDAR');
  return `${lines.map(fold).join('\r\n')}\r\n`;
}

const stamp = (ms: number): string => new Date(ms).toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');

const escaped = (text: string): string =>
  text.replace(/\\/g, '\\\\').replace(/;/g, '\\;').replace(/,/g, '\\,').replace(/\r?\n/g, '\\n');

/** Lines longer than 75 octets continue on the next one after a space; a character is never cut in two. */
function fold(line: string): string {
  if (Buffer.byteLength(line) <= 75) return line;
  const out: string[] = [];
  let part = '';
  let bytes = 0;
  for (const ch of line) {
    const n = Buffer.byteLength(ch);
    if (bytes + n > (out.length === 0 ? 75 : 74)) {
      out.push(part);
      part = '';
      bytes = 0;
    }
    part += ch;
    bytes += n;
  }
  out.push(part);
  return out.join('\r\n ');
}
