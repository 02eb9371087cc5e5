/** Generic webhook: Alertmanager's version 4 payload. */
import type { Channel } from './channel.ts';
import { postJson, str } from './http-post.ts';
import { goTime } from './template-data.ts';

export const webhook: Channel = {
  kind: 'webhook',
  sendResolved: true,
  fields: {
    url: { kind: 'secretUrl', required: ['url_file'] },
    max_alerts: { kind: 'int', default: 0 },
    timeout: { kind: 'duration', default: 0 },
  },
  send(n) {
    const d = n.data;
    const max = Number(n.config['max_alerts'] ?? 0);
    const shown = max > 0 ? d.alerts.slice(0, max) : d.alerts;
    return postJson(n, {
      url: str(n.config, 'url').trim(),
      headers: { 'idempotency-key': n.idempotencyKey },
      json: {
        receiver: d.receiver,
        status: d.status,
        alerts: shown.map((a) => ({
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
        version: '4',
        groupKey: n.groupKey,
        truncatedAlerts: d.alerts.length - shown.length,
      },
    });
  },
};
