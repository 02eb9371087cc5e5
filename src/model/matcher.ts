/** Label matchers as data. Compiling and running their expressions is the business of src/regex. */
export type MatchOp = '=' | '!=' | '=~' | '!~';

export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** A matcher ready to test values; an absent label is tested as ''. */
export interface CompiledMatcher extends Matcher {
  matches(value: string): boolean;
  /** All values that can match, when the expression is a literal or an alternation of literals. */
  readonly literals?: readonly string[];
  /** A prefix all matching values share; '' when none is known. */
  readonly prefix?: string;
}
