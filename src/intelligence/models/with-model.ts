/**
 * The ports of a detector that has a model. To the rest of the runner nothing is different: what an anomaly detector
 * queries is the model's word on each series instead of the series, so that budgets, back-tests, records and muting are
 * those of every detector; and a forecast is fitted by asking the model, with intervals from how far it was off before.
 */
import { VigieError } from '../../lib/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { SeriesColumns } from '../../model/sample.ts';
import type { TenantId } from '../../model/tenant.ts';
import { replay } from '../backtest.ts';
import type { AnomalyConfig, ForecastConfig, ModelConfig } from '../config.ts';
import type { FitRequest, FitResult } from '../fit-protocol.ts';
import type { IntelligencePorts } from '../ports.ts';
import type { ModelInfo } from './model-child.ts';
import type { ModelPort } from './model-host.ts';
import { answerSize, type ModelShape, rowOf, type Scaled, scoreOf, shapeOf } from './model-shape.ts';

/** Steps that one query of a model's input may span beside its window. */
const STEPS_MAX = 10_000;
/** Earlier moments that say how far a model's forecasts were off. */
const ORIGINS_MAX = 60;
const ORIGINS_MIN = 8;

/** What a model stands between. */
export type ModelledPorts = Pick<IntelligencePorts, 'queryInstant' | 'queryRange' | 'fit' | 'models'>;

export function withModel<P extends ModelledPorts>(
  ports: P,
  tenant: TenantId,
  config: AnomalyConfig | ForecastConfig,
): P {
  const { model } = config;
  if (!model) return ports;
  const { models } = ports;
  if (!models) throw new VigieError('unsupported', 'models are not run here');
  const asker = new Asker(
    models,
    tenant,
    model,
    config.kind === 'forecast' ? Math.ceil(config.horizon / config.step) : 0,
  );
  if (config.kind === 'forecast') {
    const ask = (request: FitRequest): Promise<FitResult> => fitByModel(request, asker, model);
    return {
      ...ports,
      fit: {
        async forecast(requests) {
          const out: FitResult[] = [];
          for (const r of requests) out.push(await ask(r));
          return out;
        },
        backtest: (request) => replay(request, ask),
        [Symbol.asyncDispose]: async () => {},
      },
    };
  }
  const range = async (startMs: number, endMs: number): Promise<SeriesColumns[]> => {
    const { step } = config;
    // `next` compares with the value that follows the window
    const before = model.window - 1 + (model.meaning === 'next' ? 1 : 0);
    const fromMs = startMs - before * step;
    const steps = Math.round((endMs - fromMs) / step) + 1;
    if (steps > STEPS_MAX + before) throw new VigieError('too_large', `${steps} steps for a model at once`);
    const raw = await ports.queryRange(tenant, config.expr, { startMs: fromMs, endMs, stepMs: step });
    return scores(raw, fromMs, steps, before, step, asker, model);
  };
  return {
    ...ports,
    // the truth, for one, is asked as it is
    queryRange: (t, expr, r) => (expr === config.expr ? range(r.startMs, r.endMs) : ports.queryRange(t, expr, r)),
    queryInstant: async (t, expr, atMs) => {
      if (expr !== config.expr) return ports.queryInstant(t, expr, atMs);
      return (await range(atMs, atMs)).flatMap((s) =>
        s.length > 0 ? [{ labels: s.labels, value: s.values[s.length - 1]! }] : [],
      );
    },
  };
}

/** Asks one model, in batches, once its shapes are known to fit. */
class Asker {
  readonly #models: ModelPort;
  readonly #tenant: TenantId;
  readonly #config: ModelConfig;
  readonly #horizon: number;
  #known: { readonly info: ModelInfo; readonly shape: ModelShape } | undefined;

  constructor(models: ModelPort, tenant: TenantId, config: ModelConfig, horizon: number) {
    this.#models = models;
    this.#tenant = tenant;
    this.#config = config;
    this.#horizon = horizon;
  }

