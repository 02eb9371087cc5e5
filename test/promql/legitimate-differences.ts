/** Differences from Prometheus 3.5 that docs/promql-differences.md lists, recognised in generated queries. */
import { type Answer, difference } from './answer.ts';

const INEXACT = /\b(?:a?(?:sin|cos|tan)h?|atan2|exp|ln|log2|log10)\b|\^/;

/** Are the annotations the same but for a part of their text? */
function sameNotes(a: Answer, b: Answer, part: RegExp): boolean {
  const list = (x: Answer): string =>
    JSON.stringify([...new Set([...x.warnings, ...x.infos].map((n) => n.replace(part, '')))].sort());
  return list(a) === list(b);
}

/** Do the buckets of every histogram add up to its count? */
function addsUp(a: Answer): boolean {
  for (const points of a.data.values())
    for (const [, text] of points) {
      const count = /^h count (\S+) /.exec(text);
      if (!count) continue;
      const buckets = [...text.matchAll(/ (\S+)\]/g)].reduce((sum, m) => sum + Number(m[1]), 0);
      if (Math.abs(buckets - Number(count[1])) > 1e-6 * Math.abs(buckets)) return false;
    }
  return true;
}

/** Does each step have the same values, whatever series they are of? */
function sameValues(a: Answer, b: Answer): boolean {
  const list = (x: Answer): string =>
    JSON.stringify([...x.data.values()].flatMap((points) => points.map((p) => p.join(' '))).sort());
  return list(a) === list(b);
}

/** The reason a difference is allowed for; undefined when it is not. */
export function legitimate(query: string, ours: Answer, theirs: Answer): string | undefined {
  if (theirs.error === undefined && ours.error?.includes('many-to-one matching must be explicit'))
    return 'many-to-one matching is checked of filtered pairs too (3.9)';
  if (theirs.error === undefined && ours.error?.includes('identifier "offset"')) return 'a metric called offset';
  if (ours.error === undefined && /\blabel_(?:join|replace)\b/.test(query) && theirs.error?.includes('same labelset'))
    return 'series that follow each other under one label set';
  if (/\binfo\(target_info, \{data/.test(query)) return 'labels that info() finds in place';
  if (/\[[^\]]*:[^\]]*\][^[\]]*@[^[\]]*\[[^\]]*:[^\]]*\]\s*offset/.test(query))
    return 'a subquery with @ within one with an offset';
  if (ours.error === undefined && theirs.error === 'histograms with custom buckets have no zero bucket')
    return 'text of histograms divided by zero';
  if (theirs.error === undefined && /^(?:Parameter|Ratio) value is NaN$/.test(ours.error ?? ''))
    return 'NaN parameters of aggregations (3.6)';
  if (/\boffset\s+-?\([^()]*\)\s*(?:[-+*/%^]|atan2)/.test(query)) return 'operators after an offset in parentheses';
  if (ours.error === undefined && theirs.error === 'unexpected number of samples')
    return 'range vectors fixed by @ in parentheses';
  if (/\btimestamp\((?:[^()]|(?:start|end)\(\))*(?:@.*offset|offset.*@)/.test(query))
    return 'timestamp() of a selector with @ and offset';
  if (ours.error !== undefined || theirs.error !== undefined) return undefined;
  if (/\binfo\(/.test(query)) return 'info() on churning series (3.7)';
  if (ours.warnings.some((w) => w.includes('sort is ineffective'))) return 'warning for sort in ranges (3.12)';
  // only around more than a selector: there 3.5 reads nothing but count and sum, and takes resets and kinds from those
  if (/\bhistogram_(?:count|sum|avg)\((?!\w+(?:\{[^}]*\})?\))/.test(query))
    return 'shortcut of histogram statistics (3.6, 3.12)';
  const values = difference(ours.data, theirs.data);
  if (values === undefined && sameNotes(ours, theirs, / for metric name "[^"]*"/))
    return 'metric names in annotations (3.7)';
  if (
    values === undefined &&
    query.includes('((') &&
    sameNotes(ours, theirs, /(?: for metric name "[^"]*")? \(\d+:\d+\)$/)
  )
    return 'place of annotations of parameters in parentheses';
  if (values?.includes('h count') && !addsUp(theirs) && addsUp(ours)) return 'histograms whose buckets do not add up';
  const gauge = (a: Answer): boolean => a.warnings.some((w) => /is not a (?:counter|gauge)/.test(w));
  if (values === undefined && query.includes('-') && gauge(ours) !== gauge(theirs))
    return 'negative factors make gauge histograms (3.7)';
  if (/\bavg\b/.test(query) && /Inf/.test(query) && values?.includes('h count'))
    return 'averages of infinite histograms';
  if (/\b(?:rate|increase)\(\(/.test(query) && values?.includes('h count'))
    return 'extrapolation of native histograms stops at zero (3.6)';
  if (/\b(?:sin|cos|tan)\(/.test(query) && query.includes('^')) return 'last digits of a power, magnified by an angle';
  if (
    query.includes('count_values') &&
    values?.startsWith('missing') &&
    (INEXACT.test(query) || /histogram_|avg/.test(query))
  )
    return 'last digits that become a label';
  if (query.includes('%') && INEXACT.test(query)) return 'last digits, magnified by a remainder';
  if (/\[[^\]]*:[^\]]*\]/.test(query) && /\b(?:sizes_total|waits_total|backlog|mixed_total)\b/.test(query))
    return 'native histograms in subqueries (3.6)';
  if (/\blimitk\b/.test(query) && /^(?:missing|too much)/.test(values ?? '')) return 'which of the series limitk keeps';
  if (/\b(?:ln|log2|log10)\(/.test(query) && /wanted -709\.08956571/.test(values ?? ''))
    return 'logarithms of denormal numbers';
  if (/\b(?:topk|bottomk)\b/.test(query) && sameValues(ours, theirs)) return 'which of equals topk keeps';
  if (/\b(?:topk|bottomk)\b/.test(query) && difference(ours.data, theirs.data, 1e-6) === undefined)
    return 'order of the series that topk keeps';
  return undefined;
}
