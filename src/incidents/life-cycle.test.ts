import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, begin, ESCALATION, ESCALATION_EVENTS, ESCALATION_STATUS, halt, IDLE } from './escalation.ts';
import type { Incident } from './incident.ts';
import { newAlert, newIncident } from './judgement.ts';
import { INCIDENT_EVENTS, INCIDENT_STATES, isEscalating, isLive, LIFE_CYCLE } from './life-cycle.ts';
import { DEFAULT_POLICY, policySchema } from './policy.ts';
import { transition } from './transition.ts';

const NOW = Date.UTC(2026, 0, 1);
const POLICY = policySchema.parse({
  version: 1,
  kind: 'escalation_policy',
  name: 'p',
  steps: [
    { level: 'L1', remediate: true, timeout: '1m' },
    { level: 'L2', notify: [{ receiver: 'a' }], timeout: '5m' },
    { level: 'L3', notify: [{ receiver: 'b' }], timeout: '5m' },
  ],
  repeat: 2,
});
const fresh = (): Incident =>
  newIncident(
    1,
    newAlert(
      { labels: { alertname: 'A' }, annotations: {}, status: 'firing', startsAtMs: NOW, source: 'rules' },
      'f',
      { score: 1, words: [] },
      NOW,
    ),
    'A',
    NOW,
  );

describe('the life-cycle table', () => {
  it('answers every event in every state, and each state can be reached', () => {
    const reached = new Set<string>(['open']);
    let cells = 0;
    for (const s of INCIDENT_STATES)
      for (const e of INCIDENT_EVENTS) {
        const cell = LIFE_CYCLE[s][e];
        cells++;
        if (typeof cell === 'object') reached.add(cell.to);
        else expect(['ignore', 'refuse']).toContain(cell);
      }
    expect(cells).toBe(INCIDENT_STATES.length * INCIDENT_EVENTS.length);
    expect([...reached].sort()).toEqual([...INCIDENT_STATES].sort());
  });

  it('escalates exactly in the states where nobody has taken it (I3)', () => {
    for (const s of INCIDENT_STATES)
      for (const e of INCIDENT_EVENTS) {
        const cell = LIFE_CYCLE[s][e];
        if (typeof cell !== 'object') continue;
        expect(cell.escalation, `${s} ${e}`).toBe(isEscalating(cell.to) ? 'start' : 'stop');
      }
  });

  it('is never ended by missing data, and merged and split are final (I1, I2)', () => {
    for (const s of INCIDENT_STATES) expect(LIFE_CYCLE[s].data_lost).toBe('ignore');
    for (const s of ['merged', 'split'] as const)
      for (const e of INCIDENT_EVENTS) expect(typeof LIFE_CYCLE[s][e]).toBe('string');
  });

  it('stands in SPEC.md as it is', () => {
    const text = readFileSync(new URL('./SPEC.md', import.meta.url), 'utf8');
    const written = (cell: (typeof LIFE_CYCLE)['open']['merge']): string =>
      cell === 'ignore' ? '.' : cell === 'refuse' ? 'x' : `${cell.to}${cell.escalation === 'start' ? ' **S**' : ''}`;
    for (const e of INCIDENT_EVENTS) {
      const row = new RegExp(`^\\| ${e} \\|(.*)\\|$`, 'm')
        .exec(text)?.[1]
        ?.split('|')
        .map((c) => c.trim());
      expect(row, e).toEqual(INCIDENT_STATES.filter((s) => s !== 'split').map((s) => written(LIFE_CYCLE[s][e])));
    }
    expect(LIFE_CYCLE.merged).toEqual(LIFE_CYCLE.split);
    for (const e of ESCALATION_EVENTS)
      expect(text).toContain(`| ${e} | ${ESCALATION_STATUS.map((s) => ESCALATION[s][e]).join(' | ')} |`);
  });

  it('keeps its invariants over random orders of events (I2, I3, I4)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...INCIDENT_EVENTS), fc.integer({ min: 0, max: 600_000 })), {
          maxLength: 60,
        }),
        (events) => {
          let incident = fresh();
          let nowMs = NOW;
          for (const [event, later] of events) {
            nowMs += later;
            const before = incident;
            try {
              incident = transition(incident, { event, nowMs, actor: 'x', text: event, policy: POLICY });
            } catch (error) {
              expect((error as Error).message).toMatch(/makes no sense/);
              expect(LIFE_CYCLE[before.state][event]).toBe('refuse');
              continue;
            }
            const cell = LIFE_CYCLE[before.state][event];
            if (cell === 'ignore') expect(incident).toBe(before);
            else expect(incident.timeline.length).toBe(before.timeline.length + 1);
            expect(incident.live).toBe(isLive(incident.state) ? 1 : 0);
            expect(incident.escalation.generation).toBeGreaterThanOrEqual(before.escalation.generation);
            if (!isLive(incident.state)) expect(incident.timers).toEqual({});
            if (!isEscalating(incident.state)) expect(incident.timers.escalation).toBeUndefined();
            if (incident.state === 'snoozed') expect(incident.timers.snooze).toBeGreaterThan(nowMs - 1);
            const due = Object.values(incident.timers);
            expect(incident.nextDueAtMs).toBe(due.length === 0 ? 0 : Math.min(...due));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the escalation table', () => {
  it('is complete', () => {
    for (const s of ESCALATION_STATUS)
      for (const e of ESCALATION_EVENTS) expect(['begin', 'advance', 'halt', 'none']).toContain(ESCALATION[s][e]);
  });

  it('takes every step of every round once, in order, and ends (I5, I7)', () => {
    let state = begin(IDLE, POLICY, NOW).state;
    const keys: string[] = [];
    let nowMs = NOW;
    for (let i = 0; i < 100 && state.status === 'waiting'; i++) {
      const move = advance(state, POLICY, nowMs, (s) => s.notify.length > 0);
      if (move.taken) keys.push(move.taken.key);
      state = move.state;
      nowMs = move.dueAtMs ?? nowMs;
    }
    expect(keys).toEqual(['g1/r0/s0', 'g1/r0/s1', 'g1/r0/s2', 'g1/r1/s1', 'g1/r1/s2', 'g1/r2/s1', 'g1/r2/s2']);
    expect(state.status).toBe('exhausted');
    expect(nowMs - NOW).toBe(5 * 300_000);
    expect(advance(halt(state).state, { ...POLICY, steps: [] }, nowMs, () => true).state.status).toBe('exhausted');
  });

  it('never repeats a key over any number of generations', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('begin', 'advance', 'halt'), { maxLength: 100 }), (moves) => {
        let state = IDLE;
        const seen = new Set<string>();
        for (const m of moves) {
          if (m === 'begin') state = begin(state, POLICY, NOW).state;
          else if (m === 'halt') state = halt(state).state;
          else if (state.status === 'waiting') {
            const move = advance(state, POLICY, NOW, () => true);
            if (move.taken) {
              expect(seen.has(move.taken.key)).toBe(false);
              seen.add(move.taken.key);
            }
            state = move.state;
          }
        }
      }),
    );
  });

  it('has a built-in policy that tells nobody and tries to repair', () => {
    expect(
      policySchema.parse({
        ...DEFAULT_POLICY,
        steps: [{ level: 'L1', remediate: true, timeout: '5m' }],
        idle_after: '30m',
      }),
    ).toEqual(DEFAULT_POLICY);
  });
});