  async ask(rows: readonly Float64Array[]): Promise<readonly Float64Array[]> {
    const { shape, info } = (this.#known ??= await this.#look());
    const out: Float64Array[] = [];
    const size = answerSize(this.#config, shape, this.#horizon);
    for (let from = 0; from < rows.length; from += shape.rowsMax) {
      const part = rows.slice(from, from + shape.rowsMax);
      const values = new Float64Array(part.length * shape.rowSize);
      part.forEach((r, i) => {
        values.set(r, i * shape.rowSize);
      });
      const answer = await this.#models
        .run(this.#tenant, {
          file: this.#config.file,
          info,
          input: shape.input,
          type: shape.type,
          dims: [part.length, ...shape.rowDims],
          values,
          output: shape.output,
        })
        .catch((error: unknown) => {
          // the file may be another one by now
          this.#known = undefined;
          throw error;
        });
      const own = answer.length / part.length;
      if (own < size || !Number.isInteger(own) || (this.#horizon === 0 && own !== size))
        throw new VigieError(
          'bad_config',
          `model ${this.#config.file}: output ${shape.output} has ${own} values a row, want ${this.#horizon > 0 ? 'at least ' : ''}${size}`,
        );
      for (let i = 0; i < part.length; i++) out.push(answer.subarray(i * own, (i + 1) * own));
    }
    return out;
  }

  async #look(): Promise<{ readonly info: ModelInfo; readonly shape: ModelShape }> {
    const info = await this.#models.info(this.#tenant, this.#config.file);
    return { info, shape: shapeOf(this.#config, info) };
  }
}

async function scores(
  raw: readonly SeriesColumns[],
  fromMs: number,
  steps: number,
  before: number,
  stepMs: number,
  asker: Asker,
  model: ModelConfig,
): Promise<SeriesColumns[]> {
  const groups = grouped(raw, fromMs, steps, stepMs, model);
  const asked: { readonly group: number; readonly step: number; readonly scaled: Scaled; readonly actual: number[] }[] =
    [];
  groups.forEach(({ columns }, group) => {
    for (let step = before; step < steps; step++) {
      const end = model.meaning === 'next' ? step : step + 1;
      const scaled = rowOf(model, columns, end);
      if (!scaled) continue;
      const actual =
        model.meaning === 'next' ? columns.map((c, f) => (c[step]! - scaled.mean[f]!) / scaled.deviation[f]!) : [];
      if (actual.every(Number.isFinite)) asked.push({ group, step, scaled, actual });
    }
  });
  const answers = asked.length === 0 ? [] : await asker.ask(asked.map((a) => a.scaled.row));
  const times: number[][] = groups.map(() => []);
  const values: number[][] = groups.map(() => []);
  asked.forEach((a, i) => {
    times[a.group]!.push(fromMs + a.step * stepMs);
    values[a.group]!.push(scoreOf(model, a.scaled, answers[i]!, a.actual));
  });
  return groups.map((g, i) => ({
    labels: g.labels,
    length: times[i]!.length,
    timestamps: Float64Array.from(times[i]!),
    values: Float64Array.from(values[i]!),
  }));
}

/** Each series alone, or those that differ in the label of features side by side. */
function grouped(
  raw: readonly SeriesColumns[],
  fromMs: number,
  steps: number,
  stepMs: number,
  model: ModelConfig,
): { readonly labels: Labels; readonly columns: readonly Float64Array[] }[] {
  const column = (s: SeriesColumns): Float64Array => {
    const out = new Float64Array(steps).fill(Number.NaN);
    for (let i = 0; i < s.length; i++) {
      const at = Math.round((s.timestamps[i]! - fromMs) / stepMs);
      if (at >= 0 && at < steps) out[at] = s.values[i]!;
    }
    return out;
  };
  const { features } = model;
  if (!features) return raw.map((s) => ({ labels: s.labels, columns: [column(s)] }));
  const groups = new Map<string, { readonly labels: Labels; readonly columns: (Float64Array | undefined)[] }>();
  for (const s of raw) {
    const at = features.order.indexOf(s.labels.get(features.label));
    if (at < 0) continue;
    const labels = s.labels.without(features.label).without(METRIC_NAME);
    let g = groups.get(labels.key);
    if (!g) groups.set(labels.key, (g = { labels, columns: features.order.map(() => undefined) }));
    g.columns[at] = column(s);
  }
  // a group that lacks a feature cannot be judged
  return [...groups.values()].flatMap((g) =>
    g.columns.every((c) => c !== undefined) ? [{ labels: g.labels, columns: g.columns as Float64Array[] }] : [],
  );
}

/**
 * The model's forecast, with split-conformal intervals: quantiles of its own errors at earlier moments, by step ahead,
 * never narrower further ahead. The probability of a crossing is how many of those error paths would cross.
 */
async function fitByModel(request: FitRequest, asker: Asker, model: ModelConfig): Promise<FitResult> {
  const { values, horizon, threshold } = request;
  const n = values.length;
  const now = rowOf(model, [values], n);
  const latest = n - horizon;
  const first = model.window;
  const origins: { readonly end: number; readonly scaled: Scaled }[] = [];
  if (latest >= first) {
    const count = Math.min(ORIGINS_MAX, latest - first + 1);
    for (let k = 0; k < count; k++) {
      const end = latest - Math.round(((latest - first) * k) / Math.max(1, count - 1));
      const scaled = rowOf(model, [values], end);
      if (scaled && origins.at(-1)?.end !== end) origins.push({ end, scaled });
    }
  }
  if (!now || origins.length < ORIGINS_MIN)
    throw new VigieError(
      'bad_data',
      `model ${model.file}: want ${model.window} values in a row now and ${ORIGINS_MIN} earlier windows with their ${horizon} values after, got ${now ? origins.length : 'a gap now'}`,
    );
  const answers = await asker.ask([now.row, ...origins.map((o) => o.scaled.row)]);
  const back = (a: Float64Array, s: Scaled): Float64Array =>
    a.slice(0, horizon).map((v) => v * s.deviation[0]! + s.mean[0]!);
  const mean = back(answers[0]!, now);
  const paths = origins.map((o, i) => {
    const said = back(answers[i + 1]!, o.scaled);
    return said.map((v, h) => values[o.end + h]! - v);
  });
  const intervals = request.levels.map((level) => {
    const lower = new Float64Array(horizon);
    const upper = new Float64Array(horizon);
    let width = 0;
    for (let h = 0; h < horizon; h++) {
      const sizes = paths
        .map((p) => Math.abs(p[h]!))
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      const rank = Math.ceil((sizes.length + 1) * level) - 1;
      width = Math.max(width, sizes[Math.min(rank, sizes.length - 1)] ?? 0);
      lower[h] = mean[h]! - width;
      upper[h] = mean[h]! + width;
    }
    return { level, lower, upper };
  });
  if (!threshold) return { mean, intervals, seasons: [] };
  const past = (v: number): boolean =>
    threshold.above !== undefined ? v > threshold.above : v < (threshold.below ?? Number.NEGATIVE_INFINITY);
  const crossing = paths.filter((p) => mean.some((m, h) => past(m + p[h]!))).length;
  const at = mean.findIndex(past);
  const isPast = past(values[n - 1]!);
  return {
    mean,
    intervals,
    seasons: [],
    crossProbability: isPast ? 1 : (crossing + 0.5) / (paths.length + 1),
    pointsToThreshold: isPast ? 0 : at < 0 ? Number.POSITIVE_INFINITY : at + 1,
  };
}
