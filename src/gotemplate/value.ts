/**
 * Go values as templates see them. JavaScript's own types stand for Go's basic ones: string, boolean -> bool, bigint ->
 * int, number -> float64, undefined -> nil. Composite values carry the name of their Go type, because %T, %#v, error
 * texts and missing map keys depend on it. Not here: pointers, channels, complex numbers.
 */

export type GoValue =
  | undefined
  | string
  | boolean
  | bigint
  | number
  | GoSlice
  | GoMap
  | GoStruct
  | GoScalar
  | GoFunction;

/**
 * `any`: interface{}; `value`: reflect.Value, so nil is fine. All others are the name of a Go type, such as `string`,
 * `int`, `float64`, `bool`, `[]string`, `time.Time`.
 */
export type ParamType = string;

/** A function or bound method. Whatever `call` throws becomes "error calling NAME: message". */
export class GoFunction {
  readonly kind = 'func';
  readonly params: readonly ParamType[];
  /** Type of the trailing `...T`, if any. */
  readonly variadic: ParamType | undefined;
  readonly call: (...args: never[]) => GoValue;
  /** Steps that a call counts for, beside those for the size of what it handles. */
  readonly cost: number;

  constructor(params: readonly ParamType[], call: (...args: never[]) => GoValue, variadic?: ParamType, cost = 1) {
    this.cost = cost;
    this.params = params;
    this.variadic = variadic;
    this.call = call;
  }

  get goType(): string {
    const show = (p: ParamType): string => (p === 'any' ? 'interface {}' : p === 'value' ? 'reflect.Value' : p);
    const list = [...this.params.map(show), ...(this.variadic ? [`...${show(this.variadic)}`] : [])];
    return `func(${list.join(', ')}) interface {}`;
  }
}

export type Functions = Readonly<Record<string, GoFunction>>;

/** Methods by name, each made for its receiver when it is called. */
export type Methods<T> = Readonly<Record<string, (self: T) => GoFunction>>;

interface NamedOptions<T> {
  readonly goType?: string;
  readonly methods?: Methods<T>;
  /** Go's String() or Error(). */
  readonly text?: (self: T) => string;
}

/** A slice or array. `goType` may be a named type (`template.Alerts`), `underlying` is then `[]template.Alert`. */
export class GoSlice {
  readonly kind = 'slice';
  readonly items: readonly GoValue[];
  /** Differs from an empty slice only for `eq` with nil and in JSON. */
  readonly isNil: boolean;
  readonly goType: string;
  readonly underlying: string;
  readonly methods: Methods<GoSlice> | undefined;
  readonly text: ((self: GoSlice) => string) | undefined;

  constructor(
    items: readonly GoValue[],
    elemType = 'interface {}',
    options: NamedOptions<GoSlice> & { readonly isNil?: boolean } = {},
  ) {
    this.items = items;
    this.underlying = `[]${elemType}`;
    this.isNil = options.isNil ?? false;
    this.goType = options.goType ?? this.underlying;
    this.methods = options.methods;
    this.text = options.text;
  }

  get elemType(): string {
    return this.underlying.slice(2);
  }

  /** The same type over other elements, as slicing gives. */
  slice(from: number, to: number): GoSlice {
    return new GoSlice(this.items.slice(from, to), this.elemType, {
      goType: this.goType,
      ...(this.methods ? { methods: this.methods } : {}),
      ...(this.text ? { text: this.text } : {}),
    });
  }
}

export type GoKey = string | bigint | number | boolean;

/** A map; an absent key gives the zero value of `elemType`. */
export class GoMap {
  readonly kind = 'map';
  readonly entries: ReadonlyMap<GoKey, GoValue>;
  readonly isNil: boolean;
  readonly keyType: string;
  readonly elemType: string;
  readonly goType: string;
  readonly underlying: string;
  readonly methods: Methods<GoMap> | undefined;
  readonly text: ((self: GoMap) => string) | undefined;

  constructor(
    entries: ReadonlyMap<GoKey, GoValue>,
    elemType = 'interface {}',
    options: NamedOptions<GoMap> & { readonly keyType?: string; readonly isNil?: boolean } = {},
  ) {
    this.entries = entries;
    this.isNil = options.isNil ?? false;
    this.elemType = elemType;
    this.keyType = options.keyType ?? 'string';
    this.underlying = `map[${this.keyType}]${elemType}`;
    this.goType = options.goType ?? this.underlying;
    this.methods = options.methods;
    this.text = options.text;
  }

