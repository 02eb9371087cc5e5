/**
 * Expressions from dashboards, in RE2 syntax and linear time: an imported dashboard must not be able to stop the page.
 * What RE2 does not have (lookahead, back references) is refused: `undefined`.
 */
import { RE2JS } from 're2js';

export interface SafeRegex {
  test(text: string): boolean;
  /** The group `value`, else the first group, else the whole match; undefined without a match. */
  pick(text: string): string | undefined;
  replace(text: string, replacement: string): string;
}

/** `/pattern/flags`, or a bare pattern. */
export function safeRegex(text: string): SafeRegex | undefined {
  const m = /^\/([\s\S]*)\/([gimsu]*)$/.exec(text);
  let flags = 0;
  if (m?.[2]?.includes('i')) flags |= RE2JS.CASE_INSENSITIVE;
  if (m?.[2]?.includes('m')) flags |= RE2JS.MULTILINE;
  if (m?.[2]?.includes('s')) flags |= RE2JS.DOTALL;
  let compiled: ReturnType<typeof RE2JS.compile>;
  try {
    compiled = RE2JS.compile((m ? m[1]! : text).replaceAll('(?<', '(?P<').replaceAll('(?PP<', '(?P<'), flags);
  } catch {
    return undefined;
  }
  return {
    test: (value) => compiled.matcher(value).find(),
    pick: (value) => {
      const matcher = compiled.matcher(value);
      if (!matcher.find()) return undefined;
      if ('value' in compiled.namedGroups()) return matcher.group('value') ?? undefined;
      return (compiled.groupCount() > 0 ? matcher.group(1) : null) ?? matcher.group(0) ?? undefined;
    },
    replace: (value, replacement) => {
      const matcher = compiled.matcher(value);
      return matcher.find() ? matcher.replaceFirst(replacement) : value;
    },
  };
}
