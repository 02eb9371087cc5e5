/** What a model is fed and what its answer means: windows of series as rows, checked against the model's own shapes. Pure. */
import { VigieError } from '../../lib/errors.ts';
import type { ModelConfig } from '../config.ts';
import type { ModelInfo, ModelTensor } from './model-child.ts';

/** Rows of one call, where the model takes as many as are given. */
export const BATCH_ROWS_MAX = 256;

export interface ModelShape {
  readonly input: string;
  readonly type: 'float32' | 'float64';
  /** Sizes after the first, the rows. */
  readonly rowDims: readonly number[];
  /** Values of one row. */
  readonly rowSize: number;
  readonly rowsMax: number;
  readonly output: string;
}

const shown = (t: ModelTensor): string => `${t.name}: ${t.type}[${t.shape.map((d) => (d < 0 ? '?' : d)).join(', ')}]`;

/** Throws `bad_config`: what, where, got, wanted. */
export function shapeOf(config: ModelConfig, info: ModelInfo): ModelShape {
  const fail = (what: string): never => {
    throw new VigieError('bad_config', `model ${config.file}: ${what}`);
  };
  const features = config.features?.order.length ?? 1;
  const rowSize = config.window * features;
  const [input, ...others] = info.inputs;
  if (!input || others.length > 0)
    fail(`want one input, got ${info.inputs.length === 0 ? 'none' : info.inputs.map(shown).join('; ')}`);
  const { name, type, shape } = input!;
  if (type !== 'float32' && type !== 'float64') fail(`input ${shown(input!)}: want float32 or float64`);
  const rowDims = shape.length === 3 ? [config.window, features] : [rowSize];
  if (shape.length !== 2 && shape.length !== 3)
    fail(`input ${shown(input!)}: want [rows, ${rowSize}] or [rows, ${config.window}, ${features}]`);
  rowDims.forEach((d, i) => {
    const own = shape[i + 1]!;
    if (own > 0 && own !== d)
      fail(
        `input ${shown(input!)}: window ${config.window} and ${features} features give [rows, ${rowDims.join(', ')}]`,
      );
  });
  const output =
    config.output === undefined
      ? info.outputs.find((o) => o.type.startsWith('float'))
      : info.outputs.find((o) => o.name === config.output);
  if (!output)
    fail(
      `${config.output === undefined ? 'want an output of float32 or float64' : `no output ${JSON.stringify(config.output)}`}, got ${info.outputs.map(shown).join('; ')}`,
    );
  if (!output!.type.startsWith('float')) fail(`output ${shown(output!)}: want float32 or float64`);
  return {
    input: name,
    type: type as ModelShape['type'],
    rowDims,
    rowSize,
    rowsMax: shape[0]! > 0 ? 1 : BATCH_ROWS_MAX,
    output: output!.name,
  };
}

export interface Scaled {
  readonly row: Float64Array;
  /** What undoes the scaling of feature `f`. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/**
 * One row, oldest first, the features of one moment side by side. undefined when a value is missing: a model that was
 * not made for gaps must not be asked.
 */
export function rowOf(config: ModelConfig, columns: readonly Float64Array[], end: number): Scaled | undefined {
  const { window } = config;
  const features = columns.length;
  const row = new Float64Array(window * features);
  const mean: number[] = [];
  const deviation: number[] = [];
  for (let f = 0; f < features; f++) {
    const column = columns[f]!;
    let sum = 0;
    for (let i = 0; i < window; i++) {
      const v = column[end - window + i];
      if (v === undefined || !Number.isFinite(v)) return undefined;
      sum += v;
    }
    let m = 0;
    let d = 1;
    if (config.scale === 'window') {
      m = sum / window;
      let squares = 0;
      for (let i = 0; i < window; i++) squares += (column[end - window + i]! - m) ** 2;
      // a flat window has no size of its own
      d = Math.sqrt(squares / window) || 1;
    } else if (config.scale !== 'none') {
      m = config.scale.mean[f]!;
      d = config.scale.deviation[f]!;
    }
    mean.push(m);
    deviation.push(d);
    for (let i = 0; i < window; i++) row[i * features + f] = (column[end - window + i]! - m) / d;
  }
  return { row, mean, deviation };
}

/** One number per row: how odd it is. `actual`: for `next`, the values that came after the window, scaled. */
export function scoreOf(config: ModelConfig, scaled: Scaled, answer: Float64Array, actual: readonly number[]): number {
  if (config.meaning === 'score') return answer[0]!;
  const wanted = config.meaning === 'reconstruction' ? scaled.row : actual;
  let sum = 0;
  for (let i = 0; i < wanted.length; i++) sum += Math.abs(answer[i]! - wanted[i]!);
  return sum / wanted.length;
}

/** Values that one row's answer must hold. */
export function answerSize(config: ModelConfig, shape: ModelShape, horizon: number): number {
  if (horizon > 0) return horizon;
  if (config.meaning === 'score') return 1;
  return config.meaning === 'reconstruction' ? shape.rowSize : (config.features?.order.length ?? 1);
}
