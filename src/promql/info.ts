/** info(): adds the data labels of info series (by default target_info) that share job and instance with a series. */
import { VigieError } from '../lib/errors.ts';
import { type Labels, METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Call } from './ast.ts';
import { ABSENT, mergedRows, type Row } from './block.ts';
import type { Context, Sliced } from './context.ts';
import { infoSelectors } from './populate.ts';
import { instantRows } from './select.ts';

/** Labels that identify what an info series describes. */
const IDENTIFYING = ['instance', 'job'];
const TARGET_INFO = 'target_info';

export function* infoJoin(c: Context, e: Call, rows: readonly Row[]): Sliced<Row[]> {
  const selector = infoSelectors.get(e)!;
  const data = e.args[1]?.kind === 'selector' ? e.args[1].matchers.filter((m) => m.name !== METRIC_NAME) : [];
  const wanted = new Map<string, Matcher[]>();
  for (const m of data) wanted.set(m.name, [...(wanted.get(m.name) ?? []), m]);
  const test = (m: Matcher, value: string): boolean => {
    if (m.op === '=') return value === m.value;
    if (m.op === '!=') return value !== m.value;
    return c.compileRegex(m.value).matches(value) === (m.op === '=~');
  };
  // what is read of an info series is the time of its sample: of two that identify the same, the newer one counts
  const infos = (yield* instantRows(c, selector, true)).filter((r) => data.every((m) => test(m, r.labels.get(m.name))));
  const byIdentity = new Map<string, Row[]>();
  for (const r of infos) {
    const key = IDENTIFYING.map((n) => r.labels.get(n)).join('\u0000');
    byIdentity.set(key, [...(byIdentity.get(key) ?? []), r]);
  }
  // series that the call itself takes for info series are not joined; a selector without a name takes none for such
  const selected =
    e.args[1]?.kind === 'selector' ? e.args[1].matchers.filter((m) => m.name === METRIC_NAME) : undefined;
  const isInfo = (name: string): boolean =>
    selected ? selected.length > 0 && selected.every((m) => test(m, name)) : name === TARGET_INFO;
  const mustMatch = data.some((m) => !test(m, ''));
  const out: Row[] = [];
  for (const row of rows) {
    if (c.meter.due(c.n)) yield;
    if (isInfo(row.labels.metricName)) {
      out.push(row);
      continue;
    }
    const matches = byIdentity.get(IDENTIFYING.map((n) => row.labels.get(n)).join('\u0000')) ?? [];
    const parts = new Map<string, { labels: Labels; present: Uint8Array }>();
    for (let i = 0; i < c.n; i++) {
      if (row.present[i] === ABSENT) continue;
      let labels = row.labels;
      const newest = new Map<string, Row>();
      for (const m of matches) {
        if (m.present[i] === ABSENT) continue;
        const other = newest.get(m.labels.metricName);
        if (other && other.values[i] === m.values[i]) {
          const at = Math.round(m.values[i]! * 1000);
          throw new VigieError(
            'execution',
            `found duplicate series for info metric: existing ${other.labels.toString()} @ ${at}, new ${m.labels.toString()} @ ${at}`,
          );
        }
        if (!other || other.values[i]! < m.values[i]!) newest.set(m.labels.metricName, m);
      }
      for (const m of newest.values())
        for (const [n, v] of m.labels.entries()) {
          if (n === METRIC_NAME || IDENTIFYING.includes(n) || (wanted.size > 0 && !wanted.has(n)) || row.labels.has(n))
            continue;
          // two info metrics that say different things of one target
          if (labels.has(n) && labels.get(n) !== v) throw new VigieError('execution', `conflicting label: ${n}`);
          labels = labels.with(n, v);
        }
      if (newest.size === 0 && mustMatch) continue;
      let part = parts.get(labels.key);
      if (!part) parts.set(labels.key, (part = { labels, present: new Uint8Array(c.n) }));
      part.present[i] = row.present[i]!;
    }
    for (const part of parts.values()) out.push({ ...row, labels: part.labels, present: part.present });
  }
  return yield* mergedRows(() => c.meter.due(c.n), out);
}
