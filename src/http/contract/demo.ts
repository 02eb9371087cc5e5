/** The demonstration: synthetic tenants switched on and off. */
import { z } from 'zod';

/** `PUT /vigie/v1/demo`, platform roles only. */
export const demoInput = z.strictObject({ enabled: z.boolean() });

/** `GET /vigie/v1/demo`, and what PUT answers. */
export interface DemoAnswer {
  readonly enabled: boolean;
  readonly tenants: readonly string[];
  /** 0 to 1 while the past is being filled in; 1 when live. */
  readonly progress: number;
}
