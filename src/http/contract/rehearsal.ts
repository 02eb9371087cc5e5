/** Rehearsals and coverage: what our own API takes and answers. Times are in ms since 1970. */
import { z } from 'zod';
import type { CoverageAnswer } from '../../incidents/coverage.ts';
import type { Told } from '../../replay/rehearsal.ts';
import type { PageBudget, ToldDiff } from '../../replay/rehearsal-diff.ts';

export type { CoverageAnswer, PageBudget, Told, ToldDiff };

/** `POST /vigie/v1/rehearsals`: stored history through the present configuration and, when given, a proposed one. */
export const rehearsalInput = z.strictObject({
  fromMs: z.number(),
  toMs: z.number(),
  /** What is to be tried; what is absent stays as it is. */
  proposed: z
    .strictObject({
      /** An Alertmanager configuration. */
      alertmanager: z
        .string()
        .max(1024 * 1024)
        .optional(),
      /** Escalation policies that take the place of all present ones, as YAML documents separated by `---`. */
      policies: z.string().max(500_000).optional(),
      /** Each incident is acknowledged so long after its first page; absent: never. */
      acknowledgeAfterMs: z
        .int()
        .min(0)
        .max(7 * 86_400_000)
        .optional(),
    })
    .optional(),
  /** Pages per week that a receiver or contact may get; default 14. */
  budgets: z.record(z.string(), z.number().min(0).max(10_000)).default({}),
  /** For what counts as night. */
  timeZone: z.string().max(60).default('UTC'),
});
export type RehearsalInput = z.input<typeof rehearsalInput>;

export interface RehearsalSide {
  readonly messages: number;
  readonly pages: number;
  readonly budgets: readonly PageBudget[];
  /** The first TOLD_LISTED_MAX. */
  readonly told: readonly Told[];
}
export interface RehearsalAnswer {
  readonly fromMs: number;
  readonly toMs: number;
  readonly episodes: number;
  readonly present: RehearsalSide;
  readonly proposed?: RehearsalSide;
  /** Present to proposed. */
  readonly diff?: ToldDiff;
  /** Rehearsed notifications beside what was really sent; absent when no record reaches that far back. */
  readonly reality?: {
    readonly sent: number;
    readonly agreeing: number;
    readonly missing: number;
    readonly extra: number;
  };
  readonly tookMs: number;
}

/** `GET /vigie/v1/on-call/coverage?from&to`, in seconds; default the next seven days. */
export type CoverageResponse = CoverageAnswer;
