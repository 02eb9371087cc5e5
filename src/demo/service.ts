/**
 * One tenant of the demonstration: an agent platform for music artists, as series with fixed labels whose values are
 * written step by step. Traffic has a day and a week; a nightly job burns CPU and is normal; faults come from outside.
 * Everything is synthetic and labelled so; nothing here is ever mixed with measured data.
 */
import { Labels } from '../model/labels.ts';
import { type Fault, intensity } from './faults.ts';
import { Random } from './random.ts';

export interface DemoTenant {
  readonly id: string;
  readonly displayName: string;
  readonly tier: string;
  /** Requests per second at the weekly peak. */
  readonly peakRps: number;
}

export const DEMO_TENANTS: readonly DemoTenant[] = [
  { id: 'aurora-records', displayName: 'Aurora Records', tier: 'enterprise', peakRps: 220 },
  { id: 'indie-wave', displayName: 'Indie Wave', tier: 'pro', peakRps: 60 },
  { id: 'dj-kolibri', displayName: 'DJ Kolibri', tier: 'free', peakRps: 8 },
];

/** Healthy: every service keeps the shipped objective of 200 ms (95th percentile), also at the weekly peak. */
const ROUTES = [
  { route: '/v1/chat', service: 'agent-api', share: 0.34, medianSeconds: 0.04 },
  { route: '/v1/tracks', service: 'agent-api', share: 0.41, medianSeconds: 0.02 },
  { route: '/v1/release-plan', service: 'planner', share: 0.16, medianSeconds: 0.042 },
  { route: '/v1/upload', service: 'media', share: 0.09, medianSeconds: 0.043 },
] as const;
const LATENCY_BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MODELS = [
  { model: 'genre-classifier', accuracy: 0.93, share: 0.5, medianSeconds: 0.02 },
  { model: 'hit-predictor', accuracy: 0.81, share: 0.2, medianSeconds: 0.06 },
] as const;
const LLM_BOUNDS = [0.1, 0.25, 0.5, 1, 2, 4, 8];
const DISK_BYTES = 200e9;
const MEMORY_BYTES = 16e9;

type Write = (value: number) => void;

export class DemoService {
  readonly labels: Labels[] = [];
  readonly #tenant: DemoTenant;
  readonly #random: Random;
  readonly #writers: ((tMs: number, stepSeconds: number, out: Float64Array) => void)[] = [];
  #rps = 0;
  #disk = 0.42;
  #wander = 0;

  constructor(tenant: DemoTenant, seed: number | string, faults: () => readonly Fault[]) {
    this.#tenant = tenant;
    this.#random = new Random(`${seed}/${tenant.id}`);
    const at = (kind: Parameters<typeof intensity>[1], tMs: number): number =>
      intensity(faults(), kind, tenant.id, tMs);
    this.#api(at);
    this.#infrastructure(at);
    this.#database(at);
    this.#models(at);
    this.#security(at);
    this.#business(at);
  }

