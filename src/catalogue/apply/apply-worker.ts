/** The worker thread of one apply job: rendering takes 100 ms a tenant and more, which the event loop cannot wait for. */
import { parentPort, workerData } from 'node:worker_threads';
import { isVigieError, messageOf } from '../../lib/errors.ts';
import { type ApplyEvent, type ApplyJobInput, runApplyJob } from './apply-job.ts';

export type WorkerMessage =
  | { readonly event: ApplyEvent }
  | { readonly failed: { readonly code: string; readonly message: string } }
  | { readonly finished: true };

const post = (message: WorkerMessage): void => parentPort?.postMessage(message);

runApplyJob(workerData as ApplyJobInput, (event) => post({ event })).then(
  () => post({ finished: true }),
  (error: unknown) =>
    post({ failed: { code: isVigieError(error) ? error.code : 'internal', message: messageOf(error) } }),
);
