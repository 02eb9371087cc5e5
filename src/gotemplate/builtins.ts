/**
 * The functions every template has: comparison, index, slice, len, not, call, printing and escaping. `and` and `or`
 * evaluate lazily and so live in the executor; they stand here for their parameters only.
 */
import { FunctionError } from './errors.ts';
import { escapeHtml, escapeJs, escapeQuery } from './escape-text.ts';
import { sprint, sprintf, sprintln } from './format.ts';
import { absentElement, basicKind, isCallable, prepareArgument } from './parameters.ts';
import {
  basicOf,
  compareBytes,
  type Functions,
  GoFunction,
  GoMap,
  GoScalar,
  GoSlice,
  GoStruct,
  type GoValue,
  truth,
  typeName,
} from './value.ts';

const fail = (message: string): never => {
  throw new FunctionError(message);
};

function bothKinds(a: GoValue, b: GoValue): string {
  return `incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`;
}

/** reflect.Kind, as far as it tells composite values apart. */
function compositeKind(v: GoValue): string {
  return typeof v === 'object' ? v.kind : 'invalid';
}

function isNilComposite(v: GoValue): boolean {
  return v === undefined || (v instanceof GoSlice && v.isNil) || (v instanceof GoMap && v.isNil);
}

function equalOne(a: GoValue, b: GoValue): boolean {
  const [ka, kb] = [basicKind(a), basicKind(b)];
  if (ka !== kb) {
    if ((ka === 'int' && kb === 'uint') || (ka === 'uint' && kb === 'int')) return basicOf(a) === basicOf(b);
    if (a !== undefined && b !== undefined) fail(bothKinds(a, b));
    return false;
  }
  if (ka !== undefined) return basicOf(a) === basicOf(b);
  const [ca, cb] = [compositeKind(a), compositeKind(b)];
  if (ca !== cb && ca !== 'invalid' && cb !== 'invalid')
    fail(sprintf(`non-comparable types %s: ${typeName(a)}, ${typeName(b)}: %v`, [a, b]));
  if (isNilComposite(a) || isNilComposite(b)) return isNilComposite(a) === isNilComposite(b);
  if (!(b instanceof GoStruct) || !isComparableStruct(b)) fail(sprintf(`non-comparable type %s: ${typeName(b)}`, [b]));
  return equalStructs(a as GoStruct, b as GoStruct);
}

function isComparableStruct(s: GoStruct): boolean {
  return [...s.fields.values()].every(
    (f) =>
      !(f instanceof GoSlice || f instanceof GoMap || f instanceof GoFunction) &&
      !(f instanceof GoStruct && !isComparableStruct(f)),
  );
}

function equalStructs(a: GoStruct, b: GoStruct): boolean {
  if (a.goType !== b.goType) return false;
  if (a.goType === 'time.Time') return a.text!(a) === b.text!(b);
  return [...a.fields].every(([name, value]) => {
    const other = b.fields.get(name);
    return value instanceof GoStruct && other instanceof GoStruct
      ? equalStructs(value, other)
      : typeName(value) === typeName(other) && basicOf(value) === basicOf(other);
  });
}

function equal(a: GoValue, others: readonly GoValue[]): boolean {
  if (others.length === 0) fail('missing argument for comparison');
  return others.some((b) => equalOne(a, b));
}

function less(a: GoValue, b: GoValue): boolean {
  const [ka, kb] = [basicKind(a), basicKind(b)];
  if (!ka || !kb) return fail('invalid type for comparison');
  const [x, y] = [basicOf(a), basicOf(b)];
  const whole = (k: string): boolean => k === 'int' || k === 'uint';
  if (ka !== kb && !(whole(ka) && whole(kb))) return fail(bothKinds(a, b));
  if (ka === 'bool') return fail('invalid type for comparison');
  if (ka === 'string') return compareBytes(x as string, y as string) < 0;
  return (x as number | bigint) < (y as number | bigint);
}

/** Length in bytes for strings. */
function lengthOf(v: GoValue): number {
  const basic = basicOf(v);
  if (typeof basic === 'string') return Buffer.byteLength(basic, 'utf8');
  if (basic instanceof GoSlice) return basic.items.length;
  if (basic instanceof GoMap) return basic.entries.size;
  if (v === undefined) return fail('reflect: call of reflect.Value.Type on zero Value');
  return fail(`len of type ${typeName(v)}`);
}

function indexNumber(index: GoValue, capacity: number): number {
  const n = basicOf(index);
  if (index === undefined) return fail('cannot index slice/array with nil');
  if (typeof n !== 'bigint') return fail(`cannot index slice/array with type ${typeName(index)}`);
  if (n < 0n || n > BigInt(capacity)) return fail(`index out of range: ${n}`);
  return Number(n);
}

