/** The places of the console, in the order of a working day; those whose engine is not here yet are marked so. */
import { Badge } from '@mantine/core';
import {
  IconActivity,
  IconBell,
  IconBellOff,
  IconBook2,
  IconCalendarEvent,
  IconChartDots,
  IconChartLine,
  IconCloudCheck,
  IconFileText,
  IconFlame,
  IconHierarchy2,
  IconLayoutDashboard,
  IconListCheck,
  IconPlayerTrackNext,
  IconRadar2,
  IconReportAnalytics,
  IconRobot,
  IconRoute,
  IconSettings,
  IconTarget,
  IconTimeline,
  IconTool,
  IconWorld,
} from '@tabler/icons-react';
import { Link, useLocation } from '@tanstack/react-router';
import type { Key } from '../../lib/i18n.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';

export interface Place {
  readonly path: string;
  readonly label: Key;
  readonly icon: typeof IconBell;
  readonly hotkey?: string;
  readonly planned?: boolean;
}
export const PLACES: readonly Place[] = [
  { path: '/', label: 'nav.overview', icon: IconActivity, hotkey: '1' },
  { path: '/alerts', label: 'nav.alerts', icon: IconBell, hotkey: '2' },
  { path: '/incidents', label: 'nav.incidents', icon: IconFlame },
  { path: '/schedules', label: 'nav.schedules', icon: IconCalendarEvent },
  { path: '/playbooks', label: 'nav.playbooks', icon: IconTool },
  { path: '/status-page', label: 'nav.statusPage', icon: IconWorld },
  { path: '/rehearsal', label: 'nav.rehearsal', icon: IconPlayerTrackNext },
  { path: '/silences', label: 'nav.silences', icon: IconBellOff, hotkey: '3' },
  { path: '/routes', label: 'nav.routes', icon: IconRoute },
  { path: '/explore', label: 'nav.explore', icon: IconChartLine, hotkey: '4' },
  { path: '/dashboards', label: 'nav.dashboards', icon: IconLayoutDashboard, hotkey: '5' },
  { path: '/rules', label: 'nav.rules', icon: IconListCheck, hotkey: '6' },
  { path: '/targets', label: 'nav.targets', icon: IconTarget, hotkey: '7' },
  { path: '/cardinality', label: 'nav.cardinality', icon: IconChartDots },
  { path: '/query-log', label: 'nav.queryLog', icon: IconReportAnalytics },
  { path: '/catalogue', label: 'nav.catalogue', icon: IconBook2 },
  { path: '/forecasts', label: 'nav.forecasts', icon: IconTimeline },
  { path: '/detectors', label: 'nav.detectors', icon: IconRadar2 },
  { path: '/logs', label: 'nav.logs', icon: IconFileText, planned: true },
  { path: '/traces', label: 'nav.traces', icon: IconHierarchy2, planned: true },
  { path: '/automation', label: 'nav.automation', icon: IconRobot, planned: true },
  { path: '/compliance', label: 'nav.compliance', icon: IconCloudCheck, planned: true },
  { path: '/administration', label: 'nav.administration', icon: IconSettings, hotkey: '9' },
];
export const PLANNED_ICON = IconRadar2;

export function Navigation({ onGo }: { readonly onGo?: () => void }) {
  const { t } = useText();
  const { search } = useView();
  const { pathname } = useLocation();
  return (
    <nav aria-label={t('frame.menu')}>
      <ul style={{ listStyle: 'none', margin: 0, padding: 0, display: 'grid', gap: 2 }}>
        {PLACES.map((place) => {
          const active = place.path === '/' ? pathname === '/' : pathname.startsWith(place.path);
          return (
            <li key={place.path}>
              <Link
                className="nav-link"
                to={place.path as never}
                search={frameSearch(search) as never}
                data-active={active}
                {...(active ? { 'aria-current': 'page' as const } : {})}
                {...(onGo ? { onClick: onGo } : {})}
              >
                <place.icon size={18} aria-hidden />
                <span style={{ flex: 1 }}>{t(place.label)}</span>
                {place.planned && (
                  <Badge size="xs" variant="default" tt="none" fw={400}>
                    {t('nav.later')}
                  </Badge>
                )}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
