/** Slack: incoming webhooks and chat.postMessage, as an attachment, and buttons where a person can act. */
import { type Button, type Channel, type Notification, type Outcome, type OutgoingResponse, SENT } from './channel.ts';
import { ERROR_TEXT_MAX, expandDeep, parseAnswer, postJson, sparse, str, text, truncate } from './http-post.ts';

/** Slack shows no more of a title. */
const TITLE_CHARS_MAX = 1_024;
/** Block Kit's limits: buttons that stand in one row, characters of a label, an address and a value. */
const BUTTONS_MAX = 5;
const LABEL_CHARS_MAX = 75;
const BUTTON_URL_CHARS_MAX = 3_000;
const VALUE_CHARS_MAX = 2_000;

export const slack: Channel = {
  kind: 'slack',
  sendResolved: false,
  fields: {
    api_url: { kind: 'secretUrl', global: 'slack_api_url' },
    app_token: { kind: 'secret', global: 'slack_app_token' },
    app_url: { kind: 'url', global: 'slack_app_url' },
    timeout: { kind: 'goDuration', default: 0 },
    channel: { kind: 'template' },
    username: { kind: 'template', default: '{{ template "slack.default.username" . }}' },
    color: { kind: 'template', default: '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}' },
    title: { kind: 'template', default: '{{ template "slack.default.title" . }}' },
    title_link: { kind: 'template', default: '{{ template "slack.default.titlelink" . }}' },
    message_text: { kind: 'template' },
    pretext: { kind: 'template', default: '{{ template "slack.default.pretext" . }}' },
    text: { kind: 'template', default: '{{ template "slack.default.text" . }}' },
    fields: { kind: 'json', keys: ['title', 'value', 'short'] },
    short_fields: { kind: 'bool', default: false },
    footer: { kind: 'template', default: '{{ template "slack.default.footer" . }}' },
    fallback: { kind: 'template', default: '{{ template "slack.default.fallback" . }}' },
    callback_id: { kind: 'template', default: '{{ template "slack.default.callbackid" . }}' },
    icon_emoji: { kind: 'template', default: '{{ template "slack.default.iconemoji" . }}' },
    icon_url: { kind: 'template', default: '{{ template "slack.default.iconurl" . }}' },
    image_url: { kind: 'template' },
    thumb_url: { kind: 'template' },
    link_names: { kind: 'bool', default: false },
    mrkdwn_in: { kind: 'strings' },
    actions: { kind: 'json', keys: ['type', 'text', 'url', 'style', 'name', 'value', 'confirm'] },
  },
  check(config, fail, _http, own) {
    const list = (field: string): Record<string, unknown>[] => (config[field] ?? []) as Record<string, unknown>[];
    for (const f of list('fields'))
      for (const key of ['title', 'value']) if (!f[key]) fail('fields', `missing ${key} in Slack field configuration`);
    for (const a of list('actions')) {
      for (const key of ['type', 'text']) if (!a[key]) fail('actions', `missing ${key} in Slack action configuration`);
      if (!a['url'] && !a['name']) fail('actions', 'missing name or url in Slack action configuration');
      const confirm = a['confirm'] as Record<string, unknown> | undefined;
      if (confirm && !confirm['text']) fail('actions', 'missing text in Slack confirmation configuration');
    }
    if (own('api_url') && own('app_token'))
      fail('app_token', 'at most one of api_url/api_url_file & app_token/app_token_file must be configured');
    // what the integration says itself goes before what is said for all
    if (own('api_url')) config['app_token'] = undefined;
    if (!config['app_token']) config['app_url'] = undefined;
    else if (config['app_token']) config['api_url'] = undefined;
    if (!config['api_url'] && !config['app_token']) fail('api_url', 'missing api_url in slack config');
  },
  send(n) {
    const token = str(n.config, 'app_token').trim();
    return postJson(n, {
      url: str(n.config, token ? 'app_url' : 'api_url').trim(),
      ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
      json: payload(n),
      retryStatus: [429],
      accept,
    });
  },
};

/** Slack says with status 200 what went wrong: in JSON to applications, in a word to incoming webhooks. */
function accept({ headers, body }: OutgoingResponse): Outcome {
  const said = body.trim();
  if (headers['content-type']?.startsWith('application/json')) {
    const answer = parseAnswer(said);
    if (!answer) return { kind: 'failed', retry: true, error: `no JSON came back: ${said.slice(0, ERROR_TEXT_MAX)}` };
    if (answer['ok'] !== false) return SENT;
    return { kind: 'failed', retry: false, error: `Slack says: ${String(answer['error']).slice(0, ERROR_TEXT_MAX)}` };
  }
  // other programs that take Slack's requests answer with nothing
  if (said === '' || said.toLowerCase() === 'ok') return SENT;
  return { kind: 'failed', retry: false, error: `Slack says: ${said.slice(0, ERROR_TEXT_MAX)}` };
}

function payload(n: Notification): Record<string, unknown> {
  const fields = (expandDeep(n, n.config['fields'] ?? []) as Record<string, unknown>[]).map((f) => ({
    title: f['title'],
    value: f['value'],
    short: f['short'] === undefined ? n.config['short_fields'] === true : f['short'] === true || f['short'] === 'true',
  }));
  const actions = (expandDeep(n, n.config['actions'] ?? []) as Record<string, unknown>[]).map(sparse);
  // who writes actions of their own has chosen what can be done
  const buttons = actions.length > 0 ? [] : buttonsOf(n.buttons ?? [], n.pressable === true);
  return sparse({
    channel: text(n, 'channel'),
    username: text(n, 'username'),
    icon_emoji: text(n, 'icon_emoji'),
    icon_url: text(n, 'icon_url'),
    link_names: n.config['link_names'],
    text: text(n, 'message_text'),
    attachments: [
      {
        ...sparse({
          title: truncate(text(n, 'title'), TITLE_CHARS_MAX),
          title_link: text(n, 'title_link'),
          pretext: text(n, 'pretext'),
        }),
        // empty by default: a message of an incident would say no more than its title
        text: text(n, 'text') || (n.buttons ? (n.alerts[0]?.annotations.get('description') ?? '') : ''),
        fallback: text(n, 'fallback'),
        callback_id: text(n, 'callback_id'),
        ...sparse({
          fields,
          actions,
          image_url: text(n, 'image_url'),
          thumb_url: text(n, 'thumb_url'),
          color: text(n, 'color'),
        }),
        footer: text(n, 'footer'),
        mrkdwn_in: (n.config['mrkdwn_in'] as string[] | undefined) ?? ['fallback', 'pretext', 'text'],
      },
      // an attachment holds either text of the old kind or blocks
      ...(buttons.length > 0 ? [{ color: text(n, 'color'), blocks: [{ type: 'actions', elements: buttons }] }] : []),
    ],
  });
}

/** Pressed in Slack where the tenant's app answers presses; else links to the page that asks. */
function buttonsOf(buttons: readonly Button[], pressable: boolean): readonly Readonly<Record<string, unknown>>[] {
  return buttons
    .filter((b) => (pressable ? b.value.length <= VALUE_CHARS_MAX : b.url.length <= BUTTON_URL_CHARS_MAX))
    .slice(0, BUTTONS_MAX)
    .map((b, i) => ({
      type: 'button',
      action_id: `vigie_${b.value.split(':', 1)[0]}`,
      text: { type: 'plain_text', text: truncate(b.label, LABEL_CHARS_MAX) },
      ...(i === 0 ? { style: 'primary' } : {}),
      ...(pressable ? { value: b.value } : { url: b.url }),
    }));
}
