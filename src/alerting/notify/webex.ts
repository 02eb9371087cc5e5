/** Webex: one markdown message into a room. */
import type { Channel } from './channel.ts';
import { postJson, str, text, truncate } from './http-post.ts';

/** Webex' own limit of a message. */
const MESSAGE_CHARS_MAX = 7_439;

export const webex: Channel = {
  kind: 'webex',
  sendResolved: true,
  fields: {
    api_url: { kind: 'url', global: 'webex_api_url' },
    room_id: { kind: 'template', required: true },
    message: { kind: 'template', default: '{{ template "webex.default.message" . }}' },
  },
  check(_config, fail, http) {
    if (!http.authorization) fail('http_config', 'missing authorization: Webex takes the token of a bot there');
  },
  send(n) {
    return postJson(n, {
      url: str(n.config, 'api_url'),
      json: { markdown: truncate(text(n, 'message'), MESSAGE_CHARS_MAX), roomId: text(n, 'room_id') },
    });
  },
};
