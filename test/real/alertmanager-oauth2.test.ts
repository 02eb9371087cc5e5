/** OAuth 2 client credentials: how the token is asked for and used, by Alertmanager 0.33 and by ours. */
import { describe, expect, it } from 'vitest';
import { type Alerter, startOurs, startReal, startSink } from '../support/alerting-pair.ts';
import { peerMissing } from '../support/peers.ts';

const config = (sink: string): string => `
global: { http_config: { oauth2: { client_id: 'global id', client_secret: 's:1&%', token_url: '${sink}/token-global' } } }
route: { receiver: a, group_by: [alertname], group_wait: 0s, group_interval: 1s }
receivers:
  - name: a
    webhook_configs:
      - { url: '${sink}/global' }
      - { url: '${sink}/own', http_config: { oauth2: { client_id: id, client_secret: secret, token_url: '${sink}/token-own', scopes: [one, 'two three'], endpoint_params: { audience: 'http://a b', x: 'ü' } } } }
`;

async function run(begin: (yaml: string) => Promise<Alerter>): Promise<string[]> {
  await using sink = await startSink(({ path }) =>
    path.startsWith('/token')
      ? { access_token: `given by ${path}`, token_type: 'bearer', expires_in: 3_600 }
      : undefined,
  );
  await using target = await begin(config(sink.url));
  const post = (name: string): Promise<Response> =>
    fetch(`${target.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ labels: { alertname: name } }]),
    });
  await post('First');
  await sink.wait(4);
  // the second notification needs no second token
  await post('Second');
  await sink.wait(6);
  return sink.caught
    .map((c) => {
      const body = c.path.startsWith('/token') ? ` ${c.headers['content-type']} ${String(c.body)}` : '';
      return `${c.method} ${c.path} ${c.headers['authorization']}${body}`;
    })
    .sort();
}

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid'))('OAuth 2', () => {
  it('is spoken as Alertmanager speaks it', { timeout: 60_000 }, async () => {
    const [sid, ours] = await Promise.all([run((y) => startReal(y, 'sid')), run((y) => startOurs(y))]);
    expect(sid).toHaveLength(6);
    expect(sid.filter((r) => r.startsWith('POST /token'))).toHaveLength(2);
    expect(sid).toContain('POST /own Bearer given by /token-own');
    expect(ours).toEqual(sid);
  });
});
