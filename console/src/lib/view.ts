/** The view is the address: tenant, time range, refresh and time zone, and whatever the page adds, live in the URL's search. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';
import { useSession } from '../api/session.ts';
import { DEFAULT_RANGE, type TimeRange } from './time-range.ts';

export type Search = Readonly<Record<string, string | undefined>>;
/** Kept when going from page to page. */
const FRAME_KEYS = ['tenant', 'from', 'to', 'refresh', 'tz', 'kiosk'] as const;

export function frameSearch(search: Search): Search {
  return Object.fromEntries(FRAME_KEYS.filter((k) => search[k] !== undefined).map((k) => [k, search[k]]));
}

export interface View {
  readonly tenant: string;
  readonly range: TimeRange;
  /** 'live', 'off', or a duration such as '30s'. */
  readonly refresh: string;
  /** '' is the browser's. */
  readonly timeZone: string;
  readonly search: Search;
  /** Changes the address; undefined removes a key. `replace` leaves no entry in the history. */
  readonly set: (changes: Search, replace?: boolean) => void;
}

export function useView(): View {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const session = useSession();
  const set = useCallback(
    (changes: Search, replace = false) => {
      void navigate({
        to: '.',
        replace,
        search: ((previous: Search) =>
          Object.fromEntries(
            Object.entries({ ...previous, ...changes }).filter(([, v]) => v !== undefined && v !== ''),
          )) as never,
      });
    },
    [navigate],
  );
  return {
    tenant: search['tenant'] ?? session?.defaultTenant ?? '',
    range: { from: search['from'] ?? DEFAULT_RANGE.from, to: search['to'] ?? DEFAULT_RANGE.to },
    refresh: search['refresh'] ?? 'live',
    timeZone: search['tz'] ?? '',
    search,
    set,
  };
}
