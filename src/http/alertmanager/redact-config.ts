/** The configuration as a client may see it: every secret replaced by `<secret>`, all else as it was written. */
import { isMap, isScalar, isSeq, parseDocument, Scalar } from 'yaml';

const SECRET_KEYS = new Set([
  'api_key', 'api_secret', 'api_token', 'api_url', 'auth_password', 'auth_secret', 'bearer_token', 'bot_token',
  'client_secret', 'credentials', 'key', 'opsgenie_api_key', 'password', 'routing_key', 'secret_key', 'service_key',
  'slack_api_url', 'slack_app_token', 'smtp_auth_password', 'smtp_auth_secret', 'token', 'url', 'user_key',
  'victorops_api_key', 'webhook_url', 'wechat_api_secret', 'secrets', 'alert_source_token',
]); // biome-ignore format: a table

/** `url` and `api_url` are plain addresses in some places; these are shown. */
const SHOWN_UNDER: Readonly<Record<string, readonly string[]>> = {
  url: ['pagerduty_configs', 'images', 'links', 'actions'],
  api_url: [
    'opsgenie_configs',
    'victorops_configs',
    'telegram_configs',
    'webex_configs',
    'wechat_configs',
    'jira_configs',
    'sns_configs',
  ],
};

export function redactConfig(yaml: string): string {
  const doc = parseDocument(yaml, { version: '1.1', merge: true });
  if (doc.errors.length > 0) return '<unreadable>';
  redact(doc.contents, '');
  return doc.toString({ lineWidth: 0 });
}

function redact(node: unknown, under: string): void {
  if (isSeq(node)) for (const item of node.items) redact(item, under);
  if (!isMap(node)) return;
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const holdsText = isScalar(pair.value) || (key === 'secrets' && isSeq(pair.value));
    if (SECRET_KEYS.has(key) && holdsText && !SHOWN_UNDER[key]?.includes(under)) {
      pair.value = new Scalar('<secret>');
      continue;
    }
    redact(pair.value, isSeq(pair.value) || isMap(pair.value) ? key : under);
  }
}
