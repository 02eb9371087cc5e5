/** The engine in virtual time: what is told, when, how often, and what survives a crash. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { Labels } from '../model/labels.ts';
import { parseAlertingConfig } from './config.ts';
import { parseMatchers } from './matchers.ts';
import type { OutgoingRequest, SendPorts } from './notify/channel.ts';
import { goTemplates } from './notify/templates.ts';
import { encodeRecords, type OpenedLog, RECORD_BYTES_MAX } from './state-log.ts';
import { TenantAlerting } from './tenant-alerting.ts';

const BASE = `
route: { receiver: hook, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 1h }
receivers: [{ name: hook, webhook_configs: [{ url: 'http://hook.test/' }] }]
`;

interface Told {
  readonly atMs: number;
  readonly status: string;
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  readonly key: string;
}

class Bench {
  readonly clock = new FakeClock();
  readonly told: Told[] = [];
  /** What a disk would hold. */
  records: unknown[] = [];
  answer: (request: OutgoingRequest) => { status: number; headers?: Record<string, string> } = () => ({ status: 200 });
  alerting: TenantAlerting;
  readonly yaml: string;
  readonly orphanResolve: boolean;

  constructor(yaml = BASE, orphanResolve = true) {
    this.yaml = yaml;
    this.orphanResolve = orphanResolve;
    this.alerting = this.open();
  }

  open(): TenantAlerting {
    const ports: SendPorts = {
      mail: async () => {},
      http: async (request) => {
        const { status, headers } = this.answer(request);
        if (status < 300) {
          const body = JSON.parse(request.body) as {
            status: string;
            alerts: { status: string; labels: { i: string } }[];
          };
          const of = (s: string): string[] => body.alerts.filter((a) => a.status === s).map((a) => a.labels.i);
          this.told.push({
            atMs: this.clock.now(),
            status: body.status,
            firing: of('firing'),
            resolved: of('resolved'),
            key: String(request.headers['idempotency-key']),
          });
        }
        return { status, headers: headers ?? {}, body: '' };
      },
    };
    const state: OpenedLog = {
      records: structuredClone(this.records),
      cutBytes: 0,
      log: {
        sizeBytes: 0,
        append: async (records) =>
          void this.records.push(...(structuredClone(JSON.parse(JSON.stringify(records))) as unknown[])),
        rewrite: async (capture) => {
          this.records = JSON.parse(JSON.stringify([...capture()])) as unknown[];
        },
        close: async () => {},
      },
    };
    return new TenantAlerting({
      config: parseAlertingConfig(this.yaml, { templates: goTemplates }),
      state,
      clock: this.clock,
      logger: silentLogger,
      ports,
      externalURL: 'http://vigie.test',
      orphanResolve: this.orphanResolve,
      random: () => 0.5,
    });
  }

  /** As kill -9: nothing is closed properly, only the records stay. */
  async crash(): Promise<void> {
    await this.alerting.close();
    this.alerting = this.open();
  }

  async fire(i: string, extra: Record<string, string> = {}, endsAtMs?: number): Promise<void> {
    await this.alerting.accept([
      {
        labels: Labels.from({ alertname: 'A', i, ...extra }),
        annotations: Labels.EMPTY,
        generatorURL: '',
        endsAtMs: endsAtMs ?? this.clock.now() + 10 * 3_600_000,
      },
    ]);
    await settle();
  }

  resolve(i: string, extra: Record<string, string> = {}): Promise<void> {
    return this.fire(i, extra, this.clock.now());
  }

  silence(text: string, forMs: number): Promise<string> {
    const nowMs = this.clock.now();
    return this.alerting.setSilence({
      matchers: parseMatchers(text).map(({ name, op, value }) => ({ name, op, value })),
      startsAtMs: nowMs,
      endsAtMs: nowMs + forMs,
      createdBy: 'me',
      comment: 'test',
    });
  }
}

let bench: Bench;
afterEach(() => bench.alerting.close());
const MIN = 60_000;

