/**
 * "Useful" and "noise" from people: each verdict moves the budget of one detector of one tenant, and can be taken
 * back. The budget follows from the list alone, so that withdrawing a verdict restores exactly what was.
 */
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';

export const FEEDBACK: CollectionSpec = { name: 'detector_feedback', indexed: ['detector', 'atMs'] };
/** Verdicts of one detector that count; the newest. */
export const FEEDBACK_MAX = 200;
const NOISE_FACTOR = 0.7;
const USEFUL_FACTOR = 1.2;
const FACTOR_MIN = 1 / 20;
const FACTOR_MAX = 4;

export type Verdict = 'useful' | 'noise';

export interface FeedbackEntry {
  readonly detector: string;
  readonly verdict: Verdict;
  readonly atMs: number;
  readonly by: string;
  readonly prediction?: string;
  readonly comment?: string;
}

/** Factor on the declared budget; 1 without feedback. */
export function budgetFactor(verdicts: readonly Verdict[]): number {
  let factor = 1;
  for (const v of verdicts) factor *= v === 'noise' ? NOISE_FACTOR : USEFUL_FACTOR;
  return Math.max(FACTOR_MIN, Math.min(FACTOR_MAX, factor));
}

/** The probability from which a crossing is announced, under a changed budget: noise asks for more certainty. */
export function announceLevel(declared: number, factor: number): number {
  return Math.max(0.05, Math.min(0.99, 1 - (1 - declared) * Math.min(factor, 1.6)));
}

export class FeedbackBook {
  readonly #documents: DocumentStore;
  readonly #clock: Clock;
  #sequence = 0;

  constructor(documents: DocumentStore, clock: Clock) {
    this.#documents = documents;
    this.#clock = clock;
  }

  async add(tenant: TenantId, entry: Omit<FeedbackEntry, 'atMs'>): Promise<FeedbackEntry & { readonly id: string }> {
    const collection = this.#collection(tenant);
    const atMs = this.#clock.now();
    // one verdict per prediction: a second one replaces the first
    const id = entry.prediction
      ? `p.${entry.prediction}`
      : `d.${entry.detector}.${atMs.toString(36)}.${(this.#sequence++).toString(36)}`;
    const body = { ...entry, atMs };
    await collection.put(id, body);
    return { ...body, id };
  }

  async get(tenant: TenantId, id: string): Promise<FeedbackEntry | undefined> {
    return (await this.#collection(tenant).get(id))?.body;
  }

  async remove(tenant: TenantId, id: string): Promise<FeedbackEntry> {
    const collection = this.#collection(tenant);
    const found = await collection.get(id);
    if (!found || !(await collection.delete(id)))
      throw new VigieError('not_found', `no feedback ${JSON.stringify(id)}`);
    return found.body;
  }

  /** Newest first. */
  async list(tenant: TenantId, detector?: string): Promise<readonly (FeedbackEntry & { readonly id: string })[]> {
    const page = await this.#collection(tenant).list({
      ...(detector === undefined ? {} : { where: { detector } }),
      orderBy: { field: 'atMs', direction: 'desc' },
      limit: FEEDBACK_MAX,
    });
    return page.items.map((d) => ({ ...d.body, id: d.id }));
  }

  #collection(tenant: TenantId) {
    return this.#documents.collection<FeedbackEntry>(tenant, FEEDBACK);
  }
}
