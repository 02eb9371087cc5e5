/** Alerts of other origins as signals: transitions of own rules, what is posted to /api/v2/alerts, Alertmanager webhooks. */
import { VigieError } from '../lib/errors.ts';
import type { AlertTransition, PostableAlert } from '../model/alert.ts';
import type { Signal } from './incident.ts';
import { SIGNALS_PER_CALL_MAX } from './tenant-incidents.ts';

/**
 * A transition of an own rule; undefined for what is only pending. `health` other than ok: the rule could not be judged,
 * so an end it reports is an absence of data.
 */
export function fromTransition(t: AlertTransition, health: 'ok' | 'err' | 'unknown' = 'ok'): Signal | undefined {
  if (t.to !== 'firing' && t.from !== 'firing') return undefined;
  const ended = t.to !== 'firing';
  return {
    labels: t.labels.toObject(),
    annotations: t.annotations.toObject(),
    status: ended ? (health === 'ok' ? 'resolved' : 'unknown') : 'firing',
    startsAtMs: ended ? t.activeAtMs : t.atMs,
    firstBadAtMs: t.activeAtMs,
    ...(ended ? { endsAtMs: t.atMs } : {}),
    source: 'rules',
  };
}

/** What /api/v2/alerts takes. An end that is not in the future is a recovery; a time-out is told by `lost`. */
export function fromPosted(alert: PostableAlert, nowMs: number, source = 'api'): Signal {
  const over = alert.endsAtMs !== undefined && alert.endsAtMs <= nowMs;
  return {
    labels: alert.labels.toObject(),
    annotations: alert.annotations.toObject(),
    status: over ? 'resolved' : 'firing',
    startsAtMs: alert.startsAtMs ?? Math.min(nowMs, alert.endsAtMs ?? nowMs),
    ...(over ? { endsAtMs: alert.endsAtMs! } : {}),
    source,
    generatorURL: alert.generatorURL,
  };
}

/** A sender went silent: the alert timed out without an end. Never a recovery. */
export const lost = (signal: Signal): Signal => {
  const { endsAtMs: _none, ...rest } = signal;
  return { ...rest, status: 'unknown' };
};

interface WebhookAlert {
  readonly status?: unknown;
  readonly labels?: unknown;
  readonly annotations?: unknown;
  readonly startsAt?: unknown;
  readonly endsAt?: unknown;
  readonly generatorURL?: unknown;
}

/** The body of an Alertmanager webhook (version 4). Throws `bad_data` naming the path. */
export function fromAlertmanagerWebhook(body: unknown, nowMs: number): Signal[] {
  const alerts = (body as { alerts?: unknown } | null)?.alerts;
  if (!Array.isArray(alerts)) throw new VigieError('bad_data', 'body.alerts: want a list, as Alertmanager posts it');
  if (alerts.length > SIGNALS_PER_CALL_MAX)
    throw new VigieError(
      'too_large',
      `body.alerts: ${alerts.length} alerts, at most ${SIGNALS_PER_CALL_MAX} are taken`,
    );
  return alerts.map((raw: WebhookAlert, i): Signal => {
    const where = `body.alerts.${i}`;
    if (raw === null || typeof raw !== 'object') throw new VigieError('bad_data', `${where}: want an object`);
    if (raw.status !== 'firing' && raw.status !== 'resolved')
      throw new VigieError('bad_data', `${where}.status: want firing or resolved, got ${short(raw.status)}`);
    const labels = texts(raw.labels, `${where}.labels`);
    if (Object.keys(labels).length === 0) throw new VigieError('bad_data', `${where}.labels: want at least one`);
    const endsAtMs = timeOf(raw.endsAt, `${where}.endsAt`);
    return {
      labels,
      annotations: texts(raw.annotations ?? {}, `${where}.annotations`),
      status: raw.status,
      startsAtMs: timeOf(raw.startsAt, `${where}.startsAt`) ?? nowMs,
      ...(raw.status === 'resolved' ? { endsAtMs: endsAtMs ?? nowMs } : {}),
      source: 'alertmanager',
      ...(typeof raw.generatorURL === 'string' ? { generatorURL: raw.generatorURL.slice(0, 4_096) } : {}),
    };
  });
}

const LABELS_MAX = 100;
const VALUE_CHARS_MAX = 16_384;

export function texts(value: unknown, where: string): Record<string, string> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new VigieError('bad_data', `${where}: want an object of texts`);
  const entries = Object.entries(value);
  if (entries.length > LABELS_MAX)
    throw new VigieError('too_large', `${where}: ${entries.length} entries, at most ${LABELS_MAX} are taken`);
  for (const [name, v] of entries) {
    if (name === '' || typeof v !== 'string')
      throw new VigieError('bad_data', `${where}.${name.slice(0, 60)}: want a text, got ${short(v)}`);
    if (v.length > VALUE_CHARS_MAX)
      throw new VigieError(
        'too_large',
        `${where}.${name.slice(0, 60)}: at most ${VALUE_CHARS_MAX} characters are taken`,
      );
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Go's zero time, written by Alertmanager for "not yet", is no time. */
function timeOf(value: unknown, where: string): number | undefined {
  if (value === undefined || value === null || value === '' || value === '0001-01-01T00:00:00Z') return undefined;
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (!Number.isFinite(ms)) throw new VigieError('bad_data', `${where}: want RFC 3339, got ${short(value)}`);
  return ms;
}

const short = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 80);
