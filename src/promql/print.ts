/** Writes a tree as PromQL: on one line as Prometheus' String(), or indented as its `format_query`. */
import { formatDuration } from '../model/duration.ts';
import { compareUtf8, isClassicLabelName, METRIC_NAME, quote } from '../model/labels.ts';
import {
  type Aggregate,
  type AtModifier,
  type Binary,
  type DurationNode,
  type Expr,
  SET_OPERATORS,
  type VectorSelector,
} from './ast.ts';
import { formatPlain } from './literal.ts';

/** Longer expressions are split over lines by `prettyPrint`. */
export const PRETTY_CHARS_MAX = 100;

export function print(e: Expr): string {
  switch (e.kind) {
    case 'number':
      return e.duration ? signedDuration(e.value * 1000) : formatPlain(e.value);
    case 'string':
      return quote(e.value);
    case 'selector':
      return selectorText(e) + suffix(e);
    case 'matrix':
      return `${selectorText(e.selector)}[${durationText(e.range)}]${e.selector.extended ? ` ${e.selector.extended}` : ''}${timing(e.selector)}`;
    case 'subquery':
      return `${print(e.expr)}${brackets(e)}${timing(e)}`;
    case 'call':
      return `${e.func}(${e.args.map(print).join(', ')})`;
    case 'aggregate':
      return `${aggregateHead(e)}(${e.param ? `${print(e.param)}, ` : ''}${print(e.expr)})`;
    case 'binary':
      return `${print(e.left)} ${operatorText(e)} ${print(e.right)}`;
    case 'unary':
      return `${e.op}${print(e.expr)}`;
    case 'paren':
      return `(${print(e.expr)})`;
  }
}

/** Prometheus' `format_query`: two spaces a level, lines split when longer than 100 characters. */
export function prettyPrint(e: Expr): string {
  return pretty(e, 0);
}

function pretty(e: Expr, level: number): string {
  const pad = '  '.repeat(level);
  const line = print(e);
  const long = line.length > PRETTY_CHARS_MAX;
  // Prometheus leaves a short subquery unindented
  if (!long) return e.kind === 'subquery' ? line : pad + line;
  switch (e.kind) {
    case 'aggregate': {
      const param = e.param ? `${pretty(e.param, level + 1)},\n` : '';
      return `${pad}${aggregateHead(e)}(\n${param}${pretty(e.expr, level + 1)}\n${pad})`;
    }
    case 'binary':
      return `${pretty(e.left, level + 1)}\n${pad}${operatorText(e)}\n${pretty(e.right, level + 1)}`;
    case 'call':
      return `${pad}${e.func}(\n${e.args.map((a) => pretty(a, level + 1)).join(',\n')}\n${pad})`;
    case 'paren':
      return `${pad}(\n${pretty(e.expr, level + 1)}\n${pad})`;
    case 'unary':
      return `${pad}${e.op}${pretty(e.expr, level).trimStart()}`;
    case 'subquery':
      return `${pretty(e.expr, level)}${brackets(e)}${timing(e)}`;
    default:
      return pad + line;
  }
}

function aggregateHead(e: Aggregate): string {
  if (e.without) return `${e.op} without (${e.grouping.map(labelText).join(', ')}) `;
  return e.grouping.length > 0 ? `${e.op} by (${e.grouping.map(labelText).join(', ')}) ` : e.op;
}

/** The operator with its modifiers. */
export function operatorText(e: Binary): string {
  const m = e.matching;
  let out = e.op + (e.bool ? ' bool' : '');
  if (!m) return out;
  const grouped = m.card === 'many-to-one' || m.card === 'one-to-many';
  if (m.labels.length > 0 || m.on || (grouped && !SET_OPERATORS.has(e.op)))
    out += ` ${m.on ? 'on' : 'ignoring'} (${m.labels.map(labelText).join(', ')})`;
  if (grouped)
    out += ` ${m.card === 'many-to-one' ? 'group_left' : 'group_right'} (${m.include.map(labelText).join(', ')})`;
  if (m.fillLeft !== undefined && m.fillLeft === m.fillRight) return `${out} fill (${formatPlain(m.fillLeft)})`;
  if (m.fillLeft !== undefined) out += ` fill_left (${formatPlain(m.fillLeft)})`;
  if (m.fillRight !== undefined) out += ` fill_right (${formatPlain(m.fillRight)})`;
  return out;
}

function selectorText(s: VectorSelector): string {
  const parts: string[] = [];
  for (const m of s.matchers) {
    if (m.name === METRIC_NAME && m.op === '=' && m.value === s.name && m.value !== '') continue;
    parts.push(`${labelText(m.name)}${m.op}${quote(m.value)}`);
  }
  return parts.length > 0 ? `${s.name}{${parts.sort(compareUtf8).join(',')}}` : s.name || '{}';
}

const labelText = (name: string): string => (isClassicLabelName(name) ? name : quote(name));
const suffix = (s: VectorSelector): string => (s.extended ? ` ${s.extended}` : '') + timing(s);

function timing(t: { readonly offset?: DurationNode; readonly at?: AtModifier }): string {
  let out = '';
  if (t.at) out += t.at.kind === 'time' ? ` @ ${(t.at.ms / 1000).toFixed(3)}` : ` @ ${t.at.kind}()`;
  if (t.offset && !(t.offset.kind === 'number' && t.offset.seconds === 0)) out += ` offset ${durationText(t.offset)}`;
  return out;
}

function brackets(e: { readonly range: DurationNode; readonly step?: DurationNode }): string {
  return `[${durationText(e.range)}:${e.step ? durationText(e.step) : ''}]`;
}

export function durationText(d: DurationNode): string {
  switch (d.kind) {
    case 'number':
      return signedDuration(d.seconds * 1000);
    case 'step':
    case 'range':
      return `${d.kind}()`;
    case 'paren':
      return `(${durationText(d.inner)})`;
    case 'unary':
      return `${d.op === '-' ? '-' : ''}${durationText(d.inner)}`;
    case 'binary':
      return d.op === 'min_of' || d.op === 'max_of'
        ? `${d.op}(${durationText(d.left)}, ${durationText(d.right)})`
        : `${durationText(d.left)} ${d.op} ${durationText(d.right)}`;
  }
}

const signedDuration = (ms: number): string => (ms < 0 ? '-' : '') + formatDuration(Math.abs(Math.round(ms)));
