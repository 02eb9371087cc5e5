/**
 * Writes one tenant's samples to a Prometheus by remote write, the tenant's label put onto every series. A request that
 * is refused as a whole is halved until the refused series are alone, so that one bad sample does not cost the others.
 */
import { isVigieError, VigieError } from '../../../lib/errors.ts';
import type { NativeHistogram } from '../../../model/histogram.ts';
import type { Exemplar, MetricMetadata, Sample } from '../../../model/sample.ts';
import { setStale } from '../../../model/sample.ts';
import type { MetricsWriter, RejectReason, WriteBatch, WriteResult } from '../../metrics.ts';
import { encodeWriteRequest, type OutgoingSeries } from '../../wire/remote-write.ts';
import { snappyCompress } from '../../wire/snappy.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import type { TenantScope } from './tenancy.ts';

/** Requests that halving one batch may cost; what is still together then is refused together. */
const HALVING_REQUESTS_MAX = 64;
const SERIES_PER_REQUEST_MAX = 10_000;

export interface ExternalWriterPorts {
  readonly client: PrometheusClient;
  readonly onWritten: (samples: number) => void;
}

interface Outcome {
  samples: number;
  histograms: number;
  exemplars: number;
  readonly rejected: Partial<Record<RejectReason, number>>;
  readonly examples: string[];
  requestsLeft: number;
}

export class PrometheusWriter implements MetricsWriter {
  readonly #scope: TenantScope;
  readonly #p: ExternalWriterPorts;

  constructor(scope: TenantScope, ports: ExternalWriterPorts) {
    this.#scope = scope;
    this.#p = ports;
  }

  /** Throws `unavailable`, `quota` or `upstream` when nothing could be told apart. */
  async append(batch: WriteBatch): Promise<WriteResult> {
    this.#scope.demandServed();
    const outcome: Outcome = {
      samples: 0,
      histograms: 0,
      exemplars: 0,
      rejected: {},
      examples: [],
      requestsLeft: HALVING_REQUESTS_MAX,
    };
    // everything is copied out of the decoder's buffers before the first await
    const series = this.#copy(batch, outcome);
    const metadata = [...(batch.metadata ?? [])];
    for (let i = 0; i < series.length || (i === 0 && metadata.length > 0); i += SERIES_PER_REQUEST_MAX)
      await this.#send(series.slice(i, i + SERIES_PER_REQUEST_MAX), i === 0 ? metadata : [], outcome);
    this.#p.onWritten(outcome.samples + outcome.histograms);
    return {
      samplesAccepted: outcome.samples,
      histogramsAccepted: outcome.histograms,
      exemplarsAccepted: outcome.exemplars,
      rejected: outcome.rejected,
      examples: outcome.examples,
    };
  }

