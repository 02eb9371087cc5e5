/** A detector's ports with a model between: what is judged, forecast and back-tested; and the runner with one. */
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/support/fake-clock.ts';
import { IntelligenceWorld } from '../../../test/support/intelligence.ts';
import { onnxMissing, onnxRuntime } from '../../../test/support/onnx.ts';
import { temporaryFolder } from '../../../test/support/peers.ts';
import { systemClock } from '../../lib/clock.ts';
import { type TenantId, tenantId } from '../../model/tenant.ts';
import { planBacktest } from '../backtests.ts';
import { type AnomalyConfig, checkDetectors, type ForecastConfig } from '../config.ts';
import { IntelligenceService } from '../intelligence-service.ts';
import type { IntelligencePorts } from '../ports.ts';
import type { ModelInfo } from './model-child.ts';
import { ModelHost, type ModelPort } from './model-host.ts';
import { withModel } from './with-model.ts';

const A = tenantId('a');
const HOUR = 3_600_000;
const START = Date.UTC(2026, 2, 2);
const detector = <T>(over: object): T =>
  checkDetectors(
    { version: 1, detectors: [{ name: 'd', expr: 'load', step: '1h', warmup: '10d', ...over }] },
    'f',
  )[0] as T;
const noise = (t: number): number => {
  const x = Math.sin((t / HOUR) * 12.9898) * 43758.5453;
  return x - Math.floor(x) - 0.5;
};
/** As the models were fitted on: ten, a day's wave of three, little noise. */
const usual = (t: number): number => 10 + 3 * Math.sin((2 * Math.PI * t) / (24 * HOUR)) + 0.5 * noise(t);

