/** One thing a check found. Errors fail `vigie check`; warnings do with --strict; notes never. */
export interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  /** A short, stable word for the kind of finding, such as `unknown-metric`. */
  readonly kind: string;
  /** File, with line or rule where known. */
  readonly where: string;
  readonly message: string;
}

/** A rule as the checks see it: of a pack, or of a file that a user names. */
export interface CheckedRule {
  readonly where: string;
  readonly file: string;
  readonly group: string;
  readonly name: string;
  readonly kind: 'alert' | 'record';
  readonly expr: string;
  readonly forMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly intervalMs: number;
}

export interface CheckedQuery {
  readonly where: string;
  readonly expr: string;
}