describe('a group', () => {
  it('is told at group_wait, then on ticks only, and repeats after repeat_interval', async () => {
    bench = new Bench();
    await bench.fire('1');
    await bench.clock.advance(29_000);
    expect(bench.told).toHaveLength(0);
    await bench.fire('2');
    await bench.clock.advance(1_000);
    expect(bench.told).toMatchObject([{ firing: ['1', '2'] }]);
    await bench.fire('3');
    await bench.clock.advance(5 * MIN - 1);
    expect(bench.told).toHaveLength(1);
    await bench.clock.advance(1);
    expect(bench.told[1]).toMatchObject({ firing: ['1', '2', '3'] });
    await bench.clock.advance(60 * MIN);
    expect(bench.told).toHaveLength(2);
    await bench.clock.advance(5 * MIN);
    expect(bench.told).toHaveLength(3);
  });

  it('tells the end, and nothing of what began and ended before the first flush', async () => {
    bench = new Bench();
    await bench.fire('1');
    await bench.fire('short');
    await bench.clock.advance(10_000);
    await bench.resolve('short');
    await bench.clock.advance(20_000);
    await bench.resolve('1');
    await bench.clock.advance(5 * MIN);
    expect(bench.told.map((t) => [t.status, t.firing, t.resolved])).toEqual([
      ['firing', ['1'], ['short']],
      ['resolved', [], ['1']],
    ]);
    await bench.clock.advance(30 * MIN);
    expect(bench.told).toHaveLength(2);
    expect(bench.alerting.groups()).toHaveLength(0);
  });

  it('with send_resolved: false stays silent at the end and speaks again at the next begin', async () => {
    bench = new Bench(BASE.replace("url: 'http://hook.test/'", "url: 'http://hook.test/', send_resolved: false"));
    await bench.fire('1');
    await bench.clock.advance(30_000);
    await bench.resolve('1');
    await bench.clock.advance(5 * MIN);
    await bench.fire('1');
    await bench.clock.advance(5 * MIN);
    expect(bench.told.map((t) => t.status)).toEqual(['firing', 'firing']);
  });

  it('is flushed at once when the alert began long ago', async () => {
    bench = new Bench();
    await bench.alerting.accept([
      {
        labels: Labels.from({ alertname: 'A', i: '1' }),
        annotations: Labels.EMPTY,
        generatorURL: '',
        startsAtMs: bench.clock.now() - MIN,
      },
    ]);
    await bench.clock.advance(0);
    expect(bench.told).toHaveLength(1);
  });

  it('treats an alert nobody renews as over after resolve_timeout', async () => {
    bench = new Bench();
    await bench.alerting.accept([
      { labels: Labels.from({ alertname: 'A', i: '1' }), annotations: Labels.EMPTY, generatorURL: '' },
    ]);
    await bench.clock.advance(30_000 + 5 * MIN);
    expect(bench.told.map((t) => t.status)).toEqual(['firing', 'resolved']);
  });
});

