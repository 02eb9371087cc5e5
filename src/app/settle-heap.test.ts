import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { SETTLE_AFTER_MS, settleHeap } from './settle-heap.ts';

it('collects once, some seconds after the start, or not at all when stopped before', async () => {
  const clock = new FakeClock(0);
  let collected = 0;
  settleHeap(clock, () => void collected++);
  await clock.advance(SETTLE_AFTER_MS - 1);
  expect(collected).toBe(0);
  await clock.advance(10 * SETTLE_AFTER_MS);
  expect(collected).toBe(1);
  settleHeap(clock, () => void collected++).cancel();
  await clock.advance(10 * SETTLE_AFTER_MS);
  expect(collected).toBe(1);
});

it('really collects, and leaves no global behind', async () => {
  const clock = new FakeClock(0);
  settleHeap(clock);
  const gone = new WeakRef({ text: 'x'.repeat(1_000) });
  // a reference made in this turn is kept until it ends
  await new Promise((resolve) => setTimeout(resolve, 0));
  await clock.advance(SETTLE_AFTER_MS);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(gone.deref()).toBeUndefined();
  expect('gc' in globalThis).toBe(false);
});
