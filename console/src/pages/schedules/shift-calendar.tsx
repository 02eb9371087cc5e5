/** Four weeks of a schedule as a calendar: one row a week, one bar a shift, gaps marked; the same as a list for readers. */
import { Button, Group, VisuallyHidden } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schedule, Shift } from '../../../../src/http/contract/on-call.ts';
import { shifts } from '../../api/incidents.ts';
import { QueryView } from '../../components/states.tsx';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const WEEKS = 4;
const COLOURS = ['#2f6fb0', '#9a5b00', '#3d7a3a', '#8a3f8f', '#a03434', '#0f7470'];

export function ShiftCalendar({ schedule }: { readonly schedule: Schedule }) {
  const { t, date } = useText();
  const { tenant } = useView();
  const [start, setStart] = useState(() => mondayOf(Date.now()));
  const query = useQuery({
    queryKey: ['shifts', tenant, schedule.name, start],
    queryFn: () => shifts(tenant, schedule.name, start, start + WEEKS * WEEK_MS),
  });
  const users = [...new Set(schedule.layers.flatMap((l) => l.rotation.users))];
  const colourOf = (user: string): string => COLOURS[Math.max(0, users.indexOf(user)) % COLOURS.length]!;
  return (
    <>
      <Group gap="xs" mb={6}>
        <Button size="compact-xs" variant="default" onClick={() => setStart(start - WEEK_MS)}>
          {t('time.back')}
        </Button>
        <Button size="compact-xs" variant="default" onClick={() => setStart(mondayOf(Date.now()))}>
          {t('schedules.today')}
        </Button>
        <Button size="compact-xs" variant="default" onClick={() => setStart(start + WEEK_MS)}>
          {t('time.forward')}
        </Button>
      </Group>
      <QueryView query={query}>
        {({ shifts: all }) => (
          <>
            <div aria-hidden style={{ display: 'grid', gap: 6 }}>
              {weeksFrom(start).map((weekMs) => (
                <Week key={weekMs} fromMs={weekMs} shifts={all} colourOf={colourOf} />
              ))}
            </div>
            <VisuallyHidden component="ol">
              {all.map((s) => (
                <li key={s.fromMs}>
                  {date(s.fromMs)} – {date(s.toMs)}: {s.user || t('schedules.nobody')}
                </li>
              ))}
            </VisuallyHidden>
          </>
        )}
      </QueryView>
    </>
  );
}

function Week({
  fromMs,
  shifts: all,
  colourOf,
}: {
  readonly fromMs: number;
  readonly shifts: readonly Shift[];
  readonly colourOf: (user: string) => string;
}) {
  const { t, date, locale } = useText();
  const endMs = fromMs + WEEK_MS;
  const inside = all.filter((s) => s.toMs > fromMs && s.fromMs < endMs);
  const day = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'numeric' });
  return (
    <div>
      <div style={{ display: 'grid', gridTemplateColumns: 'repeat(7, 1fr)', fontSize: 11 }} className="muted">
        {daysFrom(fromMs).map((dayMs) => (
          <span key={dayMs}>{day.format(dayMs)}</span>
        ))}
      </div>
      <div
        style={{
          position: 'relative',
          height: 26,
          border: '1px solid var(--mantine-color-default-border)',
          borderRadius: 4,
        }}
      >
        {inside.map((s) => {
          const left = (Math.max(s.fromMs, fromMs) - fromMs) / WEEK_MS;
          const width = (Math.min(s.toMs, endMs) - Math.max(s.fromMs, fromMs)) / WEEK_MS;
          return (
            <div
              key={s.fromMs}
              title={`${s.user || t('schedules.nobody')}: ${date(s.fromMs)} – ${date(s.toMs)}`}
              style={{
                position: 'absolute',
                left: `${left * 100}%`,
                width: `${width * 100}%`,
                height: '100%',
                overflow: 'hidden',
                whiteSpace: 'nowrap',
                textOverflow: 'ellipsis',
                fontSize: 12,
                lineHeight: '24px',
                padding: '0 4px',
                boxSizing: 'border-box',
                borderRight: '1px solid var(--mantine-color-body)',
                color: s.user ? '#fff' : 'inherit',
                background: s.user
                  ? colourOf(s.user)
                  : 'repeating-linear-gradient(45deg, transparent, transparent 4px, var(--mantine-color-default-border) 4px, var(--mantine-color-default-border) 8px)',
              }}
            >
              {s.user || t('schedules.nobody')}
            </div>
          );
        })}
      </div>
    </div>
  );
}

const weeksFrom = (ms: number): number[] => Array.from({ length: WEEKS }, (_, w) => ms + w * WEEK_MS);
const daysFrom = (ms: number): number[] => Array.from({ length: 7 }, (_, d) => ms + d * DAY_MS);

/** Midnight of this week's Monday in the browser's zone. */
function mondayOf(ms: number): number {
  const d = new Date(ms);
  d.setHours(0, 0, 0, 0);
  d.setDate(d.getDate() - ((d.getDay() + 6) % 7));
  return d.getTime();
}
