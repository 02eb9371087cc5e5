/** The worker thread of one apply job: rendering takes 100 ms a tenant and more, which the event loop cannot wait for. */
import { parentPort, workerData } from 'node:worker_threads';
import { isVigieError, messageOf, VigieError } from '../../lib/errors.ts';
import { type ApplyEvent, type ApplyJobInput, runApplyJob } from './apply-job.ts';

export type WorkerMessage =
  | { readonly event: ApplyEvent }
  | { readonly failed: { readonly code: string; readonly message: string } }
  | { readonly finished: true };

export interface WorkerInput {
  readonly job: ApplyJobInput;
  /** One integer, not 0 as soon as the job is to stop. */
  readonly stop: SharedArrayBuffer;
}

const { job, stop } = workerData as WorkerInput;
const stopped = new Int32Array(stop);
const post = (message: WorkerMessage): void => parentPort?.postMessage(message);
// a job tells after each tenant and each step: there it stops, too
const tell = (event: ApplyEvent): void => {
  if (Atomics.load(stopped, 0) !== 0) throw new VigieError('canceled', 'the job was stopped');
  post({ event });
};

runApplyJob(job, tell).then(
  () => post({ finished: true }),
  (error: unknown) =>
    post({ failed: { code: isVigieError(error) ? error.code : 'internal', message: messageOf(error) } }),
);