describe.skipIf(onnxMissing())('real models in a detector', () => {
  const world = (at: (t: number) => number) => {
    const folder = temporaryFolder('vigie-models-');
    mkdirSync(path.join(folder.path, 'a'));
    for (const f of ['ahead', 'network', 'isolation'])
      copyFileSync(path.join(import.meta.dirname, `fixtures/${f}.onnx`), path.join(folder.path, `a/${f}.onnx`));
    const w = new IntelligenceWorld(START);
    w.add('a', 'load', { __name__: 'load', host: 'x' }, at);
    const host = new ModelHost({
      folderOf: (t) => path.join(folder.path, t),
      runtime: onnxRuntime,
      clock: systemClock,
    });
    const ports: IntelligencePorts = { ...w.ports(), models: host };
    return {
      ports,
      async [Symbol.asyncDispose]() {
        await host[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      },
    };
  };

  it('a network of the user sees what does not look as it learned', async () => {
    const odd = START - 30 * HOUR;
    await using w = world((t) => (t >= odd && t < odd + 6 * HOUR ? 10 + 3 * Math.sin(t / HOUR) : usual(t)));
    const config = detector<AnomalyConfig>({
      kind: 'anomaly',
      model: { file: 'network.onnx', window: 12, scale: { mean: [10], deviation: [3] }, meaning: 'reconstruction' },
    });
    const ports = withModel(w.ports, A, config);
    const range = { startMs: START - 200 * HOUR, endMs: START, stepMs: HOUR };
    const [scores] = await ports.queryRange(A, 'load', range);
    expect(scores!.length).toBe(201);
    const [calm, seen] = [[], []] as [number[], number[]];
    for (let i = 0; i < scores!.length; i++) {
      const t = scores!.timestamps[i]!;
      if (t < odd) calm.push(scores!.values[i]!);
      else if (t >= odd + 3 * HOUR && t < odd + 9 * HOUR) seen.push(scores!.values[i]!);
    }
    expect(Math.min(...seen)).toBeGreaterThan(1.5 * Math.max(...calm));
    const [now] = await ports.queryInstant(A, 'load', odd + 5 * HOUR);
    expect(now!.value).toBe(scores!.values[scores!.timestamps.indexOf(odd + 5 * HOUR)]);
    // the truth is asked as it is, and a gap is not judged
    expect((await ports.queryInstant(A, 'other', START)).length).toBe(0);
  });

  it("a regression of scikit-learn forecasts, with intervals that hold and a back-test of the runner's own", async () => {
    await using w = world(usual);
    const config = detector<ForecastConfig>({
      kind: 'forecast',
      horizon: '12h',
      method: 'model',
      model: { file: 'ahead.onnx', window: 24 },
      threshold: { above: 12.5 },
    });
    const ports = withModel(w.ports, A, config);
    const plan = await planBacktest(ports, A, config, { endMs: START });
    const report = await ports.fit.backtest(plan.request);
    expect(report.forecasts).toBeGreaterThan(50);
    expect(report.coverage95).toBeGreaterThan(0.9);
    expect(report.mase).toBeLessThan(0.9);
    expect(report.events).toBeGreaterThan(5);
    expect(report.precision).toBeGreaterThan(0.7);
    expect(report.recall).toBeGreaterThan(0.7);
    const short = {
      ...(plan.request as Extract<typeof plan.request, { kind: 'forecast' }>).request,
      values: new Float64Array(30),
    };
    await expect(ports.fit.forecast([short])).rejects.toThrow(/want 24 values in a row now and 8 earlier windows/);
  });
});

describe('the runner with a model', () => {
  /** Says of each window how far its newest value is from ten. */
  const models = (over: Partial<ModelInfo> = {}): ModelPort => ({
    info: async () => ({
      sha256: 'x',
      bytes: 1,
      inputs: [{ name: 'in', type: 'float32', shape: [-1, 4] }],
      outputs: [{ name: 'out', type: 'float32', shape: [-1, 1] }],
      ...over,
    }),
    run: async (_t, { values, dims }) =>
      Float64Array.from({ length: dims[0]! }, (_, i) => Math.abs(values[i * 4 + 3]! - 10)),
  });
  const config = (over: object = {}) =>
    checkDetectors(
      {
        version: 1,
        detectors: [
          {
            name: 'own',
            kind: 'anomaly',
            expr: 'load',
            step: '5m',
            warmup: '3d',
            model: { file: 'm.onnx', window: 4, ...over },
          },
        ],
      },
      'f',
    );

  it('reads history, passes its back-test, alerts, and keeps its record, as every detector does', async () => {
    const w = new IntelligenceWorld(START);
    const from = START + 2 * HOUR;
    w.add('a', 'load', { __name__: 'load', host: 'x' }, (t) => (t >= from ? 30 : 10 + noise(t)));
    await using service = new IntelligenceService({ ...w.ports(), models: models() });
    await service.configure(A, config());
    await settle(80);
    await w.clock.advance(HOUR);
    expect(service.list(A)[0]!.backtest).toMatchObject({ passed: true });
    expect(w.last('a', 'vigie_detector_armed', { detector: 'own' })).toBe(1);
    await w.clock.advance(2 * HOUR);
    const alerts = w.values('a', 'vigie_anomaly_alert', { host: 'x' }).filter((s) => s.value === 1);
    expect(alerts[0]!.timestampMs - from).toBeLessThan(15 * 60_000);
    // another tenant has none of it
    expect(service.list('b' as TenantId)).toEqual([]);
  });

  it.each([
    [{ inputs: [{ name: 'in', type: 'float32', shape: [-1, 5] }] }, /window 4 and 1 features give \[rows, 4\]/],
    [{ inputs: [{ name: 'in', type: 'string', shape: [-1, 4] }] }, /want float32 or float64/],
    [{ inputs: [] }, /want one input, got none/],
    [{ outputs: [{ name: 'map', type: 'no tensor', shape: [] }] }, /want an output of float32/],
  ])('says what does not fit as the state of the detector: %j', async (over, message) => {
    const w = new IntelligenceWorld(START);
    w.add('a', 'load', { host: 'x' }, usual);
    await using service = new IntelligenceService({ ...w.ports(), models: models(over) });
    await service.configure(A, config());
    await settle(80);
    expect(service.list(A)[0]!.status).toMatchObject({ phase: 'failing', armed: false });
    expect(service.list(A)[0]!.status.error).toMatch(message);
  });

  it('puts features side by side, and judges no group that lacks one', async () => {
    const w = new IntelligenceWorld(START);
    for (const [host, metric] of [
      ['x', 'cpu'],
      ['x', 'net'],
      ['y', 'cpu'],
    ] as const)
      w.add('a', 'load', { host, metric }, (t) => (metric === 'cpu' ? t / HOUR : 7));
    const rows: number[][] = [];
    const port: ModelPort = {
      ...models(),
      run: async (_t, { values, dims }) => {
        for (let i = 0; i < dims[0]!; i++) rows.push([...values.subarray(i * 4, i * 4 + 4)]);
        return new Float64Array(dims[0]!);
      },
    };
    const [own] = config({ window: 2, features: { label: 'metric', order: ['net', 'cpu'] } });
    const ports = withModel({ ...w.ports(), models: port }, A, own as AnomalyConfig);
    const found = await ports.queryInstant(A, 'load', START);
    expect(found.map((f) => String(f.labels))).toEqual(['{host="x"}']);
    const before = (START - 300_000) / HOUR;
    expect(rows).toEqual([[7, before, 7, START / HOUR]]);
  });

  it.each([
    [{ file: '../m.onnx' }, /file name/],
    [{ window: 0 }, /window/],
    [{ scale: { mean: [1, 2], deviation: [1, 1] } }, /want 1 means/],
    [{ scale: { mean: [1], deviation: [0] } }, /deviation/],
    [{ meaning: 'odd' }, /meaning/],
  ])('refuses %j', (over, message) => {
    expect(() => config(over)).toThrow(message);
  });
});
