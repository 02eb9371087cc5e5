import { describe, expect, it } from 'vitest';
import { buildIn, NewVersion } from './new-version.ts';

function setUp(served: string | undefined) {
  const state = {
    served,
    remembered: undefined as string | undefined,
    reloads: [] as (string | undefined)[],
    now: 0,
    looks: 0,
  };
  const version = new NewVersion({
    running: '/assets/index-a.js',
    served: async () => {
      state.looks++;
      return state.served;
    },
    remembered: () => state.remembered,
    remember: (build) => void (state.remembered = build),
    reload: (href) => void state.reloads.push(href),
    now: () => state.now,
  });
  return { state, version };
}

describe('NewVersion', () => {
  it('loads the page anew once when its code is gone after an upgrade', async () => {
    const { state, version } = setUp('/assets/index-b.js');
    expect(await version.missing()).toBe(true);
    expect(await version.missing()).toBe(false);
    expect(state.reloads).toEqual([undefined]);
    state.served = '/assets/index-c.js';
    expect(await version.missing()).toBe(true);
  });

  it.each([['/assets/index-a.js'], [undefined]])('does not when %s is served', async (served) => {
    const { state, version } = setUp(served);
    expect(await version.missing()).toBe(false);
    expect(state.reloads).toEqual([]);
  });

  it('opens the next page from a new version, not before', async () => {
    const { state, version } = setUp('/assets/index-a.js');
    await version.look();
    expect(version.leave('/alerts')).toBe(false);
    state.now = 60_000;
    state.served = '/assets/index-b.js';
    await version.look();
    expect(state.reloads).toEqual([]);
    expect(version.waiting).toBe(true);
    expect(version.leave('/alerts?from=now-6h')).toBe(true);
    expect(state.reloads).toEqual(['/alerts?from=now-6h']);
  });

  it('looks no more often than it says', async () => {
    const { state, version } = setUp('/assets/index-a.js');
    for (const at of [0, 1_000, 4_000, 6_000]) {
      state.now = at;
      await version.look();
    }
    expect(state.looks).toBe(2);
  });
});

it('reads the build from a page', () => {
  expect(buildIn('<script type="module" crossorigin src="/assets/index-DX_2-a.js"></script>')).toBe(
    '/assets/index-DX_2-a.js',
  );
  expect(buildIn('<html>')).toBeUndefined();
});
