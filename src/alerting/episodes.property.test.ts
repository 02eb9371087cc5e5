/**
 * Random orders of events with kill -9 at any of them, also exactly between a receiver's answer and the log write:
 * nothing is lost, nothing is told twice for one episode but in that window, and then with the same idempotency key.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import { parseAlertingConfig } from './config.ts';
import type { OutgoingRequest } from './notify/channel.ts';
import { goTemplates } from './notify/templates.ts';
import { TenantAlerting } from './tenant-alerting.ts';

const MIN = 60_000;
const DAY = 86_400_000;
const RECEIVERS = ['one', 'two'] as const;
type ReceiverName = (typeof RECEIVERS)[number];
/** No repeat within a run, so that a second telling is a fault. */
const CONFIG = parseAlertingConfig(
  `
route: { receiver: both, group_by: [group], group_wait: 30s, group_interval: 5m, repeat_interval: 300d }
receivers: [{ name: both, webhook_configs: [{ url: 'http://one/' }, { url: 'http://two/' }] }]
`,
  { templates: goTemplates },
);

interface Told {
  readonly key: string;
  readonly group: string;
  readonly firing: readonly string[];
}

const kindOf = (record: unknown): string => {
  const { k, v } = record as { k: string; v?: { maybeFiring?: unknown } };
  return k === 'n' ? (v?.maybeFiring ? 'note' : 'memory') : k;
};

/** A machine that can lose its power: what is on the disk stays, what is in memory does not. */
class Machine {
  readonly clock = new FakeClock();
  readonly told: Record<ReceiverName, Told[]> = { one: [], two: [] };
  readonly status: Record<ReceiverName, number> = { one: 200, two: 200 };
  disk: unknown[] = [];
  /** The process dies writing the next note before a notification, or the next memory of one that arrived. */
  dieAt: 'note' | 'memory' | undefined;
  #dead = { yes: false };
  alerting = this.#boot();

  #boot(): TenantAlerting {
    const life = { yes: false };
    this.#dead = life;
    const never = new Promise<never>(() => {});
    return new TenantAlerting({
      config: CONFIG,
      state: {
        records: structuredClone(this.disk),
        cutBytes: 0,
        log: {
          sizeBytes: 0,
          append: async (records) => {
            if (!life.yes && this.dieAt && records.some((r) => kindOf(r) === this.dieAt)) {
              this.dieAt = undefined;
              life.yes = true;
            }
            if (life.yes) await never;
            this.disk.push(...(JSON.parse(JSON.stringify(records)) as unknown[]));
          },
          rewrite: async (capture) => {
            if (!life.yes) this.disk = JSON.parse(JSON.stringify([...capture()])) as unknown[];
          },
          close: async () => {},
        },
      },
      clock: this.clock,
      logger: silentLogger,
      ports: { mail: async () => {}, http: async (r) => (life.yes ? never : this.#answer(r)) },
      externalURL: '',
      orphanResolve: true,
      random: () => 0.5,
    });
  }

  #answer(request: OutgoingRequest): { status: number; headers: object & Record<string, string>; body: string } {
    const name = new URL(request.url).hostname as ReceiverName;
    const status = this.status[name];
    if (status === 200) {
      const body = JSON.parse(request.body) as {
        groupLabels: { group: string };
        alerts: { status: string; labels: { i: string } }[];
      };
      const firing = body.alerts.filter((a) => a.status === 'firing').map((a) => a.labels.i);
      this.told[name].push({ key: request.headers['idempotency-key']!, group: body.groupLabels.group, firing });
    }
    return { status, headers: {}, body: '' };
  }

  get dead(): boolean {
    return this.#dead.yes;
  }

  /** Ends the process without a word and starts the next one. */
  restart(): void {
    const old = this.alerting;
    this.#dead.yes = true;
    // only its timers matter now: nothing it writes or sends arrives
    void old.close();
    this.alerting = this.#boot();
  }

  async post(i: string, endsAtMs: number): Promise<void> {
    const labels = Labels.from({ group: i < 'c' ? 'g' : 'h', i });
    const accepted = this.alerting.accept([{ labels, annotations: Labels.EMPTY, generatorURL: '', endsAtMs }]);
    void accepted.catch(() => {});
    await settle();
  }
}

type Event =
  | { kind: 'fire' | 'resolve'; i: string }
  | { kind: 'advance' | 'step'; ms: number }
  | { kind: 'break' | 'heal'; receiver: ReceiverName }
  | { kind: 'kill' | 'note' | 'memory' | 'compact' | 'reload' };
