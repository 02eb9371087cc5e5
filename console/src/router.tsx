/** The addresses of the console: each page is a chunk of its own. Search parameters stay plain strings. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { AbsentPage } from './components/absent-page.tsx';
import { AppFrame } from './components/frame/app-frame.tsx';
import { PageError } from './components/states.tsx';
import type { Search } from './lib/view.ts';

const root = createRootRoute({
  component: AppFrame,
  validateSearch: (search): Search => search as Search,
  errorComponent: ({ error, reset }) => <PageError error={error} retry={reset} />,
});

type Loader = () => Promise<Record<string, unknown>>;
const page = (path: string, load: Loader, name: string) =>
  createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(load as never, name as never) as never,
    errorComponent: ({ error, reset }) => <PageError error={error} retry={reset} />,
  });

const planned = () => import('./pages/planned/planned-page.tsx');

const routes = [
  page('/', () => import('./pages/overview/overview-page.tsx'), 'OverviewPage'),
  page('/alerts', () => import('./pages/alerts/alerts-page.tsx'), 'AlertsPage'),
  page('/incidents', () => import('./pages/incidents/incidents-page.tsx'), 'IncidentsPage'),
  page('/schedules', () => import('./pages/schedules/schedules-page.tsx'), 'SchedulesPage'),
  page('/playbooks', () => import('./pages/playbooks/playbooks-page.tsx'), 'PlaybooksPage'),
  page('/status-page', () => import('./pages/status-page/status-page.tsx'), 'StatusPagePage'),
  page('/rehearsal', () => import('./pages/rehearsal/rehearsal-page.tsx'), 'RehearsalPage'),
  page('/silences', () => import('./pages/alerts/silences-page.tsx'), 'SilencesPage'),
  page('/routes', () => import('./pages/alerts/routes-page.tsx'), 'RoutesPage'),
  page('/explore', () => import('./pages/explore/explore-page.tsx'), 'ExplorePage'),
  page('/dashboards', () => import('./pages/dashboards/dashboards-page.tsx'), 'DashboardsPage'),
  page('/dashboards/$uid', () => import('./pages/dashboards/dashboard-page.tsx'), 'DashboardPage'),
  page('/snapshots/$id', () => import('./pages/dashboards/snapshot-page.tsx'), 'SnapshotPage'),
  page('/rules', () => import('./pages/rules/rules-page.tsx'), 'RulesPage'),
  page('/targets', () => import('./pages/targets/targets-page.tsx'), 'TargetsPage'),
  page('/cardinality', () => import('./pages/targets/cardinality-page.tsx'), 'CardinalityPage'),
  page('/query-log', () => import('./pages/targets/query-log-page.tsx'), 'QueryLogPage'),
  page('/forecasts', () => import('./pages/forecasts/forecasts-page.tsx'), 'ForecastsPage'),
  page('/detectors', () => import('./pages/detectors/detectors-page.tsx'), 'DetectorsPage'),
  page('/administration', () => import('./pages/administration/administration-page.tsx'), 'AdministrationPage'),
  page('/catalogue', () => import('./pages/catalogue/catalogue-page.tsx'), 'CataloguePage'),
  ...['logs', 'traces', 'automation', 'compliance'].map((name) => page(`/${name}`, planned, 'PlannedPage')),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: 'intent',
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const text = new URLSearchParams(
      Object.entries(search as Search).filter((e): e is [string, string] => e[1] !== undefined && e[1] !== ''),
    ).toString();
    return text ? `?${text}` : '';
  },
  defaultNotFoundComponent: AbsentPage,
});
