/** Playbooks and their runs: what our own API takes and answers. Times are in ms since 1970. */
import { z } from 'zod';
import type { PlaybookRun, PlaybookView } from '../../automation/remediation.ts';

export type { PlaybookRun, PlaybookView };

/** `POST /vigie/v1/playbooks/:name/arm`. Arming also closes the breaker. */
export const armInput = z.strictObject({ armed: z.boolean() });
/** `POST /vigie/v1/playbooks/:name/runs`: for an incident. A dry run unless told otherwise. */
export const runInput = z.strictObject({ incident: z.string().max(40), dryRun: z.boolean().default(true) });
export interface PlaybooksAnswer {
  readonly playbooks: readonly PlaybookView[];
  readonly enabled: boolean;
  /** Live incidents with an alert that a playbook is for and that was not repaired by it. */
  readonly proposals: readonly {
    readonly playbook: string;
    readonly incident: string;
    readonly title: string;
    /** Why it does not run by itself; '' when it would. */
    readonly objection: string;
  }[];
}
export interface PlaybookRunsAnswer {
  readonly runs: readonly PlaybookRun[];
}
