/** Opsgenie: create and close alerts by alias; with `update_alerts`, message and description are renewed too. */
import type { Channel, Outcome } from './channel.ts';
import { expandDeep, hashKey, postJson, sparse, str, text, truncate } from './http-post.ts';

/** Opsgenie's own limit of a message. */
const MESSAGE_CHARS_MAX = 130;

const RESPONDERS = ['team', 'user', 'escalation', 'schedule'];

export const opsgenie: Channel = {
  kind: 'opsgenie',
  sendResolved: true,
  fields: {
    api_key: { kind: 'secret', global: 'opsgenie_api_key', required: true },
    api_url: { kind: 'url', global: 'opsgenie_api_url' },
    message: { kind: 'template', default: '{{ template "opsgenie.default.message" . }}' },
    description: { kind: 'template', default: '{{ template "opsgenie.default.description" . }}' },
    source: { kind: 'template', default: '{{ template "opsgenie.default.source" . }}' },
    details: { kind: 'templateMap' },
    entity: { kind: 'template' },
    responders: { kind: 'json', keys: ['id', 'name', 'username', 'type'] },
    actions: { kind: 'template' },
    tags: { kind: 'template' },
    note: { kind: 'template' },
    priority: { kind: 'template' },
    update_alerts: { kind: 'bool', default: false },
  },
  check(config, fail) {
    for (const r of (config['responders'] ?? []) as Record<string, string>[]) {
      if (!r['id'] && !r['username'] && !r['name']) fail('responders', 'a responder must have id, username or name');
      const type = (r['type'] ?? '').toLowerCase();
      if (!type.includes('{{') && !RESPONDERS.includes(type.replace(/s$/, '')))
        fail('responders', `unknown type ${JSON.stringify(type)}, want one of ${RESPONDERS.join(', ')}`);
    }
  },
  async send(n): Promise<Outcome> {
    const alias = hashKey(n.groupKey);
    const base = `${str(n.config, 'api_url').replace(/\/$/, '')}/v2/alerts`;
    const headers = { authorization: `GenieKey ${n.templates.text(str(n.config, 'api_key').trim(), n.data)}` };
    const post = (url: string, json: unknown, method: 'POST' | 'PUT' = 'POST'): Promise<Outcome> =>
      postJson(n, { url, json, method, headers, retryStatus: [429] });
    if (n.resolved) return post(`${base}/${alias}/close?identifierType=alias`, { source: text(n, 'source') });
    const commas = (field: string): string[] => {
      const joined = text(n, field);
      return joined === '' ? [] : joined.split(',');
    };
    const responders = (expandDeep(n, n.config['responders'] ?? []) as Record<string, string>[])
      .flatMap((r) =>
        ['teams', 'users', 'escalations', 'schedules'].includes(r['type'] ?? '')
          ? (r['name'] ?? '').split(',').map((name) => ({ name: name.trim(), type: (r['type'] ?? '').slice(0, -1) }))
          : [r],
      )
      .map((r) => sparse({ ...r }));
    const details = {
      ...n.data.commonLabels.toObject(),
      ...(expandDeep(n, n.config['details'] ?? {}) as Record<string, string>),
    };
    const message = truncate(text(n, 'message'), MESSAGE_CHARS_MAX);
    const description = text(n, 'description');
    const sent = await post(base, {
      alias,
      message,
      ...sparse({ description }),
      details,
      source: text(n, 'source'),
      ...sparse({
        responders,
        tags: commas('tags'),
        note: text(n, 'note'),
        priority: text(n, 'priority'),
        entity: text(n, 'entity'),
        actions: commas('actions'),
      }),
    });
    if (sent.kind !== 'sent' || n.config['update_alerts'] !== true) return sent;
    // an alert that exists already ignores what creates it
    const of = `${base}/${alias}`;
    const renamed = await post(`${of}/message?identifierType=alias`, { message }, 'PUT');
    return renamed.kind === 'sent' ? post(`${of}/description?identifierType=alias`, { description }, 'PUT') : renamed;
  },
};
