/** Discord webhooks: one embed, and buttons where a person can act. */
import type { Button, Channel } from './channel.ts';
import { postJson, sparse, str, text, truncate } from './http-post.ts';

/** Discord's own limits, in characters. */
const TITLE_CHARS_MAX = 256;
const DESCRIPTION_CHARS_MAX = 4_096;
const CONTENT_CHARS_MAX = 2_000;
/** Buttons of one row, characters of a label, an address and a value. */
const BUTTONS_MAX = 5;
const LABEL_CHARS_MAX = 80;
const BUTTON_URL_CHARS_MAX = 512;
const VALUE_CHARS_MAX = 100;
/** Component types and styles of Discord's API. */
const ACTION_ROW = 1;
const BUTTON = 2;
const STYLE = { secondary: 2, success: 3, link: 5 } as const;
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
    const buttons = buttonsOf(n.buttons ?? [], n.pressable === true);
    return postJson(n, {
      url: withComponents(str(n.config, 'webhook_url').trim(), buttons.length > 0),
      json: {
        content: truncate(text(n, 'content'), CONTENT_CHARS_MAX),
        embeds: [
          {
            title: truncate(text(n, 'title'), TITLE_CHARS_MAX),
            description: truncate(text(n, 'message'), DESCRIPTION_CHARS_MAX),
            color: n.resolved ? GREEN : RED,
          },
        ],
        ...(buttons.length > 0 ? { components: [{ type: ACTION_ROW, components: buttons }] } : {}),
        ...sparse({ username: n.config['username'], avatar_url: n.config['avatar_url'] }),
      },
    });
  },
};

/** Pressed in Discord where the tenant's application answers presses; else links to the page that asks. */
function buttonsOf(buttons: readonly Button[], pressable: boolean): readonly Readonly<Record<string, unknown>>[] {
  return buttons
    .filter((b) => (pressable ? b.value.length <= VALUE_CHARS_MAX : b.url.length <= BUTTON_URL_CHARS_MAX))
    .slice(0, BUTTONS_MAX)
    .map((b, i) => ({
      type: BUTTON,
      label: truncate(b.label, LABEL_CHARS_MAX),
      ...(pressable
        ? { style: i === 0 ? STYLE.success : STYLE.secondary, custom_id: b.value }
        : { style: STYLE.link, url: b.url }),
    }));
}

/** Without this Discord drops the components of a webhook's message. */
function withComponents(url: string, wanted: boolean): string {
  if (!wanted) return url;
  const whole = new URL(url);
  whole.searchParams.set('with_components', 'true');
  return whole.href;
}
