/** The public status page and stakeholder updates: what our own API takes and answers. */
import { z } from 'zod';
import {
  type PublicStatus,
  type StakeholderUpdate,
  type StatusPage,
  statusPageSchema,
  UPDATE_STATUS,
} from '../../incidents/status-page.ts';

export type { PublicStatus, StakeholderUpdate, StatusPage };
/** `PUT /vigie/v1/status-page`. */
export const statusPageInput = statusPageSchema;
/** `POST /vigie/v1/incidents/:id/updates`: read by the public, so written by a person. */
export const updateInput = z.strictObject({
  status: z.enum(UPDATE_STATUS),
  title: z.string().min(1).max(200),
  text: z.string().min(1).max(5_000),
});
export type StatusPageInput = z.input<typeof statusPageInput>;
/** `GET /vigie/v1/status-page`. */
export interface StatusPageAnswer {
  readonly page: StatusPage | null;
  /** Newest first. */
  readonly updates: readonly StakeholderUpdate[];
}
