/** Matchers as the text of a selector, quoted so that no value can end it. */
import { isClassicLabelName, quote } from '../../../model/labels.ts';
import type { Matcher } from '../../../model/matcher.ts';

const NAMED: Matcher = { name: '__name__', op: '!=', value: '' };

/** `{a="b",c=~"d"}`; Prometheus wants one matcher that no empty value satisfies. */
export function selectorText(matchers: readonly Matcher[]): string {
  const all = matchers.some((m) => m.op === '=' && m.value !== '') ? matchers : [...matchers, NAMED];
  return `{${all.map((m) => `${isClassicLabelName(m.name) ? m.name : quote(m.name)}${m.op}${quote(m.value)}`).join(',')}}`;
}
