/**
 * The names that `enable_features` takes: Prometheus' feature flags that are built here, and those whose matter is always
 * so. Any other is refused by name, for nothing is accepted and ignored in silence.
 */
import { FEATURES } from '../promql/function-table.ts';

/** Switches. */
const BUILT: readonly string[] = [...FEATURES, 'native-histograms', 'extra-scrape-metrics'];

/** On without asking, here or in Prometheus 3 itself: files and command lines that name them go on working. */
const ALWAYS: readonly string[] = [
  'concurrent-rule-eval',
  'exemplar-storage',
  'expand-external-labels',
  'otlp-write-receiver',
  'promql-at-modifier',
  'promql-negative-offset',
  'promql-per-step-stats',
  'remote-write-receiver',
  'utf8-names',
];

const KNOWN: ReadonlySet<string> = new Set([...BUILT, ...ALWAYS]);

/** What is wrong with the name of a feature; undefined when nothing is. */
export function featureProblem(name: string): string | undefined {
  if (KNOWN.has(name)) return undefined;
  return `feature ${JSON.stringify(name.slice(0, 60))} is not built; want one of ${BUILT.join(', ')}, or one that is always on: ${ALWAYS.join(', ')}`;
}
