/** Packs of the catalogue, their parameters with effect, a tenant's own changes, and what a change would do. */
import { z } from 'zod';

export interface CatalogueAnswer {
  readonly packs: readonly {
    readonly pack: string;
    readonly version: string;
    readonly title: string;
    readonly description: string;
    readonly scope: 'platform' | 'tenant';
    readonly alerts: number;
    readonly recordings: number;
    /** Uids. */
    readonly dashboards: readonly string[];
    /** The tenant has changes of its own. */
    readonly tuned: boolean;
    readonly problem?: string;
  }[];
}

export interface PackParameter {
  readonly name: string;
  readonly type: 'number' | 'duration' | 'text' | 'boolean';
  readonly help: string;
  readonly unit?: string;
  readonly min?: number | string;
  readonly max?: number | string;
  readonly values?: readonly string[];
  readonly default: number | string | boolean;
  /** In force for the tenant. */
  readonly value: number | string | boolean;
  /** Rules whose text it changes. */
  readonly usedBy: readonly string[];
}

export interface PackRule {
  readonly kind: 'alert' | 'recording';
  readonly name: string;
  readonly group: string;
  readonly enabled: boolean;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PackAnswer {
  readonly pack: string;
  readonly version: string;
  readonly title: string;
  readonly description: string;
  readonly scope: 'platform' | 'tenant';
  readonly needs: readonly string[];
  readonly tests: readonly string[];
  readonly parameters: readonly PackParameter[];
  readonly rules: readonly PackRule[];
  /** The tenant's own changes. */
  readonly override: PackOverrideInput;
  /** Send it back with a change; 0 without one. */
  readonly overrideVersion: number;
}

export const packOverrideInput = z.strictObject({
  enabled: z.boolean().optional(),
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])).optional(),
  rules: z
    .record(
      z.string(),
      z.strictObject({
        enabled: z.boolean().optional(),
        for: z.string().optional(),
        severity: z.string().optional(),
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
    )
    .optional(),
});
export type PackOverrideInput = z.infer<typeof packOverrideInput>;

export const packSaveInput = z.strictObject({ override: packOverrideInput, expectVersion: z.int().min(0) });
export type PackSaveInput = z.infer<typeof packSaveInput>;

export interface PackPreviewAnswer {
  /** Why the change cannot be made; empty when it can. */
  readonly problems: readonly string[];
  readonly findings: readonly {
    readonly level: 'error' | 'warning' | 'note';
    readonly where: string;
    readonly message: string;
  }[];
  /** Unified difference of the rule file; '' when nothing changes. */
  readonly diff: string;
}
export interface PackSavedAnswer {
  readonly overrideVersion: number;
}
