/** Checks the labels of a series as Prometheus' receiver does: sorted here, unique, named, with a metric name. */
import { VigieError } from '../../lib/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';

/** Canonical labels from `[name, value, ...]` in any order. Throws `bad_data` naming the series. */
export function checkedLabels(flat: readonly string[]): Labels {
  const pairs: [string, string][] = [];
  const seen = new Set<string>();
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    if (name === '') throw new VigieError('bad_data', `${describe(flat)}: a label name is empty`);
    if (seen.has(name))
      throw new VigieError('bad_data', `${describe(flat)}: label ${JSON.stringify(name)} occurs twice`);
    seen.add(name);
    pairs.push([name, flat[i + 1]!]);
  }
  const labels = Labels.fromPairs(pairs);
  if (labels.get(METRIC_NAME) === '')
    throw new VigieError('bad_data', `${describe(flat)}: the label __name__ is missing`);
  return labels;
}

function describe(flat: readonly string[]): string {
  const text: string[] = [];
  for (let i = 0; i < flat.length && i < 20; i += 2) text.push(`${flat[i]}=${JSON.stringify(flat[i + 1])}`);
  return `series {${text.join(', ').slice(0, 300)}}`;
}
