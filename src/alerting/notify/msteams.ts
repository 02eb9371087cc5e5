/** Microsoft Teams: the connector card of old (`msteams`) and the adaptive card of workflows (`msteamsv2`). */
import type { Channel } from './channel.ts';
import { postJson, str, text } from './http-post.ts';

export const msteams: Channel = {
  kind: 'msteams',
  sendResolved: true,
  fields: {
    webhook_url: { kind: 'secretUrl', required: ['webhook_url_file'] },
    title: { kind: 'template', default: '{{ template "msteams.default.title" . }}' },
    summary: { kind: 'template', default: '{{ template "msteams.default.summary" . }}' },
    text: { kind: 'template', default: '{{ template "msteams.default.text" . }}' },
  },
  send(n) {
    return postJson(n, {
      url: str(n.config, 'webhook_url').trim(),
      json: {
        '@context': 'http://schema.org/extensions',
        type: 'MessageCard',
        title: text(n, 'title'),
        summary: text(n, 'summary'),
        text: text(n, 'text'),
        themeColor: n.resolved ? '2DC72D' : '8C1A1A',
      },
      retryStatus: [429],
    });
  },
};

export const msteamsv2: Channel = {
  kind: 'msteamsv2',
  sendResolved: true,
  fields: {
    webhook_url: { kind: 'secretUrl', required: ['webhook_url_file'] },
    title: { kind: 'template', default: '{{ template "msteamsv2.default.title" . }}' },
    text: { kind: 'template', default: '{{ template "msteamsv2.default.text" . }}' },
  },
  send(n) {
    const block = { type: 'TextBlock', wrap: true };
    return postJson(n, {
      url: str(n.config, 'webhook_url').trim(),
      json: {
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            contentUrl: null,
            content: {
              $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.2',
              body: [
                {
                  ...block,
                  text: text(n, 'title'),
                  weight: 'Bolder',
                  size: 'Medium',
                  style: 'heading',
                  color: n.resolved ? 'Good' : 'Attention',
                },
                { ...block, text: text(n, 'text') },
              ],
              msteams: { width: 'full' },
            },
          },
        ],
      },
    });
  },
};
