/**
 * PagerDuty: Events API v2, and v1 for the `service_key` of a Prometheus integration, whose address is PagerDuty's own
 * and cannot be set.
 */
import type { Channel, Notification, Outcome } from './channel.ts';
import { expandDeep, expandTyped, hashKey, postJson, sparse, str, text, truncate } from './http-post.ts';

/** PagerDuty refuses longer summaries and larger events. */
const SUMMARY_CHARS_MAX = 1_024;
const EVENT_BYTES_MAX = 512_000;
const TOO_LARGE = `Custom details have been removed because the original event exceeds the maximum size of ${EVENT_BYTES_MAX / 1_000} KB`;

export const pagerduty: Channel = {
  kind: 'pagerduty',
  sendResolved: true,
  acknowledges: true,
  fields: {
    routing_key: { kind: 'secret' },
    service_key: { kind: 'secret' },
    url: { kind: 'url', global: 'pagerduty_url' },
    client: { kind: 'template', default: '{{ template "pagerduty.default.client" . }}' },
    client_url: { kind: 'template', default: '{{ template "pagerduty.default.clientURL" . }}' },
    description: { kind: 'template', default: '{{ template "pagerduty.default.description" .}}' },
    severity: { kind: 'template', default: 'error' },
    details: { kind: 'json' },
    images: { kind: 'json', keys: ['href', 'src', 'alt'] },
    links: { kind: 'json', keys: ['href', 'text'] },
    source: { kind: 'template' },
    class: { kind: 'template' },
    component: { kind: 'template' },
    group: { kind: 'template' },
    timeout: { kind: 'goDuration', default: 0 },
  },
  check(config, fail) {
    if (!config['routing_key'] && !config['service_key'])
      fail('routing_key', 'missing service or routing key in PagerDuty config');
    config['source'] ??= config['client'];
    config['details'] = {
      firing: '{{ .Alerts.Firing | toJson }}',
      resolved: '{{ .Alerts.Resolved | toJson }}',
      num_firing: '{{ .Alerts.Firing | len }}',
      num_resolved: '{{ .Alerts.Resolved | len }}',
      ...((config['details'] as object | undefined) ?? {}),
    };
  },
  send(n) {
    if (n.config['service_key']) return sendV1(n);
    const event = {
      ...sparse({
        routing_key: n.templates.text(str(n.config, 'routing_key'), n.data).trim(),
        dedup_key: hashKey(n.groupKey),
      }),
      event_action: n.event ?? (n.resolved ? 'resolve' : 'trigger'),
      payload: {
        summary: truncate(text(n, 'description'), SUMMARY_CHARS_MAX),
        source: text(n, 'source'),
        severity: text(n, 'severity'),
        ...sparse({
          class: text(n, 'class'),
          component: text(n, 'component'),
          group: text(n, 'group'),
        }),
        custom_details: expandTyped(n, n.config['details']),
      },
      ...sparse({
        client: text(n, 'client'),
        client_url: text(n, 'client_url'),
        images: (expandDeep(n, n.config['images'] ?? []) as object[]).map((i) => sparse({ ...i })),
        links: (expandDeep(n, n.config['links'] ?? []) as object[]).map((l) => sparse({ ...l })),
      }),
    };
    if (Buffer.byteLength(JSON.stringify(event)) > EVENT_BYTES_MAX) event.payload.custom_details = { error: TOO_LARGE };
    return postJson(n, { url: str(n.config, 'url'), json: event, retryStatus: [429] });
  },
};

const V1_URL = 'https://events.pagerduty.com/generic/2010-04-15/create_event.json';

function sendV1(n: Notification): Promise<Outcome> {
  const action = n.event ?? (n.resolved ? 'resolve' : 'trigger');
  const event = sparse({
    service_key: n.templates.text(str(n.config, 'service_key'), n.data).trim(),
    event_type: action,
    incident_key: hashKey(n.groupKey),
    description: truncate(text(n, 'description'), SUMMARY_CHARS_MAX),
    ...(action === 'trigger' ? { client: text(n, 'client'), client_url: text(n, 'client_url') } : {}),
    details: expandTyped(n, n.config['details']),
  });
  if (Buffer.byteLength(JSON.stringify(event)) > EVENT_BYTES_MAX) event['details'] = { error: TOO_LARGE };
  // with 403 version 1 says that there were too many events
  return postJson(n, { url: V1_URL, json: event, retryStatus: [403] });
}
