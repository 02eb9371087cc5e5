/** Variables in queries, titles and links: `$name`, `${name}`, `${name:format}`, `[[name]]`, and the built-in `$__` ones. */
export interface VariableValue {
  readonly values: readonly string[];
  /** What "All" stands for when the dashboard says so; used as it is. */
  readonly allValue?: string;
}
export type Values = Readonly<Record<string, VariableValue>>;

const REGEX_SPECIAL = /[\\^$*+?.()|[\]{}/]/g;
const escapeRegex = (text: string): string => text.replace(REGEX_SPECIAL, '\\$&');
const escapeString = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

/** In PromQL a backslash of a regular expression stands inside a string: it is doubled. */
const promRegex = (values: readonly string[]): string => {
  const parts = values.map((v) => escapeRegex(v).replaceAll('\\', '\\\\'));
  return parts.length === 1 ? parts[0]! : `(${parts.join('|')})`;
};

export function formatVariable(
  value: VariableValue,
  format: string | undefined,
  context: 'promql' | 'text',
  name = '',
): string {
  const { values, allValue } = value;
  if (allValue !== undefined && format !== 'text') return allValue;
  switch (format) {
    case 'regex':
      return values.length === 1 ? escapeRegex(values[0]!) : `(${values.map(escapeRegex).join('|')})`;
    case 'pipe':
      return values.join('|');
    case 'csv':
    case 'raw':
      return values.join(',');
    case 'json':
      return JSON.stringify(values);
    case 'glob':
      return values.length > 1 ? `{${values.join(',')}}` : (values[0] ?? '');
    case 'singlequote':
      return values.map((v) => `'${v.replaceAll("'", "\\'")}'`).join(',');
    case 'doublequote':
      return values.map((v) => `"${escapeString(v)}"`).join(',');
    case 'sqlstring':
      return values.map((v) => `'${v.replaceAll("'", "''")}'`).join(',');
    case 'percentencode':
      return encodeURIComponent(values.length > 1 ? `{${values.join(',')}}` : (values[0] ?? ''));
    case 'queryparam':
      return values.map((v) => `var-${name}=${encodeURIComponent(v)}`).join('&');
    case 'text':
      return values.join(' + ');
    default:
      if (context === 'text') return values.join(' + ');
      return values.length > 1 ? promRegex(values) : escapeString(values[0] ?? '');
  }
}

const PATTERN = /\$(\w+)|\$\{(\w+)(?:\.([^:}]+))?(?::([^}]+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;

/** Unknown names stay as they are: a `$1` of label_replace is not ours. */
export function interpolate(text: string, values: Values, context: 'promql' | 'text' = 'promql'): string {
  return text.replace(
    PATTERN,
    (whole, plain: string, braced: string, field: string, format: string, bracketed: string, format2: string) => {
      const name = plain ?? braced ?? bracketed;
      const value = values[name];
      if (!value) return whole;
      return formatVariable(value, format ?? format2 ?? (field === 'text' ? 'text' : undefined), context, name);
    },
  );
}

const literal = (text: string): VariableValue => ({ values: [text], allValue: text });

export interface BuiltIns {
  readonly interval: string;
  readonly intervalMs: number;
  readonly rateInterval: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly dashboard: string;
  readonly tenant: string;
}
export function builtInValues(b: BuiltIns): Values {
  const rangeS = Math.round((b.endMs - b.startMs) / 1_000);
  return {
    __interval: literal(b.interval),
    interval: literal(b.interval),
    __interval_ms: literal(String(b.intervalMs)),
    __rate_interval: literal(b.rateInterval),
    __range: literal(`${rangeS}s`),
    __range_s: literal(String(rangeS)),
    __range_ms: literal(String(b.endMs - b.startMs)),
    __from: literal(String(b.startMs)),
    __to: literal(String(b.endMs)),
    __dashboard: literal(b.dashboard),
    __org: literal(b.tenant),
    __user: literal(''),
  };
}

export type VariableQuery =
  | { readonly kind: 'label_values'; readonly label: string; readonly match?: string }
  | { readonly kind: 'label_names'; readonly match?: string }
  | { readonly kind: 'metrics'; readonly pattern: string }
  | { readonly kind: 'query_result'; readonly expr: string }
  | { readonly kind: 'series'; readonly match: string };

/** A query variable of a Prometheus data source, in its function form. */
export function variableQuery(text: string): VariableQuery | undefined {
  const t = text.trim();
  const call = /^(\w+)\(([\s\S]*)\)$/.exec(t);
  if (!call) return t === '' ? undefined : { kind: 'series', match: t };
  const argument = call[2]!.trim();
  switch (call[1]) {
    case 'label_values': {
      const m = /^([\s\S]*),\s*([\w.:]+)$/.exec(argument);
      return m
        ? { kind: 'label_values', label: m[2]!, match: m[1]!.trim() }
        : { kind: 'label_values', label: argument };
    }
    case 'label_names':
      return argument ? { kind: 'label_names', match: argument } : { kind: 'label_names' };
    case 'metrics':
      return { kind: 'metrics', pattern: argument };
    case 'query_result':
      return { kind: 'query_result', expr: argument };
    default:
      return { kind: 'series', match: t };
  }
}
