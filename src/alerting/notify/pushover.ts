/** Pushover: one message; its parameters travel in the address, which is why errors name only the host. */
import type { Channel } from './channel.ts';
import { postBody, query, str, text, truncate } from './http-post.ts';

/** Pushover's limits, in characters. */
const TITLE_CHARS_MAX = 250;
const MESSAGE_CHARS_MAX = 1_024;
const URL_CHARS_MAX = 512;
const ADDRESS = 'https://api.pushover.net/1/messages.json';
const standard = (part: string): string => `{{ template "pushover.default.${part}" . }}`;

export const pushover: Channel = {
  kind: 'pushover',
  sendResolved: true,
  fields: {
    user_key: { kind: 'secret', required: ['user_key_file'] },
    token: { kind: 'secret', required: ['token_file'] },
    title: { kind: 'template', default: standard('title') },
    message: { kind: 'template', default: standard('message') },
    url: { kind: 'template', default: standard('url') },
    url_title: { kind: 'template' },
    device: { kind: 'template' },
    sound: { kind: 'template' },
    priority: { kind: 'template', default: '{{ if eq .Status "firing" }}2{{ else }}0{{ end }}' },
    retry: { kind: 'goDuration', default: 60_000 },
    expire: { kind: 'goDuration', default: 3_600_000 },
    ttl: { kind: 'goDuration', default: 0 },
    html: { kind: 'bool', default: false },
    monospace: { kind: 'bool', default: false },
  },
  check(config, fail) {
    if (config['html'] && config['monospace']) fail('html', 'at most one of monospace & html must be configured');
  },
  send(n) {
    const html = n.config['html'] === true;
    const message = html ? n.templates.html(str(n.config, 'message'), n.data) : text(n, 'message');
    const seconds = (field: string): number => Math.trunc(Number(n.config[field]) / 1_000);
    const secret = (field: string): string => n.templates.text(str(n.config, field).trim(), n.data);
    const parameters = query({
      token: secret('token'),
      user: secret('user_key'),
      title: truncate(text(n, 'title'), TITLE_CHARS_MAX),
      ...(html ? { html: '1' } : {}),
      ...(n.config['monospace'] === true ? { monospace: '1' } : {}),
      // Pushover refuses an empty message
      message: truncate(message, MESSAGE_CHARS_MAX).trim() || '(no details)',
      url: truncate(text(n, 'url'), URL_CHARS_MAX),
      url_title: text(n, 'url_title'),
      priority: text(n, 'priority'),
      retry: String(seconds('retry')),
      expire: String(seconds('expire')),
      device: text(n, 'device'),
      sound: text(n, 'sound'),
      ...(seconds('ttl') > 0 ? { ttl: String(seconds('ttl')) } : {}),
    });
    return postBody(n, { url: `${ADDRESS}?${parameters}`, body: '', contentType: 'text/plain' });
  },
};
