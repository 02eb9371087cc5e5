/** Telegram: sendMessage of a bot. */
import type { Channel } from './channel.ts';
import { postJson, sparse, str, text, truncate } from './http-post.ts';

/** Telegram refuses longer messages. */
const MESSAGE_CHARS_MAX = 4_096;

export const telegram: Channel = {
  kind: 'telegram',
  sendResolved: true,
  fields: {
    api_url: { kind: 'url', global: 'telegram_api_url' },
    bot_token: { kind: 'secret', global: 'telegram_bot_token', required: ['bot_token_file'] },
    chat_id: { kind: 'int', required: true, fileTwin: true },
    message_thread_id: { kind: 'int' },
    message: { kind: 'html', default: '{{ template "telegram.default.message" . }}' },
    disable_notifications: { kind: 'bool', default: false },
    parse_mode: { kind: 'string', default: 'HTML', oneOf: ['', 'Markdown', 'MarkdownV2', 'HTML'] },
  },
  send(n) {
    const html = n.config['parse_mode'] === 'HTML';
    const message = html ? n.templates.html(str(n.config, 'message'), n.data) : text(n, 'message');
    return postJson(n, {
      url: `${str(n.config, 'api_url').replace(/\/$/, '')}/bot${str(n.config, 'bot_token').trim()}/sendMessage`,
      json: sparse({
        chat_id: String(n.config['chat_id']),
        message_thread_id: n.config['message_thread_id'] === undefined ? '' : String(n.config['message_thread_id']),
        text: truncate(message, MESSAGE_CHARS_MAX),
        disable_notification: n.config['disable_notifications'] === true ? 'true' : '',
        disable_web_page_preview: 'true',
        parse_mode: n.config['parse_mode'],
      }),
      retryStatus: [429],
    });
  },
};
