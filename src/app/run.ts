/**
 * The life of `vigie serve`: set up, say what runs, reload on SIGHUP, end on SIGTERM or SIGINT. Answers the exit code.
 * A failed set-up is rolled back by the same clean-ups as an orderly stop.
 */
import { systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { Cleanups } from './cleanups.ts';
import type { ResolvedOptions } from './options.ts';
import { settleHeap } from './settle-heap.ts';
import { type Running, setup } from './setup.ts';

export interface RunInput {
  readonly resolve: () => ResolvedOptions;
  readonly version: string;
  readonly print: (line: string) => void;
  /** Called once it serves. */
  readonly onReady?: () => void;
  readonly process: Pick<NodeJS.Process, 'on' | 'off' | 'pid' | 'exit'>;
}

/** SIGTERM promises an end within this time, whatever hangs. */
const STOP_MS_MAX = 7_500;

export async function run(input: RunInput): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  const resolved = input.resolve();
  const logger = createLogger(resolved.options.log_level);
  const cleanups = new Cleanups(systemClock, logger);
  let running: Running;
  try {
    running = await setup({
      resolved,
      resolve: input.resolve,
      version: input.version,
      pid: input.process.pid,
      clock: systemClock,
      logger,
      cleanups,
    });
  } catch (error) {
    await cleanups.run();
    throw error;
  }
  for (const line of running.banner(systemClock.monotonicMs() - startedMs)) input.print(line);
  input.onReady?.();
  const settling = settleHeap(systemClock);

  return new Promise<number>((resolve) => {
    let stopping = false;
    const onHangUp = (): void => {
      running
        .reload(input.resolve)
        .then((report) => logger.info('configuration reloaded', { ...report }))
        .catch((error) => logger.error('reload failed; the old configuration goes on', { error: messageOf(error) }));
    };
    const onStop = (signal: NodeJS.Signals): void => {
      if (stopping) return;
      stopping = true;
      settling.cancel();
      logger.info('stopping', { signal });
      const late = systemClock.setTimer(() => {
        logger.error('clean-up took too long; ending anyway');
        input.process.exit(1);
      }, STOP_MS_MAX);
      void cleanups.run().then((clean) => {
        late.cancel();
        input.process.off('SIGHUP', onHangUp);
        input.process.off('SIGTERM', onStop);
        input.process.off('SIGINT', onStop);
        logger.info('stopped', { clean });
        resolve(0);
      });
    };
    input.process.on('SIGHUP', onHangUp);
    input.process.on('SIGTERM', onStop);
    input.process.on('SIGINT', onStop);
  });
}
