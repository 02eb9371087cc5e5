/** The RE2 engine as PromQL needs it: handed in, because user-given expressions never reach native RegExp. */

export interface CompiledRegex {
  /** Does the whole of `text` match? */
  matches(text: string): boolean;
  /** Whole-text match with its groups expanded into `template` ($1, ${name}); undefined without a match. */
  replace(text: string, template: string): string | undefined;
}

/** Compiles an expression that is anchored at both ends and in which `.` matches newlines. Throws on a bad one. */
export type CompileRegex = (pattern: string) => CompiledRegex;
