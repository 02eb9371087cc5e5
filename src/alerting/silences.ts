/**
 * Silences with their whole life: pending, active, expired, forgotten after the retention. Records are written through
 * the caller's `save` before anything is answered.
 */
import { randomUUID } from 'node:crypto';
import { VigieError } from '../lib/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../model/matcher.ts';
import { compileMatcher } from '../regex/matcher.ts';
import { matchesAll } from './matchers.ts';

export const SILENCES_MAX = 10_000;
export const MATCHERS_PER_SILENCE_MAX = 100;
/** Characters of one silence: matchers, comment, author and annotations together. */
export const SILENCE_CHARS_MAX = 65_536;
/** Expired silences stay visible this long. */
export const SILENCE_RETENTION_MS = 120 * 3_600_000;

export interface SilenceRecord {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string;
  readonly comment: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
export type SilenceState = 'pending' | 'active' | 'expired';
export type SilenceInput = Omit<SilenceRecord, 'id' | 'updatedAtMs'> & { readonly id?: string };

export function silenceState(s: SilenceRecord, nowMs: number): SilenceState {
  if (nowMs < s.startsAtMs) return 'pending';
  return nowMs > s.endsAtMs ? 'expired' : 'active';
}

interface Held {
  readonly record: SilenceRecord;
  readonly compiled: readonly CompiledMatcher[];
}

const NONE: readonly string[] = [];

export class Silences {
  readonly #held = new Map<string, Held>();
  readonly #save: (records: readonly SilenceRecord[]) => Promise<void>;

  constructor(save: (records: readonly SilenceRecord[]) => Promise<void>) {
    this.#save = save;
  }

  restore(record: SilenceRecord): void {
    this.#held.set(record.id, { record, compiled: record.matchers.map(compileMatcher) });
  }

  get(id: string): SilenceRecord | undefined {
    return this.#held.get(id)?.record;
  }

  all(): SilenceRecord[] {
    return [...this.#held.values()].map((h) => h.record);
  }

  /** Ids of the active silences that mute `labels`. */
  mutedBy(labels: Labels, nowMs: number): readonly string[] {
    if (this.#held.size === 0) return NONE;
    const out: string[] = [];
    for (const { record, compiled } of this.#held.values())
      if (silenceState(record, nowMs) === 'active' && matchesAll(compiled, labels)) out.push(record.id);
    return out.sort();
  }

  /** Creates or updates; answers the id, which is new when the old silence could not be changed in place. */
  async set(input: SilenceInput, nowMs: number): Promise<string> {
    check(input, nowMs);
    const old = input.id ? this.get(input.id) : undefined;
    if (input.id && !old) throw new VigieError('not_found', `silence ${input.id} not found`);
    if (old && updatable(old, input, nowMs)) {
      await this.#put([{ ...input, id: old.id, updatedAtMs: nowMs }]);
      return old.id;
    }
    if (this.#held.size >= SILENCES_MAX)
      throw new VigieError('quota', `exceeded maximum number of silences: ${SILENCES_MAX} (limit: ${SILENCES_MAX})`);
    const fresh = { ...input, id: randomUUID(), startsAtMs: Math.max(input.startsAtMs, nowMs), updatedAtMs: nowMs };
    const ended = old && silenceState(old, nowMs) !== 'expired' ? [endNow(old, nowMs)] : [];
    await this.#put([...ended, fresh]);
    return fresh.id;
  }

  /** Throws `not_found`, or `conflict` when it has expired already. */
  async expire(id: string, nowMs: number): Promise<void> {
    const old = this.get(id);
    if (!old) throw new VigieError('not_found', `silence ${id} not found`);
    if (silenceState(old, nowMs) === 'expired') throw new VigieError('conflict', `silence ${id} already expired`);
    await this.#put([endNow(old, nowMs)]);
  }

  /** Forgets silences that expired longer ago than the retention; answers their ids. */
  sweep(nowMs: number): string[] {
    const gone = this.all().filter((s) => s.endsAtMs + SILENCE_RETENTION_MS < nowMs);
    for (const s of gone) this.#held.delete(s.id);
    return gone.map((s) => s.id);
  }

  async #put(records: readonly SilenceRecord[]): Promise<void> {
    const before = records.map((r) => this.#held.get(r.id));
    // in memory first: a compaction of the log may run before the write is done
    for (const r of records) this.restore(r);
    try {
      await this.#save(records);
    } catch (error) {
      records.forEach((r, i) => {
        const old = before[i];
        if (old) this.#held.set(r.id, old);
        else this.#held.delete(r.id);
      });
      throw error;
    }
  }
}

function endNow(s: SilenceRecord, nowMs: number): SilenceRecord {
  const startsAtMs = Math.min(s.startsAtMs, nowMs);
  // one millisecond earlier than now, so that it counts as expired at once
  return { ...s, startsAtMs, endsAtMs: nowMs - 1, updatedAtMs: nowMs };
}

function updatable(old: SilenceRecord, next: SilenceInput, nowMs: number): boolean {
  if (JSON.stringify(old.matchers) !== JSON.stringify(next.matchers)) return false;
  const state = silenceState(old, nowMs);
  if (state === 'active') return next.startsAtMs === old.startsAtMs && next.endsAtMs >= nowMs;
  return state === 'pending' && next.startsAtMs >= nowMs;
}

function check(s: SilenceInput, nowMs: number): void {
  const fail = (why: string): never => {
    throw new VigieError('bad_data', `invalid silence: ${why}`);
  };
  if (s.matchers.length === 0) fail('at least one matcher required');
  if (s.matchers.length > MATCHERS_PER_SILENCE_MAX) fail(`more than ${MATCHERS_PER_SILENCE_MAX} matchers`);
  const chars = JSON.stringify(s).length;
  if (chars > SILENCE_CHARS_MAX) fail(`${chars} characters, at most ${SILENCE_CHARS_MAX} are kept`);
  if (s.startsAtMs >= s.endsAtMs) fail('start time must be before end time');
  if (s.endsAtMs < nowMs) fail("end time can't be in the past");
  const compiled = s.matchers.map(compileMatcher);
  if (s.matchers.some((m) => m.name === '')) fail('a matcher has no name');
  if (compiled.every((m) => m.matches(''))) fail('at least one matcher must not match the empty string');
}
