/** The frame of every page: navigation, tenant, time, search, connection; signed out, the sign-in page instead. */
import { ActionIcon, Burger, Tooltip } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconKeyboard, IconSearch } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { Outlet, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useSessionQuery } from '../../api/session.ts';
import { useLiveState } from '../../api/use-range.ts';
import { useText } from '../../lib/use-text.ts';
import { frameSearch, useView } from '../../lib/view.ts';
import { followTenant, onLiveEvent } from '../../live/live-client.ts';
import { Loading, PageError } from '../states.tsx';
import { Navigation, PLACES } from './navigation.tsx';
import { Settings } from './settings.tsx';
import { TenantSwitcher } from './tenant-switcher.tsx';
import { TimeControls } from './time-controls.tsx';

const CommandPalette = lazy(async () => ({ default: (await import('./command-palette.tsx')).CommandPalette }));
const MenuDrawer = lazy(async () => ({ default: (await import('./menu-drawer.tsx')).MenuDrawer }));
const Toasts = lazy(async () => ({ default: (await import('../toasts.tsx')).Toasts }));
const HelpSheet = lazy(async () => ({ default: (await import('./help-sheet.tsx')).HelpSheet }));
const SignInPage = lazy(async () => ({ default: (await import('../../pages/sign-in/sign-in-page.tsx')).SignInPage }));

/** What a live event makes stale. */
const STALE: Readonly<Record<string, readonly string[]>> = {
  alert: ['alerts', 'overview', 'rules'],
  rule: ['rules', 'overview'],
  target: ['targets', 'overview'],
  snapshot: ['alerts', 'overview', 'rules', 'targets'],
};
const REFRESH_MS_MIN = 1_000;
/** By then the first page is drawn. */
const SETTLED_MS = 3_000;
const HEADER_PX = 49;

export function AppFrame() {
  const { t } = useText();
  const session = useSessionQuery();
  if (session.isLoading) return <Loading />;
  if (session.error) return <PageError error={session.error} retry={() => void session.refetch()} />;
  if (session.data?.state === 'signed_out')
    return (
      <Suspense fallback={<Loading />}>
        <SignInPage session={session.data} />
      </Suspense>
    );
  return (
    <>
      <a className="skip" href="#main">
        {t('frame.skip')}
      </a>
      <SignedIn />
    </>
  );
}

function SignedIn() {
  const { t } = useText();
  const { tenant, search } = useView();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [menu, { open, close }] = useDisclosure();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [settled, setSettled] = useState(false);
  const kiosk = search['kiosk'] === '1';

  useEffect(() => followTenant(tenant), [tenant]);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLED_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    const due = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onLiveEvent((event) => {
      for (const key of STALE[event] ?? []) due.add(key);
      if (due.size === 0 || timer) return;
      timer = setTimeout(() => {
        timer = undefined;
        for (const key of due) void queries.invalidateQueries({ queryKey: [key] });
        due.clear();
      }, REFRESH_MS_MIN);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [queries]);

  useHotkeys([
    ['mod+K', () => setPalette(true)],
    ['shift+?', () => setHelp(true)],
    ...PLACES.filter((p) => p.hotkey).map(
      (p) =>
        [`alt+${p.hotkey}`, () => void navigate({ to: p.path as never, search: frameSearch(search) as never })] as [
          string,
          () => void,
        ],
    ),
  ]);

  return (
    <div style={{ display: 'grid', gridTemplateRows: 'auto 1fr', minHeight: '100dvh' }}>
      {!kiosk && (
        <header
          className="frame"
          style={{
            display: 'flex',
            flexWrap: 'wrap',
            gap: 8,
            alignItems: 'center',
            padding: '6px 12px',
            background: 'var(--v-panel)',
            borderBottom: '1px solid var(--v-line)',
            position: 'sticky',
            top: 0,
            zIndex: 50,
          }}
        >
          <Burger hiddenFrom="md" opened={menu} onClick={open} size="sm" aria-label={t('frame.menu')} />
          <img src="/favicon.svg" alt="" width={24} height={24} />
          <strong className="brand">Vigie</strong>
          <TenantSwitcher />
          <span style={{ flex: 1 }} />
          <TimeControls />
          <Connection />
          <Tooltip label={`${t('frame.search')} (Ctrl K)`}>
            <ActionIcon variant="default" size="lg" aria-label={t('frame.search')} onClick={() => setPalette(true)}>
              <IconSearch size={18} aria-hidden />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={`${t('help.title')} (?)`}>
            <ActionIcon
              variant="default"
              size="lg"
              visibleFrom="sm"
              aria-label={t('help.title')}
              onClick={() => setHelp(true)}
            >
              <IconKeyboard size={18} aria-hidden />
            </ActionIcon>
          </Tooltip>
          <Settings />
        </header>
      )}
      <div style={{ display: 'flex', minWidth: 0 }}>
        {!kiosk && (
          <div
            className="mantine-visible-from-md frame-side"
            style={{
              width: 208,
              flex: 'none',
              padding: 8,
              borderRight: '1px solid var(--v-line)',
              // stays while the page scrolls, below the header
              position: 'sticky',
              top: HEADER_PX,
              alignSelf: 'flex-start',
              height: `calc(100dvh - ${HEADER_PX}px)`,
              overflowY: 'auto',
              background: 'var(--v-panel)',
            }}
          >
            <Navigation />
          </div>
        )}
        <main
          id="main"
          tabIndex={-1}
          style={{ flex: 1, minWidth: 0, padding: '14px clamp(10px, 1.4vw, 24px) 40px', outline: 'none' }}
        >
          <Suspense fallback={<Loading />}>
            <Outlet />
          </Suspense>
        </main>
      </div>
      <Suspense>
        {menu && <MenuDrawer close={close} />}
        {settled && <Toasts />}
        {palette && <CommandPalette close={() => setPalette(false)} />}
        {help && <HelpSheet close={() => setHelp(false)} />}
      </Suspense>
    </div>
  );
}

function Connection() {
  const { t } = useText();
  const state = useLiveState();
  return (
    <Tooltip label={t(`live.${state}`)}>
      <span role="status" aria-label={t(`live.${state}`)} style={{ display: 'inline-flex', padding: 4 }}>
        <span className="dot" data-state={state} aria-hidden />
      </span>
    </Tooltip>
  );
}