describe('silences', () => {
  it('mute, and an end is told although silenced by then', async () => {
    bench = new Bench();
    await bench.silence('i="2"', 60 * MIN);
    await bench.fire('1');
    await bench.fire('2');
    await bench.clock.advance(30_000);
    expect(bench.told).toMatchObject([{ firing: ['1'] }]);
    await bench.silence('i="1"', 60 * MIN);
    await bench.resolve('1');
    await bench.clock.advance(5 * MIN);
    expect(bench.told[1]).toMatchObject({ status: 'resolved', resolved: ['1'] });
    expect(bench.alerting.history.search({ verdict: 'silenced' }).length).toBeGreaterThan(0);
  });

  it('in strict parity the end of a silenced alert is not told', async () => {
    bench = new Bench(BASE, false);
    await bench.fire('1');
    await bench.clock.advance(30_000);
    await bench.silence('i="1"', 60 * MIN);
    await bench.resolve('1');
    await bench.clock.advance(10 * MIN);
    expect(bench.told).toHaveLength(1);
  });

  it('keep their id when only the end changes, else expire and get a new one', async () => {
    bench = new Bench();
    const id = await bench.silence('i="1"', 60 * MIN);
    const old = bench.alerting.silences.get(id)!;
    expect(await bench.alerting.setSilence({ ...old, endsAtMs: old.endsAtMs + MIN })).toBe(id);
    await bench.clock.advance(1_000);
    const other = await bench.alerting.setSilence({ ...old, matchers: [{ name: 'i', op: '=', value: '9' }] });
    expect(other).not.toBe(id);
    expect(bench.alerting.silences.get(id)!.endsAtMs).toBeLessThan(bench.clock.now());
    await expect(bench.alerting.expireSilence(id)).rejects.toMatchObject({ code: 'conflict' });
    await expect(bench.alerting.expireSilence('nothing')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('inhibition', () => {
  const yaml = `${BASE}inhibit_rules: [{ source_matchers: [sev=critical], target_matchers: [sev=warning], equal: [cluster] }]\n`;
  it('mutes targets with equal labels, missing ones count as equal, also right after a restart', async () => {
    bench = new Bench(yaml);
    await bench.fire('source', { sev: 'critical', alertname: 'S' });
    await bench.fire('target', { sev: 'warning' });
    await bench.fire('other', { sev: 'warning', cluster: 'x' });
    await bench.crash();
    await bench.clock.advance(MIN);
    expect(bench.told.flatMap((t) => t.firing).sort()).toEqual(['other', 'source']);
    await bench.resolve('source', { sev: 'critical', alertname: 'S' });
    await bench.clock.advance(6 * MIN);
    expect(bench.told.flatMap((t) => t.firing)).toContain('target');
  });
});

describe('an end while inhibited', () => {
  const yaml = `${BASE}inhibit_rules: [{ source_matchers: [sev=critical], target_matchers: [sev=warning] }]\n`;
  it.each([
    ['is told to whoever was told the begin', true, ['1']],
    ['in strict parity is not told', false, []],
  ])('%s', async (_name, orphanResolve, ended) => {
    bench = new Bench(yaml, orphanResolve);
    await bench.fire('1', { sev: 'warning' });
    await bench.clock.advance(30_000);
    expect(bench.told).toMatchObject([{ firing: ['1'] }]);
    await bench.fire('source', { sev: 'critical', alertname: 'S' });
    await bench.clock.advance(MIN);
    await bench.resolve('1', { sev: 'warning' });
    await bench.clock.advance(10 * MIN);
    expect(bench.told.flatMap((t) => t.resolved)).toEqual(ended);
    expect(bench.told.flatMap((t) => t.firing).sort()).toEqual(['1', 'source']);
  });
});

describe('time intervals', () => {
  it('mute a route while they last', async () => {
    bench = new Bench(`
route:
  receiver: hook
  group_wait: 1s
  group_interval: 1h
  routes: [{ matchers: [alertname=A], mute_time_intervals: [night] }]
time_intervals: [{ name: night, time_intervals: [{ times: [{ start_time: '00:00', end_time: '06:00' }] }] }]
receivers: [{ name: hook, webhook_configs: [{ url: 'http://hook.test/' }] }]
`);
    await bench.fire('1');
    await bench.clock.advance(5 * 60 * MIN);
    expect(bench.told).toHaveLength(0);
    expect(bench.alerting.history.search({ verdict: 'muted_by_time' })).toHaveLength(1);
    await bench.clock.advance(70 * MIN);
    expect(bench.told).toHaveLength(1);
  });
});

describe('a receiver that fails', () => {
  it('is tried again until the deadline, becomes a dead letter, and is tried on the next tick', async () => {
    bench = new Bench();
    let tries = 0;
    bench.answer = () => {
      tries++;
      return { status: 503 };
    };
    await bench.fire('1');
    await bench.clock.advance(30_000 + 5 * MIN - 1);
    expect(tries).toBeGreaterThan(5);
    await bench.clock.advance(2);
    expect(bench.alerting.history.letters()).toHaveLength(1);
    bench.answer = () => ({ status: 200 });
    await bench.clock.advance(5 * MIN);
    expect(bench.told).toHaveLength(1);
    expect(bench.alerting.history.letters()).toHaveLength(0);
  });

  it('is not tried again after a refusal, and waits as long as Retry-After says', async () => {
    bench = new Bench();
    let tries = 0;
    bench.answer = () => {
      tries++;
      return { status: 400 };
    };
    await bench.fire('1');
    await bench.clock.advance(MIN);
    expect(tries).toBe(1);
    const [letter] = bench.alerting.history.letters();
    bench.answer = () => ({ status: 200 });
    expect(await bench.alerting.resend(letter!.id, new AbortController().signal)).toMatchObject({ ok: true });
    expect(bench.alerting.history.letters()).toHaveLength(0);
    tries = 0;
    bench.answer = () => (++tries === 1 ? { status: 429, headers: { 'retry-after': '20' } } : { status: 200 });
    await bench.fire('2');
    await bench.clock.advance(4.5 * MIN);
    await bench.clock.advance(19_000);
    expect(tries).toBe(1);
    await bench.clock.advance(2_000);
    expect(tries).toBe(2);
  });
});

describe('large alerts', () => {
  it('are refused past a million characters, and never make a record too large to read', async () => {
    bench = new Bench();
    const alert = (i: number, values: number) => ({
      labels: Labels.from({ alertname: 'Big', i: String(i) }),
      annotations: Labels.from(
        Object.fromEntries(Array.from({ length: values }, (_, n) => [`a${n}`, '\u0001'.repeat(60_000)])),
      ),
      generatorURL: '',
      endsAtMs: bench.clock.now() + MIN,
    });
    const { accepted, problems } = await bench.alerting.accept([
      alert(0, 17),
      ...[1, 2, 3, 4, 5].map((i) => alert(i, 10)),
    ]);
    expect([accepted, problems]).toEqual([5, ['labels and annotations exceed 1000000 characters together']]);
    for (const record of bench.records) expect(encodeRecords([record]).length).toBeLessThan(RECORD_BYTES_MAX);
    await bench.crash();
    expect(bench.alerting.current()).toHaveLength(5);
  });
});

describe('a crash', () => {
  it('loses no alert, silence or memory of what was told', async () => {
    bench = new Bench();
    await bench.silence('i="s"', 60 * MIN);
    await bench.fire('1');
    await bench.fire('s');
    await bench.crash();
    await bench.clock.advance(30_000);
    expect(bench.told).toMatchObject([{ firing: ['1'] }]);
    await bench.crash();
    await bench.clock.advance(20 * MIN);
    expect(bench.told).toHaveLength(1);
    await bench.resolve('1');
    await bench.crash();
    await bench.clock.advance(5 * MIN);
    expect(bench.told[1]).toMatchObject({ status: 'resolved' });
  });

  it('between the answer and the log repeats once, with the same key', async () => {
    bench = new Bench();
    await bench.fire('1');
    const before = structuredClone(bench.records);
    await bench.clock.advance(30_000);
    bench.records = before;
    await bench.crash();
    await bench.clock.advance(MIN);
    expect(bench.told).toHaveLength(2);
    expect(bench.told[0]!.key).toBe(bench.told[1]!.key);
  });

  it('replaying the log, or its snapshot, reproduces the state', async () => {
    bench = new Bench();
    await bench.fire('1');
    await bench.silence('i="s"', 60 * MIN);
    await bench.clock.advance(10 * MIN);
    await bench.resolve('1');
    const state = JSON.stringify([...bench.alerting.snapshot()]);
    await bench.crash();
    expect(JSON.stringify([...bench.alerting.snapshot()])).toBe(state);
    await bench.alerting.compact();
    await bench.crash();
    expect(JSON.stringify([...bench.alerting.snapshot()])).toBe(state);
  });
});

describe('any order of events', () => {
  type Event =
    | { kind: 'fire' | 'resolve'; i: string }
    | { kind: 'advance' | 'step'; ms: number }
    | { kind: 'crash' | 'fail' | 'heal' };
  const alertName = fc.constantFrom('1', '2', '3');
  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('fire' as const), i: alertName }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('resolve' as const), i: alertName }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 10 * MIN }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -MIN, max: MIN }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'fail' as const, 'heal' as const) }) },
  );

  it('loses no alert and tells none twice for one episode', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 40 }), async (events) => {
        // no repeat within the run, so a second telling is a fault
        bench = new Bench(BASE.replace('repeat_interval: 1h', 'repeat_interval: 300d'));
        const live = new Set<string>();
        for (const e of events) {
          if ('i' in e) {
            if (e.kind === 'fire') {
              await bench.fire(e.i, {}, bench.clock.now() + 100 * 86_400_000);
              live.add(e.i);
            } else if (live.delete(e.i)) await bench.resolve(e.i);
          } else if ('ms' in e) {
            if (e.kind === 'advance') await bench.clock.advance(e.ms);
            else bench.clock.step(e.ms);
          } else if (e.kind === 'crash') await bench.crash();
          else bench.answer = () => ({ status: e.kind === 'fail' ? 500 : 200 });
        }
        bench.answer = () => ({ status: 200 });
        await bench.clock.advance(20 * MIN);
        const last = bench.told.at(-1);
        // nothing lost: the last word about the group is what is true
        if (live.size > 0) expect([...(last?.firing ?? [])].sort()).toEqual([...live].sort());
        else if (last) expect(last.firing).toEqual([]);
        // nothing twice: two words in a row never say the same
        for (let n = 1; n < bench.told.length; n++) {
          const say = (t: Told): string => JSON.stringify([[...t.firing].sort(), [...t.resolved].sort()]);
          expect(say(bench.told[n]!)).not.toBe(say(bench.told[n - 1]!));
        }
        const state = JSON.stringify([...bench.alerting.snapshot()]);
        await bench.crash();
        expect(JSON.stringify([...bench.alerting.snapshot()])).toBe(state);
        await bench.alerting.close();
      }),
      { numRuns: 60 },
    );
  });
});
