/** The runner in virtual time: warm-up, alerts, forecasts, grading, muting, feedback, restart, isolation. */
import { describe, expect, it } from 'vitest';
import { settle } from '../../test/support/fake-clock.ts';
import { IntelligenceWorld } from '../../test/support/intelligence.ts';
import type { TenantId } from '../model/tenant.ts';
import { checkDetectors } from './config.ts';
import { IntelligenceService } from './intelligence-service.ts';

const A = 'a' as TenantId;
const B = 'b' as TenantId;
const START = Date.UTC(2026, 2, 2);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const detectors = (...list: object[]) => checkDetectors({ version: 1, detectors: list }, 'test.yaml');

function noise(t: number, seed = 0): number {
  const x = Math.sin((t / 60_000) * 12.9898 + seed * 7.77 + 4.1) * 43758.5453;
  const y = Math.sin((t / 60_000) * 78.233 + seed * 3.33 + 2.7) * 24634.6345;
  return Math.sqrt(-2 * Math.log(x - Math.floor(x) + 1e-9)) * Math.cos(2 * Math.PI * (y - Math.floor(y)));
}
const wave = (t: number, seed = 0): number => 50 + 20 * Math.sin((2 * Math.PI * t) / DAY) + noise(t, seed);

/** Configures and lets history be read: reading takes turns of the event loop, not virtual time. */
async function begin(
  service: IntelligenceService,
  tenant: TenantId,
  list: Parameters<IntelligenceService['configure']>[1],
) {
  await service.configure(tenant, list);
  await settle(40);
}

