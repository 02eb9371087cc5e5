/**
 * Detectors and forecasts as users declare them: one small versioned YAML schema, checked with file and path, turned
 * into milliseconds and defaults. Expressions are handed to the query port as they are; they are not parsed here.
 */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import { yamlValue } from '../lib/nesting.ts';
import { parseDuration } from '../model/duration.ts';

export const DETECTORS_PER_TENANT_MAX = 200;
/** Series one detector may follow unless it says otherwise, and the most it may ask for. */
export const SERIES_DEFAULT = 500;
export const SERIES_MAX = 20_000;
/** A forecast fits whole histories and costs some milliseconds a series. */
export const FORECAST_SERIES_MAX = 2_000;
export const FILE_CHARS_MAX = 1_000_000;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const duration = z
  .union([z.string(), z.number()])
  .transform((value, context) => {
    try {
      return typeof value === 'number' ? value * 1000 : parseDuration(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  })
  .refine((ms) => ms > 0, 'want a duration above 0, such as 5m');

const labelName = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'want a label name');

const base = {
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'want lower-case letters, digits, - and _, at most 64'),
  description: z.string().max(1_000).default(''),
  expr: z.string().min(1).max(10_000),
  /** How often the expression is evaluated. */
  step: duration.default(MINUTE_MS),
  /** Labels set on every series that comes out. */
  labels: z.record(labelName, z.string().max(500)).default({}),
  /** Series beyond this many are left out, and counted. */
  series_max: z.number().int().min(1).max(SERIES_MAX).default(SERIES_DEFAULT),
  /** History read at the first start. */
  warmup: duration.default(2 * DAY_MS),
  enabled: z.boolean().default(true),
};

/** False alerts per series and week that may be spent: the one knob of sensitivity. */
const sensitivity = z.number().min(0.001).max(50).default(0.25);
/** PromQL that returns a non-zero series while something really was wrong; grades alerts and back-tests. */
const truth = z.string().min(1).max(10_000).optional();

/** A model of the user's own, as an ONNX file in the tenant's folder of models. */
const model = z.strictObject({
  file: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}\.onnx$/, 'want a file name such as load.onnx'),
  /** Values of each series that make one row, oldest first. */
  window: z.number().int().min(1).max(2_000),
  /** Series that differ in this label alone are one row, side by side in this order. */
  features: z.strictObject({ label: labelName, order: z.array(z.string().min(1).max(500)).min(1).max(200) }).optional(),
  /** Before the model sees them: each window by its own mean and deviation, or all by fixed ones per feature. */
  scale: z
    .union([
      z.enum(['none', 'window']),
      z.strictObject({ mean: z.array(z.number()).min(1), deviation: z.array(z.number().positive()).min(1) }),
    ])
    .default('none'),
  /** The output that is read; the first of floating point if absent. */
  output: z.string().min(1).max(200).optional(),
  /** `score`: how odd the window is. `reconstruction`: the window as the model sees it. `next`: the value after it. */
  meaning: z.enum(['score', 'reconstruction', 'next']).default('score'),
});
export type ModelConfig = z.output<typeof model>;

const anomaly = z.strictObject({
  ...base,
  kind: z.literal('anomaly'),
  sensitivity,
  truth,
  /** Write the expected value and the band; on by default up to 200 series. */
  bands: z.boolean().optional(),
  /** What is judged is the model's word on each series. */
  model: model.optional(),
});
const peers = z.strictObject({
  ...base,
  kind: z.literal('peers'),
  sensitivity,
  truth,
  /** Series are siblings when these labels are equal; empty: all are. */
  by: z.array(labelName).max(10).default([]),
});
const multivariate = z.strictObject({
  ...base,
  kind: z.literal('multivariate'),
  sensitivity,
  truth,
  /** One detector per combination of these labels; the remaining labels name its metrics. */
  by: z.array(labelName).max(10).default([]),
});
const change = z.strictObject({
  ...base,
  kind: z.literal('change'),
  /** Expected time between changes. */
  regime: duration.default(7 * DAY_MS),
});
const forecast = z.strictObject({
  ...base,
  kind: z.literal('forecast'),
  step: duration.default(5 * MINUTE_MS),
  warmup: duration.default(14 * DAY_MS),
  horizon: duration,
  /** Times ahead that become series; the horizon itself if empty. */
  at: z.array(duration).max(8).default([]),
  /** How often a model is fitted anew. */
  every: duration.optional(),
  /** Hints; found from the data if absent. */
  seasons: z.array(duration).max(3).optional(),
  /** `ensemble` for what has a rhythm; `exhaustion` for what fills up and may be emptied now and then; `model`. */
  method: z.enum(['ensemble', 'exhaustion', 'model']).default('ensemble'),
  model: model.optional(),
  threshold: z
    .strictObject({ above: z.number().optional(), below: z.number().optional() })
    .refine((t) => (t.above === undefined) !== (t.below === undefined), 'want exactly one of above and below')
    .optional(),
  /** Probability from which a crossing counts as announced. */
  announce: z.number().min(0.05).max(0.99).default(0.5),
  sensitivity,
});

