/** The configuration as a client may see it: every secret is `<secret>`; comments, which may hold some, are dropped. */
import { parseDocument, stringify, visit } from 'yaml';
import { AS_WRITTEN, isNull } from '../../alerting/config-reader.ts';

const SECRET_KEYS = new Set(
  `api_key api_secret api_token api_url auth_password auth_secret bearer_token bot_token client_secret credentials key
  opsgenie_api_key password routing_key secret_key service_key slack_api_url slack_app_token smtp_auth_password
  smtp_auth_secret token url user_key victorops_api_key webhook_url wechat_api_secret secrets alert_source_token
  app_token token_id rocketchat_token rocketchat_token_id mattermost_webhook_url telegram_bot_token smtp_auth_password`.split(
    /\s+/,
  ),
);

/** `url` and `api_url` are plain addresses under these keys, and shown. */
const SHOWN_UNDER: Readonly<Record<string, readonly string[]>> = {
  url: ['pagerduty_configs', 'pushover_configs', 'images', 'links', 'actions'],
  api_url: [
    'opsgenie_configs',
    'victorops_configs',
    'telegram_configs',
    'webex_configs',
    'wechat_configs',
    'jira_configs',
    'rocketchat_configs',
    'sns_configs',
  ],
};

export function redactConfig(yaml: string): string {
  const doc = parseDocument(yaml, AS_WRITTEN);
  if (doc.errors.length > 0) return '<unreadable>';
  visit(doc, { Scalar: (_key, node) => void (isNull(node) && (node.value = null)) });
  const shown = redacted(doc.toJS({ maxAliasCount: 100 }), '');
  return stringify(shown, { schema: 'failsafe', lineWidth: 0, aliasDuplicateObjects: false, keepUndefined: false });
}

function redacted(value: unknown, under: string): unknown {
  if (Array.isArray(value)) return value.map((v) => redacted(v, under));
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== null)
      .map(([key, v]) => {
        const hidden = SECRET_KEYS.has(key) && !SHOWN_UNDER[key]?.includes(under);
        if (hidden && key === 'secrets' && Array.isArray(v)) return [key, v.map(() => '<secret>')];
        if (hidden && v !== null && typeof v !== 'object') return [key, '<secret>'];
        return [key, redacted(v, key)];
      }),
  );
}
