/** Escalation policies: who is told, on which level, after how long, and who when nobody can be reached. Version 1. */
import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import { CRITICALITIES, type Criticality } from './incident.ts';

export const STEPS_MAX = 20;
export const TARGETS_PER_STEP_MAX = 20;
export const POLICIES_PER_TENANT_MAX = 100;
export const LEVELS = ['L1', 'L2', 'L3', 'L4'] as const;
export type Level = (typeof LEVELS)[number];

const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,99}$/, 'want 1 to 100 of a-z A-Z 0-9 _ . @ -');
const duration = z.union([z.string(), z.literal(0)]).transform((value, context) => {
  try {
    return value === 0 ? 0 : parseDuration(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** Exactly one key: a receiver of the tenant's Alertmanager configuration, who is on call, or one person. */
const target = z.union([
  z.strictObject({ receiver: z.string().min(1).max(200) }),
  z.strictObject({ schedule: name }),
  z.strictObject({ contact: name }),
]);
export type Target = z.output<typeof target>;

export const policySchema = z
  .strictObject({
    version: z.literal(1),
    kind: z.literal('escalation_policy'),
    name,
    description: z.string().max(500).default(''),
    /** Which incidents it takes; all given keys must agree. The policy with most keys wins, then by name. */
    match: z
      .strictObject({
        criticality: z
          .array(z.enum(['P1', 'P2', 'P3', 'P4']))
          .min(1)
          .optional(),
        services: z.array(z.string().max(100)).min(1).max(100).optional(),
        labels: z.record(z.string(), z.string().max(500)).optional(),
      })
      .default({}),
    steps: z
      .array(
        z.strictObject({
          level: z.enum(LEVELS),
          /** Offer the incident to the armed playbooks first. */
          remediate: z.boolean().default(false),
          notify: z.array(target).max(TARGETS_PER_STEP_MAX).default([]),
          /** How long this step waits for an acknowledgement before the next. */
          timeout: duration,
        }),
      )
      .min(1)
      .max(STEPS_MAX),
    /** How often the steps are gone through again when nobody answered. */
    repeat: z.int().min(0).max(20).default(2),
    /** Told at once when a step finds nobody, or its messages could not be delivered. */
    fallback: z.array(target).max(TARGETS_PER_STEP_MAX).default([]),
    /** An acknowledged incident in which nothing happened for this long comes back; 0 never. */
    idle_after: duration.default(30 * 60_000),
  })
  .superRefine((p, context) => {
    for (const [i, s] of p.steps.entries())
      if (s.notify.length === 0 && !s.remediate)
        context.addIssue({ code: 'custom', path: ['steps', i], message: 'want notify, or remediate: true' });
    for (let i = 1; i < p.steps.length; i++)
      if (LEVELS.indexOf(p.steps[i]!.level) < LEVELS.indexOf(p.steps[i - 1]!.level))
        context.addIssue({ code: 'custom', path: ['steps', i, 'level'], message: 'levels must not go down' });
  });
export type Policy = z.output<typeof policySchema>;
export type PolicyStep = Policy['steps'][number];

/** Used by a tenant that wrote none: L1 tries to repair, and that is all; the alert's own routes have told people already. */
export const DEFAULT_POLICY: Policy = {
  version: 1,
  kind: 'escalation_policy',
  name: 'default',
  description: 'built in: L1 only; write a policy to tell people in steps',
  match: {},
  steps: [{ level: 'L1', remediate: true, notify: [], timeout: 300_000 }],
  repeat: 0,
  fallback: [],
  idle_after: 30 * 60_000,
};

export interface PolicyQuestion {
  readonly criticality: Criticality;
  readonly services: readonly string[];
  readonly labels: readonly Readonly<Record<string, string>>[];
}

/** The most specific policy that takes the incident; the built-in one when none does. */
export function choosePolicy(policies: readonly Policy[], question: PolicyQuestion): Policy {
  let best: { policy: Policy; keys: number } | undefined;
  for (const policy of [...policies].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { criticality, services, labels } = policy.match;
    if (criticality && !criticality.includes(question.criticality)) continue;
    if (services && !services.some((s) => question.services.includes(s))) continue;
    const wanted = Object.entries(labels ?? {});
    if (wanted.length > 0 && !question.labels.some((l) => wanted.every(([k, v]) => l[k] === v))) continue;
    const keys = (criticality ? 1 : 0) + (services ? 2 : 0) + wanted.length * 2;
    if (!best || keys > best.keys) best = { policy, keys };
  }
  return best?.policy ?? DEFAULT_POLICY;
}

/** Every criticality that no policy with steps beyond L1 takes: shown by drills as a gap. */
export function uncovered(policies: readonly Policy[]): readonly Criticality[] {
  return CRITICALITIES.filter((criticality) => {
    const p = choosePolicy(policies, { criticality, services: [], labels: [] });
    return !p.steps.some((s) => s.notify.length > 0);
  });
}
