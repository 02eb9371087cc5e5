/**
 * Value-level parameters: `${name}` inside a string *value* of a native file stands for a typed, checked value. The file
 * is parsed first and values are put in afterwards, so no parameter can change the structure of a file, and inside an
 * expression a text parameter can only ever be the content of a quoted string.
 */
import { z } from 'zod';
import { messageOf, VigieError } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../model/duration.ts';

const common = { help: z.string().min(1), unit: z.string().optional() };

export const parameterSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('number'),
    default: z.number(),
    min: z.number().optional(),
    max: z.number().optional(),
    ...common,
  }),
  z.strictObject({
    type: z.literal('duration'),
    default: z.string(),
    min: z.string().optional(),
    max: z.string().optional(),
    ...common,
  }),
  z.strictObject({ type: z.literal('text'), default: z.string(), values: z.array(z.string()).optional(), ...common }),
  z.strictObject({ type: z.literal('boolean'), default: z.boolean(), ...common }),
]);

export type Parameter = z.output<typeof parameterSchema>;
export type ParameterValue = number | string | boolean;
export type ParameterValues = Readonly<Record<string, ParameterValue>>;

/** Defaults with `overrides` put over them, each checked against its declaration. Throws `bad_config` naming the parameter. */
export function parameterValues(
  declared: Readonly<Record<string, Parameter>>,
  overrides: Readonly<Record<string, unknown>>,
  where: string,
): ParameterValues {
  for (const name of Object.keys(overrides)) {
    if (!declared[name])
      throw new VigieError(
        'bad_config',
        `${where}: unknown parameter ${JSON.stringify(name)}; known are ${Object.keys(declared).sort().join(', ') || 'none'}`,
      );
  }
  const out: Record<string, ParameterValue> = {};
  for (const [name, parameter] of Object.entries(declared))
    out[name] = checkValue(parameter, overrides[name] ?? parameter.default, `${where}.${name}`);
  return out;
}

function checkValue(parameter: Parameter, value: unknown, where: string): ParameterValue {
  const fail = (wanted: string): never => {
    throw new VigieError('bad_config', `${where}: got ${JSON.stringify(value)}, want ${wanted}`);
  };
  switch (parameter.type) {
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value)) return fail('a number');
      if (parameter.min !== undefined && value < parameter.min) return fail(`at least ${parameter.min}`);
      if (parameter.max !== undefined && value > parameter.max) return fail(`at most ${parameter.max}`);
      return value;
    }
    case 'duration': {
      if (typeof value !== 'string') return fail('a duration such as 5m');
      let ms: number;
      try {
        ms = parseDuration(value);
      } catch (error) {
        return fail(`a duration such as 5m (${messageOf(error)})`);
      }
      if (parameter.min !== undefined && ms < parseDuration(parameter.min)) return fail(`at least ${parameter.min}`);
      if (parameter.max !== undefined && ms > parseDuration(parameter.max)) return fail(`at most ${parameter.max}`);
      return formatDuration(ms);
    }
    case 'text':
      if (typeof value !== 'string') return fail('a text');
      if (/["\\\n\r`]/.test(value)) return fail('a text without quotes, backslashes and line breaks');
      if (parameter.values && !parameter.values.includes(value)) return fail(`one of ${parameter.values.join(', ')}`);
      return value;
    case 'boolean':
      return typeof value === 'boolean' ? value : fail('true or false');
  }
}

const PLACEHOLDER = /\$\{([a-z][a-z0-9_]*)\}/g;

/** Puts values into every string of a parsed file; a string that is one placeholder alone becomes the typed value. */
export function substitute<T>(tree: T, values: ParameterValues, where: string): T {
  if (typeof tree === 'string') {
    const whole = /^\$\{([a-z][a-z0-9_]*)\}$/.exec(tree);
    if (whole) return lookUp(values, whole[1]!, where) as T;
    return tree.replace(PLACEHOLDER, (_m, name: string) => String(lookUp(values, name, where))) as T;
  }
  if (Array.isArray(tree)) return tree.map((item, i) => substitute(item, values, `${where}[${i}]`)) as T;
  if (typeof tree === 'object' && tree !== null) {
    return Object.fromEntries(
      Object.entries(tree).map(([key, value]) => [key, substitute(value, values, `${where}.${key}`)]),
    ) as T;
  }
  return tree;
}

function lookUp(values: ParameterValues, name: string, where: string): ParameterValue {
  const value = values[name];
  if (value === undefined) throw new VigieError('bad_config', `${where}: \${${name}} is not a parameter of this pack`);
  return value;
}
