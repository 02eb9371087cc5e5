/**
 * Playbooks: a repair as a transaction. Version 1 of their YAML: which alerts they are for, what must hold before, what
 * is done, which signal proves it helped, how it is undone, and the limits. docs/incidents.md explains each key. Pure.
 */
import path from 'node:path';
import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';

export const PLAYBOOKS_PER_TENANT_MAX = 100;
/** No run may take longer, whatever the playbook says. */
export const RUN_MS_MAX = 15 * 60_000;

const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$/, 'want 1 to 100 of a-z A-Z 0-9 _ . -');
const duration = (least: number, most: number) =>
  z.string().transform((value, context) => {
    try {
      const ms = parseDuration(value);
      if (ms >= least && ms <= most) return ms;
      context.addIssue({ code: 'custom', message: `want ${least / 1000} s to ${most / 1000} s` });
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
    return z.NEVER;
  });

/** A systemd unit, spelled out: no patterns, no options. */
const unit = z
  .string()
  .regex(/^[a-zA-Z0-9:_.@][a-zA-Z0-9:_.@\\-]{0,200}\.(service|timer|socket)$/, 'want a unit such as agent-api.service');
const kubernetesName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'want a Kubernetes name');
const folder = z
  .string()
  .max(1_000)
  .refine((p) => path.isAbsolute(p) && path.normalize(p) === p && p.split('/').filter(Boolean).length >= 2, {
    message: 'want an absolute, normal path at least two folders deep',
  });

const action = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('restart_unit'), unit }),
  z.strictObject({
    do: z.literal('restart_process'),
    /** File that holds the process id; its process must run `executable`. */
    pid_file: z.string().refine((p) => path.isAbsolute(p), 'want an absolute path'),
    executable: z.string().refine((p) => path.isAbsolute(p), 'want an absolute path'),
    /** Command and arguments that start it, as a list: no shell ever sees it. Absent: a supervisor starts it again. */
    start: z.array(z.string().max(1_000)).min(1).max(50).optional(),
    stop_timeout: duration(1_000, 60_000).default(10_000),
  }),
  z.strictObject({
    do: z.literal('restart_workload'),
    workload: z.enum(['deployment', 'statefulset', 'daemonset']),
    namespace: kubernetesName,
    name: kubernetesName,
  }),
  z.strictObject({
    do: z.literal('clean_disk'),
    /** The only folders that are looked into. Links are never followed. */
    allow: z.array(folder).min(1).max(20),
    /** Ends of file names, such as `.log.gz`. Nothing else is removed. */
    suffixes: z
      .array(z.string().regex(/^[a-zA-Z0-9._-]{2,40}$/))
      .min(1)
      .max(20),
    older_than: duration(60_000, 3_650 * 86_400_000),
    files_max: z.int().min(1).max(100_000).default(1_000),
    bytes_max: z.int().min(1).max(1e13).default(10e9),
    /** Moved there, on the same file system, instead of removed, so that a roll-back can bring it back; frees nothing until emptied. */
    trash: folder.optional(),
  }),
]);
export type Action = z.output<typeof action>;

export const playbookSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('playbook'),
  name,
  description: z.string().max(1_000).default(''),
  /** All labels must be equal; the incident's alert that fits is the signal that is verified. */
  match: z.strictObject({
    labels: z
      .record(z.string(), z.string().max(500))
      .refine((l) => Object.keys(l).length > 0, 'want at least one label'),
  }),
  /** PromQL that must give a result now, or nothing is done: the fault is still there and it is safe to act. */
  pre_check: z.strictObject({ expr: z.string().min(1).max(10_000) }).optional(),
  act: z.array(action).min(1).max(10),
  verify: z.strictObject({
    /** PromQL of the healthy state; absent: the alert itself must recover. */
    expr: z.string().min(1).max(10_000).optional(),
    within: duration(1_000, RUN_MS_MAX),
    every: duration(100, 60_000).default(5_000),
  }),
  /** Done when verification fails; absent: stop and hand over to people. */
  roll_back: z.array(action).max(10).default([]),
  limits: z
    .strictObject({
      /** Between two runs of this playbook. */
      cool_down: duration(0, 7 * 86_400_000).default(30 * 60_000),
      runs_per_day: z.int().min(1).max(1_000).default(5),
      /** Failures in a row that open the breaker; a person closes it. */
      failures_max: z.int().min(1).max(20).default(2),
    })
    .default({ cool_down: 30 * 60_000, runs_per_day: 5, failures_max: 2 }),
});
export type Playbook = z.output<typeof playbookSchema>;

export interface SignalAlert {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'firing' | 'resolved' | 'unknown';
}

/** The firing alert this playbook is for. Unknown is not firing: what has no data is not repaired. */
export function signalFor(playbook: Playbook, alerts: readonly SignalAlert[]): SignalAlert | undefined {
  const wanted = Object.entries(playbook.match.labels);
  return alerts.find((a) => a.state === 'firing' && wanted.every(([k, v]) => a.labels[k] === v));
}

/** What an action would do, for the plan and the audit log. */
export function describeAction(a: Action): string {
  switch (a.do) {
    case 'restart_unit':
      return `restart the unit ${a.unit}`;
    case 'restart_process':
      return `restart the process in ${a.pid_file} (${a.executable})`;
    case 'restart_workload':
      return `restart ${a.workload} ${a.namespace}/${a.name}`;
    case 'clean_disk':
      return `${a.trash === undefined ? 'remove' : 'move away'} ${a.suffixes.join(', ')} older than ${a.older_than / 1000} s in ${a.allow.join(', ')}`;
  }
}
