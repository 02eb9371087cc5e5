/**
 * Alerts of a tenant as one text, so that they outlive a restart: what fires goes on firing, nothing is sent twice, and
 * what resolved during the outage is told as resolved. A text of another version or with a fault is ignored, not fatal.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { RuleAlertState } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import type { TenantId } from '../model/tenant.ts';
import { type ActiveAlert, restoredActiveAt } from './alert-state.ts';
import type { RuleStateStore } from './ports.ts';
import type { GroupContext, RunningGroup } from './running-group.ts';
import type { RunningRule } from './running-rule.ts';

const VERSION = 1;

interface SavedAlert {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
  readonly state: RuleAlertState;
  readonly value: string;
  readonly activeAtMs: number;
  readonly firedAtMs: number;
  readonly resolvedAtMs: number;
  readonly keepFiringSinceMs: number;
  readonly lastSentMs: number;
  readonly validUntilMs: number;
}
interface SavedRule {
  readonly rule: string;
  readonly alerts: readonly SavedAlert[];
}
interface SavedGroup {
  readonly key: string;
  readonly lastSlotMs: number;
  readonly rules: readonly SavedRule[];
}
export interface SavedState {
  readonly version: number;
  readonly savedAtMs: number;
  readonly groups: readonly SavedGroup[];
}

export const groupKey = (file: string, name: string): string => `${file};${name}`;

/** Rules of equal name and labels are told apart by their order. */
function ruleKeys(rules: readonly RunningRule[]): Map<RunningRule, string> {
  const seen = new Map<string, number>();
  const out = new Map<RunningRule, string>();
  for (const rule of rules) {
    if (!rule.alerts) continue;
    const base = `${rule.spec.name}\u0000${rule.spec.labels.key}`;
    const n = seen.get(base) ?? 0;
    seen.set(base, n + 1);
    out.set(rule, `${base}\u0000${n}`);
  }
  return out;
}

export function saveState(groups: Iterable<RunningGroup>, nowMs: number): string {
  const saved: SavedGroup[] = [];
  for (const group of groups) {
    const rules: SavedRule[] = [];
    for (const [rule, key] of ruleKeys(group.rules)) {
      if (rule.alerts!.active.size === 0) continue;
      rules.push({
        rule: key,
        alerts: [...rule.alerts!.active.values()].map(
          ({ key: _key, series: _series, labels, annotations, value, ...times }) => ({
            labels: labels.flat,
            annotations: annotations.flat,
            value: String(value),
            ...times,
          }),
        ),
      });
    }
    if (rules.length > 0)
      saved.push({ key: groupKey(group.spec.file, group.spec.name), lastSlotMs: group.lastSlotMs, rules });
  }
  return JSON.stringify({ version: VERSION, savedAtMs: nowMs, groups: saved } satisfies SavedState);
}

export function readState(text: string | undefined): SavedState | undefined {
  if (text === undefined) return undefined;
  try {
    const state = JSON.parse(text) as SavedState;
    return state.version === VERSION && Array.isArray(state.groups) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** Gives a group its alerts of the last run back. True when it had any: then the store need not be asked. */
export function restoreGroup(group: RunningGroup, state: SavedState, nowMs: number, context: GroupContext): boolean {
  if (nowMs - state.savedAtMs > context.outageToleranceMs || state.savedAtMs > nowMs) return false;
  const saved = state.groups.find((g) => g.key === groupKey(group.spec.file, group.spec.name));
  if (!saved) return false;
  for (const [rule, key] of ruleKeys(group.rules)) {
    for (const alert of saved.rules.find((r) => r.rule === key)?.alerts ?? []) {
      const restored = fromSaved(alert);
      if (restored.state === 'pending')
        restored.activeAtMs = restoredActiveAt({
          activeAtMs: restored.activeAtMs,
          // 0 was written by releases that were stopped again before they had evaluated
          downAtMs: saved.lastSlotMs > 0 ? saved.lastSlotMs : state.savedAtMs,
          nowMs,
          forMs: rule.spec.forMs,
          gracePeriodMs: 0,
        });
      restored.activeAtMs = Math.min(restored.activeAtMs, nowMs);
      group.adopt(rule, restored, context);
    }
  }
  // the time without us is accounted for: stopped again before it evaluates, it goes on from here
  group.lastSlotMs = nowMs;
  return true;
}

function fromSaved({ labels, annotations, value, ...times }: SavedAlert): ActiveAlert {
  const l = Labels.fromSorted(labels);
  return { key: l.key, labels: l, annotations: Labels.fromSorted(annotations), value: Number(value), ...times };
}

/** A file per tenant under `folder`, replaced in one step and synced. */
export function folderRuleState(folder: string): RuleStateStore {
  const fileOf = (tenant: TenantId): string => path.join(folder, `${encodeURIComponent(tenant)}.json`);
  return {
    async load(tenant) {
      try {
        return await readFile(fileOf(tenant), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async save(tenant, text) {
      await mkdir(folder, { recursive: true });
      const file = fileOf(tenant);
      const handle = await open(`${file}.tmp`, 'w');
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.tmp`, file);
    },
    async remove(tenant) {
      await rm(fileOf(tenant), { force: true });
    },
  };
}
