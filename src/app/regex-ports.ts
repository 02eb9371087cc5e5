/** The RE2 engine in the shapes that PromQL and relabelling ask for. */
import { compileRe2 } from '../regex/re2.ts';

/** For src/promql: whole-text matches and label_replace. */
export const promqlRegex = (pattern: string) => {
  const re = compileRe2(pattern, { anchored: true });
  return {
    matches: (text: string) => re.test(text),
    replace: (text: string, template: string) => re.expand(text, template),
  };
};

/** For src/scrape: relabelling. */
export const relabelRegex = (pattern: string) => {
  const re = compileRe2(pattern, { anchored: true });
  const groupNames = (re as { groupNames?: Readonly<Record<string, number>> }).groupNames;
  return { exec: (text: string) => re.match(text), ...(groupNames ? { groupNames } : {}) };
};
