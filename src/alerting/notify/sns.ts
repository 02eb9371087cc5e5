/**
 * Amazon SNS: Publish with keys of one's own. Assumed roles, profiles and the credentials of the machine are refused by
 * name: a tenant's configuration must not borrow the server's identity.
 */
import { signAws } from './aws-sigv4.ts';
import type { Channel } from './channel.ts';
import { hashKey, postBody, query, text } from './http-post.ts';

/** Bytes of a message; those of an SMS. */
const MESSAGE_BYTES_MAX = 256 * 1_024;
const SMS_BYTES_MAX = 1_600;
const CONTENT_TYPE = 'application/x-www-form-urlencoded';

interface Sigv4 {
  readonly region?: string;
  readonly access_key?: string;
  readonly secret_key?: string;
}

export const sns: Channel = {
  kind: 'sns',
  sendResolved: true,
  fields: {
    api_url: { kind: 'template' },
    sigv4: {
      kind: 'json',
      keys: ['region', 'access_key', 'secret_key', 'profile', 'role_arn', 'external_id', 'use_fips_sts_endpoint'],
    },
    topic_arn: { kind: 'template' },
    phone_number: { kind: 'template' },
    target_arn: { kind: 'template' },
    subject: { kind: 'template', default: '{{ template "sns.default.subject" . }}' },
    message: { kind: 'template', default: '{{ template "sns.default.message" . }}' },
    attributes: { kind: 'templateMap' },
  },
  check(config, fail) {
    const targets = ['topic_arn', 'phone_number', 'target_arn'].filter((f) => config[f]);
    if (targets.length !== 1) fail('topic_arn', 'exactly one of target_arn, topic_arn and phone_number must be set');
    const sigv4 = (config['sigv4'] ?? {}) as Record<string, string>;
    for (const key of ['profile', 'role_arn', 'external_id', 'use_fips_sts_endpoint'])
      if (sigv4[key]) fail('sigv4', `${key} is not supported here: give access_key and secret_key`);
    for (const key of ['region', 'access_key', 'secret_key'])
      if (!sigv4[key]) fail('sigv4', `missing ${key}: the credentials of the machine are not used`);
  },
  send(n) {
    const sigv4 = n.config['sigv4'] as Sigv4;
    const region = sigv4.region ?? '';
    const own = text(n, 'api_url');
    const url = own || `https://sns.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
    const topic = text(n, 'topic_arn');
    const phone = text(n, 'phone_number');
    const message = cut(text(n, 'message'), phone === '' ? MESSAGE_BYTES_MAX : SMS_BYTES_MAX);
    const attributes = Object.entries((n.config['attributes'] ?? {}) as Record<string, string>).map(
      ([k, v]) => [n.templates.text(k, n.data), n.templates.text(v, n.data)] as const,
    );
    if (message.cut) attributes.push(['truncated', 'true']);
    const fields: Record<string, string> = {
      Action: 'Publish',
      Version: '2010-03-31',
      Message: message.text,
      ...Object.fromEntries(
        [
          ['TopicArn', topic],
          ['PhoneNumber', phone],
          ['TargetArn', text(n, 'target_arn')],
          ['Subject', text(n, 'subject')],
        ].filter(([, v]) => v !== ''),
      ),
    };
    attributes
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .forEach(([name, value], i) => {
        const entry = `MessageAttributes.entry.${i + 1}`;
        fields[`${entry}.Name`] = name;
        fields[`${entry}.Value.DataType`] = 'String';
        fields[`${entry}.Value.StringValue`] = value;
      });
    if (topic.endsWith('.fifo')) {
      fields['MessageGroupId'] = hashKey(n.groupKey);
      // one per message: with the group's own, SNS drops every second message within five minutes
      fields['MessageDeduplicationId'] = hashKey(n.idempotencyKey);
    }
    const body = query(fields);
    const signed = signAws({
      method: 'POST',
      url,
      headers: { 'content-type': CONTENT_TYPE },
      body,
      region,
      service: 'sns',
      nowMs: n.nowMs,
      credentials: { accessKey: sigv4.access_key ?? '', secretKey: sigv4.secret_key ?? '' },
    });
    return postBody(n, { url, body, contentType: CONTENT_TYPE, headers: signed, retryStatus: [429] });
  },
};

/** To at most `max` bytes, never through a character. */
function cut(message: string, max: number): { readonly text: string; readonly cut: boolean } {
  const bytes = Buffer.from(message);
  if (bytes.length <= max) return { text: message, cut: false };
  let end = max;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return { text: bytes.toString('utf8', 0, end), cut: true };
}
