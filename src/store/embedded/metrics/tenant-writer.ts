/**
 * Appends batches of one tenant: resolves series (byte keys first), enforces quotas, puts samples into head and WAL in
 * one synchronous pass, then waits for the WAL. Batches are never partly visible to a reader of the same turn. (It is long
 * because every refusal is explained to the sender with an example.)
 */
import type { Clock } from '../../../lib/clock.ts';
import { isVigieError, VigieError } from '../../../lib/errors.ts';
import type { Labels } from '../../../model/labels.ts';
import { type Sample, setStale } from '../../../model/sample.ts';
import type {
  MetricsQuota,
  MetricsWriter,
  RejectReason,
  SampleVector,
  WriteBatch,
  WriteResult,
} from '../../metrics.ts';
import { BatchTimes } from './batch-times.ts';
import { encodeHistogram, histogramProblem } from './histogram-codec.ts';
import {
  doubles,
  doubleWords,
  putChunks,
  putExemplar,
  putHistogram,
  putMetadata,
  putTenant,
  RECORD_LATE,
  RECORD_SAMPLES,
  SeriesRecords,
} from './records.ts';
import { NO_SERIES } from './series-index.ts';
import type { Tenant } from './tenant.ts';
import { LATE, REFUSED_DUPLICATE, REFUSED_OUT_OF_ORDER, REPEATED } from './tenant-head.ts';
import type { Wal } from './wal.ts';

/** Samples further ahead of the clock are refused, as Prometheus does. */
export const FUTURE_MS_MAX = 10 * 60_000;
/** Chunks that a request may seal without need: so many, and for every fourth of its series one. */
const SEALS_PER_REQUEST = 64;
/** Total length of an exemplar's labels in characters (OpenMetrics). */
const EXEMPLAR_LABELS_MAX = 128;
/** Encodings remembered per active series, on top of a fixed number, before the memory of them starts anew. */
const KEYS_PER_SERIES_MAX = 4;
const KEYS_SPARE = 4_096;
const RECORD_SAMPLES_MAX = 1_000_000;
const OFFSET_MAX = 2 ** 31 - 1;

export interface WriterPorts {
  readonly wal: () => Wal;
  readonly clock: Clock;
  readonly quota: () => MetricsQuota;
  readonly onResult: (result: WriteResult) => void;
}

interface KnownSeries {
  readonly ref: number;
  /** The index's own object for the series: another one means another series. */
  readonly labels: Labels;
}

/** Refs of the series of a vector that was written before, good until a series goes. */
interface KnownVector {
  readonly refs: Uint32Array<ArrayBuffer>;
  readonly removals: number;
}

interface LateSample {
  readonly ref: number;
  readonly t: number;
  /** Where its bits stand in the batch. */
  readonly at: number;
}

let refs = new Uint32Array(1024);
/** Columns of the vectors being appended; `append` has copied them before anybody else can append. */
let vectorStarts = new Uint32Array(1024);
let vectorTimes = new Float64Array(1024);
let vectorValues = new Float64Array(1024);
const NONE = new Uint32Array(0);
const NO_KEYS = new Uint8Array(0);

function beginSamples(wal: Wal, type: number, tenant: number, base: number): void {
  wal.begin(type, tenant);
  wal.reserve(8);
  doubles[0] = base;
  wal.word(doubleWords[0]!);
  wal.word(doubleWords[1]!);
}

export class TenantWriter implements MetricsWriter {
  /** Looked up at each append: a deleted tenant's memory must not be written to by a writer that outlived it. */
  readonly #find: () => Tenant;
  readonly #ports: WriterPorts;
  #tenant: Tenant;
  /** Series of label sets that were written as objects before, by identity: rules write the same objects again and again. */
  #known = new WeakMap<Labels, KnownSeries>();
  #knownVectors = new WeakMap<readonly Labels[], KnownVector>();
  #knownOf: Tenant | undefined;
  readonly #defined = new SeriesRecords();

  constructor(find: () => Tenant, ports: WriterPorts) {
    this.#find = find;
    this.#tenant = find();
    this.#ports = ports;
  }

  append(batch: WriteBatch): Promise<WriteResult> {
    return this.#write(batch, undefined);
  }

