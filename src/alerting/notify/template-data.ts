/** What templates see, with the names Alertmanager documents, and the port through which they are expanded. */

import { Labels } from '../../model/labels.ts';
import { type Alert, compareAlerts, isResolved } from '../alert.ts';

export interface TemplateAlert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAtMs: number;
  /** Undefined while it fires: the zero time. */
  readonly endsAtMs: number | undefined;
  readonly generatorURL: string;
  readonly fingerprint: string;
}

export interface TemplateData {
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly alerts: readonly TemplateAlert[];
  readonly groupLabels: Labels;
  readonly commonLabels: Labels;
  readonly commonAnnotations: Labels;
  readonly externalURL: string;
  /** Why this is sent, in Alertmanager's words. */
  readonly notificationReason: string;
}

/** Expands Go templates. Both throw `bad_data` with line and reason. */
export interface Templates {
  text(template: string, data: TemplateData): string;
  html(template: string, data: TemplateData): string;
  /** Parses without running. Throws `bad_config`. */
  check(template: string, kind: 'text' | 'html'): void;
}
/** Makes the templates of one configuration: the defaults first, then its files in order. Throws `bad_config`. */
export type TemplatesFactory = (files: readonly { readonly name: string; readonly text: string }[]) => Templates;

export function templateData(
  alerts: readonly Alert[],
  options: {
    readonly receiver: string;
    readonly groupLabels: Labels;
    readonly externalURL: string;
    readonly nowMs: number;
    readonly notificationReason: string;
  },
): TemplateData {
  const sorted = [...alerts].sort(compareAlerts);
  const firing = sorted.some((a) => !isResolved(a, options.nowMs));
  return {
    // quoted as for an expression: that is what receivers have always been sent
    receiver: options.receiver.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'),
    status: firing ? 'firing' : 'resolved',
    alerts: sorted.map((a) => {
      const resolved = isResolved(a, options.nowMs);
      return {
        status: resolved ? 'resolved' : 'firing',
        labels: a.labels,
        annotations: a.annotations,
        startsAtMs: a.startsAtMs,
        endsAtMs: resolved ? a.endsAtMs : undefined,
        generatorURL: a.generatorURL,
        fingerprint: a.fingerprint,
      };
    }),
    groupLabels: options.groupLabels,
    commonLabels: common(sorted.map((a) => a.labels)),
    commonAnnotations: common(sorted.map((a) => a.annotations)),
    externalURL: options.externalURL,
    notificationReason: options.notificationReason,
  };
}

/** As if the group had only its first `max` alerts (0: all), which is how Alertmanager shortens webhooks. */
export function truncatedData(
  n: {
    readonly data: TemplateData;
    readonly alerts: readonly Alert[];
    readonly receiver: string;
    readonly flushedAtMs: number;
  },
  max: number,
): { readonly data: TemplateData; readonly truncated: number } {
  if (max <= 0 || n.alerts.length <= max) return { data: n.data, truncated: 0 };
  const data = templateData([...n.alerts].sort(compareAlerts).slice(0, max), {
    receiver: n.receiver,
    groupLabels: n.data.groupLabels,
    externalURL: n.data.externalURL,
    nowMs: n.flushedAtMs,
    notificationReason: n.data.notificationReason,
  });
  return { data, truncated: n.alerts.length - max };
}

function common(sets: readonly Labels[]): Labels {
  const [first, ...rest] = sets;
  if (!first) return Labels.EMPTY;
  const kept: string[] = [];
  const { flat } = first;
  for (let i = 0; i < flat.length; i += 2) {
    const [name, value] = [flat[i]!, flat[i + 1]!];
    if (rest.every((s) => s.get(name) === value)) kept.push(name, value);
  }
  return Labels.fromSorted(kept);
}

/** RFC 3339 as Go's encoding/json writes a UTC time: no trailing zeros in the fraction. */
export function goTime(ms: number | undefined): string {
  if (ms === undefined) return '0001-01-01T00:00:00Z';
  if (ms === lastTime.ms) return lastTime.text;
  const iso = new Date(ms).toISOString();
  let end = iso.length - 1;
  // the point stops it before the seconds
  while (iso[end - 1] === '0') end--;
  lastTime.ms = ms;
  lastTime.text = `${iso.slice(0, iso[end - 1] === '.' ? end - 1 : end)}Z`;
  return lastTime.text;
}
/** The alerts of one group mostly began together. */
const lastTime = { ms: Number.NaN, text: '' };