const i = fc.constantFrom('a', 'b', 'c', 'd');
const receiver = fc.constantFrom(...RECEIVERS);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('fire' as const), i }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('resolve' as const), i }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 7 * MIN }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -MIN, max: MIN }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('break' as const, 'heal' as const), receiver }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'kill' as const,
        'note' as const,
        'memory' as const,
        'memory' as const,
        'compact' as const,
        'reload' as const,
      ),
    }),
  },
);

interface Seen {
  windows: number;
  repeats: number;
  pages: number;
}

async function play(events: readonly Event[], seen: Seen, sabotage = false): Promise<void> {
  const m = new Machine();
  const live = new Set<string>();
  const episodes: Record<string, number> = {};
  let windows = 0;
  const revive = async (): Promise<void> => {
    if (!m.dead) return;
    windows++;
    m.restart();
    await settle();
  };
  for (const e of events) {
    if (e.kind === 'fire') {
      if (!live.has(e.i)) episodes[e.i] = (episodes[e.i] ?? 0) + 1;
      live.add(e.i);
      await m.post(e.i, m.clock.now() + 100 * DAY);
    } else if (e.kind === 'resolve') {
      if (live.delete(e.i)) await m.post(e.i, m.clock.now());
    } else if (e.kind === 'advance') await m.clock.advance(e.ms);
    else if (e.kind === 'step') m.clock.step(e.ms);
    else if (e.kind === 'break') m.status[e.receiver] = 500;
    else if (e.kind === 'heal') m.status[e.receiver] = 200;
    else if (e.kind === 'kill') m.restart();
    else if (e.kind === 'note' || e.kind === 'memory') m.dieAt = e.kind;
    else if (e.kind === 'compact') await m.alerting.compact();
    else await m.alerting.reload(CONFIG);
    await settle();
    await revive();
    if (sabotage) m.disk = m.disk.filter((r) => kindOf(r) !== 'memory' && kindOf(r) !== 'note');
  }
  m.dieAt = undefined;
  m.status.one = m.status.two = 200;
  await m.clock.advance(25 * MIN);
  await revive();

  for (const name of RECEIVERS) {
    const words = m.told[name];
    // repeated words carry the key of the first, and there are no more than deaths in the window
    const keys = new Set(words.map((w) => w.key));
    const repeats = words.length - keys.size;
    seen.repeats += repeats;
    expect(repeats).toBeLessThanOrEqual(windows);
    const once = words.filter((w, n) => words.findIndex((v) => v.key === w.key) === n);
    const state: Record<string, Set<string>> = { g: new Set(), h: new Set() };
    const pages: Record<string, number> = {};
    for (const w of once) {
      for (const alert of w.firing) if (!state[w.group]!.has(alert)) pages[alert] = (pages[alert] ?? 0) + 1;
      state[w.group] = new Set(w.firing);
    }
    for (const [alert, count] of Object.entries(pages)) {
      seen.pages += count;
      expect([alert, count <= episodes[alert]!]).toEqual([alert, true]);
    }
    // nothing lost: the last word about each group is what is true
    expect([...state['g']!, ...state['h']!].sort()).toEqual([...live].sort());
  }
  // the log, replayed, is the state
  const state = JSON.stringify([...m.alerting.snapshot()]);
  m.restart();
  expect(JSON.stringify([...m.alerting.snapshot()])).toBe(state);
  m.restart();
  seen.windows += windows;
}

const events = fc.array(event, { minLength: 5, maxLength: 60 });

it('tells every episode, and none twice but in the named window', { timeout: 60_000 }, async () => {
  const seen: Seen = { windows: 0, repeats: 0, pages: 0 };
  await fc.assert(
    fc.asyncProperty(events, (list) => play(list, seen)),
    { numRuns: 150 },
  );
  // the runs did meet what they are about
  expect(seen.pages).toBeGreaterThan(200);
  expect(seen.windows).toBeGreaterThan(20);
  expect(seen.repeats).toBeGreaterThan(5);
});

it('would see a log that forgets what was told', { timeout: 60_000 }, async () => {
  const seen: Seen = { windows: 0, repeats: 0, pages: 0 };
  const failed = await fc.check(
    fc.asyncProperty(events, (list) => play(list, seen, true)),
    { numRuns: 150, endOnFailure: true },
  );
  expect(failed.failed).toBe(true);
});
