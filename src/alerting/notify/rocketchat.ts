/** Rocket.Chat: chat.postMessage with one attachment; the answer's body says whether it worked. */
import { type Channel, type Outcome, SENT } from './channel.ts';
import { ERROR_TEXT_MAX, expandDeep, parseAnswer, postJson, sparse, str, text, truncate } from './http-post.ts';

const TITLE_CHARS_MAX = 1_024;
const standard = (part: string): string => `{{ template "rocketchat.default.${part}" . }}`;

export const rocketchat: Channel = {
  kind: 'rocketchat',
  sendResolved: false,
  fields: {
    api_url: { kind: 'url', global: 'rocketchat_api_url' },
    token: { kind: 'secret', global: 'rocketchat_token', required: true },
    token_id: { kind: 'secret', global: 'rocketchat_token_id', required: true },
    channel: { kind: 'template' },
    color: { kind: 'template', default: '{{ if eq .Status "firing" }}red{{ else }}green{{ end }}' },
    title: { kind: 'template', default: standard('title') },
    title_link: { kind: 'template', default: standard('titlelink') },
    text: { kind: 'template', default: standard('text') },
    emoji: { kind: 'template', default: standard('emoji') },
    icon_url: { kind: 'template', default: standard('iconurl') },
    fields: { kind: 'json', keys: ['title', 'value', 'short'] },
    short_fields: { kind: 'bool', default: false },
    image_url: { kind: 'template' },
    thumb_url: { kind: 'template' },
    // taken and without effect, as in Alertmanager
    link_names: { kind: 'bool' },
    actions: { kind: 'json', keys: ['type', 'text', 'url', 'msg'] },
  },
  send(n): Promise<Outcome> {
    const fields = ((n.config['fields'] ?? []) as Record<string, string>[]).map((f) => ({
      ...(expandDeep(n, { title: f['title'], value: f['value'] }) as object),
      short: f['short'] === undefined ? n.config['short_fields'] === true : f['short'] === 'true',
    }));
    const actions = ((n.config['actions'] ?? []) as Record<string, string>[]).map((a) => ({
      type: 'button',
      ...sparse(expandDeep(n, { text: a['text'], url: a['url'], msg: a['msg'] }) as Record<string, unknown>),
      is_webview: false,
      msg_in_chat_window: false,
    }));
    return postJson(n, {
      url: `${str(n.config, 'api_url').replace(/\/$/, '')}/api/v1/chat.postMessage`,
      headers: { 'x-auth-token': str(n.config, 'token').trim(), 'x-user-id': str(n.config, 'token_id').trim() },
      json: sparse({
        channel: text(n, 'channel'),
        emoji: text(n, 'emoji'),
        avatar: text(n, 'icon_url'),
        attachments: [
          sparse({
            title: truncate(text(n, 'title'), TITLE_CHARS_MAX),
            title_link: text(n, 'title_link'),
            text: text(n, 'text'),
            image_url: text(n, 'image_url'),
            thumb_url: text(n, 'thumb_url'),
            color: text(n, 'color'),
            fields,
            actions,
          }),
        ],
      }),
      accept({ body }) {
        const answer = parseAnswer(body);
        if (!answer)
          return { kind: 'failed', retry: true, error: `no JSON came back: ${body.slice(0, ERROR_TEXT_MAX)}` };
        if (answer['success'] === true) return SENT;
        return {
          kind: 'failed',
          retry: false,
          error: `Rocket.Chat says: ${String(answer['error'] ?? '').slice(0, ERROR_TEXT_MAX)}`,
        };
      },
    });
  },
};
