/** What every discovery does: keep telling its full set of groups until it is stopped. */
import { type Clock, sleep } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { TargetGroup } from '../target.ts';

/** Targets one discovery may find; more is refused and the last good set kept. */
export const DISCOVERED_TARGETS_MAX = 100_000;

export interface DiscoveryContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Replaces everything this discovery told before. */
  readonly update: (groups: readonly TargetGroup[]) => void;
  /** Makes relative file names absolute. */
  readonly resolveFile: (name: string) => string;
}

export type Discoverer = (context: DiscoveryContext) => Promise<void>;

/** Asks `refresh` every `refreshMs`; a failure keeps the last good answer and is logged. */
export function polled(
  refreshMs: number,
  what: string,
  refresh: (context: DiscoveryContext) => Promise<readonly TargetGroup[]>,
): Discoverer {
  return async (context) => {
    while (!context.signal.aborted) {
      try {
        const groups = await refresh(context);
        const count = groups.reduce((n, g) => n + g.targets.length, 0);
        if (count > DISCOVERED_TARGETS_MAX)
          throw new Error(`${count} targets found, at most ${DISCOVERED_TARGETS_MAX} are taken`);
        if (!context.signal.aborted) context.update(groups);
      } catch (error) {
        if (!context.signal.aborted)
          context.logger.warn('discovery failed; the last good targets stay', {
            discovery: what,
            error: messageOf(error),
          });
      }
      await sleep(context.clock, refreshMs, context.signal).catch(() => {});
    }
  };
}
