/** Which values a parameter takes: Go's assignability between the types that templates meet. */
import { FunctionError } from './errors.ts';
import { durationValue } from './time-value.ts';
import {
  basicOf,
  GoFunction,
  GoMap,
  GoScalar,
  GoSlice,
  type GoValue,
  type ParamType,
  typeName,
  zeroOf,
} from './value.ts';

export type Kind = 'any' | 'value' | 'bool' | 'string' | 'int' | 'uint' | 'float' | 'other';

const NAMED_KINDS: Readonly<Record<string, Kind>> = {
  any: 'any',
  'interface {}': 'any',
  value: 'value',
  bool: 'bool',
  string: 'string',
  'time.Duration': 'int',
  'time.Month': 'int',
  'time.Weekday': 'int',
};

export function kindOf(type: ParamType): Kind {
  const named = NAMED_KINDS[type];
  if (named) return named;
  if (/^int\d*$/.test(type)) return 'int';
  if (/^uint\d*$/.test(type)) return 'uint';
  return /^float\d+$/.test(type) ? 'float' : 'other';
}

/** The type as error texts name it. */
export const typeText = (type: ParamType): string =>
  type === 'any' ? 'interface {}' : type === 'value' ? 'reflect.Value' : type;

const canBeNil = (type: ParamType): boolean =>
  type === 'any' || type === 'value' || type.startsWith('[]') || type.startsWith('map[') || type.startsWith('*');

/** nil as a value of `type`; undefined in the second place when the type has no nil. */
export function nilOf(type: ParamType): readonly [GoValue] | undefined {
  if (!canBeNil(type)) return undefined;
  if (type.startsWith('[]')) return [new GoSlice([], type.slice(2), { isNil: true })];
  if (type.startsWith('map[')) {
    const close = type.indexOf(']');
    return [new GoMap(new Map(), type.slice(close + 1), { keyType: type.slice(4, close), isNil: true })];
  }
  return [undefined];
}

/** May `value` be passed as it stands? */
export function assignable(value: GoValue, type: ParamType): boolean {
  if (type === 'any' || type === 'value' || type === 'interface {}') return true;
  if (typeName(value) === type) return true;
  return (value instanceof GoSlice || value instanceof GoMap) && value.underlying === type;
}

/** A whole number as a value of an integer type. */
export function integerOf(type: ParamType, n: bigint): GoValue {
  if (type === 'int') return n;
  return type === 'time.Duration' ? durationValue(n) : new GoScalar(type, n);
}

const isIntLike = (type: ParamType): boolean => kindOf(type) === 'int' || kindOf(type) === 'uint';

/** An argument made fit for `call` and for map keys: integers of other sizes are converted. Throws FunctionError. */
export function prepareArgument(value: GoValue, type: ParamType): GoValue {
  if (value === undefined) {
    const nil = nilOf(type);
    if (!nil) throw new FunctionError(`value is nil; should be of type ${typeText(type)}`);
    return nil[0];
  }
  if (assignable(value, type)) return value;
  const basic = basicOf(value);
  if (typeof basic === 'bigint' && isIntLike(type)) return integerOf(type, basic);
  throw new FunctionError(`value has type ${typeName(value)}; should be ${typeText(type)}`);
}

/** The kind of a value for comparisons; undefined for composite ones. */
export function basicKind(value: GoValue): Exclude<Kind, 'any' | 'value' | 'other'> | undefined {
  const basic = basicOf(value);
  switch (typeof basic) {
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'number':
      return 'float';
    case 'bigint':
      return value instanceof GoScalar && kindOf(value.goType) === 'uint' ? 'uint' : 'int';
    default:
      return undefined;
  }
}

/** What a map gives for a key that it does not have. */
export function absentElement(map: GoMap): GoValue {
  return nilOf(map.elemType)?.[0] ?? zeroOf(map.elemType);
}

export const isCallable = (value: GoValue): value is GoFunction => value instanceof GoFunction;
