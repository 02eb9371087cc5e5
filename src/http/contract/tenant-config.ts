/** A tenant's own configuration: rule files, Alertmanager configuration and scrape configuration, as one versioned whole. */
import { z } from 'zod';

/** Bytes of one file, and how many rule files or template files there may be. */
export const CONFIG_FILE_CHARS_MAX = 1024 * 1024;
export const CONFIG_FILES_MAX = 500;

/** Rule files are named as a folder would show them; Mimir calls the same a namespace. */
export const configFileName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\u0000-\u001f\u007f]+$/, 'want a name without control characters')
  .refine((name) => name !== '__proto__' && name !== '.' && name !== '..', 'not a name for a file');

const text = z.string().max(CONFIG_FILE_CHARS_MAX);
const files = z.record(configFileName, text.nullable()).refine((f) => Object.keys(f).length <= CONFIG_FILES_MAX, {
  message: `more than ${CONFIG_FILES_MAX} files`,
});

/** `PUT /vigie/v1/tenants/:id/config`: what is left out stays, null removes. `<secret>` stands for the stored value. */
export const tenantConfigInput = z.strictObject({
  /** Name -> Prometheus rule file. */
  rules: files.optional(),
  /** An Alertmanager configuration. */
  alertmanager: text.nullable().optional(),
  /** Name -> text of the template files that the Alertmanager configuration names under `templates`; the whole set. */
  templates: z
    .record(configFileName, text)
    .refine((f) => Object.keys(f).length <= CONFIG_FILES_MAX, { message: `more than ${CONFIG_FILES_MAX} files` })
    .nullable()
    .optional(),
  /** A Prometheus configuration with `scrape_configs`. */
  scrape: text.nullable().optional(),
  /** Refuses with `conflict` when another version is current. */
  expectVersion: z.int().min(0).optional(),
});
export type TenantConfigInput = z.input<typeof tenantConfigInput>;

/** `GET /vigie/v1/tenants/:id/config`, and what PUT and restore answer. Secrets show as `<secret>`. */
export interface TenantConfigAnswer {
  /** 0: nothing was configured by API yet. */
  readonly version: number;
  readonly updatedAtMs: number;
  /** Principal id; '' for version 0. */
  readonly by: string;
  readonly rules: Readonly<Record<string, string>>;
  readonly alertmanager?: string;
  readonly templates: Readonly<Record<string, string>>;
  readonly scrape?: string;
  /** What the operator's files and the catalogue give this tenant; the API cannot change it. */
  readonly files: {
    readonly rules: readonly { readonly name: string; readonly source: string; readonly text: string }[];
    readonly alertmanager?: string;
    readonly scrape?: string;
  };
  /** Why the newest configuration is not the one in force; '' when it is. */
  readonly problem: string;
}

/** `GET /vigie/v1/tenants/:id/config/versions`, newest first; `POST .../config/versions/:version/restore` puts one back. */
export interface TenantConfigVersionsAnswer {
  readonly versions: readonly {
    readonly version: number;
    readonly atMs: number;
    readonly by: string;
    /** Names of the rule files it has. */
    readonly rules: readonly string[];
    readonly alertmanager: boolean;
    readonly scrape: boolean;
  }[];
}
