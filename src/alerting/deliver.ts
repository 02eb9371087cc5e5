/**
 * Tries to tell one integration until it worked, the receiver refused for good, or the deadline came: exponential
 * pauses of 0.5 s x 1.5 with +-50 % jitter, or what Retry-After asks for.
 */
import { type Clock, sleep } from '../lib/clock.ts';
import { isVigieError, messageOf } from '../lib/errors.ts';
import type { Outcome } from './notify/channel.ts';

const FIRST_PAUSE_MS = 500;
const PAUSE_FACTOR = 1.5;
const PAUSE_MS_MAX = 60_000;
/** Tries of one flush, whatever the deadline. */
export const ATTEMPTS_MAX = 500;

export interface Delivery {
  readonly ok: boolean;
  readonly attempts: number;
  /** '' when it worked. */
  readonly error: string;
  /** Every try was refused, or never reached the receiver: it has certainly not heard. */
  readonly refused?: boolean;
}

export interface DeliverOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** For one-off sends: no second try. */
  readonly once?: boolean;
}

export async function deliver(attempt: () => Promise<Outcome>, options: DeliverOptions): Promise<Delivery> {
  let error = '';
  let refused = true;
  let pauseMs = FIRST_PAUSE_MS;
  for (let attempts = 1; ; attempts++) {
    const outcome = await attempt().catch(failedBy);
    if (outcome.kind === 'sent') return { ok: true, attempts, error: '' };
    error = outcome.error;
    refused &&= outcome.refused === true;
    if (!outcome.retry || options.once || options.signal.aborted || attempts >= ATTEMPTS_MAX)
      return { ok: false, attempts, error, refused };
    const jittered = pauseMs * (0.5 + options.random());
    pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * PAUSE_FACTOR);
    try {
      await sleep(options.clock, Math.max(jittered, outcome.retryAfterMs ?? 0), options.signal);
    } catch {
      return { ok: false, attempts, error, refused };
    }
  }
}

/** No connection came about. */
const NOT_REACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** A template or address that is wrong stays wrong; a broken connection may heal. */
function failedBy(cause: unknown): Outcome {
  const final = isVigieError(cause) && cause.code !== 'unavailable' && cause.code !== 'upstream';
  const code = (cause as { cause?: { code?: string } } | undefined)?.cause?.code;
  return { kind: 'failed', retry: !final, error: messageOf(cause), refused: final || NOT_REACHED.has(code ?? '') };
}
