/** What is said to a receiver or an address outside of any route: by incidents, by reports. */
import { VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import type { Alert } from './alert.ts';
import type { AlertingConfig } from './config.ts';
import type { Delivery } from './deliver.ts';
import type { Button } from './notify/channel.ts';
import { email } from './notify/email.ts';
import type { Integration } from './receiver-config.ts';

/** Tries of one message end after this, whatever the caller's signal says. */
export const SEND_TO_MS_MAX = 5 * 60_000;
/** Keys remembered, and for how long. */
export const SPOKEN_MAX = 20_000;
export const SPOKEN_MS = 7 * 86_400_000;

/** A mail to a person reads as it was written: no table of labels, each link once. */
const MAIL_SUBJECT = '{{ or .CommonAnnotations.summary .CommonLabels.alertname }}';
const MAIL_TEXT = '{{ or .CommonAnnotations.description .CommonAnnotations.summary .CommonLabels.alertname }}';
const MAIL_HTML = `<!doctype html><meta charset="utf-8"><div style="font:15px/1.5 sans-serif;white-space:pre-line">${MAIL_TEXT}</div>`;

export type DirectTarget = { readonly receiver: string } | { readonly email: string };

export interface DirectMessage {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly status: 'firing' | 'resolved';
  readonly startsAtMs: number;
  /** When it ended; only looked at when `status` is resolved. */
  readonly endsAtMs?: number;
  /** What belongs together: PagerDuty and Opsgenie open one incident for it, mail programs show one thread. */
  readonly groupKey: string;
  /** The same for every repetition of the same message. */
  readonly idempotencyKey: string;
  /** In words, for the history and for templates. */
  readonly reason: string;
  /** Message-ID, In-Reply-To, References and the like; they replace the configuration's own. */
  readonly mailHeaders?: Readonly<Record<string, string>>;
  readonly buttons?: readonly Button[];
  /** Kinds of channels whose presses come back. */
  readonly pressable?: ReadonlySet<string>;
  /** Somebody took it, or it is over: said only to programs that keep incidents of their own. */
  readonly event?: 'acknowledge' | 'resolve';
}

/** Throws `not_found`, `bad_data`, `bad_config`. */
export function directIntegrations(
  config: AlertingConfig,
  target: DirectTarget,
): { readonly receiver: string; readonly integrations: readonly Integration[] } {
  if ('receiver' in target) {
    const found = config.receivers.get(target.receiver);
    if (!found)
      throw new VigieError(
        'not_found',
        `no receiver ${JSON.stringify(target.receiver)}, there are ${[...config.receivers.keys()].slice(0, 20).join(', ')}`,
      );
    if (found.integrations.length === 0)
      throw new VigieError('bad_config', `the receiver ${JSON.stringify(target.receiver)} has no integration`);
    return { receiver: found.name, integrations: found.integrations };
  }
  // no braces: the address is put where a template stands
  if (!/^[^\s<>{}",;]{1,254}@[^\s<>{}",;@]{1,253}$/.test(target.email))
    throw new VigieError('bad_data', `not one mail address: ${JSON.stringify(target.email.slice(0, 100))}`);
  const mail = config.directMail;
  if (!mail)
    throw new VigieError(
      'bad_config',
      'no mail server is configured: set smtp_smarthost and smtp_from in global, or add an email receiver',
    );
  const headers = { ...(mail.config['headers'] as Record<string, string>), To: target.email, Subject: MAIL_SUBJECT };
  return {
    // what templates and the history show, and one queue per address
    receiver: `mailto:${target.email}`,
    integrations: [
      {
        channel: email,
        index: 0,
        http: mail.http,
        sendResolved: true,
        config: { ...mail.config, to: target.email, headers, text: MAIL_TEXT, html: MAIL_HTML },
      },
    ],
  };
}

export function directAlert(message: DirectMessage, nowMs: number, externalURL: string): Alert {
  const ended = message.status === 'resolved';
  return {
    fingerprint: message.labels.fingerprint(),
    labels: message.labels,
    annotations: message.annotations,
    startsAtMs: message.startsAtMs,
    endsAtMs: ended ? Math.min(message.endsAtMs ?? nowMs, nowMs) : Math.max(nowMs, message.startsAtMs) + SEND_TO_MS_MAX,
    updatedAtMs: nowMs,
    timeout: false,
    generatorURL: externalURL,
  };
}

export function directGroupLabels(labels: Labels): Labels {
  const name = labels.get('alertname');
  return name === '' ? labels : Labels.from({ alertname: name });
}

/** One result for all integrations: it worked when it worked for each; errors are named by integration. */
export function joinDeliveries(of: readonly (readonly [string, Delivery])[]): Delivery {
  return {
    ok: of.every(([, d]) => d.ok),
    attempts: Math.max(0, ...of.map(([, d]) => d.attempts)),
    error: of
      .filter(([, d]) => !d.ok)
      .map(([name, d]) => `${name}: ${d.error}`)
      .join('; '),
  };
}

/** The keys that were delivered, oldest first. */
export class Spoken {
  readonly #keys = new Map<string, number>();

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string, atMs: number): void {
    this.#keys.set(key, atMs);
    if (this.#keys.size > SPOKEN_MAX) this.#keys.delete(this.#keys.keys().next().value!);
  }

  sweep(nowMs: number): void {
    for (const [key, atMs] of this.#keys) if (atMs < nowMs - SPOKEN_MS) this.#keys.delete(key);
  }

  all(): [string, number][] {
    return [...this.#keys];
  }
}
