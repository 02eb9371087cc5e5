/** Starts the worker thread of a job and passes its events on. Ending the thread at any moment is safe: see ledger.ts. */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, VigieError } from '../../lib/errors.ts';
import type { ApplyEvent, ApplyJobInput } from './apply-job.ts';
import type { RunningWorker } from './apply-service.ts';
import type { WorkerMessage } from './apply-worker.ts';

/** Megabytes of the thread's heap: a tree of many thousand tenants is held once while systems are compared. */
const HEAP_MB_MAX = 1_024;

export function runInThread(input: ApplyJobInput, tell: (event: ApplyEvent) => void): RunningWorker {
  const worker = new Worker(
    new URL(import.meta.url.endsWith('.ts') ? './apply-worker.ts' : './apply-worker.js', import.meta.url),
    { workerData: input, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX } },
  );
  worker.unref();
  const done = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if ('event' in message) tell(message.event);
      else if ('failed' in message) reject(new VigieError(message.failed.code as ErrorCode, message.failed.message));
      else resolve();
    });
    worker.on('error', (error) => reject(new VigieError('internal', `the apply thread failed: ${error.message}`)));
    worker.on('exit', () => reject(new VigieError('canceled', 'the job was stopped; another one goes on from there')));
  });
  return { done, cancel: () => void worker.terminate() };
}
