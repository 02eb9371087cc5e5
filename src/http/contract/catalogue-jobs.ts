/** Diff and apply of the catalogue: jobs with progress, a dry run first, then its confirmation. */
import { z } from 'zod';

export const SYSTEM_NAMES = ['kubernetes', 'elasticsearch', 'grafana', 'prometheus', 'alertmanager'] as const;

export const jobStartInput = z.strictObject({
  /** The tenant's own part; the operators' part; or both, with what is no longer rendered taken away. */
  scope: z.enum(['tenant', 'platform', 'all']).default('tenant'),
  /** The last render, or also the live systems: the dry run that can be confirmed. */
  against: z.enum(['render', 'live']).default('render'),
  /** Absent: every system with an address. */
  targets: z.array(z.enum(SYSTEM_NAMES)).max(SYSTEM_NAMES.length).optional(),
});
export type JobStartInput = z.input<typeof jobStartInput>;

export const jobConfirmInput = z.strictObject({
  /** Id of a finished dry run. */
  plan: z.string().min(1).max(100),
});
export type JobConfirmInput = z.infer<typeof jobConfirmInput>;

export interface CatalogueJobSummary {
  readonly id: string;
  /** Compared with the last render; compared with the live systems too, changing nothing; or done. */
  readonly mode: 'files' | 'plan' | 'apply';
  readonly scope: 'tenant' | 'platform' | 'all';
  readonly by: string;
  readonly state: 'running' | 'done' | 'failed' | 'canceled' | 'interrupted';
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** What is being done, `done` of `total`. */
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly filesRendered: number;
  readonly filesChanged: number;
  readonly stepsTotal: number;
  readonly systems: readonly {
    readonly system: string;
    readonly address: string;
    readonly report: {
      readonly created: number;
      readonly updated: number;
      readonly same: number;
      readonly removed: number;
    };
    /** What the system answered to the reload. */
    readonly said?: string;
  }[];
  readonly error?: { readonly code: string; readonly message: string };
  /** Of an apply: the dry run that was confirmed. */
  readonly plan?: string;
}

export interface CatalogueJob extends CatalogueJobSummary {
  /** Against the last render; at most 1,000. */
  readonly files: readonly {
    readonly path: string;
    readonly kind: 'new' | 'changed' | 'removed';
    /** Unified difference. */
    readonly diff?: string;
  }[];
  /** What is, or would be, done in the live systems; at most 1,000. */
  readonly steps: readonly {
    readonly system: string;
    readonly action: 'create' | 'update' | 'same' | 'remove' | 'kept' | 'done';
    readonly id: string;
  }[];
  readonly problems: readonly { readonly where: string; readonly message: string }[];
}

export interface CatalogueJobsAnswer {
  readonly jobs: readonly CatalogueJobSummary[];
  /** Systems with an address, in the order in which they are brought in line. */
  readonly systems: readonly string[];
  /** Folder of the rendered trees on the server; platform roles only. */
  readonly output?: string;
  readonly may: {
    /** The tenant's own part. */
    readonly apply: boolean;
    /** The operators' part and everybody's. */
    readonly platform: boolean;
  };
}
