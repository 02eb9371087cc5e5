/**
 * Gives back what a start leaves behind: parsing rules, templates and schemas fills the heap with garbage that V8 would
 * keep until it needs the room, which an idle server never does. One collection, about 40 ms, some seconds after the
 * start, takes 50 MB off the resident memory.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock, Timer } from '../lib/clock.ts';

/** Late enough for the first scrapes and evaluations, whose garbage goes along. */
export const SETTLE_AFTER_MS = 8_000;

export function settleHeap(clock: Clock, collect: () => void = fullCollection()): Timer {
  return clock.setTimer(collect, SETTLE_AFTER_MS);
}

/** What `--expose-gc` offers, without every program text seeing a global `gc`. */
function fullCollection(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { readonly type: 'major' }) => void;
  setFlagsFromString('--no-expose-gc');
  return () => gc({ type: 'major' });
}
