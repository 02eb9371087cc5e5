/**
 * Dashboards of a tenant: Grafana's dashboard JSON, kept as it came, with every version. The server stores and serves;
 * what a dashboard means is the console's business. Dashboards of the catalogue are read-only and come rendered.
 */
import { z } from 'zod';

/** Largest dashboard in bytes of JSON. */
export const DASHBOARD_BYTES_MAX = 4 * 1024 * 1024;
/** Versions kept per dashboard; the oldest go first. */
export const DASHBOARD_VERSIONS_MAX = 100;

const uid = z.string().regex(/^[A-Za-z0-9_-]{1,80}$/);

export interface DashboardItem {
  readonly uid: string;
  readonly title: string;
  /** '' is the top level. */
  readonly folder: string;
  readonly tags: readonly string[];
  readonly source: 'catalogue' | 'own';
  readonly version: number;
  readonly updatedAtMs: number;
  readonly updatedBy: string;
  readonly editable: boolean;
}
/** `GET /vigie/v1/dashboards`. */
export interface DashboardsAnswer {
  readonly dashboards: readonly DashboardItem[];
  readonly folders: readonly string[];
}
/** `GET /vigie/v1/dashboards/:uid[?version=n]`. */
export interface DashboardAnswer extends DashboardItem {
  readonly dashboard: Readonly<Record<string, unknown>>;
}
/** `PUT /vigie/v1/dashboards/:uid` creates, or saves a new version. `baseVersion` other than the newest: 409 `conflict`. 0 creates. */
export const dashboardSaveInput = z.strictObject({
  dashboard: z.looseObject({ title: z.string().min(1).max(500) }),
  folder: z.string().max(200).default(''),
  message: z.string().max(500).default(''),
  baseVersion: z.int().min(0),
});
export type DashboardSaveInput = z.input<typeof dashboardSaveInput>;
/** `GET /vigie/v1/dashboards/:uid/versions`, newest first. `DELETE /vigie/v1/dashboards/:uid` removes all (204). */
export interface DashboardVersionsAnswer {
  readonly versions: readonly {
    readonly version: number;
    readonly atMs: number;
    readonly by: string;
    readonly message: string;
  }[];
}

/** `POST /vigie/v1/snapshots`: a dashboard with the data it showed, for people of the same tenant. */
export const snapshotInput = z.strictObject({
  title: z.string().min(1).max(500),
  dashboard: z.looseObject({}),
  /** Panel id -> what the panel showed; opaque to the server. */
  data: z.record(z.string(), z.unknown()),
  expiresInMs: z
    .int()
    .min(60_000)
    .max(366 * 86_400_000)
    .optional(),
});
export type SnapshotInput = z.infer<typeof snapshotInput>;
/** `GET /vigie/v1/snapshots/:id`; POST answers the same without `dashboard` and `data`. */
export interface SnapshotAnswer {
  readonly id: string;
  readonly title: string;
  readonly atMs: number;
  readonly by: string;
  readonly dashboard: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<string, unknown>>;
}

/** `GET /vigie/v1/saved-queries`; `PUT /vigie/v1/saved-queries/:id` with savedQueryInput; `DELETE` removes (204). */
export const savedQueryInput = z.strictObject({
  name: z.string().min(1).max(200),
  expr: z.string().min(1).max(20_000),
  description: z.string().max(2_000).default(''),
});
export type SavedQueryInput = z.input<typeof savedQueryInput>;
export const savedQueryId = uid;
export interface SavedQueryItem {
  readonly id: string;
  readonly name: string;
  readonly expr: string;
  readonly description: string;
  readonly by: string;
  readonly atMs: number;
}
export interface SavedQueriesAnswer {
  readonly queries: readonly SavedQueryItem[];
}

/** `GET`, `PUT /vigie/v1/preferences`: of the person, not of the tenant. PUT replaces the keys it names. */
export const preferencesInput = z.strictObject({
  theme: z.enum(['light', 'dark', 'auto']).optional(),
  language: z.enum(['en', 'fr', 'de']).optional(),
  timeZone: z.string().max(100).optional(),
  homeDashboard: z.string().max(80).optional(),
  firstRunDismissed: z.boolean().optional(),
  starredDashboards: z.array(z.string().max(80)).max(200).optional(),
});
export type Preferences = z.infer<typeof preferencesInput>;
