/** Opsgenie: create and close alerts by alias. `update_alerts` is refused by name. */
import { type Channel, type Outcome, SENT } from './channel.ts';
import { expandDeep, hashKey, postJson, sparse, str, text, truncate } from './http-post.ts';

/** Opsgenie's own limit of a message. */
const MESSAGE_CHARS_MAX = 130;

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
  },
  async send(n): Promise<Outcome> {
    const alias = hashKey(n.groupKey);
    const base = `${str(n.config, 'api_url').replace(/\/$/, '')}/v2/alerts`;
    const headers = { authorization: `GenieKey ${n.templates.text(str(n.config, 'api_key').trim(), n.data)}` };
    const post = (url: string, json: unknown): Promise<Outcome> =>
      postJson(n, { url, json, headers, retryStatus: [429] });
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
    const sent = await post(base, {
      alias,
      message: truncate(text(n, 'message'), MESSAGE_CHARS_MAX),
      ...sparse({ description: text(n, 'description') }),
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
    return sent.kind === 'sent' ? SENT : sent;
  },
};
