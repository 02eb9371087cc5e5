/** WeChat Work: an access token for the company's secret, kept for two hours, then message/send. */
import { type Channel, type ChannelConfig, type Notification, type Outcome, SENT } from './channel.ts';
import { ERROR_TEXT_MAX, parseAnswer, postJson, query, str, text } from './http-post.ts';

const TOKEN_MS = 2 * 3_600_000;
/** The server's code for a token that is over. */
const TOKEN_EXPIRED = 42_001;
/** One token per integration; goes with its configuration. */
const tokens = new WeakMap<ChannelConfig, { readonly token: string; readonly atMs: number }>();
const standard = (part: string): string => `{{ template "wechat.default.${part}" . }}`;

export const wechat: Channel = {
  kind: 'wechat',
  sendResolved: false,
  fields: {
    api_url: { kind: 'url', global: 'wechat_api_url' },
    api_secret: { kind: 'secret', global: 'wechat_api_secret', required: true },
    corp_id: { kind: 'template', global: 'wechat_api_corp_id', required: true },
    message: { kind: 'template', default: standard('message') },
    to_user: { kind: 'template', default: standard('to_user') },
    to_party: { kind: 'template', default: standard('to_party') },
    to_tag: { kind: 'template', default: standard('to_tag') },
    agent_id: { kind: 'template', default: standard('agent_id') },
    message_type: { kind: 'string', default: 'text', oneOf: ['text', 'markdown'] },
  },
  async send(n): Promise<Outcome> {
    const base = str(n.config, 'api_url').replace(/\/?$/, '/');
    const known = tokens.get(n.config);
    let token = known && n.nowMs - known.atMs < TOKEN_MS ? known.token : undefined;
    if (token === undefined) {
      token = await fetchToken(n, base);
      if (token === undefined)
        return {
          kind: 'failed',
          retry: false,
          error: `no access token for corp_id ${text(n, 'corp_id')}: is api_secret right?`,
        };
      tokens.set(n.config, { token, atMs: n.nowMs });
    }
    const content = { content: text(n, 'message') };
    const markdown = n.config['message_type'] === 'markdown';
    const empty = { content: '' };
    return postJson(n, {
      url: `${base}message/send?${query({ access_token: token })}`,
      // every other status may pass, as Alertmanager sees it
      retryStatus: [400, 401, 403, 404, 429],
      json: {
        text: markdown ? empty : content,
        ...Object.fromEntries(
          [
            ['touser', text(n, 'to_user')],
            ['toparty', text(n, 'to_party')],
            ['totag', text(n, 'to_tag')],
            ['agentid', text(n, 'agent_id')],
          ].filter(([, v]) => v !== ''),
        ),
        safe: '0',
        msgtype: n.config['message_type'],
        markdown: markdown ? content : empty,
      },
      accept({ body }) {
        const answer = parseAnswer(body);
        if (!answer)
          return { kind: 'failed', retry: true, error: `no JSON came back: ${body.slice(0, ERROR_TEXT_MAX)}` };
        const code = Number(answer['errcode'] ?? 0);
        if (code === 0) return SENT;
        if (code === TOKEN_EXPIRED) tokens.delete(n.config);
        const said = String(answer['errmsg'] ?? '').slice(0, ERROR_TEXT_MAX);
        return { kind: 'failed', retry: code === TOKEN_EXPIRED, error: `WeChat answers ${code}: ${said}` };
      },
    });
  },
};

async function fetchToken(n: Notification, base: string): Promise<string | undefined> {
  const secret = n.templates.text(str(n.config, 'api_secret').trim(), n.data);
  const response = await n.ports.http({
    method: 'GET',
    url: `${base}gettoken?${query({ corpid: text(n, 'corp_id'), corpsecret: secret })}`,
    headers: { 'user-agent': 'Vigie' },
    body: '',
    http: n.http,
    signal: n.signal,
  });
  const token = parseAnswer(response.body)?.['access_token'];
  return typeof token === 'string' && token !== '' ? token : undefined;
}