  async appendSamples(samples: readonly Sample[]): Promise<WriteResult> {
    const n = samples.length;
    const timestamps = new Float64Array(n);
    const values = new Float64Array(n);
    const sampleStart = new Uint32Array(n + 1);
    const histograms: { series: number; timestampMs: number; histogram: NativeHistogram }[] = [];
    let at = 0;
    samples.forEach((s, i) => {
      sampleStart[i] = at;
      if (s.histogram) histograms.push({ series: i, timestampMs: s.timestampMs, histogram: s.histogram });
      else {
        timestamps[at] = s.timestampMs;
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

  #copy(batch: WriteBatch, outcome: Outcome): OutgoingSeries[] {
    const histogramsOf = new Map<number, { t: number; h: NativeHistogram }[]>();
    for (const { series, timestampMs, histogram } of batch.histograms ?? []) {
      const list = histogramsOf.get(series);
      if (list) list.push({ t: timestampMs, h: histogram });
      else histogramsOf.set(series, [{ t: timestampMs, h: histogram }]);
    }
    const exemplarsOf = new Map<number, Exemplar[]>();
    for (const { series, exemplar } of batch.exemplars ?? []) {
      const list = exemplarsOf.get(series);
      if (list) list.push(exemplar);
      else exemplarsOf.set(series, [exemplar]);
    }
    const out: OutgoingSeries[] = [];
    for (let i = 0; i < batch.seriesCount; i++) {
      const from = batch.sampleStart[i]!;
      const to = batch.sampleStart[i + 1]!;
      const histograms = histogramsOf.get(i) ?? [];
      let labels: OutgoingSeries['labels'];
      try {
        labels = batch.labels(i);
      } catch (error) {
        if (!isVigieError(error, 'bad_data')) throw error;
        refuse(outcome, 'invalid_labels', to - from + histograms.length, error.message);
        continue;
      }
      if (labels.size === 0) {
        refuse(outcome, 'invalid_labels', to - from + histograms.length, 'a series has no label');
        continue;
      }
      const length = to - from + histograms.length;
      const timestamps = new Float64Array(length);
      const values = new Float64Array(length);
      timestamps.set(batch.timestamps.subarray(from, to));
      new Uint32Array(values.buffer).set(
        new Uint32Array(batch.values.buffer, batch.values.byteOffset + 8 * from, 2 * (to - from)),
      );
      const column: (NativeHistogram | undefined)[] = [];
      histograms.forEach(({ t, h }, k) => {
        timestamps[to - from + k] = t;
        column[to - from + k] = h;
      });
      out.push({
        labels: this.#scope.stored(labels),
        length,
        timestamps,
        values,
        ...(histograms.length > 0 ? { histograms: column } : {}),
        ...(exemplarsOf.has(i) ? { exemplars: exemplarsOf.get(i)! } : {}),
      });
    }
    return out;
  }

  async #send(series: readonly OutgoingSeries[], metadata: readonly MetricMetadata[], outcome: Outcome): Promise<void> {
    const path = '/api/v1/write';
    const answer = await this.#p.client.send({
      method: 'POST',
      path,
      body: snappyCompress(encodeWriteRequest(series, metadata)),
      headers: {
        ...this.#scope.headers,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
    });
    if (answer.status >= 200 && answer.status < 300) {
      for (const s of series) {
        const histograms = s.histograms?.filter((h) => h).length ?? 0;
        outcome.histograms += histograms;
        outcome.samples += s.length - histograms;
        outcome.exemplars += s.exemplars?.length ?? 0;
      }
      return;
    }
    const text = answer.body.toString('utf8', 0, 2_000).trim();
    if (answer.status !== 400) throw writeError(this.#p.client, path, answer.status, text);
    const parts = series.length > 1 ? halves(series) : oneByOne(series[0]);
    if (parts.length > 1 && outcome.requestsLeft >= parts.length) {
      outcome.requestsLeft -= parts.length;
      for (const part of parts) await this.#send(part, [], outcome);
      return;
    }
    const count = series.reduce((n, s) => n + s.length, 0);
    refuse(outcome, reasonOf(text), count, `${series[0] ? this.#scope.seen(series[0].labels) : ''}: ${text}`);
  }
}

function writeError(client: PrometheusClient, path: string, status: number, text: string): VigieError {
  if (status === 404 || status === 405)
    return new VigieError(
      'unsupported',
      `${client.base} takes no remote write (${status}); start Prometheus with --web.enable-remote-write-receiver`,
    );
  return client.apiError(path, status, undefined, text);
}

const halves = (list: readonly OutgoingSeries[]): OutgoingSeries[][] => {
  const middle = list.length >> 1;
  return [list.slice(0, middle), list.slice(middle)];
};

/** A refused series with several samples is sent again sample by sample. */
function oneByOne(s: OutgoingSeries | undefined): OutgoingSeries[][] {
  if (!s || s.length < 2) return [];
  return Array.from({ length: s.length }, (_, i) => {
    const h = s.histograms?.[i];
    return [
      {
        labels: s.labels,
        length: 1,
        timestamps: s.timestamps.slice(i, i + 1),
        values: s.values.slice(i, i + 1),
        ...(h ? { histograms: [h] } : {}),
      },
    ];
  });
}

function refuse(outcome: Outcome, reason: RejectReason, n: number, example: string): void {
  if (outcome.rejected[reason] === undefined) outcome.examples.push(`${reason}: ${example}`);
  outcome.rejected[reason] = (outcome.rejected[reason] ?? 0) + n;
}

/** The words of Prometheus and Mimir for why a sample is refused. */
function reasonOf(text: string): RejectReason {
  if (/duplicate/i.test(text)) return 'duplicate_timestamp';
  if (/out of bounds|too old|too far in the past/i.test(text)) return 'too_old';
  if (/out of order|out-of-order/i.test(text)) return 'out_of_order';
  if (/future/i.test(text)) return 'too_far_in_future';
  if (/histogram|bucket/i.test(text)) return 'invalid_histogram';
  if (/max.*series|series.*limit/i.test(text)) return 'series_quota';
  return 'invalid_labels';
}
