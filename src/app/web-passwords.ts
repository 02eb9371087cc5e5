/**
 * Passwords of `basic_auth_users`: bcrypt hashes, checked in a worker. What was right once is remembered as a keyed
 * digest, so that a scraper every few seconds costs nothing; what is wrong costs its sender a bounded queue.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { VigieError } from '../lib/errors.ts';
import type { BcryptAnswer } from './bcrypt-worker.ts';

/** Checks waiting at a time; more are refused, so that guessing cannot fill the memory. */
export const CHECKS_WAITING_MAX = 64;
/** Right passwords remembered; the oldest go first. */
const REMEMBERED_MAX = 1_000;
/** bcrypt reads no further. Longer passwords are refused rather than cut. */
export const PASSWORD_BYTES_MAX = 72;

export const BCRYPT_HASH = /^\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;
/** Of a random password nobody knows: an unknown user takes as long as a wrong password. */
const NOBODY = '$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u';

export class WebPasswords {
  readonly #secret = randomBytes(32);
  #users: ReadonlyMap<string, string> = new Map();
  readonly #right = new Set<string>();
  readonly #waiting = new Map<number, (same: boolean) => void>();
  #worker: Worker | undefined;
  #id = 0;

  /** Replaces the users: name -> bcrypt hash. */
  set(users: ReadonlyMap<string, string>): void {
    this.#users = users;
    this.#right.clear();
  }

  get size(): number {
    return this.#users.size;
  }

  /** Throws `quota` when too many checks wait. */
  async check(user: string, password: string): Promise<boolean> {
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) return false;
    const known = this.#users.get(user);
    const digest = createHmac('sha256', this.#secret)
      .update(JSON.stringify([user, known ?? '', password]))
      .digest('base64');
    if (known !== undefined && this.#right.has(digest)) return true;
    const same = await this.#ask(password, known ?? NOBODY);
    // the users may have been replaced meanwhile
    if (!same || known === undefined || this.#users.get(user) !== known) return false;
    if (this.#right.size >= REMEMBERED_MAX) this.#right.delete(this.#right.values().next().value!);
    this.#right.add(digest);
    return true;
  }

  #ask(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= CHECKS_WAITING_MAX)
      throw new VigieError('quota', 'too many passwords are being checked', { details: { retryAfterMs: 1_000 } });
    const worker = this.#started();
    return new Promise((resolve) => {
      const id = ++this.#id;
      this.#waiting.set(id, resolve);
      worker.ref();
      worker.postMessage({ id, password, hash });
    });
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './bcrypt-worker.ts' : './bcrypt-worker.js', import.meta.url),
    );
    worker.unref();
    worker.on('message', ({ id, same }: BcryptAnswer) => {
      this.#waiting.get(id)?.(same);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
    });
    const gone = (): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const answer of this.#waiting.values()) answer(false);
      this.#waiting.clear();
    };
    worker.on('error', gone);
    worker.on('exit', gone);
    this.#worker = worker;
    return worker;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}
