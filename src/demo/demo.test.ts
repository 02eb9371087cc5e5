import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, type Fault, faultsBetween, intensity, liveFaults } from './faults.ts';
import { Random } from './random.ts';
import { DEMO_TENANTS, DemoService, nightlyJob, traffic } from './service.ts';

const T0 = Date.UTC(2026, 2, 2); // a Monday
const NAMES = DEMO_TENANTS.map((t) => t.id);

function run(seed: string, faults: readonly Fault[], steps: number, stepSeconds = 60, tenant = DEMO_TENANTS[1]!) {
  const service = new DemoService(tenant, seed, () => faults);
  const rows: Float64Array[] = [];
  for (let i = 0; i < steps; i++) {
    const row = new Float64Array(service.labels.length);
    service.step(T0 + i * stepSeconds * 1000, stepSeconds, row);
    rows.push(row);
  }
  const column = (name: string, filter: Record<string, string> = {}): number[] => {
    const index = service.labels.findIndex(
      (l) => l.metricName === name && Object.entries(filter).every(([k, v]) => l.get(k) === v),
    );
    expect(index, name).toBeGreaterThanOrEqual(0);
    return rows.map((r) => r[index]!);
  };
  return { service, rows, column };
}

describe('Random', () => {
  it('repeats itself for a seed, differs for another, and is about uniform and normal', () => {
    const draw = (seed: number) =>
      Array.from(
        { length: 5 },
        (
          (r) => () =>
            r.unit()
        )(new Random(seed)),
      );
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const r = new Random('moments');
    const n = 20_000;
    let sum = 0;
    let squares = 0;
    let poisson = 0;
    for (let i = 0; i < n; i++) {
      const z = r.normal();
      sum += z;
      squares += z * z;
      poisson += r.poisson(3.5);
    }
    expect(Math.abs(sum / n)).toBeLessThan(0.03);
    expect(Math.abs(squares / n - 1)).toBeLessThan(0.05);
    expect(Math.abs(poisson / n - 3.5)).toBeLessThan(0.06);
  });
});

describe('faults', () => {
  it('are a pure function of seed and time: any window of the schedule agrees with the whole', () => {
    const whole = faultsBetween('s', NAMES, T0, T0 + 21 * 86_400_000);
    expect(whole.length).toBeGreaterThan(20);
    expect(new Set(whole.map((f) => f.kind)).size).toBe(FAULT_KINDS.length);
    for (let d = 0; d < 21; d++) {
      const from = T0 + d * 86_400_000;
      const part = faultsBetween('s', NAMES, from, from + 86_400_000);
      expect(part).toEqual(
        whole
          .filter((f) => (f.startMs < from + 86_400_000 && f.endMs > from) || (f.startMs < T0 && f.endMs > from))
          .filter((f) => f.endMs > from),
      );
    }
  });

  it('show every kind within about an hour of a live demonstration', () => {
    const live = liveFaults('s', NAMES, T0, T0 + 75 * 60_000);
    expect(new Set(live.map((f) => f.kind)).size).toBe(FAULT_KINDS.length);
    expect(live[0]!.startMs - T0).toBe(180_000);
    // a disk that is full after eight minutes can be seen, but not foreseen
    const slow = live.filter((f) => f.kind === 'disk-fill' || f.kind === 'memory-leak');
    expect(slow.map((f) => (f.endMs - f.startMs) / 60_000)).toEqual([90, 90]);
    expect(new Set(slow.map((f) => f.tenant)).size).toBe(2);
  });

  it('grow and end', () => {
    const f: Fault = { kind: 'disk-fill', tenant: 'x', startMs: 100, endMs: 200, severity: 1 };
    expect([50, 100, 150, 199, 200].map((t) => intensity([f], 'disk-fill', 'x', t))).toEqual([0, 0, 0.5, 0.99, 0]);
    expect(intensity([f], 'disk-fill', 'y', 150)).toBe(0);
  });
});

describe('DemoService', () => {
  it('is deterministic, has day, week and night job, and counters only grow', () => {
    const a = run('seed-a', [], 1_440);
    const b = run('seed-a', [], 1_440);
    expect(a.rows).toEqual(b.rows);
    expect(run('seed-b', [], 10).rows).not.toEqual(a.rows.slice(0, 10));
    a.service.labels.forEach((l, i) => {
      if (!/_(total|bucket|count|sum)$/.test(l.metricName) || l.metricName === 'pg_stat_activity_count') return;
      for (let r = 1; r < a.rows.length; r++)
        if (a.rows[r]![i]! < a.rows[r - 1]![i]!) throw new Error(`${l} fell at step ${r}`);
    });
    expect(traffic(T0 + 20 * 3_600_000)).toBeGreaterThan(2.5 * traffic(T0 + 4 * 3_600_000));
    expect(traffic(T0 + 5 * 86_400_000 + 72e6)).toBeLessThan(traffic(T0 + 72e6));
    expect(nightlyJob(T0 + 2.2 * 3_600_000)).toBe(1);
  });

  it('has cumulative buckets that end in the count', () => {
    const { column } = run('h', [], 60);
    const bounds = ['0.01', '0.05', '0.1', '0.5', '1', '10', '+Inf'].map((le) =>
      column('http_request_duration_seconds_bucket', { le, route: '/v1/chat' }),
    );
    for (let r = 0; r < 60; r++)
      for (let i = 1; i < bounds.length; i++) expect(bounds[i]![r]!).toBeGreaterThanOrEqual(bounds[i - 1]![r]!);
    expect(bounds.at(-1)).toEqual(column('http_request_duration_seconds_count', { route: '/v1/chat' }));
  });

  it.each([
    ['disk-fill', 'node_filesystem_avail_bytes', {}, (quiet: number, hurt: number) => hurt < quiet * 0.3],
    ['memory-leak', 'node_memory_MemAvailable_bytes', {}, (quiet: number, hurt: number) => hurt < quiet * 0.4],
    [
      'model-drift',
      'ml_model_accuracy',
      { model: 'hit-predictor' },
      (quiet: number, hurt: number) => hurt < quiet - 0.08,
    ],
    ['login-attack', 'auth_attempts_total', { result: 'failure' }, (quiet: number, hurt: number) => hurt > quiet * 20],
    [
      'error-burst',
      'http_requests_total',
      { status: '500', route: '/v1/chat' },
      (quiet: number, hurt: number) => hurt > quiet * 10,
    ],
    ['latency-regression', 'queue_oldest_message_age_seconds', {}, (quiet: number, hurt: number) => hurt > quiet * 5],
  ] as const)('shows %s in %s', (kind, name, filter, differs) => {
    const fault: Fault = { kind, tenant: DEMO_TENANTS[1]!.id, startMs: T0, endMs: T0 + 121 * 60_000, severity: 1 };
    const quiet = run('f', [], 120).column(name, filter).at(-1)!;
    const hurt = run('f', [fault], 120).column(name, filter).at(-1)!;
    expect(differs(quiet, hurt), `${quiet} -> ${hurt}`).toBe(true);
  });
});
