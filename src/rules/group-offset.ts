/** When a group is evaluated: at Prometheus' offset inside the interval, from the hash of its name and file. */
import { Labels } from '../model/labels.ts';
import { labelsHash } from '../promql/xxhash64.ts';

/** Nanoseconds by which the group's evaluations are shifted against multiples of its interval. */
export function groupOffsetNs(name: string, file: string, intervalMs: number): bigint {
  const hash = labelsHash(Labels.fromSorted(['file', file, 'name', name]));
  return hash % (BigInt(Math.round(intervalMs)) * 1_000_000n);
}

/** The newest evaluation time of the group that is not after `nowMs`, in whole ms. */
export function slotAtOrBefore(nowMs: number, offsetNs: bigint, intervalMs: number): number {
  const interval = BigInt(Math.round(intervalMs)) * 1_000_000n;
  const adjusted = BigInt(Math.floor(nowMs)) * 1_000_000n - offsetNs;
  const base = adjusted - (((adjusted % interval) + interval) % interval);
  const slot = base + offsetNs;
  return Number((slot - (((slot % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n);
}
