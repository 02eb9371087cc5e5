/** Stakeholder lists: what our own API takes and answers. */
import { z } from 'zod';
import { PHASES } from '../../incidents/incident.ts';
import type { StakeholderPreview } from '../../incidents/stakeholder-teller.ts';
import type { StakeholderList, StakeholderListInput } from '../../incidents/stakeholders.ts';

export type { StakeholderList, StakeholderListInput, StakeholderPreview };

/** `GET /vigie/v1/stakeholders`. */
export interface StakeholdersAnswer {
  readonly lists: readonly (StakeholderList & {
    /** Members that asked for no more. */
    readonly left: readonly string[];
  })[];
}
/** `POST /vigie/v1/stakeholders/:name/preview`: with an incident, what would be told of it; without, the test mail. */
export const stakeholderPreviewInput = z.strictObject({
  incident: z.string().max(40).optional(),
  phase: z.enum(PHASES).default('open'),
});
/** `POST /vigie/v1/stakeholders/:name/test`. */
export const stakeholderTestInput = z.strictObject({ email: z.email().max(254) });
