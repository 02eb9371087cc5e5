/** incident.io: the webhook's payload to an alert source of one's own. */
import type { Channel } from './channel.ts';
import { postBody, str } from './http-post.ts';
import { truncatedData } from './template-data.ts';
import { webhookText } from './webhook.ts';

/** incident.io takes no larger events. */
const EVENT_BYTES_MAX = 512 * 1_024;

export const incidentio: Channel = {
  kind: 'incidentio',
  sendResolved: true,
  fields: {
    url: { kind: 'secretUrl', required: ['url_file'] },
    alert_source_token: { kind: 'secret' },
    max_alerts: { kind: 'int', default: 0 },
    timeout: { kind: 'goDuration', default: 0 },
  },
  check(config, fail, http) {
    if (http.authorization && config['alert_source_token'])
      fail('alert_source_token', 'cannot be set beside http_config.authorization');
    if (!http.authorization && !config['alert_source_token'])
      fail(
        'alert_source_token',
        'alert_source_token, alert_source_token_file or http_config.authorization must be set',
      );
  },
  send(n) {
    const { data, truncated } = truncatedData(n, Number(n.config['max_alerts'] ?? 0));
    let event = webhookText(data, n.groupKey, truncated, '1');
    if (Buffer.byteLength(event) > EVENT_BYTES_MAX)
      event = webhookText({ ...data, alerts: data.alerts.slice(0, 1) }, n.groupKey, truncated, '1');
    const token = str(n.config, 'alert_source_token').trim();
    return postBody(n, {
      url: str(n.config, 'url').trim(),
      contentType: 'application/json',
      body: `${event}\n`,
      retryStatus: [429],
      headers: { 'idempotency-key': n.idempotencyKey, ...(token ? { authorization: `Bearer ${token}` } : {}) },
    });
  },
};