  #write(batch: WriteBatch, vectors: readonly SampleVector[] | undefined): Promise<WriteResult> {
    try {
      const wal = this.#ports.wal();
      wal.checkRoom();
      this.#tenant = this.#find();
      const result = this.#append(batch, wal, vectors);
      this.#ports.onResult(result);
      if (result.samplesAccepted + result.histogramsAccepted + result.exemplarsAccepted === 0 && wal.pendingBytes === 0)
        return Promise.resolve(result);
      return wal.flush().then(() => result);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  appendSamples(samples: readonly Sample[]): Promise<WriteResult> {
    const n = samples.length;
    const sampleStart = new Uint32Array(n + 1);
    const timestamps = new Float64Array(n);
    const values = new Float64Array(n);
    const histograms: NonNullable<WriteBatch['histograms']>[number][] = [];
    let at = 0;
    samples.forEach((s, i) => {
      sampleStart[i] = at;
      if (s.histogram) histograms.push({ series: i, timestampMs: Math.trunc(s.timestampMs), histogram: s.histogram });
      else {
        timestamps[at] = Math.trunc(s.timestampMs);
        values[at] = s.value;
        if (s.stale) setStale(values, at);
        at++;
      }
    });
    sampleStart[n] = at;
    const none = new Uint32Array(0);
    return this.append({
      seriesCount: n,
      dialect: 'labels',
      keys: new Uint8Array(0),
      keyStart: none,
      keyEnd: none,
      labels: (i) => samples[i]!.labels,
      sampleStart,
      timestamps,
      values,
      histograms,
    });
  }

  appendVectors(vectors: readonly SampleVector[]): Promise<WriteResult> {
    let n = 0;
    for (const v of vectors) n += v.labels.length;
    if (vectorStarts.length <= n) {
      vectorStarts = new Uint32Array(2 * n);
      vectorTimes = new Float64Array(2 * n);
      vectorValues = new Float64Array(2 * n);
    }
    let at = 0;
    for (const { labels, timestampMs, values } of vectors) {
      const { length } = labels;
      vectorValues.set(values.length === length ? values : values.subarray(0, length), at);
      vectorTimes.fill(Math.trunc(timestampMs), at, at + length);
      at += length;
    }
    for (let i = 0; i <= n; i++) vectorStarts[i] = i;
    let inVector = 0;
    let from = 0;
    const batch: WriteBatch = {
      seriesCount: n,
      dialect: 'labels',
      keys: NO_KEYS,
      keyStart: NONE,
      keyEnd: NONE,
      labels: (i) => {
        if (i < from) inVector = from = 0;
        while (i - from >= vectors[inVector]!.labels.length) from += vectors[inVector++]!.labels.length;
        return vectors[inVector]!.labels[i - from]!;
      },
      sampleStart: vectorStarts,
      timestamps: vectorTimes,
      values: vectorValues,
    };
    return this.#write(batch, vectors);
  }

  #append(batch: WriteBatch, wal: Wal, vectors: readonly SampleVector[] | undefined): WriteResult {
    const tenant = this.#tenant;
    const head = tenant.head;
    const quota = this.#ports.quota();
    const tally = new Tally();
    const samples = batch.seriesCount === 0 ? 0 : batch.sampleStart[batch.seriesCount]! - batch.sampleStart[0]!;
    const total = samples + (batch.histograms?.length ?? 0);
    if (quota.samplesPerSecondMax !== undefined) {
      const burst = quota.samplesBurstMax ?? quota.samplesPerSecondMax;
      if (!tenant.takeTokens(total, quota.samplesPerSecondMax, burst, this.#ports.clock.monotonicMs())) {
        tally.add(
          'rate_quota',
          total,
          () =>
            `${total} samples exceed the tenant's ingest rate of ${quota.samplesPerSecondMax} a second (burst ${burst})`,
        );
        return tally.result(0, 0, 0);
      }
    }
    if (tenant.walNumber === 0) putTenant(wal, (tenant.walNumber = nextTenantNumber(wal)), tenant.id);
    const now = this.#ports.clock.now();
    const newest = now + FUTURE_MS_MAX;
    const oldest = Math.max(0, quota.retentionMs ? now - quota.retentionMs : 0);
    try {
      this.#resolve(batch, new BatchTimes(batch, oldest, newest), quota, tally, wal, vectors);
    } finally {
      this.#defined.end(wal);
    }
    const late = quota.outOfOrderWindowMs ?? 0;
    const accepted = this.#floats(batch, tally, wal, newest, oldest, late);
    let histograms = 0;
    for (const h of batch.histograms ?? []) {
      const ref = refs[h.series]!;
      if (ref === NO_SERIES) continue;
      const problem = histogramProblem(h.histogram);
      if (problem) {
        tally.add('invalid_histogram', 1, () => `${head.index.labels(ref)} at ${h.timestampMs}: ${problem}`);
        continue;
      }
      if (!(h.timestampMs <= newest)) {
        tally.add('too_far_in_future', 1, () => this.#where(ref, h.timestampMs, `newest allowed ${newest}`));
        continue;
      }
      const outcome = head.appendHistogram(ref, h.timestampMs, h.histogram, late, oldest, sameHistogram);
      if (outcome <= LATE) {
        histograms++;
        if (outcome !== REPEATED) putHistogram(wal, tenant.walNumber, head.walIds[ref]!, h.timestampMs, h.histogram);
      } else this.#refused(tally, outcome, ref, h.timestampMs, oldest);
    }
    let exemplars = 0;
    for (const { series, exemplar } of batch.exemplars ?? []) {
      const ref = refs[series]!;
      if (ref === NO_SERIES) continue;
      const length = exemplar.labels.flat.reduce((sum, s) => sum + s.length, 0);
      if (length > EXEMPLAR_LABELS_MAX) {
        tally.add(
          'invalid_exemplar',
          1,
          () =>
            `${head.index.labels(ref)}: the exemplar's labels have ${length} characters, limit ${EXEMPLAR_LABELS_MAX}`,
        );
      } else if (tenant.addExemplar(head.index.labels(ref), exemplar)) {
        putExemplar(wal, tenant.walNumber, head.walIds[ref]!, exemplar);
        exemplars++;
      } else
        tally.add('invalid_exemplar', 1, () =>
          this.#where(ref, exemplar.timestampMs, 'an exemplar older than the last one'),
        );
    }
    for (const m of batch.metadata ?? []) if (tenant.addMetadata(m)) putMetadata(wal, tenant.walNumber, m);
    return tally.result(accepted, histograms, exemplars);
  }

  #floats(batch: WriteBatch, tally: Tally, wal: Wal, newest: number, oldest: number, late: number): number {
    const head = this.#tenant.head;
    const { sampleStart, timestamps, values } = batch;
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    let accepted = 0;
    let base = Number.NaN;
    let inRecord = 0;
    let lastWindowMs = Number.NaN;
    const outOfOrder: LateSample[] = [];
    const nowMs = this.#ports.clock.monotonicMs();
    head.sealsLeft = SEALS_PER_REQUEST + (batch.seriesCount >>> 2);
    for (let i = 0; i < batch.seriesCount; i++) {
      const ref = refs[i]!;
      if (ref === NO_SERIES) continue;
      for (let s = sampleStart[i]!; s < sampleStart[i + 1]!; s++) {
        const t = timestamps[s]!;
        if (!(t <= newest)) {
          tally.add('too_far_in_future', 1, () => this.#where(ref, t, `newest allowed ${newest}`));
          continue;
        }
        const outcome = head.append(ref, timestamps, bits, s, late, oldest);
        if (outcome === REPEATED) {
          accepted++;
          continue;
        }
        if (outcome > LATE) {
          this.#refused(tally, outcome, ref, t, oldest);
          continue;
        }
        accepted++;
        if (outcome === LATE) {
          outOfOrder.push({ ref, t, at: 2 * s });
          if (t !== lastWindowMs) head.windowAt((lastWindowMs = t)).lastWriteMs = nowMs;
          continue;
        }
        const offset = t - base;
        if (!(offset <= OFFSET_MAX && offset >= -OFFSET_MAX) || inRecord === RECORD_SAMPLES_MAX) {
          if (inRecord > 0) wal.end();
          beginSamples(wal, RECORD_SAMPLES, this.#tenant.walNumber, (base = t));
          inRecord = 0;
        }
        wal.sample(head.walIds[ref]!, t - base, bits, 2 * s);
        inRecord++;
        if (t !== lastWindowMs) {
          head.windowAt(t).lastWriteMs = nowMs;
          lastWindowMs = t;
        }
      }
    }
    if (inRecord > 0) wal.end();
    this.#late(outOfOrder, bits, wal);
    if (head.sealed && head.sealed.length > 0) {
      putChunks(wal, this.#tenant.walNumber, head.sealed, head.walIds);
      head.sealed.length = 0;
    }
    return accepted;
  }

  /** What came out of order stands apart: a chunk of the log stands for all samples in its time but for these. */
  #late(samples: readonly LateSample[], bits: Uint32Array, wal: Wal): void {
    let base = Number.NaN;
    samples.forEach(({ ref, t, at }, i) => {
      const offset = t - base;
      if (!(offset <= OFFSET_MAX && offset >= -OFFSET_MAX)) {
        if (i > 0) wal.end();
        beginSamples(wal, RECORD_LATE, this.#tenant.walNumber, (base = t));
      }
      wal.sample(this.#tenant.head.walIds[ref]!, t - base, bits, at);
    });
    if (samples.length > 0) wal.end();
  }

  /** Fills `refs`; a refused series is NO_SERIES. Writes series records that this WAL segment lacks. */
  #resolve(
    batch: WriteBatch,
    times: BatchTimes,
    quota: MetricsQuota,
    tally: Tally,
    wal: Wal,
    vectors: readonly SampleVector[] | undefined,
  ): void {
    const tenant = this.#tenant;
    const head = tenant.head;
    const { seriesCount, keys, keyStart, keyEnd } = batch;
    if (refs.length < seriesCount) refs = new Uint32Array(Math.max(refs.length * 2, seriesCount));
    const cache = batch.dialect === 'labels' ? undefined : tenant.keyCache(batch.dialect);
    // one series may be written in many ways; a sender that tries them all shall not fill the memory
    if (cache && cache.count > KEYS_PER_SERIES_MAX * head.index.alive + KEYS_SPARE) cache.clear();
    if (!cache && this.#knownOf !== tenant) {
      this.#known = new WeakMap();
      this.#knownVectors = new WeakMap();
      this.#knownOf = tenant;
    }
    if (vectors) this.#recall(vectors);
    const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
    let previous = NO_SERIES;
    for (let i = 0; i < seriesCount; i++) {
      let ref = vectors ? refs[i]! : NO_SERIES;
      if (ref !== NO_SERIES) {
        // known as part of its vector
      } else if (cache) {
        const entry = cache.find(previous, keys, view, keyStart[i]!, keyEnd[i]!);
        if (entry !== NO_SERIES) {
          ref = cache.ref(entry);
          previous = entry;
        }
      } else {
        const known = this.#known.get(batch.labels(i));
        // a ref may have been given to another series meanwhile
        if (known && head.index.isAlive(known.ref) && head.index.labels(known.ref) === known.labels) ref = known.ref;
      }
      if (ref === NO_SERIES) {
        const labels = this.#checkedLabels(batch, i, times, quota, tally);
        if (labels) {
          ref = head.index.find(labels);
          if (ref === NO_SERIES) {
            // a series without a sample that can be taken is not made: it would count as active, and stay
            const outside = times.allOutside(i);
            if (outside) refuseOutside(tally, labels, outside);
            else if (quota.activeSeriesMax !== undefined && head.index.alive >= quota.activeSeriesMax)
              tally.add(
                'series_quota',
                times.samples(i),
                () => `${labels}: the tenant has ${head.index.alive} active series, limit ${quota.activeSeriesMax}`,
              );
            else ref = head.addSeries(labels);
          }
          if (ref !== NO_SERIES) {
            if (cache) previous = cache.add(previous, keys, keyStart[i]!, keyEnd[i]!, ref);
            else this.#known.set(labels, { ref, labels: head.index.labels(ref) });
          }
        }
      }
      refs[i] = ref;
      if (ref !== NO_SERIES && head.walIds[ref] === 0) {
        const id = ++tenant.walSeries;
        head.walIds[ref] = id;
        this.#defined.put(wal, tenant.walNumber, id, head.index.peek(ref));
      }
    }
    if (vectors) this.#remember(vectors);
  }

  /** Puts into `refs` what is known of the vectors as wholes. */
  #recall(vectors: readonly SampleVector[]): void {
    const { removals } = this.#tenant.head.index;
    let at = 0;
    for (const { labels } of vectors) {
      const known = this.#knownVectors.get(labels);
      if (known && known.removals === removals) refs.set(known.refs, at);
      else refs.fill(NO_SERIES, at, at + labels.length);
      at += labels.length;
    }
  }

  #remember(vectors: readonly SampleVector[]): void {
    const { removals } = this.#tenant.head.index;
    let at = 0;
    for (const { labels } of vectors) {
      const end = at + labels.length;
      const known = this.#knownVectors.get(labels);
      // a refused series is tried again
      if (known?.removals !== removals || known.refs.includes(NO_SERIES))
        this.#knownVectors.set(labels, { refs: refs.slice(at, end), removals });
      at = end;
    }
  }

  #checkedLabels(
    batch: WriteBatch,
    i: number,
    times: BatchTimes,
    quota: MetricsQuota,
    tally: Tally,
  ): Labels | undefined {
    let labels: Labels;
    try {
      labels = batch.labels(i);
    } catch (error) {
      if (!isVigieError(error, 'bad_data')) throw error;
      tally.add('invalid_labels', times.samples(i), () => error.message);
      return undefined;
    }
    if (labels.size === 0) {
      tally.add('invalid_labels', times.samples(i), () => 'a series has no label');
      return undefined;
    }
    const problem = labelProblem(labels, quota);
    if (problem) {
      tally.add('label_limit', times.samples(i), () => problem);
      return undefined;
    }
    return labels;
  }

  #refused(tally: Tally, outcome: number, ref: number, t: number, oldest: number): void {
    const last = this.#tenant.head.lastTimeMs(ref);
    if (outcome === REFUSED_OUT_OF_ORDER)
      tally.add('out_of_order', 1, () => this.#where(ref, t, `last sample at ${last}`));
    else if (outcome === REFUSED_DUPLICATE)
      tally.add('duplicate_timestamp', 1, () => this.#where(ref, t, 'another value has this time already'));
    else tally.add('too_old', 1, () => this.#where(ref, t, `oldest allowed ${oldest}`));
  }

  #where(ref: number, t: number, why: string): string {
    return `${this.#tenant.head.index.labels(ref)} at ${t}: ${why}`;
  }
}

function nextTenantNumber(wal: Wal): number {
  const n = (tenantNumbers.get(wal) ?? 0) + 1;
  tenantNumbers.set(wal, n);
  return n;
}
/** Tenant numbers are never used twice in the life of a log, so a lost tenant record cannot mix two tenants up. */
const tenantNumbers = new WeakMap<Wal, number>();

function refuseOutside(tally: Tally, labels: Labels, { tooOld, tooNew }: { tooOld: number; tooNew: number }): void {
  if (tooOld > 0) tally.add('too_old', tooOld, () => `${labels}: every sample is older than what is kept`);
  if (tooNew > 0)
    tally.add(
      'too_far_in_future',
      tooNew,
      () => `${labels}: every sample has no time or one further ahead than allowed`,
    );
}

function labelProblem(labels: Labels, quota: MetricsQuota): string | undefined {
  if (quota.labelsPerSeriesMax !== undefined && labels.size > quota.labelsPerSeriesMax)
    return `${labels.metricName || 'a series'} has ${labels.size} labels, limit ${quota.labelsPerSeriesMax}`;
  for (const [name, value] of labels) {
    const nameBytes = Buffer.byteLength(name);
    if (quota.labelNameBytesMax !== undefined && nameBytes > quota.labelNameBytesMax)
      return `label name ${JSON.stringify(name.slice(0, 40))} has ${nameBytes} bytes, limit ${quota.labelNameBytesMax}`;
    const valueBytes = Buffer.byteLength(value);
    if (quota.labelValueBytesMax !== undefined && valueBytes > quota.labelValueBytesMax)
      return `the value of label ${JSON.stringify(name)} has ${valueBytes} bytes, limit ${quota.labelValueBytesMax}`;
  }
  return undefined;
}

const sameHistogram = (a: Parameters<typeof encodeHistogram>[0], b: Parameters<typeof encodeHistogram>[0]): boolean =>
  Buffer.compare(encodeHistogram(a), encodeHistogram(b)) === 0;

class Tally {
  readonly #counts: Partial<Record<RejectReason, number>> = {};
  readonly #examples: string[] = [];

  add(reason: RejectReason, n: number, example: () => string): void {
    const before = this.#counts[reason];
    if (before === undefined) this.#examples.push(`${reason}: ${example()}`);
    this.#counts[reason] = (before ?? 0) + n;
  }

  result(samplesAccepted: number, histogramsAccepted: number, exemplarsAccepted: number): WriteResult {
    return { samplesAccepted, histogramsAccepted, exemplarsAccepted, rejected: this.#counts, examples: this.#examples };
  }
}

/** For callers that want everything or an error: throws `bad_data` when anything was refused. */
export function requireAll(result: WriteResult): void {
  if (result.examples.length > 0) throw new VigieError('bad_data', result.examples.join('; '));
}
