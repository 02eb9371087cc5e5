/** Generic webhook: Alertmanager's version 4 payload, or one of the configuration's own making. */
import type { Channel } from './channel.ts';
import { expandTyped, postJson, text } from './http-post.ts';
import { goTime, type TemplateData, truncatedData } from './template-data.ts';

export const webhook: Channel = {
  kind: 'webhook',
  sendResolved: true,
  fields: {
    url: { kind: 'secretTemplateUrl', required: ['url_file'] },
    max_alerts: { kind: 'int', default: 0 },
    timeout: { kind: 'goDuration', default: 0 },
    payload: { kind: 'json' },
  },
  send(n) {
    const { data, truncated } = truncatedData(n, Number(n.config['max_alerts'] ?? 0));
    const own = n.config['payload'];
    return postJson(n, {
      url: text(n, 'url').trim(),
      headers: { 'idempotency-key': n.idempotencyKey },
      json: own === undefined ? webhookPayload(data, n.groupKey, truncated, '4') : expandTyped({ ...n, data }, own),
    });
  },
};

export function webhookPayload(
  d: TemplateData,
  groupKey: string,
  truncatedAlerts: number,
  version: string,
): Record<string, unknown> {
  return {
    receiver: d.receiver,
    status: d.status,
    alerts: d.alerts.map((a) => ({
      status: a.status,
      labels: a.labels,
      annotations: a.annotations,
      startsAt: goTime(a.startsAtMs),
      endsAt: goTime(a.endsAtMs),
      generatorURL: a.generatorURL,
      fingerprint: a.fingerprint,
    })),
    groupLabels: d.groupLabels,
    commonLabels: d.commonLabels,
    commonAnnotations: d.commonAnnotations,
    externalURL: d.externalURL,
    notification_reason: d.notificationReason,
    version,
    groupKey,
    truncatedAlerts,
  };
}
