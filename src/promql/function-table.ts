/** Names, argument types and flags of PromQL's functions and aggregations. Not their evaluation. */
import type { AggregateOp, ValueType } from './ast.ts';

export interface FunctionSignature {
  readonly name: string;
  readonly args: readonly ValueType[];
  /** 0: all arguments required; n > 0: that many of the trailing ones may be absent or added; -1: last one repeats. */
  readonly variadic: number;
  readonly returns: ValueType;
  readonly experimental: boolean;
}

const table = new Map<string, FunctionSignature>();
const LETTERS: Readonly<Record<string, ValueType>> = { v: 'vector', m: 'matrix', s: 'scalar', t: 'string' };

function define(names: string, args: string, variadic = 0, returns: ValueType = 'vector', experimental = false): void {
  for (const name of names.split(' '))
    table.set(name, { name, args: [...args].map((c) => LETTERS[c]!), variadic, returns, experimental });
}

define('abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh', 'v');
define('sort sort_desc sqrt tan tanh timestamp', 'v');
define('histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar', 'v');
define('absent_over_time avg_over_time changes count_over_time delta deriv idelta increase irate', 'm');
define('last_over_time max_over_time min_over_time present_over_time rate resets', 'm');
define('stddev_over_time stdvar_over_time sum_over_time', 'm');
define('first_over_time mad_over_time', 'm', 0, 'vector', true);
define('ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time', 'm', 0, 'vector', true);
define('start_timestamp', 'v', 0, 'vector', true);
define('clamp', 'vss');
define('clamp_max clamp_min', 'vs');
define('days_in_month day_of_month day_of_week day_of_year hour minute month year', 'v', 1);
define('histogram_fraction', 'ssv');
define('histogram_quantile', 'sv');
define('histogram_quantiles', 'vtss', 9, 'vector', true);
define('double_exponential_smoothing', 'mss', 0, 'vector', true);
define('info', 'vv', 1, 'vector', true);
define('label_replace', 'vtttt');
define('label_join', 'vttt', -1);
define('predict_linear', 'ms');
define('quantile_over_time', 'sm');
define('round', 'vs', 1);
define('sort_by_label sort_by_label_desc', 'vt', -1, 'vector', true);
define('vector', 's');
define('scalar', 'v', 0, 'scalar');
define('pi time', '', 0, 'scalar');
define('start end range step', '', 0, 'scalar', true);

export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = table;

/** Type of the parameter each aggregation demands; undefined without. */
export const AGGREGATES: Readonly<
  Record<AggregateOp, { readonly param?: ValueType; readonly experimental?: boolean }>
> = {
  sum: {},
  avg: {},
  count: {},
  min: {},
  max: {},
  group: {},
  stddev: {},
  stdvar: {},
  topk: { param: 'scalar' },
  bottomk: { param: 'scalar' },
  quantile: { param: 'scalar' },
  count_values: { param: 'string' },
  limitk: { param: 'scalar', experimental: true },
  limit_ratio: { param: 'scalar', experimental: true },
};

/** Names as in Prometheus' `--enable-feature`. */
export const FEATURES = [
  'promql-experimental-functions',
  'promql-delayed-name-removal',
  'promql-duration-expr',
  'promql-extended-range-selectors',
  'promql-binop-fill-modifiers',
] as const;
export type Feature = (typeof FEATURES)[number];