describe('anomaly', () => {
  const load = { name: 'load', kind: 'anomaly', expr: 'load', step: '5m', warmup: '3d' };

  it('reads history at the start, passes its back-test, and sees a fault', async () => {
    const w = new IntelligenceWorld(START);
    const from = START + 2 * HOUR;
    w.add('a', 'load', { __name__: 'load', host: 'x' }, (t) => (t >= from && t < from + HOUR ? 200 : wave(t)));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(load));
    await w.clock.advance(HOUR);
    expect(w.last('a', 'vigie_detector_series', { state: 'ready', detector: 'load' })).toBe(1);
    expect(w.last('a', 'vigie_detector_armed', { detector: 'load' })).toBe(1);
    expect(service.list(A)[0]!.backtest).toMatchObject({ passed: true });
    const calm = w.values('a', 'vigie_anomaly_score', { host: 'x' });
    expect(calm.length).toBeGreaterThan(8);
    expect(calm.every((s) => s.value < 0.5)).toBe(true);
    expect(w.last('a', 'vigie_anomaly_lower')!).toBeLessThan(wave(START + HOUR));
    expect(w.last('a', 'vigie_anomaly_upper')!).toBeGreaterThan(wave(START + HOUR));
    await w.clock.advance(2 * HOUR);
    const alerts = w.values('a', 'vigie_anomaly_alert').filter((s) => s.value === 1);
    expect(alerts.length).toBeGreaterThanOrEqual(1);
    expect(alerts[0]!.timestampMs).toBeLessThan(from + 15 * MINUTE);
    const { predictions } = await service.predictions(A, { detector: 'load' });
    expect(predictions[0]).toMatchObject({ kind: 'anomaly', status: 'unjudged', labels: { host: 'x' } });
  });

  it('says warming up and not enough data, and stays unarmed', async () => {
    const w = new IntelligenceWorld(START);
    w.sinceMs = START - 30 * MINUTE;
    w.add('a', 'load', { host: 'x' }, (t) => wave(t));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(load));
    await w.clock.advance(20 * MINUTE);
    expect(w.last('a', 'vigie_detector_series', { state: 'not_enough_data' })).toBe(1);
    await w.clock.advance(2 * HOUR);
    expect(w.last('a', 'vigie_detector_series', { state: 'warming_up' })).toBe(1);
    expect(w.last('a', 'vigie_detector_armed')).toBe(0);
    expect(w.values('a', 'vigie_anomaly_score')).toEqual([]);
    expect(service.list(A)[0]!.status.unarmedWhy).toMatch(/not enough history/);
  });

  it('finds history that is filled in after the start, by itself and when told', async () => {
    for (const told of [false, true]) {
      const w = new IntelligenceWorld(START);
      let filled = false;
      w.add('a', 'load', { host: 'x' }, (t) => (filled ? wave(t) : Number.NaN));
      await using service = new IntelligenceService(w.ports());
      await begin(service, A, detectors(load));
      await w.clock.advance(30_000);
      await settle(60);
      expect(service.list(A)[0]!.backtest).toMatchObject({ passed: false, why: 'the expression gave no series' });
      filled = true;
      if (told) await service.relearn(A);
      else await w.clock.advance(30 * MINUTE);
      await settle(60);
      await w.clock.advance(10 * MINUTE);
      expect(service.list(A)[0]!.status).toMatchObject({ armed: true, series: { ready: 1 } });
    }
  });

  it('keeps silent series as unknown and failing queries as a state', async () => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'load', { host: 'x' }, (t) => (t > START + HOUR ? Number.NaN : wave(t)));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(load));
    await w.clock.advance(3 * HOUR);
    expect(w.last('a', 'vigie_detector_series', { state: 'silent' })).toBe(1);
    w.fail = 'store is away';
    await w.clock.advance(HOUR);
    expect(service.list(A)[0]!.status).toMatchObject({ phase: 'failing', error: 'store is away' });
    expect(w.last('a', 'vigie_detector_failing')).toBe(1);
    w.fail = undefined;
    await w.clock.advance(HOUR);
    expect(service.list(A)[0]!.status.phase).toBe('running');
  });

  it('goes on after a restart with the same scores, reading only the gap', async () => {
    const scores = async (restartAt: number | undefined) => {
      const w = new IntelligenceWorld(START);
      w.add('a', 'load', { host: 'x' }, (t) => wave(t));
      let service = new IntelligenceService(w.ports());
      await begin(service, A, detectors(load));
      await w.clock.advance(4 * HOUR);
      if (restartAt) {
        await service[Symbol.asyncDispose]();
        await w.clock.advance(restartAt);
        service = new IntelligenceService(w.ports());
        await begin(service, A, detectors(load));
      } else await w.clock.advance(30 * MINUTE);
      await w.clock.advance(4 * HOUR);
      await service[Symbol.asyncDispose]();
      return w.values('a', 'vigie_anomaly_score').map((s) => [s.timestampMs, s.value] as const);
    };
    const whole = new Map(await scores(undefined));
    const halves = await scores(30 * MINUTE);
    expect(halves.length).toBeGreaterThan(80);
    for (const [t, v] of halves) expect(v).toBe(whole.get(t));
  });

  it('bounds its series and counts what it leaves out', async () => {
    const w = new IntelligenceWorld(START);
    for (let i = 0; i < 7; i++) w.add('a', 'load', { host: String(i) }, (t) => wave(t, i));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors({ ...load, series_max: 5 }));
    await w.clock.advance(HOUR);
    expect(w.last('a', 'vigie_detector_series', { state: 'ready' })).toBe(5);
    expect(w.last('a', 'vigie_detector_dropped_series')).toBe(2);
  });

  it('is judged by its truth expression: hits, misses, lead', async () => {
    const w = new IntelligenceWorld(START);
    const from = START + 5 * HOUR;
    w.add('a', 'load', { host: 'x' }, (t) => (t >= from && t < from + HOUR ? 200 : wave(t)));
    w.add('a', 'bad', { host: 'x' }, (t) =>
      (t >= from + 10 * MINUTE && t < from + HOUR) || (t > from + 6 * HOUR && t < from + 7 * HOUR) ? 1 : 0,
    );
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors({ ...load, truth: 'bad' }));
    await w.clock.advance(16 * HOUR);
    const { record } = service.list(A)[0]!;
    expect(record.hits).toBeGreaterThanOrEqual(1);
    expect(record.misses).toBe(1);
    expect(record.recall).toBeLessThan(1);
    expect((await service.predictions(A, { status: 'hit' })).predictions[0]).toMatchObject({ kind: 'anomaly' });
  });
});

