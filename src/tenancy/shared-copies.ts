/**
 * Keeps the copies of tenants, keys and accounts equal in several processes over one database: all of them are read
 * again every few seconds, and changes are announced over the cache so that a revocation arrives at once where one is
 * shared. An announcement may be lost; the periodic pass is what is relied upon.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import { PLATFORM_TENANT } from '../model/tenant.ts';
import type { Cache } from '../store/cache.ts';
import type { DocumentMirror } from './document-mirror.ts';

export const REFRESH_EVERY_MS = 5_000;
export const INVALIDATION_CHANNEL = 'tenancy-changed';

export interface SharedCopiesOptions {
  readonly copies: readonly Pick<DocumentMirror<unknown>, 'name' | 'refresh' | 'reload' | 'onWrite'>[];
  readonly clock: Clock;
  readonly everyMs?: number;
  /** Absent: only the periodic pass. */
  readonly bus?: Pick<Cache, 'publish' | 'subscribe'>;
  readonly onError: (error: unknown) => void;
}

/** Starts the passes; dispose ends them. */
export async function keepCopiesFresh(options: SharedCopiesOptions): Promise<AsyncDisposable> {
  const { copies, clock, bus, onError } = options;
  let timer: Timer | undefined;
  let ended = false;
  let running: Promise<void> | undefined;
  const clean: (() => unknown)[] = [];

  const pass = (): void => {
    running = Promise.all(copies.map((c) => c.refresh()))
      .then(() => {}, onError)
      .finally(() => {
        running = undefined;
        if (!ended) timer = clock.setTimer(pass, options.everyMs ?? REFRESH_EVERY_MS);
      });
  };
  timer = clock.setTimer(pass, options.everyMs ?? REFRESH_EVERY_MS);

  if (bus) {
    for (const copy of copies)
      clean.push(
        copy.onWrite((id) => {
          bus.publish(PLATFORM_TENANT, INVALIDATION_CHANNEL, `${copy.name} ${id}`).catch(onError);
        }),
      );
    try {
      clean.push(
        await bus.subscribe(PLATFORM_TENANT, INVALIDATION_CHANNEL, (message) => {
          const space = message.indexOf(' ');
          const copy = copies.find((c) => c.name === message.slice(0, space));
          copy?.reload(message.slice(space + 1)).catch(onError);
        }),
      );
    } catch (error) {
      onError(error);
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      ended = true;
      timer?.cancel();
      await running;
      for (const c of clean.reverse()) await c();
    },
  };
}
