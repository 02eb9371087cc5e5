/**
 * Posts alerts to other Alertmanagers (API v2), as Prometheus' notifier does: a bounded queue, batches, every
 * Alertmanager gets every alert, and what cannot be delivered is counted. Rules send firing alerts again each minute,
 * so a batch that one Alertmanager missed comes again. It routes nothing.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { PostableAlert } from '../model/alert.ts';
import type { HttpConfig, HttpSend } from './notify/channel.ts';

/** Alerts waiting; the oldest are dropped beyond it. */
export const FORWARD_QUEUE_MAX = 10_000;
export const FORWARD_BATCH_MAX = 256;
const ANSWER_MS_MAX = 10_000;

export interface ForwardTarget {
  /** Base address; `/api/v2/alerts` is added. */
  readonly url: string;
  readonly http: HttpConfig;
}

export interface ForwarderOptions {
  readonly targets: readonly ForwardTarget[];
  readonly send: HttpSend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
}

export class AlertForwarder {
  readonly #o: ForwarderOptions;
  #queue: PostableAlert[] = [];
  #running: Promise<void> | undefined;
  readonly #sent;
  readonly #errors;
  readonly #dropped;
  #targets: readonly ForwardTarget[];
  /** What each target said last; '' when it took the batch. */
  readonly lastErrors = new Map<string, string>();

  constructor(options: ForwarderOptions) {
    this.#o = options;
    this.#targets = options.targets;
    const { metrics } = options;
    this.#sent = metrics.counter('vigie_alerts_forwarded_total', 'Alerts taken by another Alertmanager.', [
      'alertmanager',
    ]);
    this.#errors = metrics.counter(
      'vigie_alerts_forward_errors_total',
      'Alerts that another Alertmanager did not take.',
      ['alertmanager'],
    );
    this.#dropped = metrics.counter('vigie_alerts_forward_dropped_total', 'Alerts dropped because the queue was full.');
  }

  /** Addresses without credentials. */
  get urls(): readonly string[] {
    return this.#targets.map((t) => alertsUrl(t.url));
  }

  retarget(targets: readonly ForwardTarget[]): void {
    this.#targets = targets;
    for (const url of this.lastErrors.keys()) if (!targets.some((t) => t.url === url)) this.lastErrors.delete(url);
  }

  push(alerts: readonly PostableAlert[]): void {
    if (this.#targets.length === 0) return;
    this.#queue.push(...alerts);
    const over = this.#queue.length - FORWARD_QUEUE_MAX;
    if (over > 0) {
      this.#queue.splice(0, over);
      this.#dropped.inc(over);
    }
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, FORWARD_BATCH_MAX);
      const body = JSON.stringify(batch.map(encode));
      await Promise.all(this.#targets.map((t) => this.#post(t, body, batch.length)));
    }
  }

  async #post(target: ForwardTarget, body: string, count: number): Promise<void> {
    const { clock, logger, send } = this.#o;
    const abort = new AbortController();
    const timer = clock.setTimer(() => abort.abort(new Error(`no answer within ${ANSWER_MS_MAX} ms`)), ANSWER_MS_MAX);
    const name = new URL(target.url).host;
    try {
      const answer = await send({
        method: 'POST',
        url: alertsUrl(target.url),
        headers: { 'content-type': 'application/json' },
        body,
        http: target.http,
        signal: abort.signal,
      });
      if (answer.status < 200 || answer.status > 299) throw new Error(`answered ${answer.status}`);
      this.#sent.labels(name).inc(count);
      this.lastErrors.set(target.url, '');
    } catch (error) {
      this.#errors.labels(name).inc(count);
      this.lastErrors.set(target.url, messageOf(error));
      logger.warn('alerts could not be handed to an Alertmanager', {
        alertmanager: name,
        alerts: count,
        error: messageOf(error),
      });
    } finally {
      timer.cancel();
    }
  }

  /** Waits for what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running;
  }
}

const alertsUrl = (base: string): string => {
  const url = new URL(base);
  url.username = '';
  url.password = '';
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v2/alerts`;
  return url.href;
};

const iso = (ms: number): string => new Date(ms).toISOString();

function encode(alert: PostableAlert): Record<string, unknown> {
  return {
    labels: alert.labels.toObject(),
    annotations: alert.annotations.toObject(),
    ...(alert.startsAtMs === undefined ? {} : { startsAt: iso(alert.startsAtMs) }),
    ...(alert.endsAtMs === undefined ? {} : { endsAt: iso(alert.endsAtMs) }),
    generatorURL: alert.generatorURL,
  };
}
