/** What the console asks about alerts beyond /api/v1 and /api/v2: previews, history, tests of receivers. */
import { z } from 'zod';

/** `POST /vigie/v1/rules/preview`: when would this rule have fired? Bounded: at most PREVIEW_STEPS_MAX evaluations. */
export const PREVIEW_STEPS_MAX = 11_000;
export const rulePreviewInput = z.strictObject({
  expr: z.string().min(1).max(20_000),
  forMs: z
    .int()
    .min(0)
    .max(31 * 86_400_000)
    .default(0),
  keepFiringForMs: z
    .int()
    .min(0)
    .max(31 * 86_400_000)
    .default(0),
  /** Evaluation interval. */
  stepMs: z.int().min(1_000).max(86_400_000),
  startMs: z.int(),
  endMs: z.int(),
  labels: z.record(z.string(), z.string()).default({}),
});
export type RulePreviewInput = z.input<typeof rulePreviewInput>;
export interface RulePreviewAnswer {
  readonly evaluations: number;
  /** One entry per episode of one alert, by start. */
  readonly episodes: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly pendingAtMs: number;
    /** Absent: it never held long enough to fire. */
    readonly firedAtMs?: number;
    /** Absent: still active at the end. */
    readonly endedAtMs?: number;
    readonly peak: number;
  }[];
  readonly truncated: boolean;
}

/** `GET /vigie/v1/rules/files`: the tenant's own rule files; `PUT /vigie/v1/rules/files/:name` with ruleFileInput checks, stores and loads one. */
export const ruleFileInput = z.strictObject({ yaml: z.string().max(1024 * 1024) });
export interface RuleFilesAnswer {
  readonly files: readonly { readonly name: string; readonly editable: boolean; readonly yaml: string }[];
}

/** `GET /vigie/v1/alerts/history?start&end&rule&limit`: transitions, newest first. */
export interface AlertHistoryAnswer {
  readonly transitions: readonly {
    readonly atMs: number;
    readonly rule: string;
    readonly group: string;
    readonly fingerprint: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly from: 'inactive' | 'pending' | 'firing';
    readonly to: 'inactive' | 'pending' | 'firing';
    readonly value: number;
  }[];
}

/** `GET /vigie/v1/notifications?limit`: what was sent, or could not be, newest first. */
export interface NotificationsAnswer {
  readonly notifications: readonly {
    readonly atMs: number;
    readonly receiver: string;
    readonly integration: string;
    readonly groupKey: string;
    readonly state: 'sent' | 'failed' | 'retrying';
    readonly attempts: number;
    readonly firing: number;
    readonly resolved: number;
    /** '' when sent. Holds no secret. */
    readonly error: string;
  }[];
}

/** `GET /vigie/v1/receivers`. */
export interface ReceiversAnswer {
  readonly receivers: readonly {
    readonly name: string;
    readonly integrations: readonly { readonly kind: string; readonly index: number; readonly detail: string }[];
  }[];
}
/** `POST /vigie/v1/receivers/:name/test`: sends a test alert through every integration of the receiver, now. */
export const receiverTestInput = z.strictObject({
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});
export interface ReceiverTestAnswer {
  readonly results: readonly {
    readonly kind: string;
    readonly index: number;
    readonly ok: boolean;
    readonly durationMs: number;
    readonly error: string;
  }[];
}
