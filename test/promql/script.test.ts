/** Runs the script cases of test/promql/cases and prints which functions they reach. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { QueryEngine } from '../../src/promql/engine.ts';
import { FEATURES, type Feature, FUNCTIONS } from '../../src/promql/function-table.ts';
import { compileRegex, MemorySource } from './memory-source.ts';
import { runScript } from './script.ts';

const FOLDER = path.join(import.meta.dirname, 'cases');
const features = new Set<Feature>(FEATURES.filter((f) => f !== 'promql-delayed-name-removal'));

describe('PromQL script cases', () => {
  const queries: string[] = [];
  it.each(readdirSync(FOLDER))('%s', async (file) => {
    const engine = new QueryEngine({ compileRegex, monotonicMs: () => 0, features });
    const found = await runScript(readFileSync(path.join(FOLDER, file), 'utf8'), engine, new MemorySource());
    expect(found.length).toBeGreaterThan(0);
    queries.push(...found);
  });

  it('says which functions no case calls', () => {
    const text = queries.join('\n');
    const missing = [...FUNCTIONS.keys()].filter((f) => !new RegExp(`\\b${f}\\(`).test(text));
    console.log(
      `promql script cases: ${queries.length} queries, ${FUNCTIONS.size - missing.length} of ${FUNCTIONS.size} functions; not called: ${missing.join(' ')}`,
    );
  });
});
