/** VictorOps (Splunk On-Call): the REST end point, one entity per group. */
import type { Channel } from './channel.ts';
import { hashKey, postJson, str, text, truncate } from './http-post.ts';

/** VictorOps cuts longer messages. */
const MESSAGE_CHARS_MAX = 20_480;
const RESERVED = [
  'routing_key',
  'message_type',
  'state_message',
  'entity_display_name',
  'monitoring_tool',
  'entity_id',
  'entity_state',
];

export const victorops: Channel = {
  kind: 'victorops',
  sendResolved: true,
  fields: {
    api_key: { kind: 'secret', global: 'victorops_api_key', required: true },
    api_url: { kind: 'url', global: 'victorops_api_url' },
    routing_key: { kind: 'template', required: true },
    message_type: { kind: 'template', default: 'CRITICAL' },
    state_message: { kind: 'template', default: '{{ template "victorops.default.state_message" . }}' },
    entity_display_name: { kind: 'template', default: '{{ template "victorops.default.entity_display_name" . }}' },
    monitoring_tool: { kind: 'template', default: '{{ template "victorops.default.monitoring_tool" . }}' },
    custom_fields: { kind: 'templateMap' },
  },
  check(config, fail) {
    for (const name of Object.keys((config['custom_fields'] as object | undefined) ?? {}))
      if (RESERVED.includes(name))
        fail(
          'custom_fields',
          `victorOps config contains custom field ${name} which cannot be used as it conflicts with the fixed/static fields`,
        );
  },
  send(n) {
    const type = text(n, 'message_type');
    const allowed = ['INFO', 'WARNING', 'CRITICAL'];
    const base = str(n.config, 'api_url').replace(/\/?$/, '/');
    const custom = (n.config['custom_fields'] as Record<string, string> | undefined) ?? {};
    return postJson(n, {
      url: `${base}${str(n.config, 'api_key').trim()}/${text(n, 'routing_key')}`,
      json: {
        message_type: n.resolved ? 'RECOVERY' : allowed.includes(type) ? type : 'CRITICAL',
        entity_id: hashKey(n.groupKey),
        entity_display_name: text(n, 'entity_display_name'),
        state_message: truncate(text(n, 'state_message'), MESSAGE_CHARS_MAX),
        monitoring_tool: text(n, 'monitoring_tool'),
        ...Object.fromEntries(Object.entries(custom).map(([k, v]) => [k, n.templates.text(v, n.data)])),
      },
    });
  },
};
