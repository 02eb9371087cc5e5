/**
 * Every announcement of a detector as a document: made, later judged, and kept. Forecast values that are only compared
 * with what came are tallied per day in the record, not stored one by one.
 */
import type { Clock } from '../lib/clock.ts';
import type { TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { BacktestReport } from './fit-protocol.ts';
import type { RecordState } from './record.ts';

export const PREDICTIONS: CollectionSpec = { name: 'predictions', indexed: ['detector', 'status', 'madeAtMs'] };
export const DETECTOR_RECORDS: CollectionSpec = { name: 'detector_records' };
/** Predictions of one detector that are written on one day; further ones are only tallied. */
export const PREDICTIONS_PER_DAY_MAX = 500;
export const PREDICTIONS_KEPT_MS = 90 * 86_400_000;
const SWEEP_BATCH = 500;

export type PredictionStatus = 'pending' | 'hit' | 'false' | 'miss' | 'unjudged';

export interface Prediction {
  readonly detector: string;
  readonly kind: 'crossing' | 'anomaly' | 'change';
  readonly labels: Readonly<Record<string, string>>;
  readonly madeAtMs: number;
  /** Until when it must have come true; of an anomaly: until when a known fault may begin. */
  readonly deadlineMs: number;
  readonly status: PredictionStatus;
  /** Of crossings, at the time it was made. */
  readonly probability?: number;
  readonly threshold?: number;
  readonly expectedAtMs?: number;
  /** Of anomalies. */
  readonly score?: number;
  /** Observed when made. */
  readonly value?: number;
  readonly settledAtMs?: number;
  readonly leadMs?: number;
}

export interface StoredRecord {
  readonly record: RecordState;
  readonly backtest?: StoredBacktest;
}

export interface StoredBacktest {
  readonly report: BacktestReport;
  readonly atMs: number;
  readonly passed: boolean;
  readonly why: string;
  /** Of the declaration that was tested; another one has to be tested anew. */
  readonly fingerprint: string;
}

/** NaN does not survive JSON; null comes back as NaN. */
export function revive<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, v === null ? Number.NaN : v])) as T;
}

export class PredictionLedger {
  readonly #documents: DocumentStore;
  readonly #clock: Clock;
  readonly #today = new Map<string, { day: number; count: number }>();
  #sequence = 0;

  constructor(documents: DocumentStore, clock: Clock) {
    this.#documents = documents;
    this.#clock = clock;
  }

  /** Answers the id, or undefined when the detector has written its share of today. */
  async open(tenant: TenantId, prediction: Prediction): Promise<string | undefined> {
    const key = `${tenant}\u0000${prediction.detector}`;
    const day = Math.floor(prediction.madeAtMs / 86_400_000);
    let today = this.#today.get(key);
    if (today?.day !== day) this.#today.set(key, (today = { day, count: 0 }));
    if (today.count >= PREDICTIONS_PER_DAY_MAX) return undefined;
    today.count++;
    const id = `${prediction.detector}.${Math.trunc(prediction.madeAtMs).toString(36)}.${Math.trunc(this.#clock.monotonicMs()).toString(36)}.${(this.#sequence++).toString(36)}`;
    await this.#predictions(tenant).put(id, prediction, 'absent');
    return id;
  }

  async settle(
    tenant: TenantId,
    id: string,
    verdict: { readonly status: PredictionStatus; readonly settledAtMs: number; readonly leadMs?: number },
  ): Promise<Prediction | undefined> {
    const collection = this.#predictions(tenant);
    const found = await collection.get(id);
    if (!found) return undefined;
    await collection.put(id, { ...found.body, ...verdict });
    return found.body;
  }

  async get(tenant: TenantId, id: string): Promise<Prediction | undefined> {
    return (await this.#predictions(tenant).get(id))?.body;
  }

  /** Newest first. */
  async list(
    tenant: TenantId,
    filter: { readonly detector?: string; readonly status?: string; readonly limit?: number; readonly after?: string },
  ): Promise<{ predictions: readonly (Prediction & { readonly id: string })[]; next?: string }> {
    const where: Record<string, string> = {};
    if (filter.detector !== undefined) where['detector'] = filter.detector;
    if (filter.status !== undefined) where['status'] = filter.status;
    const page = await this.#predictions(tenant).list({
      where,
      orderBy: { field: 'madeAtMs', direction: 'desc' },
      limit: filter.limit ?? 100,
      ...(filter.after === undefined ? {} : { after: filter.after }),
    });
    return {
      predictions: page.items.map((d) => ({ ...d.body, id: d.id })),
      ...(page.next === undefined ? {} : { next: page.next }),
    };
  }

  async loadRecord(tenant: TenantId, detector: string): Promise<StoredRecord | undefined> {
    const body = (await this.#records(tenant).get(detector))?.body;
    if (!body?.backtest) return body;
    return { ...body, backtest: { ...body.backtest, report: revive(body.backtest.report) } };
  }

  async saveRecord(tenant: TenantId, detector: string, record: StoredRecord): Promise<void> {
    await this.#records(tenant).put(detector, record);
  }

  /** Removes what is older than PREDICTIONS_KEPT_MS; a bounded number at a time. */
  async sweep(tenant: TenantId): Promise<void> {
    const collection = this.#predictions(tenant);
    const old = await collection.list({
      range: { madeAtMs: { to: this.#clock.now() - PREDICTIONS_KEPT_MS } },
      limit: SWEEP_BATCH,
    });
    for (const d of old.items) await collection.delete(d.id);
  }

  #predictions(tenant: TenantId) {
    return this.#documents.collection<Prediction>(tenant, PREDICTIONS);
  }
  #records(tenant: TenantId) {
    return this.#documents.collection<StoredRecord>(tenant, DETECTOR_RECORDS);
  }
}
