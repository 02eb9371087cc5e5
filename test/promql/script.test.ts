/** Runs the script cases of test/promql/cases and demands that they reach the whole language. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AGGREGATES, FUNCTIONS } from '../../src/promql/function-table.ts';
import { BINARY_OPERATORS, Coverage, PRODUCTIONS, SAMPLE_TYPES } from './coverage.ts';
import { EngineTarget } from './engine-target.ts';
import { runScript } from './script.ts';

const FOLDER = path.join(import.meta.dirname, 'cases');

describe('PromQL script cases', () => {
  const coverage = new Coverage();
  it.each(readdirSync(FOLDER))('%s', async (file) => {
    const report = await runScript(readFileSync(path.join(FOLDER, file), 'utf8'), new EngineTarget());
    expect(report.problems).toEqual([]);
    expect(report.asked.length).toBeGreaterThan(0);
    for (const a of report.asked) coverage.add(a.query, a.series);
  });

  it('reach every function, operator, modifier and sample type', () => {
    console.log(
      `promql script cases: ${coverage.queries} queries; ${FUNCTIONS.size} functions, ${Object.keys(AGGREGATES).length} aggregations, ${BINARY_OPERATORS.length} operators, ${PRODUCTIONS.length} productions, ${coverage.typed.size} pairs of name and sample type (${SAMPLE_TYPES.join(', ')}); missing: ${coverage.missing().length}`,
    );
    expect(coverage.missing()).toEqual([]);
  });

  it('would notice a wrong expectation', async () => {
    const script = (value: string): string => `load 1m\n  m 1 2\n\neval instant at 1m m\n  m ${value}\n`;
    expect((await runScript(script('2'), new EngineTarget())).problems).toEqual([]);
    for (const wrong of ['3', '2.00000001', '{{count:2 sum:2}}'])
      expect((await runScript(script(wrong), new EngineTarget())).problems).toHaveLength(1);
  });
});
