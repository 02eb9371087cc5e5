/** Finds out which samples a query can touch, and reads them: one select per distinct selector and time range. */
import type { SeriesColumns } from '../model/sample.ts';
import type { AtModifier, Expr, VectorSelector } from './ast.ts';
import { durationMs, positiveMs, type Shared } from './context.ts';
import type { SampleSource, SelectHints } from './source.ts';

interface Wanted {
  readonly selector: VectorSelector;
  readonly startMs: number;
  readonly endMs: number;
  readonly rangeMs: number;
  readonly func: string | undefined;
  /** An instant selector read at one time. */
  readonly lastOnly?: boolean;
}

/** First step of a subquery after `edgeMs`, on the grid of its step. */
export function alignedStart(edgeMs: number, stepMs: number): number {
  const aligned = Math.trunc(edgeMs / stepMs) * stepMs;
  return aligned <= edgeMs ? aligned + stepMs : aligned;
}

export function atTime(at: AtModifier | undefined, s: Pick<Shared, 'queryStartMs' | 'queryEndMs'>): number | undefined {
  if (!at) return undefined;
  return at.kind === 'time' ? at.ms : at.kind === 'start' ? s.queryStartMs : s.queryEndMs;
}

export async function populate(
  root: Expr,
  startMs: number,
  endMs: number,
  shared: Shared,
  source: SampleSource,
  signal: AbortSignal | undefined,
): Promise<void> {
  const wanted: Wanted[] = [];
  collect(root, startMs, endMs, shared, undefined, wanted);
  const done = new Map<string, readonly SeriesColumns[]>();
  for (const w of wanted) {
    // most queries have one selector: nothing to share, no key to build
    const key =
      wanted.length === 1
        ? ''
        : JSON.stringify([
            w.selector.matchers.map((m) => [m.name, m.op, m.value]),
            w.startMs,
            w.endMs,
            w.lastOnly === true,
          ]);
    let found = done.get(key);
    if (!found) {
      const hints: SelectHints = {
        stepMs: shared.queryStepMs,
        rangeMs: w.rangeMs,
        ...(w.func !== undefined && { func: w.func }),
        ...(w.lastOnly && { lastOnly: true }),
        ...(signal && { signal }),
        warn: (m) => shared.notes.plain(m),
      };
      const answer = source.select(w.selector.matchers, { startMs: w.startMs, endMs: w.endMs }, hints);
      found = answer instanceof Promise ? await answer : answer;
      shared.meter.addSeries(found.length);
      shared.meter.look();
      done.set(key, found);
    }
    shared.data.set(w.selector, found);
  }
}

function collect(e: Expr, startMs: number, endMs: number, s: Shared, func: string | undefined, out: Wanted[]): void {
  const go = (x: Expr, f?: string): void => collect(x, startMs, endMs, s, f ?? func, out);
  switch (e.kind) {
    case 'number':
    case 'string':
      return;
    case 'selector':
      want(e, 0);
      return;
    case 'matrix':
      want(e.selector, positiveMs(e.range, s));
      return;
    case 'subquery': {
      const rangeMs = positiveMs(e.range, s);
      const stepMs = e.step ? positiveMs(e.step, s) : s.defaultStepMs;
      const at = atTime(e.at, s);
      const offset = durationMs(e.offset, s);
      collect(
        e.expr,
        alignedStart((at ?? startMs) - offset - rangeMs, stepMs),
        (at ?? endMs) - offset,
        s,
        undefined,
        out,
      );
      return;
    }
    case 'call':
      if (e.func === 'info') {
        go(e.args[0]!, 'info');
        const data = e.args[1];
        const matchers = data?.kind === 'selector' ? data.matchers : [];
        const named = matchers.some((m) => m.name === '__name__');
        const selector: VectorSelector = {
          kind: 'selector',
          name: '',
          matchers: named
            ? matchers.filter((m) => m.name === '__name__')
            : [{ name: '__name__', op: '=', value: 'target_info' }],
          pos: e.pos,
        };
        out.push({ selector, startMs: startMs - s.lookbackMs + 1, endMs, rangeMs: 0, func: 'info' });
        s.infoData.set(e, []);
        infoSelectors.set(e, selector);
        return;
      }
      for (const a of e.args) go(a, e.func);
      return;
    case 'aggregate':
      if (e.param) go(e.param);
      go(e.expr, e.op);
      return;
    case 'binary':
      go(e.left);
      go(e.right);
      return;
    case 'unary':
    case 'paren':
      go(e.expr);
      return;
  }
  function want(selector: VectorSelector, rangeMs: number): void {
    const at = atTime(selector.at, s);
    const offset = durationMs(selector.offset, s);
    const back = (rangeMs > 0 ? rangeMs : s.lookbackMs) + (selector.extended ? s.lookbackMs : 0);
    const ahead = selector.extended === 'smoothed' ? s.lookbackMs : 0;
    out.push({
      selector,
      startMs: (at ?? startMs) - offset - back + (selector.extended ? 0 : 1),
      endMs: (at ?? endMs) - offset + ahead,
      rangeMs,
      func,
      lastOnly: rangeMs === 0 && !selector.extended && (at !== undefined || startMs === endMs),
    });
  }
}

/** The selector of the info series each info() call reads. */
export const infoSelectors = new WeakMap<Expr, VectorSelector>();
