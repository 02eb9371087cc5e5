import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle } from '../../test/support/fake-clock.ts';
import { acme, MINUTE, receiver, signal, withPolicy } from '../../test/support/incident-world.ts';

describe('restarts, crashes and clock steps', () => {
  it('takes what was due while it was away, once', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    await w.service[Symbol.asyncDispose]();
    await w.clock.advance(7 * MINUTE);
    const before = w.sent.length;
    await w.restart();
    await w.clock.advance(1_000);
    expect(w.sent.slice(before).map(receiver)).toContain('specialists');
    expect((await w.service.get(acme, id!)).escalation.step).toBe(3);
    expect(new Set(w.sent.map((s) => s.message.id)).size).toBe(w.sent.length);
  });

  it('loses no step and takes none twice, over random orders of restarts, clock steps and store failures (I5, I6)', async () => {
    const move = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 6 * MINUTE }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('restart' as const), ms: fc.integer({ min: 0, max: 4 * MINUTE }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('step' as const),
          ms: fc.integer({ min: -60 * MINUTE, max: 60 * MINUTE }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('outage' as const), ms: fc.integer({ min: 1, max: 3 * MINUTE }) }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 20 }), async (moves) => {
        const w = await withPolicy();
        const original = w.documents.transaction.bind(w.documents);
        const [id] = await w.service.observe(acme, [signal()]);
        for (const m of moves) {
          if (m.kind === 'advance') await w.clock.advance(m.ms);
          else if (m.kind === 'restart') {
            await w.service[Symbol.asyncDispose]();
            await w.clock.advance(m.ms);
            await w.restart();
          } else if (m.kind === 'step') w.clock.step(m.ms);
          else {
            w.documents.transaction = () => Promise.reject(new Error('disk full'));
            await w.clock.advance(m.ms);
            w.documents.transaction = original;
          }
        }
        await w.clock.advance(3 * 60 * MINUTE);
        await settle();
        const incident = await w.service.get(acme, id!);
        expect(incident.escalation.status).toBe('exhausted');
        const steps = w.sent.filter((s) => s.message.contact === '').map(receiver);
        expect(steps).toEqual(['slack-team', 'specialists', 'vendor', 'slack-team', 'specialists', 'vendor']);
        expect(new Set(w.sent.map((s) => s.message.id)).size).toBe(w.sent.length);
        await w.service[Symbol.asyncDispose]();
      }),
      { numRuns: 80 },
    );
  }, 120_000);

  it('keeps the order of steps whatever alerts and people do, over restarts and set clocks (I3, I4, I5, I6)', async () => {
    const kinds = [
      'fire',
      'recover',
      'lose',
      'acknowledge',
      'unacknowledge',
      'snooze',
      'mitigate',
      'resolve',
      'reopen',
      'restart',
      'step',
      'wait',
    ] as const;
    const move = fc.record({ kind: fc.constantFrom(...kinds), ms: fc.integer({ min: 1_000, max: 8 * MINUTE }) });
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 3, maxLength: 15 }), async (moves) => {
        const w = await withPolicy();
        const [id] = await w.service.observe(acme, [signal()]);
        const told = new Map<string, string[]>();
        let read = 0;
        /** Each step of a generation once and in order; nobody is told while people have it. */
        const look = async (quiet: boolean): Promise<void> => {
          for (const { message } of w.sent.slice(read)) {
            if (message.kind !== 'escalation' || message.contact !== '') continue;
            const [generation, round, step] = message.id.split('/').slice(2, 5) as [string, string, string];
            // long after the end the same alert opens another incident
            const key = `${message.incident}/${generation}`;
            const steps = told.get(key) ?? [];
            told.set(key, [...steps, `${round}/${step}`]);
            if (message.incident === id) expect(quiet, `told ${message.id} while nobody was to be told`).toBe(false);
          }
          read = w.sent.length;
        };
        for (const { kind, ms } of moves) {
          const before = (await w.service.get(acme, id!)).state;
          const act = (event: 'acknowledge' | 'unacknowledge' | 'mitigate' | 'resolve' | 'reopen'): Promise<unknown> =>
            w.service
              .act(acme, id!, event, 'ada', event)
              .catch((e: Error) => expect(e.message).toMatch(/makes no sense/));
          if (kind === 'fire') await w.service.observe(acme, [signal({}, w.clock.now())]);
          else if (kind === 'recover')
            await w.service.observe(acme, [signal({ status: 'resolved', endsAtMs: w.clock.now() })]);
          else if (kind === 'lose') await w.service.observe(acme, [signal({ status: 'unknown' })]);
          else if (kind === 'snooze')
            await w.service
              .act(acme, id!, 'snooze', 'ada', 'later', { snoozeUntilMs: w.clock.now() + ms })
              .catch((e: Error) => expect(e.message).toMatch(/makes no sense/));
          else if (kind === 'restart') await w.restart();
          else if (kind === 'step') w.clock.step(ms % 2 === 0 ? ms * 5 : -ms * 5);
          else if (kind !== 'wait') await act(kind);
          await settle();
          const at = await w.service.get(acme, id!);
          await look(false);
          // an acknowledgement holds for half an hour, and no move here takes that long
          const held = at.state === 'acknowledged' || at.state === 'mitigated' || at.live === 0;
          await w.clock.advance(ms);
          const after = await w.service.get(acme, id!);
          await look(held && after.state === at.state && after.escalation.generation === at.escalation.generation);
          expect(after.timers.escalation === undefined || after.state === 'open' || after.state === 'reopened').toBe(
            true,
          );
          if (after.state === 'resolved') expect(after.timers).toEqual({});
          expect(before === 'merged').toBe(false);
        }
        await w.clock.advance(70 * MINUTE);
        await look(false);
        const order = ['r0/s1', 'r0/s2', 'r0/s3', 'r1/s1', 'r1/s2', 'r1/s3'];
        for (const steps of told.values()) expect(steps).toEqual(order.slice(0, steps.length));
        const ids = w.sent.map((s) => s.message.id);
        expect(new Set(ids).size).toBe(ids.length);
        await w.service[Symbol.asyncDispose]();
      }),
      { numRuns: 30, endOnFailure: true },
    );
  }, 120_000);

  it('tells of an end that a crash kept from being told', async () => {
    const w = await withPolicy();
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    w.fail = () => true;
    await w.service.act(acme, id!, 'resolve', 'ada', 'done');
    await w.clock.advance(1_000);
    await w.service[Symbol.asyncDispose]();
    w.fail = () => false;
    const before = w.sent.length;
    await w.restart();
    await w.clock.advance(10_000);
    expect(w.sent.slice(before).map((s) => s.message.kind)).toContain('resolved');
  });

  it('is not held up by a clock that was set back while it was away', async () => {
    const w = await withPolicy();
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(1_000);
    await w.service[Symbol.asyncDispose]();
    w.clock.step(-5 * 60 * MINUTE);
    await w.restart();
    await w.clock.advance(10 * MINUTE + 1_000);
    expect(w.sent.map(receiver)).toContain('specialists');
  });

  it('keeps the pace of steps when the clock is set', async () => {
    const w = await withPolicy();
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(MINUTE);
    w.clock.step(55 * MINUTE);
    await w.clock.advance(3 * MINUTE);
    expect(w.sent.map(receiver)).not.toContain('specialists');
    await w.clock.advance(MINUTE);
    expect(w.sent.map(receiver)).toContain('specialists');
    w.clock.step(-3 * 60 * MINUTE);
    await w.clock.advance(10 * MINUTE + 1_000);
    expect(w.sent.map(receiver)).toContain('vendor');
  });
});
