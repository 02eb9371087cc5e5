/** What decides whether somebody is told: decisions, dead letters, previews of silences, routes and templates. */
import { z } from 'zod';

const labels = z
  .record(z.string().min(1).max(1_024), z.string().max(65_536))
  .refine((l) => Object.keys(l).length <= 100, {
    message: 'more than 100 labels',
  });

export const VERDICTS = [
  'sent',
  'failed',
  'not_needed',
  'inhibited',
  'silenced',
  'muted_by_time',
  'outside_active_time',
] as const;

/** `GET /vigie/v1/notifications/decisions?fingerprint&receiver&verdict&start&end&limit`: why was I told, why was I not; newest first. */
export interface DecisionsAnswer {
  readonly decisions: readonly {
    readonly id: string;
    readonly atMs: number;
    readonly receiver: string;
    /** `slack/0`; '' when the decision was made for the whole receiver. */
    readonly integration: string;
    readonly groupKey: string;
    readonly groupLabels: Readonly<Record<string, string>>;
    readonly verdict: (typeof VERDICTS)[number];
    /** In words. Holds no secret. */
    readonly reason: string;
    readonly attempts: number;
    readonly firing: number;
    readonly resolved: number;
    readonly fingerprints: readonly string[];
  }[];
}

/** `GET /vigie/v1/notifications/dead-letters`, newest first. `POST .../:id/resend` sends one again; it goes once its group is told. */
export interface DeadLettersAnswer {
  readonly deadLetters: readonly {
    readonly id: string;
    readonly atMs: number;
    readonly receiver: string;
    readonly integration: string;
    readonly groupKey: string;
    readonly groupLabels: Readonly<Record<string, string>>;
    readonly error: string;
    readonly attempts: number;
    readonly alerts: number;
  }[];
}
export interface ResendAnswer {
  readonly ok: boolean;
  readonly attempts: number;
  readonly error: string;
}

/** `POST /vigie/v1/silences/preview`: which alerts a silence with these matchers would mute now. */
export const silencePreviewInput = z.strictObject({
  /** As amtool takes them: `alertname=~"Disk.*"`; each may hold several, separated by commas. */
  matchers: z.array(z.string().min(1).max(16_384)).min(1).max(100),
});
export interface SilencePreviewAnswer {
  readonly total: number;
  /** At most PREVIEW_ALERTS_MAX of them. */
  readonly alerts: readonly {
    readonly fingerprint: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly receivers: readonly string[];
    /** Silenced already. */
    readonly silencedBy: readonly string[];
  }[];
}

/** `GET /vigie/v1/routes`: the tree, outermost first. */
export interface RouteNode {
  /** `0/2/1`: the position in the tree. */
  readonly id: string;
  readonly receiver: string;
  readonly matchers: readonly string[];
  readonly continue: boolean;
  /** `...` alone: by all labels. */
  readonly groupBy: readonly string[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
  /** Names of the time intervals that mute this route now. */
  readonly mutedBy: readonly string[];
  /** Groups of alerts that it has now. */
  readonly groups: number;
  readonly routes: readonly RouteNode[];
}
export interface RoutesAnswer {
  readonly route: RouteNode;
}

/** `POST /vigie/v1/routes/test`: who would get an alert with these labels, and would it be told now? */
export const routeTestInput = z.strictObject({ labels });
export interface RouteTestAnswer {
  readonly routes: readonly {
    readonly id: string;
    readonly receiver: string;
    readonly groupLabels: Readonly<Record<string, string>>;
    readonly groupWaitMs: number;
    /** Names of the time intervals that mute it now. */
    readonly mutedBy: readonly string[];
  }[];
  /** Ids of active silences that would mute it. */
  readonly silencedBy: readonly string[];
  /** Fingerprints of firing alerts that would inhibit it. */
  readonly inhibitedBy: readonly string[];
}

/** `POST /vigie/v1/templates/preview`: a Go template over alerts, as a notification would expand it. */
export const templatePreviewInput = z.strictObject({
  template: z.string().max(100_000),
  /** html escapes as an email body is. */
  kind: z.enum(['text', 'html']).default('text'),
  receiver: z.string().max(1_000).default('preview'),
  /** Made-up alerts; none: up to PREVIEW_ALERTS_MAX of the firing ones, else one made up. */
  alerts: z
    .array(
      z.strictObject({
        labels,
        annotations: labels.default({}),
        status: z.enum(['firing', 'resolved']).default('firing'),
      }),
    )
    .max(100)
    .default([]),
});
export interface TemplatePreviewAnswer {
  readonly text: string;
}

/** `GET /vigie/v1/alerting/status`. */
export interface AlertingStatusAnswer {
  /** Why the tenant's Alertmanager configuration did not load; '' when it did. Holds no secret. */
  readonly problem: string;
  readonly receivers: number;
  readonly alerts: number;
  readonly deadLetters: number;
}
