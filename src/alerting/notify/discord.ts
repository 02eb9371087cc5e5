/** Discord webhooks: one embed. */
import type { Channel } from './channel.ts';
import { postJson, sparse, str, text, truncate } from './http-post.ts';

/** Discord's own limits, in characters. */
const TITLE_CHARS_MAX = 256;
const DESCRIPTION_CHARS_MAX = 4_096;
const CONTENT_CHARS_MAX = 2_000;
const RED = 0x992d22;
const GREEN = 0x2ecc71;

export const discord: Channel = {
  kind: 'discord',
  sendResolved: true,
  fields: {
    webhook_url: { kind: 'secretUrl', required: ['webhook_url_file'] },
    content: { kind: 'template', default: '{{ template "discord.default.content" . }}' },
    title: { kind: 'template', default: '{{ template "discord.default.title" . }}' },
    message: { kind: 'template', default: '{{ template "discord.default.message" . }}' },
    username: { kind: 'string' },
    avatar_url: { kind: 'url' },
  },
  send(n) {
    return postJson(n, {
      url: str(n.config, 'webhook_url').trim(),
      json: {
        content: truncate(text(n, 'content'), CONTENT_CHARS_MAX),
        embeds: [
          {
            title: truncate(text(n, 'title'), TITLE_CHARS_MAX),
            description: truncate(text(n, 'message'), DESCRIPTION_CHARS_MAX),
            color: n.resolved ? GREEN : RED,
          },
        ],
        ...sparse({ username: n.config['username'], avatar_url: n.config['avatar_url'] }),
      },
    });
  },
};
