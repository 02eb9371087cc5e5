/**
 * The closed table of error codes. A code has an HTTP status and a hint for the operator; docs/errors.md lists the
 * same codes (test/architecture.test.ts compares both ways). Foreign error text never reaches a user unexplained:
 * wrap it with a code and keep the original as `cause`.
 */
export const ERROR_TABLE = {
  bad_config: { status: 400, hint: 'Correct the named setting; docs/configuration.md lists every setting.' },
  bad_data: {
    status: 400,
    hint: 'The request could not be understood; the message names the part and what was expected.',
  },
  bad_query: { status: 400, hint: 'The query does not parse or does not type-check; the message names the position.' },
  execution: { status: 422, hint: 'The query is well-formed but cannot be evaluated on this data.' },
  query_limit: {
    status: 422,
    hint: 'The query needs more than the tenant may use; narrow it or raise the named limit.',
  },
  query_timeout: { status: 503, hint: 'The query ran longer than allowed; narrow it or raise the time limit.' },
  canceled: { status: 499, hint: 'The client left before the answer was ready.' },
  quota: {
    status: 429,
    hint: 'A quota of the tenant is used up; the message names it. Retry later or raise the quota.',
  },
  too_large: { status: 413, hint: 'The payload exceeds a named limit; send smaller requests.' },
  unauthenticated: {
    status: 401,
    hint: 'Send a key: Authorization: Bearer <key>. `vigie tenant bootstrap` prints the first.',
  },
  forbidden: { status: 403, hint: 'The credential is valid but its role or tenants do not cover this.' },
  not_found: { status: 404, hint: 'Nothing by this name is visible to this tenant.' },
  method_not_allowed: { status: 405, hint: 'The path exists and answers other methods; the header Allow names them.' },
  conflict: { status: 409, hint: 'The thing changed meanwhile or exists already; read it again and retry.' },
  unsupported: { status: 501, hint: 'Known, and not built; docs/compatibility.md lists what is.' },
  unsupported_media: { status: 415, hint: 'The content type or encoding is not one of those accepted here.' },
  unavailable: { status: 503, hint: 'A part needed for this does not answer now; Vigie retries by itself.' },
  storage: { status: 500, hint: 'The data folder could not be read or written; see the log and `vigie doctor`.' },
  corrupt: { status: 500, hint: 'Stored bytes fail their checksum; the damaged part is named and left out.' },
  locked: { status: 409, hint: 'Another Vigie uses this data folder; stop it or choose another --data-dir.' },
  format_newer: { status: 500, hint: 'A newer Vigie wrote this data folder; start that version or a newer one.' },
  address_refused: {
    status: 400,
    hint: 'The address points inside the network of the server; an operator must allow it first.',
  },
  upstream: { status: 502, hint: 'A connected program answered with an error; the message says which and what.' },
  internal: {
    status: 500,
    hint: 'A fault of Vigie itself; please report it with the log line that carries the same request id.',
  },
} as const satisfies Record<string, { status: number; hint: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface ErrorOptions {
  readonly cause?: unknown;
  /** Data for programs: what, where, got, wanted. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class VigieError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'VigieError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  get hint(): string {
    return ERROR_TABLE[this.code].hint;
  }
}

/** True for a `VigieError`, optionally of one code. */
export function isVigieError(error: unknown, code?: ErrorCode): error is VigieError {
  return error instanceof VigieError && (code === undefined || error.code === code);
}

/** The message of whatever was thrown, without stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Stops on a broken assumption of our own; never for bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`BUG: ${message}`);
}

/** For the `default` branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`BUG: unexpected value ${JSON.stringify(value)}`);
}
