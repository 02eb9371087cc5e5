/** The thread that checks bcrypt hashes: one check takes tens of milliseconds and must not stall the main thread. */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

export interface BcryptQuestion {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}
export interface BcryptAnswer {
  readonly id: number;
  readonly same: boolean;
}

parentPort!.on('message', ({ id, password, hash }: BcryptQuestion) => {
  let same = false;
  try {
    same = compareSync(password, hash);
  } catch {
    // a hash that is none was refused at load; whatever else goes wrong is a wrong password
  }
  parentPort!.postMessage({ id, same } satisfies BcryptAnswer);
});
