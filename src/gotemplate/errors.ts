/** What goes wrong in a template, in Go's words. Callers turn it into a VigieError with the code of their place. */

/** The whole text as Go prints it: `template: NAME:LINE: what` or `template: NAME:LINE:COLUMN: executing "T" at <X>: what`. */
export class TemplateError extends Error {
  /** A limit of this engine was met, not a mistake that Go would find too. */
  readonly limit: boolean;

  constructor(message: string, limit = false) {
    super(message);
    this.name = 'TemplateError';
    this.limit = limit;
  }
}

/** Thrown by a template function; the executor adds where it was called. */
export class FunctionError extends Error {}
