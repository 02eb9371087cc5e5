/** What the first page and the health page show: one request, cheap enough for every visitor every few seconds. */

/** How one part of Vigie, or one program it is connected to, is doing. `unknown`: nothing heard yet, never "ok". */
export interface HealthItem {
  /** Stable: `metrics-store`, `rules`, `notifications`, `prometheus`, `postgresql` ... */
  readonly id: string;
  readonly kind: 'own' | 'connected';
  readonly state: 'ok' | 'degraded' | 'down' | 'unknown';
  /** One sentence in English naming what is wrong and what to do; '' when ok. */
  readonly detail: string;
  readonly version?: string;
  /** Address without credentials. */
  readonly url?: string;
}

/** A feature of SPEC.md section 7: configured but not built is shown as such. */
export interface FeatureItem {
  readonly id: string;
  readonly state: 'active' | 'configured_inactive' | 'off';
  readonly detail: string;
}

/** `GET /vigie/v1/overview` for the request's tenant. */
export interface OverviewAnswer {
  readonly atMs: number;
  readonly version: string;
  readonly startedAtMs: number;
  readonly environment: 'dev' | 'staging' | 'prod';
  readonly health: readonly HealthItem[];
  readonly features: readonly FeatureItem[];
  readonly alerts: {
    readonly firing: number;
    readonly pending: number;
    readonly silenced: number;
    /** Firing by the label `severity`; '' when a rule sets none. */
    readonly bySeverity: Readonly<Record<string, number>>;
  };
  readonly ingest: {
    /** Over the last minute. */
    readonly samplesPerSecond: number;
    readonly activeSeries: number;
    readonly seriesLimit?: number;
    /** Samples the store refused over the last hour, by reason (`rate_quota`, `too_old`, ...). */
    readonly refused: Readonly<Record<string, number>>;
  };
  readonly rules: {
    readonly groups: number;
    readonly rules: number;
    readonly failing: number;
    /** Missing data: neither ok nor failing. */
    readonly unknown: number;
    readonly lastEvaluationAtMs?: number;
  };
  readonly targets: { readonly up: number; readonly down: number; readonly unknown: number };
  readonly storage: {
    /** In blocks. */
    readonly bytes: number;
    /** What the newest samples take in memory, before they are cut into a block; they stand in the log too. */
    readonly headBytes: number;
    readonly retentionMs: number;
    readonly diskFreeBytes?: number;
  };
  /** Latest notification problems, newest first, at most 5. */
  readonly notifications: { readonly sent: number; readonly failed: number };
  readonly demo: boolean;
}

/** `GET /vigie/v1/health`: the same items, alone. */
export interface HealthAnswer {
  readonly health: readonly HealthItem[];
}
/** `GET /vigie/v1/features`. */
export interface FeaturesAnswer {
  readonly features: readonly FeatureItem[];
}

/** `GET /vigie/v1/first-run`: which of the first steps are done. */
export interface FirstRunAnswer {
  /** All steps done, or dismissed by `PUT /vigie/v1/preferences` (`firstRunDismissed`). */
  readonly done: boolean;
  readonly steps: readonly { readonly id: 'target' | 'receiver' | 'tenant' | 'key'; readonly done: boolean }[];
  readonly demo: boolean;
  /** `PUT /vigie/v1/demo` {enabled} works in this installation for this person. */
  readonly demoSwitchable: boolean;
}
