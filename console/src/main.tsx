/** Starts the console: language, theme, queries, router. */
import '@mantine/core/styles.css';
import './style.css';
import { createTheme, MantineProvider } from '@mantine/core';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/client.ts';
import { sessionQuery } from './api/session.ts';
import { followVersion } from './follow-version.ts';
import { read, remember, startI18n } from './lib/i18n.ts';
import { router } from './router.tsx';

const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: 8,
  autoContrast: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
  defaultRadius: 'sm',
  respectReducedMotion: true,
});

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== 'session')
        void queries.invalidateQueries({ queryKey: ['session'] });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: true,
      // 4xx will not get better by asking again
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});

const colours = {
  get: () => (read('vigie-theme') ?? 'auto') as 'light' | 'dark' | 'auto',
  set: (value: string) => remember('vigie-theme', value),
  subscribe: () => {},
  unsubscribe: () => {},
  clear: () => {},
};

followVersion();
// who it is, the page's code and the words are fetched side by side, not one after the other
void queries.prefetchQuery(sessionQuery);
void router.load();
await startI18n();
createRoot(document.getElementById('root')!).render(
  <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={colours}>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </MantineProvider>,
);
