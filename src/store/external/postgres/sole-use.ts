/**
 * One Vigie per PostgreSQL database: a session lock on a connection of its own, which the server drops when the holder
 * ends, however it ends. When the server restarts, the lock is taken again at once; whoever finds it taken by then is
 * told. Not a queue: a second one is refused, and whatever supervises it (systemd, Kubernetes) starts it again until the
 * first is gone.
 */
import pg from 'pg';
import { type Clock, sleep } from '../../../lib/clock.ts';
import { messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';

/** Any number that nothing else in the database uses as an advisory lock; one more than that of the migrations. */
const SOLE_USE_LOCK = 7_154_904;
const PAUSE_MS = 250;
const PAUSE_MS_MAX = 5_000;
/** A holder that was killed is noticed by the server within moments; longer waiting would hide a second instance. */
const START_TRIES_MAX = 12;

export interface SoleUseOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** After a restart of the server another instance has the lock: this one must not go on writing. */
  readonly onLost: (error: VigieError) => void;
}

/** Throws `locked` when another instance uses the database, `unavailable` when it does not answer. */
export async function takeSoleUse(options: SoleUseOptions): Promise<AsyncDisposable> {
  const { url, clock, logger, onLost } = options;
  let closed = false;
  let client: pg.Client | undefined;

  /** True: held. False: another has it. Throws when the server does not answer. */
  const take = async (): Promise<boolean> => {
    const c = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, keepAlive: true });
    let held = false;
    c.on('error', () => {});
    c.once('end', () => {
      if (held && !closed) void again();
    });
    await c.connect();
    try {
      const { rows } = await c.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [SOLE_USE_LOCK]);
      held = rows[0]?.held === true;
    } finally {
      if (held) client = c;
      else await c.end().catch(() => {});
    }
    return held;
  };

  const again = async (): Promise<void> => {
    logger.warn('the connection that holds PostgreSQL for this Vigie ended; taking it again');
    let refusals = 0;
    for (let pause = PAUSE_MS; !closed; pause = Math.min(PAUSE_MS_MAX, pause * 2)) {
      try {
        const held = await take();
        if (closed) return void (await client?.end().catch(() => {}));
        if (held) return;
        // our own broken session may hold it until the server notices
        if (++refusals >= START_TRIES_MAX) return onLost(inUse());
        pause = PAUSE_MS / 2;
        await sleep(clock, PAUSE_MS);
      } catch (error) {
        logger.debug('PostgreSQL does not answer yet', { error: messageOf(error) });
        await sleep(clock, pause);
      }
    }
  };

  for (let attempt = 1; ; attempt++) {
    let held: boolean;
    try {
      held = await take();
    } catch (cause) {
      throw new VigieError('unavailable', `PostgreSQL cannot be used: ${messageOf(cause)}`, { cause });
    }
    if (held) break;
    if (attempt === START_TRIES_MAX) throw inUse();
    await sleep(clock, PAUSE_MS);
  }
  return {
    async [Symbol.asyncDispose]() {
      closed = true;
      await client?.end().catch(() => {});
    },
  };
}

const inUse = (): VigieError =>
  new VigieError(
    'locked',
    'the database of DATABASE_URL is in use by another Vigie; rules and notifications run in one process only; stop the other, or give this one a database of its own',
  );