describe('peers, multivariate, change', () => {
  it('finds the odd sibling', async () => {
    const w = new IntelligenceWorld(START);
    for (let i = 0; i < 6; i++)
      w.add('a', 'lat', { pod: `p${i}` }, (t) => wave(t, i) + (i === 4 && t > START + 2 * HOUR ? 25 : 0));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors({ name: 'odd', kind: 'peers', expr: 'lat', step: '1m', warmup: '6h' }));
    await w.clock.advance(3 * HOUR);
    const alerts = w.values('a', 'vigie_anomaly_alert').filter((s) => s.value === 1);
    expect(alerts.length).toBeGreaterThan(0);
    expect(alerts.every((s) => s.labels.get('pod') === 'p4')).toBe(true);
  });

  it('names the metric that broke a relation', async () => {
    const w = new IntelligenceWorld(START);
    const broken = (t: number): boolean => t > START + 3 * HOUR;
    w.add('a', 'm', { metric: 'cpu' }, (t) => wave(t));
    w.add('a', 'm', { metric: 'rps' }, (t) => (broken(t) ? 50 - 3 * (wave(t) - 50) : 2 * wave(t) + noise(t, 3)));
    w.add('a', 'm', { metric: 'mem' }, (t) => 10 + noise(t, 5));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors({ name: 'multi', kind: 'multivariate', expr: 'm', step: '1m', warmup: '2d' }));
    await w.clock.advance(3 * HOUR);
    const before = w.last('a', 'vigie_anomaly_score')!;
    await w.clock.advance(HOUR);
    expect(w.last('a', 'vigie_anomaly_score')!).toBeGreaterThan(before);
    const named = w.values('a', 'vigie_anomaly_contribution', { rank: '1' }).at(-1)!;
    expect(named.labels.get('metric')).toMatch(/rps|cpu/);
  });

  it('counts a new level once and never alerts on it', async () => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'q', { q: 'x' }, (t) => (t > START + 2 * HOUR ? 30 : 10) + noise(t));
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors({ name: 'level', kind: 'change', expr: 'q', step: '1m', warmup: '6h' }));
    await w.clock.advance(4 * HOUR);
    const total = w.values('a', 'vigie_change_total').map((s) => s.value);
    expect(total.at(-1)! - total[0]!).toBe(1);
    expect(w.last('a', 'vigie_detector_armed')).toBe(0);
  });
});

