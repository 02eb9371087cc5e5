/** Ties lib/new-version.ts to the browser: code that cannot be fetched, a stream that comes back, the next page. */
import { version } from './lib/version.ts';
import { onLiveEvent } from './live/live-client.ts';
import { router } from './router.tsx';

export function followVersion(): void {
  addEventListener('vite:preloadError', () => void version.look());
  let hellos = 0;
  onLiveEvent((event) => {
    if (event === 'hello' && ++hellos > 1) void version.look();
  });
  router.subscribe('onBeforeNavigate', ({ pathChanged, toLocation }) => {
    if (pathChanged) version.leave(toLocation.href);
  });
}
