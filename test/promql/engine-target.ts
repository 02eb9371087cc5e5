/** Runs scripts against this engine over an in-memory source. */
import type { SeriesColumns } from '../../src/model/sample.ts';
import { QueryEngine } from '../../src/promql/engine.ts';
import { FEATURES, type Feature } from '../../src/promql/function-table.ts';
import { type Answer, answerOurs } from './answer.ts';
import { compileRegex, MemorySource } from './memory-source.ts';
import type { ScriptRange, ScriptTarget } from './script.ts';

/** Everything but what changes ordinary answers. */
export const SCRIPT_FEATURES: ReadonlySet<Feature> = new Set<Feature>(
  FEATURES.filter((f) => f !== 'promql-delayed-name-removal'),
);

export class EngineTarget implements ScriptTarget {
  readonly source = new MemorySource();
  readonly engine: QueryEngine;

  constructor(features: ReadonlySet<Feature> = SCRIPT_FEATURES) {
    this.engine = new QueryEngine({ compileRegex, monotonicMs: () => 0, features });
  }

  knows(): boolean {
    return true;
  }

  async clear(): Promise<void> {
    this.source.series.clear();
  }

  async load(series: readonly SeriesColumns[]): Promise<void> {
    for (const s of series) this.source.set(s);
  }

  instant(query: string, timeMs: number): Promise<Answer> {
    return answerOurs(() => this.engine.instant(this.source, query, timeMs));
  }

  range(query: string, range: ScriptRange): Promise<Answer> {
    return answerOurs(() => this.engine.range(this.source, query, range));
  }
}
