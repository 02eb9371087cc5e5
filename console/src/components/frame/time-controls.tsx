/** Time range (relative, absolute, or typed), time zone, live or refresh interval; all of it in the address. */
import { ActionIcon, Button, Group, NativeSelect, Popover, SimpleGrid, TextInput } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconClock, IconRefresh, IconZoomOut } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import {
  absoluteRange,
  isRelative,
  parseTime,
  QUICK_RANGES,
  shiftRange,
  type TimeRange,
  zoomRange,
} from '../../lib/time-range.ts';
import { useText } from '../../lib/use-text.ts';
import { useView } from '../../lib/view.ts';

const REFRESH = ['live', 'off', '5s', '15s', '30s', '1m', '5m', '15m'] as const;
const ZONES = [
  '',
  'UTC',
  'Europe/Berlin',
  'Europe/Paris',
  'Europe/London',
  'America/New_York',
  'America/Los_Angeles',
  'Asia/Tokyo',
  'Asia/Kolkata',
];

export function TimeControls() {
  const { t, date } = useText();
  const { range, refresh, timeZone, set } = useView();
  const [opened, setOpened] = useState(false);
  const queries = useQueryClient();
  const absolute = absoluteRange(range, Date.now(), timeZone === 'UTC');
  const go = (next: TimeRange): void => set({ from: next.from, to: next.to });
  const quick = QUICK_RANGES.find((r) => range.from === `now-${r}` && range.to === 'now');
  const label = quick
    ? t('time.last', { range: quick })
    : isRelative(range)
      ? `${range.from} – ${range.to}`
      : `${date(absolute.startMs)} – ${date(absolute.endMs)}`;
  return (
    <Group gap={4} wrap="nowrap" style={{ minWidth: 0 }}>
      <ActionIcon
        variant="default"
        size="lg"
        visibleFrom="sm"
        aria-label={t('time.back')}
        onClick={() => go(shiftRange(absolute, -0.5))}
      >
        <IconChevronLeft size={16} aria-hidden />
      </ActionIcon>
      <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus withRoles>
        <Popover.Target>
          <Button
            variant="default"
            size="sm"
            px="sm"
            leftSection={<IconClock size={16} aria-hidden />}
            onClick={() => setOpened((o) => !o)}
            style={{ minWidth: 0, maxWidth: 'min(340px, 46vw)' }}
          >
            {label}
          </Button>
        </Popover.Target>
        <Popover.Dropdown style={{ maxWidth: '94vw' }}>
          <SimpleGrid cols={4} spacing={4}>
            {QUICK_RANGES.map((r) => (
              <Button
                key={r}
                size="xs"
                variant={quick === r ? 'filled' : 'default'}
                onClick={() => {
                  go({ from: `now-${r}`, to: 'now' });
                  setOpened(false);
                }}
              >
                {r}
              </Button>
            ))}
          </SimpleGrid>
          <Ends
            key={`${range.from}${range.to}`}
            range={range}
            apply={(next) => {
              go(next);
              setOpened(false);
            }}
          />
          <NativeSelect
            mt="xs"
            size="xs"
            label={t('time.zone')}
            value={timeZone}
            data={[...new Set([...ZONES, timeZone])].map((z) => ({
              value: z,
              label: z === '' ? t('time.browserZone') : z,
            }))}
            onChange={(event) => set({ tz: event.currentTarget.value })}
          />
        </Popover.Dropdown>
      </Popover>
      <ActionIcon
        variant="default"
        size="lg"
        visibleFrom="sm"
        aria-label={t('time.forward')}
        onClick={() => go(shiftRange(absolute, 0.5))}
      >
        <IconChevronRight size={16} aria-hidden />
      </ActionIcon>
      <ActionIcon
        variant="default"
        size="lg"
        visibleFrom="sm"
        aria-label={t('time.zoomOut')}
        onClick={() => go(zoomRange(absolute, 2))}
      >
        <IconZoomOut size={16} aria-hidden />
      </ActionIcon>
      <NativeSelect
        aria-label={t('time.refresh')}
        size="sm"
        w={100}
        value={refresh}
        data={REFRESH.map((r) => ({
          value: r,
          label: r === 'live' ? t('time.live') : r === 'off' ? t('time.off') : r,
        }))}
        onChange={(event) =>
          set({ refresh: event.currentTarget.value === 'live' ? undefined : event.currentTarget.value })
        }
      />
      <ActionIcon
        variant="default"
        size="lg"
        visibleFrom="xs"
        aria-label={t('time.now')}
        onClick={() => void queries.invalidateQueries()}
      >
        <IconRefresh size={16} aria-hidden />
      </ActionIcon>
    </Group>
  );
}

function Ends({ range, apply }: { readonly range: TimeRange; readonly apply: (range: TimeRange) => void }) {
  const { t } = useText();
  const [from, setFrom] = useState(range.from);
  const [to, setTo] = useState(range.to);
  const bad = (text: string): string | null =>
    parseTime(text, Date.now()) === undefined ? t('time.unreadable') : null;
  const ok = !bad(from) && !bad(to);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (ok) apply({ from, to });
      }}
    >
      <TextInput
        mt="xs"
        size="xs"
        label={t('time.from')}
        description={t('time.hint')}
        value={from}
        error={bad(from)}
        onChange={(e) => setFrom(e.currentTarget.value)}
      />
      <TextInput
        mt={4}
        size="xs"
        label={t('time.to')}
        value={to}
        error={bad(to)}
        onChange={(e) => setTo(e.currentTarget.value)}
      />
      <Button type="submit" size="xs" mt={6} fullWidth disabled={!ok}>
        {t('action.apply')}
      </Button>
    </form>
  );
}
