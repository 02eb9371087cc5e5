/** Asks for incidents again when the live stream says that one changed; bursts are gathered into one request. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { onLiveEvent } from '../../live/live-client.ts';

const GATHER_MS = 300;

export function useLiveIncidents(): void {
  const queries = useQueryClient();
  useEffect(() => {
    let waiting: ReturnType<typeof setTimeout> | undefined;
    const stop = onLiveEvent((event) => {
      if (event !== 'incident' || waiting !== undefined) return;
      waiting = setTimeout(() => {
        waiting = undefined;
        void queries.invalidateQueries({ queryKey: ['incidents'] });
        void queries.invalidateQueries({ queryKey: ['incident'] });
      }, GATHER_MS);
    });
    return () => {
      stop();
      clearTimeout(waiting);
    };
  }, [queries]);
}
