import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tenantId } from '../model/tenant.ts';
import { EVENTS_KEPT_MAX, EventLog, READERS_PER_TENANT_MAX } from './event-log.ts';

const a = tenantId('a');
const b = tenantId('b');

describe('EventLog', () => {
  it('hands a returning reader exactly what it missed, whatever the order of appends', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b'), { maxLength: 200 }), fc.nat(200), (owners, stop) => {
        const log = new EventLog('x');
        const seen = { a: log.lastId(a), b: log.lastId(b) };
        const expected: Record<string, number[]> = { a: [], b: [] };
        owners.forEach((owner, i) => {
          const event = log.append(tenantId(owner), 'k', i, i);
          if (i < stop) seen[owner as 'a' | 'b'] = event.id;
          else expected[owner]!.push(i);
        });
        for (const t of [a, b]) {
          const missed = log.since(t, seen[t as unknown as 'a' | 'b']);
          if (missed === 'gap') expect(owners.filter((o) => o === t)).toHaveLength(0);
          else expect(missed.map((e) => e.data)).toEqual(expected[t]);
        }
      }),
    );
  });

  it('says gap for ids of another boot, of the future, too old or malformed', () => {
    const log = new EventLog('boot2');
    for (let i = 0; i < EVENTS_KEPT_MAX * 3; i++) log.append(a, 'k', i, i);
    for (const id of ['boot1-5', 'boot2-999999', 'boot2-1', '', 'nonsense', 'boot2-'])
      expect(log.since(a, id), id).toBe('gap');
    expect(log.since(a, log.lastId(a))).toEqual([]);
  });

  it('never hands an event of one tenant to a listener of another, and bounds listeners', () => {
    const log = new EventLog('x');
    const got: unknown[] = [];
    const stop = log.subscribe(a, (e) => got.push(e.data));
    log.append(b, 'k', 0, 'of b');
    log.append(a, 'k', 0, 'of a');
    stop?.();
    log.append(a, 'k', 0, 'later');
    expect(got).toEqual(['of a']);
    for (let i = 0; i < READERS_PER_TENANT_MAX; i++) expect(log.subscribe(b, () => {})).toBeDefined();
    expect(log.subscribe(b, () => {})).toBeUndefined();
    expect(log.subscribe(a, () => {})).toBeDefined();
  });
});