  /** Writes the values of all series at `tMs`, `stepSeconds` after the last call. */
  step(tMs: number, stepSeconds: number, out: Float64Array): void {
    this.#wander = this.#wander * 0.97 + this.#random.normal() * 0.012;
    this.#rps = Math.max(0.05, this.#tenant.peakRps * traffic(tMs) * (1 + this.#wander));
    for (const write of this.#writers) write(tMs, stepSeconds, out);
  }

  #series(name: string, labels: Readonly<Record<string, string>> = {}): (out: Float64Array) => Write {
    const index = this.labels.length;
    this.labels.push(Labels.from({ __name__: name, tenant_id: this.#tenant.id, env: 'demo', ...labels }));
    return (out) => (value) => {
      out[index] = value;
    };
  }

  /** A gauge: the value at each step. */
  #gauge(
    name: string,
    labels: Readonly<Record<string, string>>,
    value: (tMs: number, stepSeconds: number) => number,
  ): void {
    const to = this.#series(name, labels);
    this.#writers.push((tMs, stepSeconds, out) => to(out)(value(tMs, stepSeconds)));
  }

  /** A counter: the growth within each step. */
  #counter(
    name: string,
    labels: Readonly<Record<string, string>>,
    growth: (tMs: number, stepSeconds: number) => number,
  ): void {
    let total = 0;
    this.#gauge(name, labels, (tMs, stepSeconds) => (total += Math.max(0, growth(tMs, stepSeconds))));
  }

  /** A classic histogram of log-normal durations: `count` observations a step around `median` seconds. */
  #histogram(
    name: string,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
    count: (tMs: number, stepSeconds: number) => number,
    median: (tMs: number) => number,
  ): void {
    const sigma = 0.55;
    const to = [
      ...bounds.map((le) => this.#series(`${name}_bucket`, { ...labels, le: String(le) })),
      this.#series(`${name}_bucket`, { ...labels, le: '+Inf' }),
    ];
    const toSum = this.#series(`${name}_sum`, labels);
    const toCount = this.#series(`${name}_count`, labels);
    const exact = new Float64Array(bounds.length);
    let total = 0;
    let sum = 0;
    this.#writers.push((tMs, stepSeconds, out) => {
      const n = count(tMs, stepSeconds);
      const m = median(tMs);
      total += n;
      sum += n * m * Math.exp((sigma * sigma) / 2);
      for (let i = 0; i < bounds.length; i++) {
        exact[i]! += n * normalCdf(Math.log(bounds[i]! / m) / sigma);
        to[i]!(out)(Math.min(total, Math.round(exact[i]!)));
      }
      to[bounds.length]!(out)(total);
      toSum(out)(sum);
      toCount(out)(total);
    });
  }

  #api(at: (kind: Fault['kind'], tMs: number) => number): void {
    for (const { route, service, share, medianSeconds } of ROUTES) {
      let served = 0;
      let failed = 0;
      const labels = { service, route, method: route === '/v1/tracks' ? 'GET' : 'POST' };
      this.#counter('http_requests_total', { ...labels, status: '200' }, (tMs, s) => {
        const all = this.#random.poisson(this.#rps * share * s);
        const errors =
          0.0006 + (service === 'agent-api' ? 0.09 * at('error-burst', tMs) : 0.004 * at('error-burst', tMs));
        failed = Math.min(all, this.#random.poisson(all * errors));
        served = all - failed;
        return served;
      });
      this.#counter('http_requests_total', { ...labels, status: '500' }, () => failed);
      this.#histogram(
        'http_request_duration_seconds',
        labels,
        LATENCY_BOUNDS,
        () => served + failed,
        (tMs) =>
          medianSeconds *
          (1 + 0.25 * (traffic(tMs) - 0.5)) *
          (1 + (service === 'agent-api' ? 6 : 0.4) * at('latency-regression', tMs)),
      );
    }
    this.#gauge('queue_depth', { queue: 'renders' }, (tMs) =>
      Math.max(0, Math.round(4 + 30 * traffic(tMs) + 160 * at('latency-regression', tMs) + 4 * this.#random.normal())),
    );
    this.#gauge('queue_oldest_message_age_seconds', { queue: 'renders' }, (tMs) =>
      Math.max(0.5, 3 + 8 * traffic(tMs) + 240 * at('latency-regression', tMs) + this.#random.normal()),
    );
    this.#counter('worker_jobs_total', { queue: 'renders', result: 'success' }, (_t, s) =>
      this.#random.poisson(this.#rps * 0.05 * s),
    );
    this.#counter('worker_jobs_total', { queue: 'renders', result: 'failure' }, (tMs, s) =>
      this.#random.poisson(this.#rps * 0.05 * s * (0.002 + 0.05 * at('error-burst', tMs))),
    );
  }

  #infrastructure(at: (kind: Fault['kind'], tMs: number) => number): void {
    const instance = { instance: `${this.#tenant.id}-node-1:9100`, job: 'node' };
    const busy = (tMs: number): number =>
      Math.min(0.97, 0.12 + 0.5 * traffic(tMs) + nightlyJob(tMs) * 0.35 + 0.1 * at('latency-regression', tMs));
    let used = 0;
    this.#counter(
      'node_cpu_seconds_total',
      { ...instance, cpu: '0', mode: 'user' },
      (tMs, s) => (used = Math.min(1, Math.max(0, busy(tMs) + 0.02 * this.#random.normal())) * s),
    );
    this.#counter('node_cpu_seconds_total', { ...instance, cpu: '0', mode: 'idle' }, (_t, s) => s - used);
    this.#gauge('node_memory_MemTotal_bytes', instance, () => MEMORY_BYTES);
    this.#gauge(
      'node_memory_MemAvailable_bytes',
      instance,
      (tMs) =>
        MEMORY_BYTES *
        Math.max(
          0.015,
          0.55 - 0.12 * traffic(tMs) - 0.46 * Math.min(1, at('memory-leak', tMs)) + 0.008 * this.#random.normal(),
        ),
    );
    const disk = { ...instance, device: '/dev/vda1', fstype: 'ext4', mountpoint: '/' };
    this.#gauge('node_filesystem_size_bytes', disk, () => DISK_BYTES);
    this.#gauge('node_filesystem_avail_bytes', disk, (tMs, s) => {
      // logs grow by day and are rotated at night: a saw-tooth that is not exhaustion
      this.#disk += (s / 86_400) * 0.03;
      if (dayFraction(tMs) < s / 86_400) this.#disk = Math.max(0.4, this.#disk - 0.03);
      return DISK_BYTES * Math.max(0.004, 1 - this.#disk - 0.56 * Math.min(1, at('disk-fill', tMs)));
    });
    this.#counter(
      'node_network_receive_bytes_total',
      { ...instance, device: 'eth0' },
      (_t, s) => this.#rps * s * 14_000,
    );
    this.#counter(
      'node_network_transmit_bytes_total',
      { ...instance, device: 'eth0' },
      (_t, s) => this.#rps * s * 52_000,
    );
    this.#gauge('up', instance, () => 1);
  }

  #database(at: (kind: Fault['kind'], tMs: number) => number): void {
    const db = { datname: 'agents', instance: `${this.#tenant.id}-db-1:9187`, job: 'postgres' };
    this.#gauge('pg_up', { instance: db.instance, job: db.job }, () => 1);
    this.#gauge('pg_stat_activity_count', { ...db, state: 'active' }, (tMs) =>
      Math.round(6 + 44 * traffic(tMs) + 38 * Math.min(1, at('latency-regression', tMs)) + 2 * this.#random.unit()),
    );
    this.#gauge('pg_settings_max_connections', { instance: db.instance, job: db.job }, () => 100);
    this.#counter('pg_stat_database_blks_hit', db, (_t, s) => this.#rps * s * 420);
    this.#counter(
      'pg_stat_database_blks_read',
      db,
      (tMs, s) => this.#rps * s * (4 + 60 * at('latency-regression', tMs)),
    );
    this.#counter('pg_stat_database_deadlocks', db, (_t, s) => this.#random.poisson(s * 2e-5));
    this.#counter('pg_stat_database_xact_commit', db, (_t, s) => this.#rps * s * 3);
    this.#gauge('pg_replication_lag_seconds', { instance: db.instance, job: db.job }, (tMs) =>
      Math.max(0, 0.2 + 0.6 * nightlyJob(tMs) + 0.05 * this.#random.normal()),
    );
  }

  #models(at: (kind: Fault['kind'], tMs: number) => number): void {
    for (const { model, accuracy, share, medianSeconds } of MODELS) {
      let n = 0;
      this.#counter(
        'ml_predictions_total',
        { model, version: '3' },
        (_t, s) => (n = this.#random.poisson(this.#rps * share * s)),
      );
      this.#histogram(
        'ml_inference_duration_seconds',
        { model, version: '3' },
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
        () => n,
        () => medianSeconds,
      );
      this.#gauge('ml_model_accuracy', { model, version: '3' }, (tMs) =>
        Math.min(1, accuracy - 0.16 * driftAt(at, tMs) + 0.004 * this.#random.normal()),
      );
      this.#gauge('ml_feature_drift_psi', { model, version: '3', feature: 'tempo' }, (tMs) =>
        Math.max(0, 0.04 + 0.45 * driftAt(at, tMs) + 0.008 * this.#random.normal()),
      );
    }
    this.#gauge(
      'ml_training_duration_seconds',
      { model: 'genre-classifier' },
      (tMs) => 2_400 + 200 * Math.sin(tMs / 4e8),
    );
    const llm = { provider: 'northwind-ai', model: 'songwriter-2' };
    let calls = 0;
    this.#counter(
      'llm_requests_total',
      { ...llm, status: 'ok' },
      (_t, s) => (calls = this.#random.poisson(this.#rps * 0.34 * s)),
    );
    this.#counter('llm_requests_total', { ...llm, status: 'rate_limited' }, (tMs, s) =>
      this.#random.poisson(this.#rps * 0.34 * s * (0.0008 + 0.06 * at('error-burst', tMs))),
    );
    this.#histogram(
      'llm_time_to_first_token_seconds',
      llm,
      LLM_BOUNDS,
      () => calls,
      (tMs) => 0.42 * (1 + 2.5 * at('latency-regression', tMs)),
    );
    this.#counter('llm_tokens_total', { ...llm, direction: 'input' }, () => calls * 610);
    this.#counter('llm_tokens_total', { ...llm, direction: 'output' }, () => calls * 240);
    this.#counter('llm_cost_euros_total', llm, () => calls * (610 * 0.25e-6 + 240 * 1.1e-6));
  }

  #security(at: (kind: Fault['kind'], tMs: number) => number): void {
    this.#counter('auth_attempts_total', { result: 'success' }, (_t, s) => this.#random.poisson(this.#rps * 0.02 * s));
    this.#counter('auth_attempts_total', { result: 'failure' }, (tMs, s) =>
      this.#random.poisson((this.#rps * 0.0012 + 9 * at('login-attack', tMs)) * s),
    );
    this.#counter('privilege_changes_total', {}, (_t, s) => this.#random.poisson(s * 1.2e-5));
  }

  #business(at: (kind: Fault['kind'], tMs: number) => number): void {
    this.#counter('signups_total', { plan: this.#tenant.tier }, (_t, s) =>
      this.#random.poisson(this.#rps * 0.0009 * s),
    );
    this.#counter('conversions_total', { plan: this.#tenant.tier }, (tMs, s) =>
      this.#random.poisson(this.#rps * 0.0002 * s * (1 - 0.5 * Math.min(1, at('error-burst', tMs)))),
    );
    this.#counter('revenue_euros_total', { plan: this.#tenant.tier }, (_t, s) => this.#rps * s * 0.0042);
    this.#counter(
      'infrastructure_cost_euros_total',
      {},
      (_t, s) => s * (0.0004 * this.#tenant.peakRps * 0.25) + this.#rps * s * 0.0002,
    );
    this.#counter('feedback_total', { sentiment: 'positive' }, (_t, s) => this.#random.poisson(this.#rps * 0.0006 * s));
    this.#counter('feedback_total', { sentiment: 'negative' }, (tMs, s) =>
      this.#random.poisson(
        this.#rps * 0.000_02 * s * (1 + 12 * at('latency-regression', tMs) + 12 * at('error-burst', tMs)),
      ),
    );
    this.#gauge('active_artists', {}, (tMs) => Math.round(this.#tenant.peakRps * 11 * (0.4 + traffic(tMs))));
    this.#gauge('demo_info', { synthetic: 'true' }, () => 1);
  }
}

const driftAt = (at: (kind: Fault['kind'], tMs: number) => number, tMs: number): number =>
  Math.min(1.2, at('model-drift', tMs));

const dayFraction = (tMs: number): number => (tMs / 86_400_000) % 1;

/** 0..1: quiet at four in the morning UTC, busiest in the evening, a third less at weekends. */
export function traffic(tMs: number): number {
  const day = dayFraction(tMs);
  const shape = 0.5 - 0.32 * Math.cos(2 * Math.PI * (day - 4 / 24)) - 0.16 * Math.cos(4 * Math.PI * (day - 7 / 24));
  const weekday = new Date(tMs).getUTCDay();
  return Math.max(0.06, shape) * (weekday === 0 || weekday === 6 ? 0.68 : 1);
}

/** 1 while the nightly batch runs, 02:00 to 02:25 UTC: heavy, regular and normal. */
export function nightlyJob(tMs: number): number {
  const minute = dayFraction(tMs) * 1_440;
  return minute >= 120 && minute < 145 ? 1 : 0;
}

/** Abramowitz & Stegun 26.2.17, absolute error below 7.5e-8. */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x >= 0 ? 1 - tail : tail;
}
