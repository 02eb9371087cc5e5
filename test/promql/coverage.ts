/** What a set of queries reaches of the language: read from the parsed trees and the samples their selectors see. */
import type { SeriesColumns } from '../../src/model/sample.ts';
import { children, type DurationNode, type Expr, type VectorSelector } from '../../src/promql/ast.ts';
import { AGGREGATES, FUNCTIONS } from '../../src/promql/function-table.ts';
import { isCustom } from '../../src/promql/native-histogram.ts';
import { parse } from '../../src/promql/parse.ts';
import { SCRIPT_FEATURES } from './engine-target.ts';
import { compileRegex, MemorySource } from './memory-source.ts';

export const SAMPLE_TYPES = ['float', 'exponential', 'custom', 'mixed'] as const;
export type SampleType = (typeof SAMPLE_TYPES)[number];

export const BINARY_OPERATORS = [
  ...['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '>', '<', '>=', '<=', '</', '>/', 'and', 'or', 'unless'],
] as const;

/** Productions of the grammar beyond functions, aggregations and operators. */
export const PRODUCTIONS = [
  ...['number', 'number duration', 'string', 'selector', 'selector name quoted', 'selector without name'],
  ...['matcher =', 'matcher !=', 'matcher =~', 'matcher !~', 'matcher label quoted'],
  ...['matrix', 'subquery', 'subquery step', 'paren', 'unary +', 'unary -', 'bool'],
  ...['offset', 'offset negative', '@ time', '@ start', '@ end', '@ and offset', 'subquery offset', 'subquery @'],
  ...['on', 'ignoring', 'group_left', 'group_right', 'group_left include', 'group_right include'],
  ...['fill', 'fill_left', 'fill_right', 'anchored', 'smoothed', 'by', 'without', 'aggregate plain'],
  ...['duration +', 'duration -', 'duration *', 'duration /', 'duration %', 'duration ^', 'duration unary -'],
  ...['duration step()', 'duration range()', 'duration paren', 'duration min_of', 'duration max_of'],
] as const;
export type Production = (typeof PRODUCTIONS)[number];

export function typeOfSeries(s: SeriesColumns): SampleType {
  const histograms = (s.histograms ?? []).slice(0, s.length);
  const some = histograms.filter((h) => h !== undefined);
  if (some.length === 0) return 'float';
  const customs = some.filter((h) => isCustom(h)).length;
  if (some.length < s.length || (customs > 0 && customs < some.length)) return 'mixed';
  return customs > 0 ? 'custom' : 'exponential';
}

export class Coverage {
  readonly productions = new Set<Production>();
  /** `name/type` of functions, aggregations and operators with the sample types that reached them. */
  readonly typed = new Set<string>();
  readonly names = new Set<string>();
  queries = 0;

  add(query: string, series: readonly SeriesColumns[]): void {
    let e: Expr;
    try {
      e = parse(query, { compileRegex, features: SCRIPT_FEATURES });
    } catch {
      return; // cases that test refusals
    }
    this.queries++;
    const source = new MemorySource();
    for (const s of series) source.set(s);
    this.#walk(e, source);
  }

  #types(e: Expr, source: MemorySource): Set<SampleType> {
    if (e.kind === 'selector')
      return new Set(source.select(e.matchers, { startMs: -1e15, endMs: 1e15 }).map(typeOfSeries));
    return new Set(children(e).flatMap((c) => [...this.#types(c, source)]));
  }

  #name(name: string, e: Expr, source: MemorySource): void {
    this.names.add(name);
    for (const t of this.#types(e, source)) this.typed.add(`${name}/${t}`);
  }

  #duration(d: DurationNode | undefined): void {
    if (!d) return;
    switch (d.kind) {
      case 'number':
        return;
      case 'step':
      case 'range':
        this.productions.add(`duration ${d.kind}()`);
        return;
      case 'paren':
        this.productions.add('duration paren');
        this.#duration(d.inner);
        return;
      case 'unary':
        if (d.op === '-') this.productions.add('duration unary -');
        this.#duration(d.inner);
        return;
      case 'binary':
        this.productions.add(`duration ${d.op}`);
        this.#duration(d.left);
        this.#duration(d.right);
    }
  }

  #timed(e: Pick<VectorSelector, 'offset' | 'at'>): void {
    const p = this.productions;
    if (e.offset) {
      const negative =
        (e.offset.kind === 'number' && e.offset.seconds < 0) || (e.offset.kind === 'unary' && e.offset.op === '-');
      p.add(negative ? 'offset negative' : 'offset');
    }
    if (e.at) p.add(`@ ${e.at.kind}`);
    if (e.at && e.offset) p.add('@ and offset');
    this.#duration(e.offset);
  }

  #walk(e: Expr, source: MemorySource): void {
    const p = this.productions;
    switch (e.kind) {
      case 'number':
        p.add(e.duration ? 'number duration' : 'number');
        break;
      case 'string':
        p.add('string');
        break;
      case 'paren':
        p.add('paren');
        break;
      case 'unary':
        p.add(`unary ${e.op}`);
        this.#name(`unary ${e.op}`, e, source);
        break;
      case 'selector':
        p.add('selector');
        if (e.name === '') p.add('selector without name');
        if (e.matchers.some((m) => m.name === '__name__' && m.op === '=' && m.value !== e.name && /\W/.test(m.value)))
          p.add('selector name quoted');
        for (const m of e.matchers) {
          p.add(`matcher ${m.op}`);
          if (!/^\w+$/.test(m.name)) p.add('matcher label quoted');
        }
        if (e.extended) p.add(e.extended);
        this.#timed(e);
        break;
      case 'matrix':
        p.add('matrix');
        this.#duration(e.range);
        break;
      case 'subquery':
        p.add(e.step ? 'subquery step' : 'subquery');
        if (e.offset) p.add('subquery offset');
        if (e.at) p.add('subquery @');
        this.#duration(e.range);
        this.#duration(e.step);
        this.#timed(e);
        break;
      case 'call':
        this.#name(e.func, e, source);
        break;
      case 'aggregate':
        this.#name(e.op, e, source);
        p.add(e.without ? 'without' : e.grouping.length > 0 ? 'by' : 'aggregate plain');
        break;
      case 'binary': {
        this.#name(e.op, e, source);
        const m = e.matching;
        if (e.bool) p.add('bool');
        if (!m?.explicit) break;
        p.add(m.on ? 'on' : 'ignoring');
        const group = m.card === 'many-to-one' ? 'group_left' : m.card === 'one-to-many' ? 'group_right' : undefined;
        if (group) p.add(m.include.length > 0 ? `${group} include` : group);
        if (m.fillLeft !== undefined && m.fillRight !== undefined) p.add('fill');
        else if (m.fillLeft !== undefined) p.add('fill_left');
        else if (m.fillRight !== undefined) p.add('fill_right');
        break;
      }
    }
    for (const c of children(e)) this.#walk(c, source);
  }

  missing(): readonly string[] {
    const takesSamples = [...FUNCTIONS.values()].filter((f) => f.args.some((a) => a === 'vector' || a === 'matrix'));
    const out: string[] = [];
    for (const f of FUNCTIONS.keys()) if (!this.names.has(f)) out.push(`${f}()`);
    for (const a of Object.keys(AGGREGATES)) if (!this.names.has(a)) out.push(a);
    for (const b of BINARY_OPERATORS) if (!this.names.has(b)) out.push(`operator ${b}`);
    const typed = [...takesSamples.map((f) => f.name), ...Object.keys(AGGREGATES), ...BINARY_OPERATORS, 'unary -'];
    for (const name of typed)
      for (const t of SAMPLE_TYPES)
        if (this.names.has(name) && !this.typed.has(`${name}/${t}`)) out.push(`${name} of ${t}`);
    for (const p of PRODUCTIONS) if (!this.productions.has(p)) out.push(p);
    return out;
  }
}
