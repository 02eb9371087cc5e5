import { describe, expect, it } from 'vitest';
import { parseCloudEvents } from '../events/cloud-event.ts';
import { DEPLOY_BEFORE_MS, demoEventsBetween } from './events.ts';
import { type Fault, faultsBetween } from './faults.ts';

const TENANT = { id: 'indie-wave', tier: 'pro' };
const T0 = Date.UTC(2026, 4, 4);
const DAY_MS = 86_400_000;

describe('demoEventsBetween', () => {
  const faults = faultsBetween('events-test-3', [TENANT.id], T0, T0 + 22 * DAY_MS);
  const whole = demoEventsBetween('events-test-3', TENANT, faults, T0, T0 + 21 * DAY_MS);

  it('is a pure function of seed and time: windows put together are the whole, and no id comes twice', () => {
    const parts = [];
    for (let from = T0; from < T0 + 21 * DAY_MS; from += 7_000_000)
      parts.push(
        ...demoEventsBetween('events-test-3', TENANT, faults, from, Math.min(from + 7_000_000, T0 + 21 * DAY_MS)),
      );
    expect(parts).toEqual(whole);
    expect(new Set(whole.map((e) => e.id)).size).toBe(whole.length);
    expect(demoEventsBetween('another', TENANT, faults, T0, T0 + DAY_MS)).not.toEqual(whole.slice(0, 5));
  });

  it('has every kind, all labelled synthetic, and a deploy before each regression', () => {
    expect(whole.length).toBeGreaterThan(60);
    expect(new Set(whole.map((e) => e.type))).toEqual(new Set(['deploy', 'feedback', 'conversion', 'config_change']));
    expect(whole.every((e) => e.data['synthetic'] === true)).toBe(true);
    const regressions = faults.filter(
      (f: Fault) => /regression|burst/.test(f.kind) && f.startMs > T0 + DAY_MS && f.startMs < T0 + 20 * DAY_MS,
    );
    expect(regressions.length).toBeGreaterThan(2);
    const deploys = new Set(whole.filter((e) => e.type === 'deploy').map((e) => Date.parse(e.time)));
    for (const f of regressions) expect(deploys.has(f.startMs - DEPLOY_BEFORE_MS)).toBe(true);
  });

  it('is taken by the events API as it is', () => {
    const taken = parseCloudEvents('application/cloudevents-batch+json', {}, JSON.stringify(whole), T0);
    expect(taken).toHaveLength(whole.length);
    expect(taken[0]!.timeMs).toBe(Date.parse(whole[0]!.time));
  });
});
