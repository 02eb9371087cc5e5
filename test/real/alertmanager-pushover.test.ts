/**
 * Pushover's address cannot be set, so Alertmanager 0.33 is watched through a proxy that hands the connection to a TLS
 * server of ours; what it sends there, ours must send too.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { type Alerter, startOurs, startReal } from '../support/alerting-pair.ts';
import { peerMissing, temporaryFolder } from '../support/peers.ts';

const config = (http: string): string => `
route: { receiver: a, group_wait: 0s, group_interval: 1s, group_by: [alertname] }
receivers:
  - name: a
    pushover_configs:
      - { user_key: user, token: 'to ken', http_config: ${http} }
      - { user_key: all, token: t, title: '{{ .Status }} {{ len .Alerts }}', message: '{{ range .Alerts }}<b>{{ .Annotations.summary }}</b>{{ end }}', html: true, url: 'http://u/{{ .Status }}', url_title: ut, device: d, sound: s, priority: '1', retry: 1m30s, expire: 2h, ttl: 10m, http_config: ${http} }
      - { user_key: mono, token: t, monospace: true, message: ' ', send_resolved: false, http_config: ${http} }
      - { user_key: long, token: t, title: '{{ range .Alerts }}{{ range .Labels.SortedPairs }}ü{{ .Name }}-{{ .Value }}-padding-padding-padding-padding-padding-padding-padding-padding-padding-padding-padding-padding-padding{{ end }}{{ end }}', http_config: ${http} }
`;
const REQUESTS = 7;

interface Vendor extends AsyncDisposable {
  readonly proxy: string;
  readonly url: string;
  readonly requests: string[];
}

async function startVendor(): Promise<Vendor> {
  const folder = temporaryFolder();
  const at = (name: string): string => path.join(folder.path, name);
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      at('key'),
      '-out',
      at('crt'),
      '-days',
      '2',
      '-subj',
      '/CN=api.pushover.net',
    ],
    { stdio: 'pipe' },
  );
  const requests: string[] = [];
  const tls = createTlsServer({ key: readFileSync(at('key')), cert: readFileSync(at('crt')) }, (request, answer) => {
    const body: Buffer[] = [];
    request.on('data', (b: Buffer) => body.push(b));
    request.on('end', () => {
      requests.push(`${request.method} ${request.url} ${request.headers['content-type']} ${Buffer.concat(body)}`);
      answer.end('{"status":1}');
    });
  });
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  const { port } = tls.address() as { port: number };
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    if (request.url !== 'api.pushover.net:443') return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const inner = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      inner.pipe(socket).pipe(inner);
    });
    for (const s of [inner, socket]) s.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    proxy: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    url: `https://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      tls.closeAllConnections();
      proxy.closeAllConnections();
      tls.close();
      proxy.close();
      folder[Symbol.dispose]();
    },
  };
}

async function run(begin: (vendor: Vendor) => Promise<Alerter>): Promise<string[]> {
  await using vendor = await startVendor();
  await using target = await begin(vendor);
  const post = async (endsInMs: number): Promise<void> => {
    const body = [
      {
        labels: { alertname: 'Disk', node: 'a' },
        annotations: { summary: 'full <b>&"ü' },
        endsAt: new Date(Date.now() + endsInMs).toISOString(),
      },
    ];
    const headers = { 'content-type': 'application/json' };
    await fetch(`${target.url}/api/v2/alerts`, { method: 'POST', headers, body: JSON.stringify(body) });
  };
  const until = async (count: number): Promise<void> => {
    for (let i = 0; i < 200 && vendor.requests.length < count; i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await post(3_600_000);
  await until(4);
  await post(-10);
  await until(REQUESTS);
  return [...vendor.requests].sort();
}

const real = (vendor: Vendor): Promise<Alerter> =>
  startReal(config(`{ proxy_url: '${vendor.proxy}', tls_config: { insecure_skip_verify: true } }`), 'sid');
const ours =
  (change: (yaml: string) => string = (y) => y) =>
  (vendor: Vendor): Promise<Alerter> =>
    startOurs(change(config('{ tls_config: { insecure_skip_verify: true } }')), goTemplates, (url) =>
      url.replace('https://api.pushover.net', vendor.url),
    );

describe.skipIf(peerMissing('prometheus-alertmanager', 'sid') || peerMissing('openssl'))('Pushover', () => {
  it('gets what Alertmanager 0.33 sends, and not when one word is wrong', { timeout: 60_000 }, async () => {
    const [sid, vigie, wrong] = await Promise.all([
      run(real),
      run(ours()),
      run(ours((y) => y.replace('sound: s', 'sound: x'))),
    ]);
    expect(sid).toHaveLength(REQUESTS);
    expect(vigie).toEqual(sid);
    expect(wrong).not.toEqual(sid);
  });
});
