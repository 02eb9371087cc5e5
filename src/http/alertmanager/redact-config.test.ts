/** What is shown of a configuration holds no secret and can be read again. */
import { expect, it } from 'vitest';
import { redactConfig } from './redact-config.ts';

it('hides secrets and comments when shown', () => {
  const shown =
    redactConfig(`# token abc\nglobal: { slack_api_url: 'http://s/abc' }\nroute: { receiver: d, group_wait: 5s, continue: false }
receivers: [{ name: d, webhook_configs: [{ url: 'http://w/abc', send_resolved: true, http_config: { basic_auth: { username: u, password: abc } } }] }]`);
  expect(shown).not.toContain('abc');
  expect(shown).toContain('send_resolved: true');
  expect(shown).toContain('username: u');
});
