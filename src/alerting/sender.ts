/** Takes one notification through one integration: the template data, a place in its queue, tries until the deadline. */
import type { Clock } from '../lib/clock.ts';
import type { Alert } from './alert.ts';
import { type Delivery, deliver } from './deliver.ts';
import type { Flush } from './dispatcher.ts';
import type { Button, SendPorts } from './notify/channel.ts';
import { type Templates, templateData } from './notify/template-data.ts';
import { type Integration, nameOf } from './receiver-config.ts';

/** Notifications of one integration under way at once; more wait within their flush. */
export const IN_FLIGHT_PER_INTEGRATION_MAX = 64;

export interface SenderOptions {
  readonly clock: Clock;
  readonly ports: SendPorts;
  readonly externalURL: string;
  readonly random?: () => number;
}

export interface Sending {
  readonly flush: Flush;
  readonly integration: Integration;
  readonly alerts: readonly Alert[];
  readonly templates: Templates;
  readonly idempotencyKey: string;
  readonly reason: string;
  /** No second try. */
  readonly once?: boolean;
  readonly mailHeaders?: Readonly<Record<string, string>>;
  readonly buttons?: readonly Button[];
  readonly pressable?: boolean;
  readonly event?: 'acknowledge' | 'resolve';
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #slots = new Map<string, { running: number; waiting: (() => void)[] }>();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Rejects when the flush ends while the notification still waits for its turn. */
  async send(s: Sending): Promise<Delivery> {
    const { flush, integration } = s;
    const { route, nowMs } = flush;
    const { clock } = this.#options;
    const data = templateData(s.alerts, {
      receiver: route.receiver,
      groupLabels: flush.groupLabels,
      externalURL: this.#options.externalURL,
      nowMs,
      notificationReason: s.reason,
    });
    const slot = `${route.receiver}\u0000${nameOf(integration)}`;
    await this.#enter(slot, flush.signal);
    try {
      return await deliver(
        () =>
          this.#within(Number(integration.config['timeout'] ?? 0), flush.signal, async (signal) =>
            integration.channel.send({
              config: integration.config,
              http: integration.http,
              receiver: route.receiver,
              groupKey: flush.groupKey,
              data,
              alerts: s.alerts,
              resolved: data.status === 'resolved',
              templates: s.templates,
              nowMs: clock.now(),
              flushedAtMs: nowMs,
              signal,
              ports: this.#options.ports,
              idempotencyKey: s.idempotencyKey,
              ...(s.mailHeaders ? { mailHeaders: s.mailHeaders } : {}),
              ...(s.buttons ? { buttons: s.buttons } : {}),
              ...(s.pressable ? { pressable: true } : {}),
              ...(s.event ? { event: s.event } : {}),
            }),
          ),
        {
          clock,
          random: this.#options.random ?? Math.random,
          signal: flush.signal,
          ...(s.once ? { once: true } : {}),
        },
      );
    } finally {
      this.#leave(slot);
    }
  }

  /** Ends one try after the integration's own `timeout`; 0 sets none. */
  async #within<T>(timeoutMs: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (timeoutMs <= 0) return work(signal);
    const limit = new AbortController();
    const timer = this.#options.clock.setTimer(
      () => limit.abort(new Error(`no answer within the configured timeout of ${timeoutMs / 1_000} s`)),
      timeoutMs,
    );
    try {
      return await work(AbortSignal.any([signal, limit.signal]));
    } catch (error) {
      // the client only says "aborted"
      throw limit.signal.aborted && !signal.aborted ? limit.signal.reason : error;
    } finally {
      timer.cancel();
    }
  }

  async #enter(slot: string, signal: AbortSignal): Promise<void> {
    let s = this.#slots.get(slot);
    if (!s) this.#slots.set(slot, (s = { running: 0, waiting: [] }));
    if (s.running >= IN_FLIGHT_PER_INTEGRATION_MAX) {
      const { waiting } = s;
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal.removeEventListener('abort', stop);
          resolve();
        };
        const stop = (): void => {
          waiting.splice(waiting.indexOf(go), 1);
          reject(signal.reason);
        };
        waiting.push(go);
        signal.addEventListener('abort', stop, { once: true });
      });
    }
    s.running++;
  }

  #leave(slot: string): void {
    const s = this.#slots.get(slot)!;
    s.running--;
    const next = s.waiting.shift();
    if (next) next();
    else if (s.running === 0) this.#slots.delete(slot);
  }
}
