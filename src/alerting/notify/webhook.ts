/** Generic webhook: Alertmanager's version 4 payload, or one of the configuration's own making. */
import { jsonString } from '../../lib/json-text.ts';
import type { Labels } from '../../model/labels.ts';
import type { Channel } from './channel.ts';
import { expandTyped, postBody, postJson, text } from './http-post.ts';
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
    const post = { url: text(n, 'url').trim(), headers: { 'idempotency-key': n.idempotencyKey } };
    if (own !== undefined) return postJson(n, { ...post, json: expandTyped({ ...n, data }, own) });
    return postBody(n, {
      ...post,
      contentType: 'application/json',
      body: `${webhookText(data, n.groupKey, truncated, '4')}\n`,
    });
  },
};

/** The payload as JSON text: written piece by piece, for most of a storm's notifications are this. */
export function webhookText(d: TemplateData, groupKey: string, truncatedAlerts: number, version: string): string {
  const alerts = d.alerts.map(
    (a) =>
      `{"status":"${a.status}","labels":${labelsText(a.labels)},"annotations":${labelsText(a.annotations)},"startsAt":"${goTime(a.startsAtMs)}","endsAt":"${goTime(a.endsAtMs)}","generatorURL":${jsonString(a.generatorURL)},"fingerprint":"${a.fingerprint}"}`,
  );
  return `{"receiver":${JSON.stringify(d.receiver)},"status":"${d.status}","alerts":[${alerts.join(',')}],"groupLabels":${labelsText(d.groupLabels)},"commonLabels":${labelsText(d.commonLabels)},"commonAnnotations":${labelsText(d.commonAnnotations)},"externalURL":${JSON.stringify(d.externalURL)},"notification_reason":${JSON.stringify(d.notificationReason)},"version":"${version}","groupKey":${JSON.stringify(groupKey)},"truncatedAlerts":${truncatedAlerts}}`;
}

function labelsText(labels: Labels): string {
  const { flat } = labels;
  let out = '{';
  for (let i = 0; i < flat.length; i += 2)
    out += `${i === 0 ? '' : ','}${jsonString(flat[i]!)}:${jsonString(flat[i + 1]!)}`;
  return `${out}}`;
}