function index(item: GoValue, indexes: readonly GoValue[]): GoValue {
  if (item === undefined) fail('index of untyped nil');
  let current = item;
  for (const key of indexes) {
    const basic = basicOf(current);
    if (basic === undefined) return fail('index of nil pointer');
    if (typeof basic === 'string') {
      const bytes = Buffer.from(basic, 'utf8');
      const at = indexNumber(key, bytes.length);
      current =
        at < bytes.length ? new GoScalar('uint8', BigInt(bytes[at]!)) : fail('reflect: string index out of range');
    } else if (basic instanceof GoSlice) {
      const at = indexNumber(key, basic.items.length);
      current = at < basic.items.length ? basic.items[at] : fail('reflect: slice index out of range');
    } else if (basic instanceof GoMap) {
      const name = basicOf(prepareArgument(key, basic.keyType)) as string;
      current = basic.entries.has(name) ? basic.entries.get(name) : absentElement(basic);
    } else return fail(`can't index item of type ${typeName(current)}`);
  }
  return current;
}

function slice(item: GoValue, indexes: readonly GoValue[]): GoValue {
  if (item === undefined) fail('slice of untyped nil');
  if (indexes.length > 3) fail(`too many slice indexes: ${indexes.length}`);
  const basic = basicOf(item);
  if (typeof basic === 'string') {
    if (indexes.length === 3) fail('cannot 3-index slice a string');
  } else if (!(basic instanceof GoSlice)) return fail(`can't slice item of type ${typeName(item)}`);
  const length = lengthOf(basic);
  const at = [0, length];
  indexes.forEach((key, i) => {
    at[i] = indexNumber(key, length);
  });
  if (at[0]! > at[1]!) fail(`invalid slice index: ${at[0]} > ${at[1]}`);
  if (at.length > 2 && at[1]! > at[2]!) fail(`invalid slice index: ${at[1]} > ${at[2]}`);
  if (basic instanceof GoSlice) return basic.slice(at[0]!, at[1]!);
  return Buffer.from(basic as string, 'utf8')
    .subarray(at[0], at[1])
    .toString('utf8');
}

function call(callee: GoValue, args: readonly GoValue[], name: string): GoValue {
  if (callee === undefined) fail('call of nil');
  if (!isCallable(callee)) return fail(`non-function ${name} of type ${typeName(callee)}`);
  const fixed = callee.params.length;
  if (callee.variadic === undefined ? args.length !== fixed : args.length < fixed)
    fail(
      `wrong number of args for ${name}: got ${args.length} want ${callee.variadic === undefined ? '' : 'at least '}${fixed}`,
    );
  const prepared = args.map((arg, i) => {
    try {
      return prepareArgument(arg, callee.params[i] ?? callee.variadic!);
    } catch (error) {
      return fail(`arg ${i}: ${(error as Error).message}`);
    }
  });
  return callee.call(...(prepared as never[]));
}

/** Text of arguments for the escapers: fmt.Sprint, one string taken as it is, nil as it prints. */
function escaperText(args: readonly GoValue[]): string {
  if (args.length === 1 && typeof args[0] === 'string') return args[0];
  return sprint(args.map((a) => (a === undefined ? '<no value>' : a)));
}

const compare = (answer: (a: GoValue, b: GoValue) => boolean): GoFunction =>
  new GoFunction(['value', 'value'], answer as never);
const overAny = (make: (args: readonly GoValue[]) => GoValue): GoFunction =>
  new GoFunction([], (...args: GoValue[]) => make(args), 'any');

export const BUILTINS: Functions = {
  and: new GoFunction(['value'], () => undefined, 'value'),
  or: new GoFunction(['value'], () => undefined, 'value'),
  // the executor puts the written name of the function before its arguments
  call: new GoFunction(
    ['value'],
    (callee: GoValue, ...args: GoValue[]) => call(callee, args.slice(1), args[0] as string),
    'value',
  ),
  eq: new GoFunction(['value'], (a: GoValue, ...others: GoValue[]) => equal(a, others), 'value'),
  ne: compare((a, b) => !equal(a, [b])),
  lt: compare(less),
  le: compare((a, b) => less(a, b) || equal(a, [b])),
  gt: compare((a, b) => !(less(a, b) || equal(a, [b]))),
  ge: compare((a, b) => !less(a, b)),
  not: new GoFunction(['value'], (v: GoValue) => !truth(v)),
  len: new GoFunction(['value'], (v: GoValue) => BigInt(lengthOf(v))),
  index: new GoFunction(['value'], (item: GoValue, ...keys: GoValue[]) => index(item, keys), 'value'),
  slice: new GoFunction(['value'], (item: GoValue, ...keys: GoValue[]) => slice(item, keys), 'value'),
  print: overAny(sprint),
  println: overAny(sprintln),
  printf: new GoFunction(['string'], (format: string, ...args: GoValue[]) => sprintf(format, args), 'any'),
  html: overAny((args) => escapeHtml(escaperText(args))),
  js: overAny((args) => escapeJs(escaperText(args))),
  urlquery: overAny((args) => escapeQuery(escaperText(args))),
};