export const detectorSchema = z.discriminatedUnion('kind', [anomaly, peers, multivariate, change, forecast]);
export const detectorFileSchema = z.strictObject({
  version: z.literal(1),
  detectors: z.array(detectorSchema).max(DETECTORS_PER_TENANT_MAX),
});

export type DetectorConfig = z.output<typeof detectorSchema>;
export type DetectorKind = DetectorConfig['kind'];
export type AnomalyConfig = z.output<typeof anomaly>;
export type PeersConfig = z.output<typeof peers>;
export type MultivariateConfig = z.output<typeof multivariate>;
export type ChangeConfig = z.output<typeof change>;
export type ForecastConfig = z.output<typeof forecast>;

/** Checks one parsed file. Throws `bad_config` with every problem as `file: path: message`. */
export function checkDetectors(value: unknown, file: string): readonly DetectorConfig[] {
  const result = detectorFileSchema.safeParse(value);
  if (!result.success)
    throw new VigieError(
      'bad_config',
      result.error.issues.map((i) => `${file}: ${i.path.map(String).join('.')}: ${i.message}`).join('\n'),
    );
  const seen = new Set<string>();
  for (const d of result.data.detectors) {
    if (seen.has(d.name)) throw new VigieError('bad_config', `${file}: two detectors are called ${d.name}`);
    seen.add(d.name);
    crossChecks(d, file);
  }
  return result.data.detectors;
}

/** Reads YAML text. Throws `bad_config` with file and line. */
export function parseDetectorFile(text: string, file: string): readonly DetectorConfig[] {
  if (text.length > FILE_CHARS_MAX)
    throw new VigieError('bad_config', `${file}: got ${text.length} characters, want at most ${FILE_CHARS_MAX}`);
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const problem = document.errors[0];
  if (problem)
    throw new VigieError('bad_config', `${file}:${counter.linePos(problem.pos[0]).line}: ${problem.message}`);
  return checkDetectors(yamlValue(document, 100), file);
}

function crossChecks(d: DetectorConfig, file: string): void {
  const fail = (what: string): never => {
    throw new VigieError('bad_config', `${file}: detector ${d.name}: ${what}`);
  };
  if (d.warmup < 12 * d.step) fail(`warmup: want at least 12 steps of ${d.step / 1000} s, got ${d.warmup / 1000} s`);
  if ('model' in d && d.model) {
    const features = d.model.features?.order.length ?? 1;
    const { scale } = d.model;
    if (typeof scale === 'object' && (scale.mean.length !== features || scale.deviation.length !== features))
      fail(`model.scale: want ${features} means and deviations, one per feature`);
    if (d.kind === 'forecast' && d.model.features) fail('model.features: a forecast is of one series');
  }
  if (d.kind !== 'forecast') return;
  if ((d.method === 'model') !== (d.model !== undefined))
    fail('method model needs a model, and a model needs method model');
  if (d.series_max > FORECAST_SERIES_MAX)
    fail(`series_max: a forecast may follow at most ${FORECAST_SERIES_MAX} series, got ${d.series_max}`);
  if (d.horizon < d.step) fail(`horizon: want at least one step of ${d.step / 1000} s, got ${d.horizon / 1000} s`);
  if (d.horizon > 2_000 * d.step)
    fail(`horizon: at most 2000 steps of ${d.step / 1000} s, got ${d.horizon / 1000} s; choose a longer step`);
  for (const ms of d.at) if (ms > d.horizon) fail(`at: ${ms / 1000} s lies beyond the horizon`);
  if (d.method === 'exhaustion' && !d.threshold) fail('method exhaustion needs a threshold');
}
