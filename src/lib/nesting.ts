/**
 * Guards against text that nests or repeats itself without end: JSON and YAML parsers build such values, and whatever
 * walks them afterwards by recursion would run out of stack. It parses nothing itself.
 */
import { VigieError } from './errors.ts';

/** Levels that a value of a client may nest; dashboards, the deepest known, have under 30. */
export const NESTING_LEVELS_MAX = 200;

/** True when lists and objects of `value` nest deeper than `levels`. Does not recurse; shared parts count once a level. */
export function nestsDeeperThan(value: unknown, levels: number): boolean {
  let row = new Set<object>();
  if (typeof value === 'object' && value !== null) row.add(value);
  for (let level = 1; row.size > 0; level++) {
    if (level > levels) return true;
    const next = new Set<object>();
    for (const item of row)
      for (const v of Array.isArray(item) ? item : Object.values(item))
        if (typeof v === 'object' && v !== null) next.add(v as object);
    row = next;
  }
  return false;
}

/** Throws `bad_data` when `value` nests deeper than `NESTING_LEVELS_MAX`. */
export function checkNesting(value: unknown, what: string): void {
  if (nestsDeeperThan(value, NESTING_LEVELS_MAX))
    throw new VigieError('bad_data', `${what}: nested too deeply; want at most ${NESTING_LEVELS_MAX} levels`);
}

/** What was wrong with YAML, in words of our own where the library only tells of its stack or its aliases. */
export function yamlProblem(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
  if (text.startsWith('Maximum call stack')) return 'lists or mappings are nested too deeply';
  if (text.startsWith('Excessive alias count'))
    return 'its aliases expand to more than is allowed (Excessive alias count)';
  return text;
}

interface YamlDocument {
  toJS(options: { maxAliasCount: number }): unknown;
}

/** The plain value of a parsed document. Throws `bad_data` for aliases without end and for nesting without end. */
export function yamlValue(document: YamlDocument, aliasesMax: number): unknown {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: aliasesMax });
  } catch (cause) {
    throw new VigieError('bad_data', `the YAML cannot be read: ${yamlProblem(cause)}`, { cause });
  }
  checkNesting(value, 'the YAML');
  return value;
}
