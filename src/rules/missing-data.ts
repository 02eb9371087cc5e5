/**
 * Tells "the answer is empty" from "there is nothing to answer from": an expression whose needed selectors have no
 * series at all is unknown. absent() and its like ask for absence, and what stands right of `unless` only removes.
 */
import type { Matcher } from '../model/matcher.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import { print } from '../promql/print.ts';
import type { SampleSource, SelectHints } from '../promql/source.ts';

/** Passes selects on and remembers how many series each found; one per evaluation. */
export class CountingSource implements SampleSource {
  readonly #inner: SampleSource;
  readonly #found = new Map<string, number>();

  constructor(inner: SampleSource) {
    this.#inner = inner;
  }

  select(
    matchers: readonly Matcher[],
    range: { readonly startMs: number; readonly endMs: number },
    hints?: SelectHints,
  ): ReturnType<SampleSource['select']> {
    const answer = this.#inner.select(matchers, range, hints);
    const note = (n: number): void => {
      const key = keyOf(matchers);
      this.#found.set(key, Math.max(n, this.#found.get(key) ?? 0));
    };
    if (answer instanceof Promise)
      return answer.then((a) => {
        note(a.length);
        return a;
      });
    note(answer.length);
    return answer;
  }

  has(s: VectorSelector): boolean {
    return (this.#found.get(keyOf(s.matchers)) ?? 0) > 0;
  }
}

const keyOf = (matchers: readonly Matcher[]): string => {
  let key = '';
  for (const m of matchers) key += `${m.name}\u0000${m.op}\u0000${m.value}\u0001`;
  return key;
};

/** The selectors for want of which the expression cannot answer; empty when it can. */
export function missingSelectors(e: Expr, has: (s: VectorSelector) => boolean): readonly string[] {
  const out = new Set<string>();
  return isMissing(e, has, out) ? [...out] : [];
}

function isMissing(e: Expr, has: (s: VectorSelector) => boolean, out: Set<string>): boolean {
  switch (e.kind) {
    case 'selector':
      if (has(e)) return false;
      out.add(print(e));
      return true;
    case 'call':
      if (e.func === 'absent' || e.func === 'absent_over_time' || e.func === 'vector') return false;
      return e.args.map((a) => isMissing(a, has, out)).includes(true);
    case 'binary':
      if (e.op === 'or') {
        const mine = new Set<string>();
        const both = [isMissing(e.left, has, mine), isMissing(e.right, has, mine)];
        if (both.includes(false)) return false;
        for (const m of mine) out.add(m);
        return true;
      }
      if (e.op === 'unless') return isMissing(e.left, has, out);
      return [isMissing(e.left, has, out), isMissing(e.right, has, out)].includes(true);
    default:
      return children(e)
        .map((c) => isMissing(c, has, out))
        .includes(true);
  }
}