describe('forecast', () => {
  const disk = {
    name: 'disk',
    kind: 'forecast',
    expr: 'disk',
    step: '5m',
    warmup: '2d',
    horizon: '4h',
    at: ['1h', '4h'],
    method: 'exhaustion',
    threshold: { below: 0.05 },
  };
  const from = START + 6 * HOUR;
  const filling = (t: number): number =>
    (t < from ? 0.6 : Math.max(0, 0.6 - ((t - from) / (6 * HOUR)) * 0.6)) + 0.002 * noise(t);

  it('foresees the full disk, is graded a hit with lead time, and writes quantiles', async () => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'disk', { mountpoint: '/' }, filling);
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(disk));
    await w.clock.advance(5 * HOUR);
    expect(w.last('a', 'vigie_forecast_crossing_probability')!).toBeLessThan(0.05);
    expect(w.last('a', 'vigie_forecast_seconds_to_threshold')).toBe(Number.POSITIVE_INFINITY);
    expect(w.last('a', 'vigie_detector_armed')).toBe(1);
    const quantile = (q: string) => w.last('a', 'vigie_forecast', { quantile: q, horizon: '1h' })!;
    expect(quantile('0.025')).toBeLessThan(quantile('0.5'));
    expect(quantile('0.5')).toBeLessThan(quantile('0.975'));
    await w.clock.advance(5 * HOUR);
    expect(w.last('a', 'vigie_forecast_crossing_probability')!).toBeGreaterThan(0.9);
    expect(w.last('a', 'vigie_forecast_seconds_to_threshold')! / 3600).toBeCloseTo(1.5, 0);
    expect(service.forecasts(A, { limit: 5 })[0]!.fit!.mean[11]).toBeLessThan(0.2);
    await w.clock.advance(4 * HOUR);
    const { record } = service.list(A)[0]!;
    expect(record).toMatchObject({ hits: 1, falseAlerts: 0, misses: 0, precision: 1, recall: 1 });
    expect(record.leadSeconds).toBeGreaterThan(HOUR / 1000);
    expect((await service.predictions(A, {})).predictions[0]).toMatchObject({
      status: 'hit',
      kind: 'crossing',
      threshold: 0.05,
    });
  });

  it('is not fooled by log rotation', async () => {
    const w = new IntelligenceWorld(START);
    w.add(
      'a',
      'disk',
      { mountpoint: '/var/log' },
      (t) => 0.7 - 0.5 * ((t % (8 * HOUR)) / (8 * HOUR)) + 0.001 * noise(t),
    );
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(disk));
    await w.clock.advance(26 * HOUR);
    expect(service.list(A)[0]!.record).toMatchObject({ announced: 0, misses: 0 });
    expect(Math.max(...w.values('a', 'vigie_forecast_crossing_probability').map((s) => s.value))).toBeLessThan(0.3);
  });

  it('keeps an announcement over a restart and calls it false when its time is over', async () => {
    const w = new IntelligenceWorld(START);
    const stops = from + 3 * HOUR;
    w.add('a', 'disk', { mountpoint: '/' }, (t) => (t < stops ? filling(t) : filling(stops) + 0.002 * noise(t)));
    let service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(disk));
    await w.clock.advance(stops - START + 5 * MINUTE);
    await service[Symbol.asyncDispose]();
    expect((await service.predictions(A, { status: 'pending' })).predictions).toHaveLength(1);
    service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(disk));
    await w.clock.advance(5 * HOUR);
    expect(service.list(A)[0]!.record).toMatchObject({ falseAlerts: 1, hits: 0, precision: 0 });
    await service[Symbol.asyncDispose]();
  });

  it('repeats its newest values between long steps', async () => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'disk', { mountpoint: '/' }, filling);
    await using service = new IntelligenceService(w.ports());
    await begin(service, A, detectors(disk));
    await w.clock.advance(2 * HOUR);
    const times = w.values('a', 'vigie_forecast_crossing_probability').map((s) => s.timestampMs);
    // the first is that of the slot before the start
    const later = times.slice(1);
    const gaps = later.slice(1).map((t, i) => t - later[i]!);
    expect(gaps.length).toBeGreaterThan(50);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * MINUTE);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });
});

