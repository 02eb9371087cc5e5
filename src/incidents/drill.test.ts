import { describe, expect, it } from 'vitest';
import { acme, MINUTE, other, receiver, withPolicy } from '../../test/support/incident-world.ts';
import { answered, type DrillRun, drillFigures, overdue } from './drill.ts';
import { readLink } from './signed-link.ts';

const HOUR = 3_600_000;
/** The world begins on Monday, 2 March 2026, 11:00 in Berlin. */
const DRILL = { version: 1, kind: 'drill', name: 'weekly', schedule: 'primary', cron: '0 12 * * mon', within: '15m' };

async function drilled(over: object = {}) {
  const w = await withPolicy();
  const tenant = await w.service.tenant(acme);
  await tenant.drills.put({ ...DRILL, ...over });
  return { w, drills: async () => (await w.service.tenant(acme)).drills };
}

describe('drills', () => {
  it("page whoever is on call at the schedule's local time, as a drill, and open no incident", async () => {
    const { w, drills } = await drilled();
    expect((await drills()).list()[0]!.nextAtMs).toBe(Date.parse('2026-03-02T11:00:00Z'));
    await w.clock.advance(HOUR - MINUTE);
    expect(w.sent).toEqual([]);
    await w.clock.advance(2 * MINUTE);
    expect(w.sent.map(receiver)).toEqual(['ada@example.org']);
    const { message } = w.sent[0]!;
    expect(message).toMatchObject({ kind: 'drill', incident: '', contact: 'ada' });
    expect(message.title).toMatch(/^DRILL/);
    expect(message.text).toContain('no incident is open');
    expect((await w.service.list(acme)).incidents).toEqual([]);
    const token = new URL(message.links[0]!.url).searchParams.get('token')!;
    const claims = readLink(new Uint8Array(32).fill(7), token, w.clock.now());
    await w.clock.advance(MINUTE / 2);
    await (await drills()).acknowledge(claims.incident, claims.addressee);
    const [run] = await (await drills()).runs();
    expect(run).toMatchObject({ drill: 'weekly', user: 'ada', result: 'acknowledged', acknowledgedBy: 'ada' });
    // answered: the second way of her rules is not used, and a second answer changes nothing
    await w.clock.advance(10 * MINUTE);
    expect(w.sent).toHaveLength(1);
    await (await drills()).acknowledge(claims.incident, 'ben');
    expect((await (await drills()).runs())[0]).toEqual(run);
    expect(await (await drills()).figures()).toMatchObject({ held: 1, answeredShare: 1, people: 1, peopleAnswered: 1 });
  });

  it('goes on to the next way, counts what nobody answered as missed, and a late answer as late', async () => {
    const { w, drills } = await drilled();
    await w.clock.advance(HOUR + 3 * MINUTE);
    expect(w.sent.map(receiver)).toEqual(['ada@example.org', 'pager-ada']);
    await w.clock.advance(14 * MINUTE);
    const [run] = await (await drills()).runs();
    expect(run!.result).toBe('missed');
    expect(await (await drills()).figures()).toMatchObject({ answeredShare: 0, peopleAnswered: 0, untried: ['ada'] });
    await (await drills()).acknowledge(run!.id, 'ada');
    expect((await (await drills()).runs())[0]!.result).toBe('late');
  });

  it('is held once for each of its times over restarts and set clocks, and not hours later', async () => {
    const { w, drills } = await drilled({ cron: '0 * * * *' });
    await w.clock.advance(HOUR + MINUTE);
    await w.restart();
    w.clock.step(-30 * MINUTE);
    await w.clock.advance(40 * MINUTE);
    const times = async () => (await (await drills()).runs()).map((r) => new Date(r.atMs).toISOString());
    expect(await times()).toEqual(['2026-03-02T11:00:00.000Z']);
    await w.service[Symbol.asyncDispose]();
    await w.clock.advance(3 * HOUR + 20 * MINUTE);
    await w.restart();
    await w.clock.advance(MINUTE);
    expect(await times()).toEqual(['2026-03-02T11:00:00.000Z']);
    await w.clock.advance(HOUR);
    expect(await times()).toHaveLength(2);
    const ids = w.sent.map((s) => s.message.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says when nobody could be paged: an empty shift, quiet hours, a page that was given up', async () => {
    const { w, drills } = await drilled({ cron: '0 23 * * *', criticality: 'P3' });
    const { directory } = await w.service.tenant(acme);
    await directory.putContact({
      version: 1,
      kind: 'contact',
      name: 'ada',
      rules: [{ receiver: 'pager-ada' }],
      quiet_hours: { time_zone: 'Europe/Berlin', from: '22:00', to: '07:00' },
    });
    await w.clock.advance(13 * HOUR);
    expect(w.sent).toEqual([]);
    expect((await (await drills()).runs())[0]).toMatchObject({
      result: 'nobody',
      why: 'schedule primary: ada is not to be told of P3 now',
    });
    w.fail = () => true;
    await (await drills()).put({ ...DRILL, criticality: 'P1' });
    const held = await (await drills()).hold('weekly');
    await w.clock.advance(20 * MINUTE);
    const run = (await (await drills()).runs()).find((r) => r.id === held.id);
    expect(run).toMatchObject({ result: 'missed', why: '503 from the receiver' });
  });

  it('ends in programs that keep incidents of their own, once', async () => {
    const { w, drills } = await drilled();
    const { directory } = await w.service.tenant(acme);
    await directory.putContact({ version: 1, kind: 'contact', name: 'ada', rules: [{ receiver: 'pagerduty' }] });
    const run = await (await drills()).hold('weekly');
    await w.clock.advance(1_000);
    await (await drills()).acknowledge(run.id, 'ada');
    await w.clock.advance(HOUR / 2);
    expect(w.sent.map((s) => [s.message.kind, s.message.group])).toEqual([
      ['drill', run.id],
      ['drill_over', run.id],
    ]);
  });

  it('refuses what is wrong, and belongs to one tenant', async () => {
    const { w, drills } = await drilled();
    const put = async (over: object) => (await drills()).put({ ...DRILL, ...over });
    await expect(put({ cron: 'now' })).rejects.toThrow(/drill\.cron: want five fields/);
    await expect(put({ schedule: 'none' })).rejects.toThrow(/no schedule "none"/);
    await expect(put({ within: 'soon' })).rejects.toThrow(/drill\.within: want a duration/);
    await expect(put({ extra: 1 })).rejects.toThrow(/extra/);
    const theirs = (await w.service.tenant(other)).drills;
    expect([theirs.list(), await theirs.runs()]).toEqual([[], []]);
    const run = await (await drills()).hold('weekly');
    await expect(theirs.acknowledge(run.id, 'x')).rejects.toThrow(/no drill/);
    await expect((await drills()).hold('none')).rejects.toThrow(/no drill/);
    expect(await (await drills()).remove('weekly')).toBe(true);
    await w.clock.advance(2 * HOUR);
    expect((await (await drills()).runs()).length).toBe(1);
  });
});

describe('figures', () => {
  const run = (over: Partial<DrillRun>): DrillRun => ({
    id: 'x',
    drill: 'd',
    schedule: 's',
    atMs: 1_000_000,
    user: 'ada',
    withinMs: 60_000,
    receivers: [],
    result: 'waiting',
    why: '',
    ...over,
  });
  it('say whom the night was tried with, and how soon people answer', () => {
    const runs = [
      answered(run({}), 'ada', 1_030_000),
      answered(run({ user: 'ben' }), 'ben', 1_090_000),
      overdue(run({ user: 'cy' }), 1_061_000),
      run({ user: 'dee', result: 'nobody' }),
      run({ atMs: 0, user: 'eve', result: 'acknowledged' }),
      run({ user: 'flo' }),
    ];
    const figures = drillFigures(runs, new Set(['ada', 'ben', 'eve']), 90 * 86_400_000 + 1);
    expect(figures).toEqual({
      held: 5,
      answeredShare: 1 / 4,
      medianAcknowledgeMs: 90_000,
      people: 3,
      peopleAnswered: 1,
      untried: ['ben', 'eve'],
    });
    expect(drillFigures([], new Set(), 0)).toEqual({ held: 0, people: 0, peopleAnswered: 0, untried: [] });
  });
});
