/** Mattermost: incoming webhooks. One attachment from the plain fields, or the listed ones below a text of their own. */
import type { Channel, Notification } from './channel.ts';
import { expandDeep, postJson, sparse, str, text, truncate } from './http-post.ts';

/** Mattermost's own limit of a text, in characters. */
const TEXT_CHARS_MAX = 16_383;
const FIELD_KEYS = ['title', 'value', 'short'];
/** What an attachment may say, and what makes the only one when none are listed. */
const PARTS = [
  'fallback',
  'color',
  'pretext',
  'text',
  'author_name',
  'author_link',
  'author_icon',
  'title',
  'title_link',
  'thumb_url',
  'footer',
  'footer_icon',
  'image_url',
] as const;
const standard = (part: string): string => `{{ template "mattermost.default.${part}" . }}`;

export const mattermost: Channel = {
  kind: 'mattermost',
  sendResolved: true,
  fields: {
    webhook_url: { kind: 'secretUrl', global: 'mattermost_webhook_url', required: true },
    channel: { kind: 'template' },
    username: { kind: 'template', default: standard('username') },
    ...Object.fromEntries(PARTS.map((part) => [part, { kind: 'template' as const }])),
    text: { kind: 'template', default: standard('text') },
    fallback: { kind: 'template', default: standard('fallback') },
    color: { kind: 'template', default: standard('color') },
    title: { kind: 'template', default: standard('title') },
    title_link: { kind: 'template', default: standard('titlelink') },
    fields: { kind: 'json', keys: FIELD_KEYS },
    attachments: { kind: 'json', keys: [...PARTS, 'fields'] },
    icon_url: { kind: 'template' },
    icon_emoji: { kind: 'template' },
    type: { kind: 'template' },
    props: { kind: 'json', keys: ['card'] },
    priority: { kind: 'json', keys: ['priority', 'requested_ack', 'persistent_notifications'] },
  },
  check(config, fail) {
    const lists = [config['fields'], ...listOf(config['attachments']).map((a) => a['fields'])];
    for (const list of lists)
      for (const field of listOf(list))
        for (const key of ['title', 'value'])
          if (!field[key]) fail('fields', `missing ${key} in Mattermost field configuration`);
  },
  send(n) {
    const listed = listOf(n.config['attachments']);
    const own = { ...Object.fromEntries(PARTS.map((p) => [p, n.config[p]])), fields: n.config['fields'] };
    return postJson(n, {
      url: str(n.config, 'webhook_url').trim(),
      json: sparse({
        text: listed.length > 0 ? truncate(text(n, 'text'), TEXT_CHARS_MAX) : '',
        channel: text(n, 'channel'),
        username: text(n, 'username'),
        icon_url: text(n, 'icon_url'),
        icon_emoji: text(n, 'icon_emoji'),
        attachments: (listed.length > 0 ? listed : [own]).map((a) => attachment(n, a)),
        type: text(n, 'type'),
        props: (n.config['props'] as { card?: string } | undefined)?.card
          ? expandDeep(n, n.config['props'])
          : undefined,
        priority: priority(n),
      }),
    });
  },
};

const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value : []);

function attachment(n: Notification, from: Record<string, unknown>): Record<string, unknown> {
  const parts = sparse(
    expandDeep(n, Object.fromEntries(PARTS.map((p) => [p, from[p] ?? '']))) as object as Record<string, unknown>,
  );
  const fields = listOf(from['fields']).map((f) => ({
    ...(expandDeep(n, { title: f['title'], value: f['value'] }) as object),
    ...(f['short'] === undefined ? {} : { short: f['short'] === 'true' }),
  }));
  return sparse({ ...parts, fields });
}

function priority(n: Notification): Record<string, unknown> | undefined {
  const wanted = n.config['priority'] as Record<string, string> | undefined;
  if (!wanted?.['priority']) return undefined;
  const asked = n.templates.text(wanted['priority'], n.data).toLowerCase();
  const level = ['urgent', 'important', 'standard'].includes(asked) ? asked : 'standard';
  return sparse({
    priority: level,
    // Mattermost refuses what does not go with the level
    requested_ack: wanted['requested_ack'] === 'true' && level !== 'standard',
    persistent_notifications: wanted['persistent_notifications'] === 'true' && level === 'urgent',
  });
}
