/** PagerDuty, Events API v2. Version 1 (`service_key`) is refused by name. */
import type { Channel } from './channel.ts';
import { expandDeep, expandTyped, hashKey, postJson, sparse, str, text, truncate } from './http-post.ts';

/** PagerDuty refuses longer summaries and larger events. */
const SUMMARY_CHARS_MAX = 1_024;
const EVENT_BYTES_MAX = 512_000;

export const pagerduty: Channel = {
  kind: 'pagerduty',
  sendResolved: true,
  acknowledges: true,
  fields: {
    routing_key: { kind: 'secret', required: ['routing_key_file'] },
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
  check(config) {
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
    if (Buffer.byteLength(JSON.stringify(event)) > EVENT_BYTES_MAX)
      event.payload.custom_details = {
        error: `Custom details have been removed because the original event exceeds the maximum size of ${EVENT_BYTES_MAX / 1_000} KB`,
      };
    return postJson(n, { url: str(n.config, 'url'), json: event, retryStatus: [429] });
  },
};