  /** Entries in the order in which Go prints and ranges over maps: by key. */
  sorted(): readonly (readonly [GoKey, GoValue])[] {
    return [...this.entries].sort(([a], [b]) => compareKeys(a, b));
  }
}

/** A struct. Exported fields only; `fields` keeps their order for printing. */
export class GoStruct {
  readonly kind = 'struct';
  readonly goType: string;
  readonly fields: ReadonlyMap<string, GoValue>;
  readonly methods: Methods<GoStruct> | undefined;
  readonly text: ((self: GoStruct) => string) | undefined;
  /** What the struct stands for, for methods (a time, for instance). */
  readonly host: unknown;
  /** Names of the fields in JSON where they differ. */
  readonly jsonNames: Readonly<Record<string, string>>;

  constructor(
    goType: string,
    fields: ReadonlyMap<string, GoValue> | Readonly<Record<string, GoValue>>,
    options: Omit<NamedOptions<GoStruct>, 'goType'> & {
      readonly host?: unknown;
      readonly jsonNames?: Readonly<Record<string, string>>;
    } = {},
  ) {
    this.goType = goType;
    this.fields = fields instanceof Map ? fields : new Map(Object.entries(fields));
    this.methods = options.methods;
    this.text = options.text;
    this.host = options.host;
    this.jsonNames = options.jsonNames ?? {};
  }
}

/** A named type over a basic one: template.HTML, time.Duration, time.Month. */
export class GoScalar {
  readonly kind = 'scalar';
  readonly goType: string;
  readonly value: string | bigint | number | boolean;
  readonly methods: Methods<GoScalar> | undefined;
  readonly text: ((self: GoScalar) => string) | undefined;

  constructor(
    goType: string,
    value: string | bigint | number | boolean,
    options: Omit<NamedOptions<GoScalar>, 'goType'> = {},
  ) {
    this.goType = goType;
    this.value = value;
    this.methods = options.methods;
    this.text = options.text;
  }
}

/** map[string]string over any pairs. */
export function stringMap(pairs: Iterable<readonly [string, string]>): GoMap {
  return new GoMap(new Map<GoKey, GoValue>(pairs), 'string');
}

export function stringSlice(items: readonly string[]): GoSlice {
  return new GoSlice(items, 'string');
}

/** Plain JSON as Go decodes it into interface{}: every number a float64. */
export function fromJson(value: unknown): GoValue {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (Array.isArray(value)) return new GoSlice(value.map(fromJson));
  return new GoMap(new Map<GoKey, GoValue>(Object.entries(value as object).map(([k, v]) => [k, fromJson(v)])));
}

/** The value without its name: a named string is a string. */
export function basicOf(v: GoValue): GoValue {
  return v instanceof GoScalar ? v.value : v;
}

/** The name of the Go type, as %T prints it. */
export function typeName(v: GoValue): string {
  switch (typeof v) {
    case 'undefined':
      return '<nil>';
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float64';
    default:
      return v.goType;
  }
}

/** The zero value of a type that a map's element may have. */
export function zeroOf(type: string): GoValue {
  if (type === 'string') return '';
  if (type === 'bool') return false;
  if (/^u?int\d*$/.test(type)) return 0n;
  if (/^float\d+$/.test(type)) return 0;
  return undefined;
}

/** Truth as `if` sees it: false for nil, zero, empty. A struct is always true. */
export function truth(v: GoValue): boolean {
  const b = basicOf(v);
  switch (typeof b) {
    case 'undefined':
      return false;
    case 'string':
      return b !== '';
    case 'boolean':
      return b;
    case 'bigint':
      return b !== 0n;
    case 'number':
      return b !== 0;
    default:
      if (b instanceof GoSlice) return b.items.length > 0;
      if (b instanceof GoMap) return b.entries.size > 0;
      return true;
  }
}

/** Byte order, as Go compares strings. */
export function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

function compareKeys(a: GoKey, b: GoKey): number {
  if (typeof a === 'string' && typeof b === 'string') return compareBytes(a, b);
  if (typeof a === 'number' && Number.isNaN(a)) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}
