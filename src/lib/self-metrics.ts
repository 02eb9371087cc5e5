/**
 * Vigie's own metrics, in the Prometheus exposition format 0.0.4. Owned rather than imported: counters on the ingest
 * path must cost an array add. Families are registered once by name; asking again returns the same family.
 */
export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Children (label combinations) one family may have; more are folded into one child whose labels are all "_other". */
export const CHILDREN_MAX = 2_000;

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface Counter {
  inc(by?: number): void;
  readonly value: number;
}
export interface Gauge {
  set(value: number): void;
  inc(by?: number): void;
  dec(by?: number): void;
  readonly value: number;
}
export interface Histogram {
  observe(value: number): void;
}
export interface Family<T> {
  labels(...values: readonly string[]): T;
  /** Forgets one child, for example of a deleted tenant. */
  remove(...values: readonly string[]): void;
  clear(): void;
}

interface Child {
  readonly values: readonly string[];
  value: number;
  counts?: Float64Array;
  sum?: number;
}

class FamilyImpl {
  readonly children = new Map<string, Child>();
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labelNames: readonly string[];
  readonly buckets: readonly number[];

  constructor(name: string, help: string, kind: MetricKind, labelNames: readonly string[], buckets: readonly number[]) {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new Error(`BUG: invalid metric name ${name}`);
    this.name = name;
    this.help = help;
    this.kind = kind;
    this.labelNames = labelNames;
    this.buckets = buckets;
  }

  child(values: readonly string[]): Child {
    if (values.length !== this.labelNames.length) {
      throw new Error(`BUG: ${this.name} wants ${this.labelNames.length} label values, got ${values.length}`);
    }
    const key = values.length === 1 ? values[0]! : values.join('\u0000');
    let child = this.children.get(key);
    if (child) return child;
    if (this.children.size >= CHILDREN_MAX && values.length > 0 && values[0] !== '_other') {
      return this.child(values.map(() => '_other'));
    }
    child = { values: [...values], value: 0 };
    if (this.kind === 'histogram') {
      child.counts = new Float64Array(this.buckets.length + 1);
      child.sum = 0;
    }
    this.children.set(key, child);
    return child;
  }
}

export class SelfMetrics {
  readonly #families = new Map<string, FamilyImpl>();
  readonly #collectors: (() => void)[] = [];

  counter(name: string, help: string): Counter;
  counter(name: string, help: string, labelNames: readonly string[]): Family<Counter>;
  counter(name: string, help: string, labelNames?: readonly string[]): Counter | Family<Counter> {
    return this.#make(name, help, 'counter', labelNames, (c) => ({
      inc(by = 1) {
        c.value += by;
      },
      get value() {
        return c.value;
      },
    }));
  }

  gauge(name: string, help: string): Gauge;
  gauge(name: string, help: string, labelNames: readonly string[]): Family<Gauge>;
  gauge(name: string, help: string, labelNames?: readonly string[]): Gauge | Family<Gauge> {
    return this.#make(name, help, 'gauge', labelNames, (c) => ({
      set(value) {
        c.value = value;
      },
      inc(by = 1) {
        c.value += by;
      },
      dec(by = 1) {
        c.value -= by;
      },
      get value() {
        return c.value;
      },
    }));
  }

  histogram(name: string, help: string, options?: { buckets?: readonly number[] }): Histogram;
  histogram(
    name: string,
    help: string,
    options: { buckets?: readonly number[]; labelNames: readonly string[] },
  ): Family<Histogram>;
  histogram(
    name: string,
    help: string,
    options: { buckets?: readonly number[]; labelNames?: readonly string[] } = {},
  ): Histogram | Family<Histogram> {
    const buckets = options.buckets ?? SECONDS_BUCKETS;
    return this.#make(
      name,
      help,
      'histogram',
      options.labelNames,
      (c): Histogram => ({
        observe(value) {
          let i = 0;
          while (i < buckets.length && value > buckets[i]!) i++;
          c.counts![i]!++;
          c.sum! += value;
        },
      }),
      buckets,
    );
  }

  /** Called before each exposition, to set gauges that are read rather than kept. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  #make<T>(
    name: string,
    help: string,
    kind: MetricKind,
    labelNames: readonly string[] | undefined,
    wrap: (child: Child) => T,
    buckets: readonly number[] = [],
  ): T | Family<T> {
    let family = this.#families.get(name);
    if (!family) {
      family = new FamilyImpl(name, help, kind, labelNames ?? [], buckets);
      this.#families.set(name, family);
    } else if (family.kind !== kind || family.labelNames.join() !== (labelNames ?? []).join()) {
      throw new Error(`BUG: metric ${name} registered twice with different shape`);
    }
    const found = family;
    if (!labelNames || labelNames.length === 0) return wrap(found.child([]));
    const wrapped = new Map<Child, T>();
    return {
      labels(...values) {
        const child = found.child(values);
        let w = wrapped.get(child);
        if (!w) wrapped.set(child, (w = wrap(child)));
        return w;
      },
      remove(...values) {
        const key = values.join('\u0000');
        const child = found.children.get(key);
        if (child) {
          found.children.delete(key);
          wrapped.delete(child);
        }
      },
      clear() {
        found.children.clear();
        wrapped.clear();
      },
    };
  }

  /** Everything as exposition text, families sorted by name. */
  expose(): string {
    for (const collect of this.#collectors) collect();
    const out: string[] = [];
    for (const f of [...this.#families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (f.children.size === 0) continue;
      out.push(`# HELP ${f.name} ${f.help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}`, `# TYPE ${f.name} ${f.kind}`);
      for (const c of f.children.values()) {
        if (f.kind !== 'histogram') {
          out.push(`${f.name}${labelText(f.labelNames, c.values)} ${numberText(c.value)}`);
          continue;
        }
        let cumulative = 0;
        for (let i = 0; i <= f.buckets.length; i++) {
          cumulative += c.counts![i]!;
          const le = i < f.buckets.length ? numberText(f.buckets[i]!) : '+Inf';
          out.push(`${f.name}_bucket${labelText([...f.labelNames, 'le'], [...c.values, le])} ${cumulative}`);
        }
        out.push(`${f.name}_sum${labelText(f.labelNames, c.values)} ${numberText(c.sum!)}`);
        out.push(`${f.name}_count${labelText(f.labelNames, c.values)} ${cumulative}`);
      }
    }
    return out.join('\n') + '\n';
  }
}

function numberText(v: number): string {
  if (v === Number.POSITIVE_INFINITY) return '+Inf';
  if (v === Number.NEGATIVE_INFINITY) return '-Inf';
  return Number.isNaN(v) ? 'NaN' : String(v);
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  const parts = names.map(
    (n, i) => `${n}="${values[i]!.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')}"`,
  );
  return `{${parts.join(',')}}`;
}
