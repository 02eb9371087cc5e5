/** Opens the metrics of a data folder without serving it, for commands: the folder's lock is taken, nothing runs in the background. */
import { systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { SelfMetrics } from '../lib/self-metrics.ts';
import { compileMatcher } from '../regex/matcher.ts';
import { EmbeddedMetricsStore } from '../store/embedded/metrics/embedded-metrics-store.ts';
import { openDataFolder } from './data-folder.ts';

export interface OfflineMetrics extends AsyncDisposable {
  readonly store: EmbeddedMetricsStore;
}

/** Throws `locked` while a Vigie runs on the folder. */
export async function openOfflineMetrics(dataDir: string, logger: Logger): Promise<OfflineMetrics> {
  const folder = openDataFolder(dataDir, process.pid);
  try {
    const store = await EmbeddedMetricsStore.open({
      folder: folder.store('metrics'),
      clock: systemClock,
      logger,
      metrics: new SelfMetrics(),
      compileMatcher,
      quota: () => ({}),
      background: false,
    });
    return {
      store,
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        folder.release();
      },
    };
  } catch (error) {
    folder.release();
    throw error;
  }
}