describe('muting and feedback', () => {
  it('mutes a detector that is wrong again and again, and says so', async () => {
    const w = new IntelligenceWorld(START);
    // rises towards the limit and turns just before it, at irregular times
    const at = (t: number): number => {
      const k = Math.floor(t / (3 * HOUR));
      const x = (t - k * 3 * HOUR) / (3 * HOUR);
      return k % 2 === 0 || t < START ? 10 + noise(t) * 0.1 : 10 + 80 * Math.min(x, 1 - x) * 2 + noise(t) * 0.1;
    };
    w.add('a', 'q', { q: 'x' }, at);
    await using service = new IntelligenceService(w.ports());
    await begin(
      service,
      A,
      detectors({
        name: 'queue',
        kind: 'forecast',
        expr: 'q',
        step: '5m',
        warmup: '1d',
        horizon: '1h',
        every: '5m',
        method: 'exhaustion',
        threshold: { above: 120 },
        announce: 0.2,
      }),
    );
    await w.clock.advance(3 * DAY);
    const [d] = service.list(A);
    if (d!.record.falseAlerts >= 5) {
      expect(d!.record.muted).toBe(true);
      expect(d!.status.unarmedWhy).toMatch(/muted by its record: .* were wrong/);
      expect(w.last('a', 'vigie_detector_muted')).toBe(1);
      expect(w.last('a', 'vigie_detector_armed')).toBe(0);
    } else expect(d!.record.muted).toBe(false);
  });

  it('moves the budget by feedback and back, leaving other tenants alone', async () => {
    const w = new IntelligenceWorld(START);
    for (const tenant of ['a', 'b'])
      w.add(tenant, 'load', { host: 'x' }, (t) => (t > START + 2 * HOUR && t < START + 3 * HOUR ? 200 : wave(t)));
    await using service = new IntelligenceService(w.ports());
    const config = detectors({ name: 'load', kind: 'anomaly', expr: 'load', step: '5m', warmup: '3d' });
    await begin(service, A, config);
    await begin(service, B, config);
    await w.clock.advance(4 * HOUR);
    const { predictions } = await service.predictions(A, {});
    const given = await service.addFeedback(A, {
      detector: 'load',
      verdict: 'noise',
      by: 'ann',
      prediction: predictions[0]!.id,
    });
    expect(given.budgetFactor).toBeCloseTo(0.7);
    expect(service.list(A)[0]!.record).toMatchObject({ falseAlerts: 1 });
    expect(service.list(B)[0]!.status.budgetFactor).toBe(1);
    expect(await service.feedback(B)).toEqual([]);
    await expect(
      service.addFeedback(B, { detector: 'load', verdict: 'noise', by: 'eve', prediction: predictions[0]!.id }),
    ).rejects.toMatchObject({ code: 'not_found' });
    await expect(service.removeFeedback(B, given.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await service.removeFeedback(A, given.id)).toMatchObject({ budgetFactor: 1 });
    expect(service.list(A)[0]!.record).toMatchObject({ falseAlerts: 0, unjudged: predictions.length });
  });
});

describe('tenants', () => {
  it('never see each other', async () => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'load', { host: 'secret' }, (t) => (t > START + HOUR ? 300 : wave(t)));
    await using service = new IntelligenceService(w.ports());
    const config = detectors({ name: 'load', kind: 'anomaly', expr: 'load', step: '5m', warmup: '3d' });
    await begin(service, A, config);
    await begin(service, B, detectors({ name: 'other', kind: 'anomaly', expr: 'load', step: '5m', warmup: '3d' }));
    await w.clock.advance(4 * HOUR);
    expect(service.list(B).map((d) => d.config.name)).toEqual(['other']);
    expect(() => service.detail(B, 'load', 10)).toThrow(/no detector/);
    await expect(service.backtest(B, 'load')).rejects.toMatchObject({ code: 'not_found' });
    expect((await service.predictions(A, {})).predictions.length).toBeGreaterThan(0);
    expect((await service.predictions(B, {})).predictions).toEqual([]);
    expect((await service.unusual(B, 10)).series).toEqual([]);
    expect((w.written.get('b') ?? []).some((s) => s.labels.get('host') === 'secret')).toBe(false);
    await service.forget(A);
    expect(service.list(A)).toEqual([]);
    expect([...w.states.kept.keys()].filter((k) => k.startsWith('a/'))).toEqual([]);
  });

  it('keep unchanged detectors on a reload and refuse too many', async () => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'load', { host: 'x' }, (t) => wave(t));
    await using service = new IntelligenceService(w.ports());
    const one = { name: 'one', kind: 'anomaly', expr: 'load', step: '5m', warmup: '3d' };
    await begin(service, A, detectors(one));
    await w.clock.advance(HOUR);
    await begin(service, A, detectors(one, { ...one, name: 'two' }));
    expect(service.list(A)[0]!.status.phase).toBe('running');
    await service.configure(A, detectors({ ...one, sensitivity: 1 }));
    expect(service.list(A).map((d) => d.config.name)).toEqual(['one']);
    expect(service.list(A)[0]!.status.phase).not.toBe('running');
    const many = Array.from({ length: 201 }, (_, i) => ({ ...detectors(one)[0]!, name: `d${i}` }));
    await expect(service.configure(A, many)).rejects.toMatchObject({ code: 'quota' });
  });
});
