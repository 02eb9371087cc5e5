/**
 * Starts the worker thread of a job and passes its events on. A job that is to stop does so at its next step; only one
 * that does not is ended from outside, which is safe for the systems at any moment (see ledger.ts). For the process it is
 * a risk: once in some thousand jobs V8 aborted it, with everything else it watches.
 */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../lib/clock.ts';
import { type ErrorCode, VigieError } from '../../lib/errors.ts';
import type { ApplyEvent, ApplyJobInput } from './apply-job.ts';
import type { RunningWorker } from './apply-service.ts';
import type { WorkerInput, WorkerMessage } from './apply-worker.ts';

/** Megabytes of the thread's heap: a tree of many thousand tenants is held once while systems are compared. */
const HEAP_MB_MAX = 1_024;
/** A system that does not answer holds a job longer than any step. */
const STOP_MS_MAX = 5_000;

export const runInThread =
  (clock: Clock) =>
  (job: ApplyJobInput, tell: (event: ApplyEvent) => void): RunningWorker => {
    const stop = new SharedArrayBuffer(4);
    const worker = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './apply-worker.ts' : './apply-worker.js', import.meta.url),
      { workerData: { job, stop } satisfies WorkerInput, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX } },
    );
    worker.unref();
    let timer: Timer | undefined;
    const done = new Promise<void>((resolve, reject) => {
      worker.on('message', (message: WorkerMessage) => {
        if ('event' in message) tell(message.event);
        else if ('failed' in message) reject(new VigieError(message.failed.code as ErrorCode, message.failed.message));
        else resolve();
      });
      worker.on('error', (error) => reject(new VigieError('internal', `the apply thread failed: ${error.message}`)));
      worker.on('exit', () => {
        timer?.cancel();
        reject(new VigieError('canceled', 'the job was stopped; another one goes on from there'));
      });
    });
    const cancel = (): void => {
      Atomics.store(new Int32Array(stop), 0, 1);
      timer ??= clock.setTimer(() => void worker.terminate(), STOP_MS_MAX);
    };
    return { done, cancel };
  };
