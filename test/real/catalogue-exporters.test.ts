/** The exporters of the catalogue on real input: promtool takes what they expose, and figures agree with the real programs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPeer, freePort, httpReady, peerMissing, type Started, start, temporaryFolder } from '../support/peers.ts';
import { startPostgres } from '../support/postgres.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const EXPORTERS = path.join(ROOT, 'templates/prometheus/exporters');
const NODE = path.join(ROOT, 'node_modules/.bin/node');

const promtool = (text: string): string => {
  const r = spawnSync(findPeer('promtool')!, ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return r.stdout + r.stderr;
};
const sample = (text: string, series: string): number => {
  const line = text.split('\n').find((l) => l.startsWith(`${series} `));
  return line ? Number(line.slice(series.length + 1)) : Number.NaN;
};
const get = async (url: string): Promise<string> => (await fetch(url)).text();

async function exporter(
  file: string,
  args: (listen: string) => string[],
  env: Record<string, string> = {},
): Promise<Started & { url: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = await start(NODE, {
    args: [path.join(EXPORTERS, file), ...args(`127.0.0.1:${port}`)],
    env,
    cwd: ROOT,
    ready: httpReady(`${url}/metrics`),
  });
  return Object.assign(started, { url });
}

describe.skipIf(peerMissing('promtool'))('exporters', () => {
  it('the Node middleware counts by route, and a client that leaves is 499', async () => {
    const { httpMetrics } = await import(path.join(EXPORTERS, 'node-middleware.mjs'));
    const metrics = httpMetrics({
      service: 'api',
      tenantOf: (r: { headers: Record<string, string> }) => r.headers['x-scope-orgid'],
      routeOf: (r: { url: string }) => r.url.replace(/\d+/, ':id'),
    });
    const server = createServer((req, res) => {
      metrics.middleware(req, res);
      if (req.url === '/slow') return;
      res.statusCode = req.url === '/bad' ? 500 : 200;
      res.end('x');
    }).listen(0, '127.0.0.1');
    await new Promise((r) => server.once('listening', r));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const at of ['/tracks/1', '/tracks/2', '/bad'])
      await fetch(base + at, { headers: { 'x-scope-orgid': 'ac"me' } }).then((r) => r.text());
    await fetch(`${base}/slow`, { signal: AbortSignal.timeout(100) }).catch(() => undefined);
    await new Promise((r) => setTimeout(r, 100));
    server.close();
    const text = metrics.text() as string;
    expect(promtool(text)).toBe('');
    expect(
      sample(
        text,
        'http_requests_total{tenant_id="ac\\"me",service="api",route="/tracks/:id",method="GET",status="200"}',
      ),
    ).toBe(2);
    expect(
      sample(text, 'http_requests_total{tenant_id="ac\\"me",service="api",route="/bad",method="GET",status="500"}'),
    ).toBe(1);
    expect(
      sample(text, 'http_requests_total{tenant_id="",service="api",route="/slow",method="GET",status="499"}'),
    ).toBe(1);
    expect(sample(text, 'http_requests_in_flight{service="api"}')).toBe(0);
    // a flood of label values is bounded
    for (let i = 0; i < 5_000; i++) metrics.registry.families[0].inc({ tenant_id: `t${i}` });
    expect(metrics.text().match(/^http_requests_total/gm).length).toBeLessThanOrEqual(2_001);
    expect(
      sample(
        metrics.text(),
        'http_requests_total{tenant_id="other",service="other",route="other",method="other",status="other"}',
      ),
    ).toBeGreaterThan(2_900);
  });

  it.skipIf(peerMissing('python3'))('the Python middleware does the same for WSGI and ASGI', () => {
    const script = `
import sys, asyncio
sys.path.insert(0, ${JSON.stringify(EXPORTERS)})
from python_middleware import WsgiMetrics, AsgiMetrics
from wsgiref.validate import validator
from wsgiref.util import setup_testing_defaults
def app(environ, start_response):
    if environ["PATH_INFO"] == "/boom": raise RuntimeError("boom")
    start_response("404 Not Found" if environ["PATH_INFO"] == "/no" else "200 OK", [("Content-Type", "text/plain")])
    return [b"x"]
def ask(a, path):
    env = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "HTTP_X_SCOPE_ORGID": "acme"}
    setup_testing_defaults(env)
    body = a(env, lambda s, h, e=None: (lambda b: None))
    out = b"".join(body)
    body.close() if hasattr(body, "close") else None
    return out
w = WsgiMetrics(app, "planner")
v = validator(w)
for p in ("/a", "/a", "/no"): ask(v, p)
try: ask(w, "/boom")
except RuntimeError: pass
print(ask(w, "/metrics").decode())
async def asgi(scope, receive, send):
    scope["route"] = type("R", (), {"path": "/t/{id}"})
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})
async def main():
    a = AsgiMetrics(asgi, "agent")
    sent = []
    async def send(m): sent.append(m)
    scope = lambda p: {"type": "http", "path": p, "method": "POST", "headers": [(b"x-scope-orgid", b"acme")]}
    await a(scope("/t/1"), None, send); await a(scope("/t/2"), None, send)
    del sent[:]
    await a(scope("/metrics"), None, send)
    print("=====")
    print(sent[1]["body"].decode())
asyncio.run(main())
`;
    const [wsgi, asgi] = execFileSync(findPeer('python3')!, ['-c', script], { encoding: 'utf8' }).split('=====\n');
    expect(promtool(`${wsgi!.trim()}\n`)).toBe('');
    expect(promtool(`${asgi!.trim()}\n`)).toBe('');
    const s = (status: string) =>
      `http_requests_total{tenant_id="acme",service="planner",route="unknown",method="GET",status="${status}"}`;
    expect([sample(wsgi!, s('200')), sample(wsgi!, s('404')), sample(wsgi!, s('500'))]).toEqual([2, 1, 1]);
    expect(
      sample(asgi!, 'http_requests_total{tenant_id="acme",service="agent",route="/t/{id}",method="POST",status="201"}'),
    ).toBe(2);
  });

  it('prediction logs become accuracy over late outcomes, across rotation of the file', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'p.jsonl');
    const line = (o: object) => `${JSON.stringify({ tenant_id: 'a', model: 'm', version: '1', ...o })}\n`;
    writeFileSync(
      file,
      line({ id: 1, prediction: 'x', duration_seconds: 0.03 }) +
        line({ prediction: 'x', actual: 'x' }) +
        'not json\n' +
        line({ id: 1, actual: 'y' }).replace(/"model":"m",/, ''),
    );
    await using ml = await exporter('ml-predictions.mjs', (listen) => ['--file', file, '--listen', listen]);
    const own = '{tenant_id="a",model="m",version="1"}';
    let text = await get(`${ml.url}/metrics`);
    expect(promtool(text)).toBe('');
    expect(sample(text, `ml_predictions_total${own}`)).toBe(2);
    expect(sample(text, `ml_model_accuracy${own}`)).toBe(0.5);
    expect(sample(text, 'ml_log_lines_refused_total')).toBe(1);
    expect(sample(text, 'ml_inference_duration_seconds_bucket{tenant_id="a",model="m",le="0.05"}')).toBe(1);
    appendFileSync(file, line({ prediction: 'x', actual: 'x' }).repeat(2).slice(0, -20));
    renameSync(file, `${file}.1`);
    writeFileSync(file, line({ prediction: 'z', actual: 'z' }));
    text = await get(`${ml.url}/metrics`);
    expect(sample(text, `ml_predictions_total${own}`)).toBeGreaterThanOrEqual(3);
  });

  it('business events are counted, refunds never take a counter back, and nonsense is named', async () => {
    await using business = await exporter('business-events.mjs', (listen) => ['--listen', listen]);
    const events = [
      { type: 'com.example.signup', subject: 'a', data: { plan: 'pro' } },
      { type: 'payment', tenant_id: 'a', amount: 12.5 },
      { type: 'payment', tenant_id: 'a', amount: -2.5 },
      { type: 'payment', tenant_id: 'a', amount: 3, currency: 'USD' },
      { type: 'feedback', tenant_id: 'a', sentiment: 'positive' },
      { type: 'feedback', tenant_id: 'a', sentiment: 'great' },
      { type: 'cost', tenant_id: 'a', kind: 'infrastructure', amount: 0.5 },
      { type: 'what' },
    ];
    const post = (body: string) => fetch(`${business.url}/events`, { method: 'POST', body });
    expect((await post(JSON.stringify(events))).status).toBe(202);
    expect((await post('{')).status).toBe(400);
    expect((await post('x'.repeat(2 << 20))).status).toBe(413);
    const text = await get(`${business.url}/metrics`);
    expect(promtool(text)).toBe('');
    expect(sample(text, 'signups_total{tenant_id="a",plan="pro"}')).toBe(1);
    expect(sample(text, 'revenue_euros_total{tenant_id="a"}')).toBe(12.5);
    expect(sample(text, 'refunds_euros_total{tenant_id="a"}')).toBe(2.5);
    expect(sample(text, 'feedback_total{tenant_id="a",sentiment="positive"}')).toBe(1);
    for (const reason of ['currency', 'sentiment', 'type'])
      expect(sample(text, `business_events_refused_total{reason="${reason}"}`)).toBe(1);
  });

  it('the log of sign-ins becomes counters without names and addresses', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'auth.log');
    writeFileSync(file, '');
    await using auth = await exporter('auth-log.mjs', (listen) => [
      '--file',
      file,
      '--listen',
      listen,
      '--tenant',
      'platform',
    ]);
    const h = 'Nov  1 10:00:00 web1 ';
    appendFileSync(
      file,
      [
        'sshd[12]: Accepted publickey for deploy from 192.0.2.1 port 22 ssh2: ED25519 SHA256:x',
        'sshd[13]: Failed password for root from 198.51.100.7 port 22 ssh2',
        'sshd[13]: Failed password for invalid user admin from 198.51.100.7 port 22 ssh2',
        'sshd-session[14]: error: maximum authentication attempts exceeded for root from 198.51.100.7 port 22 ssh2 [preauth]',
        'sudo: bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh',
        'sudo:   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls',
        'useradd[15]: new user: name=eve, UID=1001, GID=1001, home=/home/eve',
        "usermod[16]: add 'eve' to group 'sudo'",
        'CRON[17]: pam_unix(cron:session): session opened for user root',
      ]
        .map((l) => `${h}${l}\n`)
        .join(''),
    );
    const text = await get(`${auth.url}/metrics`);
    expect(promtool(text)).toBe('');
    const a = (result: string, method: string) =>
      sample(text, `auth_attempts_total{tenant_id="platform",result="${result}",method="${method}"}`);
    expect([a('success', 'publickey'), a('failure', 'password'), a('success', 'sudo')]).toEqual([1, 2, 1]);
    const kind = (metric: string, k: string) => sample(text, `${metric}{tenant_id="platform",kind="${k}"}`);
    expect(['unknown_account', 'brute_force', 'privilege'].map((k) => kind('intrusion_attempts_total', k))).toEqual([
      1, 1, 1,
    ]);
    expect(['account_created', 'group_joined'].map((k) => kind('privilege_changes_total', k))).toEqual([1, 1]);
    for (const personal of ['eve', 'alice', '198.51', 'root']) expect(text).not.toContain(personal);
  });

  it.skipIf(peerMissing('openssl'))(
    'the prober tells HTTP, TCP and TLS apart, with the names of blackbox_exporter',
    async () => {
      using folder = temporaryFolder();
      mkdirSync(folder.path, { recursive: true });
      const file = (n: string) => path.join(folder.path, n);
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '10',
          '-subj',
          '/CN=localhost',
          '-addext',
          'subjectAltName=DNS:localhost,IP:127.0.0.1',
          '-keyout',
          file('k'),
          '-out',
          file('c'),
        ],
        { stdio: 'ignore' },
      );
      const web = createServer((req, res) => {
        if (req.url === '/moved') res.writeHead(302, { location: '/' }).end();
        else res.writeHead(req.url === '/down' ? 503 : 200).end('hello');
      }).listen(0, '127.0.0.1');
      const tls = createTls({ key: readFileSync(file('k')), cert: readFileSync(file('c')) }, (_q, res) =>
        res.end('x'),
      ).listen(0, '127.0.0.1');
      const at = (s: { address(): unknown }) => (s.address() as AddressInfo).port;
      await using prober = await exporter('prober.mjs', (listen) => ['--listen', listen], {
        NODE_EXTRA_CA_CERTS: file('c'),
      });
      await using strict = await exporter('prober.mjs', (listen) => ['--listen', listen]);
      const ask = (module: string, target: string, base = prober.url) =>
        get(`${base}/probe?module=${module}&target=${encodeURIComponent(target)}`);
      try {
        const good = await ask('http_2xx', `http://127.0.0.1:${at(web)}/moved`);
        expect(promtool(good)).toBe('');
        expect([
          sample(good, 'probe_success'),
          sample(good, 'probe_http_status_code'),
          sample(good, 'probe_http_redirects'),
          sample(good, 'probe_http_uncompressed_body_length'),
        ]).toEqual([1, 200, 1, 5]);
        for (const name of [
          'probe_duration_seconds',
          'probe_dns_lookup_time_seconds',
          'probe_ip_protocol',
          'probe_http_ssl',
          'probe_http_version',
          'probe_http_content_length',
          'probe_http_duration_seconds{phase="connect"}',
          'probe_http_duration_seconds{phase="transfer"}',
        ])
          expect(sample(good, name), name).not.toBeNaN();
        const down = await ask('http_2xx', `127.0.0.1:${at(web)}/down`);
        expect([sample(down, 'probe_success'), sample(down, 'probe_http_status_code')]).toEqual([0, 503]);
        const secure = await ask('http_2xx', `https://127.0.0.1:${at(tls)}/`);
        expect([
          sample(secure, 'probe_success'),
          sample(secure, 'probe_http_ssl'),
          sample(secure, 'probe_tls_version_info{version="TLS 1.3"}'),
        ]).toEqual([1, 1, 1]);
        const days = (sample(secure, 'probe_ssl_earliest_cert_expiry') - Date.now() / 1_000) / 86_400;
        expect(days).toBeGreaterThan(9.5);
        expect(days).toBeLessThan(10.1);
        const untrusted = await ask('tls_connect', `127.0.0.1:${at(tls)}`, strict.url);
        expect(sample(untrusted, 'probe_success')).toBe(0);
        expect(
          sample(untrusted, 'probe_ssl_earliest_cert_expiry'),
          'the dates of a bad certificate are told too',
        ).toBeGreaterThan(0);
        expect(sample(await ask('tcp_connect', `127.0.0.1:${at(web)}`), 'probe_success')).toBe(1);
        expect(sample(await ask('tcp_connect', `127.0.0.1:${await freePort()}`), 'probe_success')).toBe(0);
        expect((await fetch(`${prober.url}/probe?module=nope&target=x`)).status).toBe(400);
      } finally {
        web.close();
        tls.close();
      }
    },
  );

  it.skipIf(peerMissing('postgres') || peerMissing('prometheus-postgres-exporter'))(
    'PostgreSQL statistics agree with postgres_exporter',
    { timeout: 60_000 },
    async () => {
      await using server = await startPostgres();
      const { default: pg } = await import('pg');
      const client = new pg.Client({ connectionString: server.url });
      // the server is stopped below
      client.on('error', () => undefined);
      await client.connect();
      await client.query('CREATE TABLE t AS SELECT generate_series(1, 20000) AS a');
      await client.query('BEGIN');
      await client.query('LOCK TABLE t IN EXCLUSIVE MODE');
      await new Promise((r) => setTimeout(r, 1_200));
      const port = await freePort();
      await using theirs = await start(findPeer('prometheus-postgres-exporter')!, {
        args: [`--web.listen-address=127.0.0.1:${port}`],
        env: { DATA_SOURCE_NAME: `${server.url}${server.url.includes('?') ? '&' : '?'}sslmode=disable` },
        ready: httpReady(`http://127.0.0.1:${port}/metrics`),
      });
      expect(theirs.pid).toBeGreaterThan(0);
      await using ours = await exporter('postgresql.mjs', (listen) => ['--listen', listen], {
        DATABASE_URL: server.url,
      });
      const parse = (text: string) => {
        const out = new Map<string, number>();
        for (const l of text.split('\n')) {
          const m = /^(pg_\w+)(?:\{(.*)\})? (\S+)$/.exec(l);
          if (!m) continue;
          const labels = [...(m[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)]
            .filter(([, n]) => ['datid', 'datname', 'mode', 'state'].includes(n!))
            .map(([, n, v]) => `${n}=${v}`)
            .sort();
          out.set(`${m[1]}{${labels.join()}}`, Number(m[3]));
        }
        return out;
      };
      const [own, other] = [
        parse(await get(`${ours.url}/metrics`)),
        parse(await get(`http://127.0.0.1:${port}/metrics`)),
      ];
      const shared = [...own.keys()].filter((k) => other.has(k));
      expect(shared.length, `ours ${own.size}, theirs ${other.size}`).toBeGreaterThan(60);
      // both look with a connection of their own, one after the other: sessions and transactions differ by a few
      const MOVING =
        /numbackends|xact_commit|blks_|tup_(returned|fetched)|state=(active|idle[,}])|max_tx_duration|accesssharelock|temp|size_bytes/;
      let equal = 0;
      for (const k of shared) {
        if (MOVING.test(k)) {
          const [a, b] = [own.get(k)!, other.get(k)!];
          expect(Math.abs(a - b), `${k}: ${a} and ${b}`).toBeLessThanOrEqual(Math.max(6, 0.5 * Math.max(a, b)));
        } else {
          expect(own.get(k), k).toBe(other.get(k));
          equal++;
        }
      }
      expect(equal).toBeGreaterThanOrEqual(18);
      expect(own.get('pg_locks_count{datname=postgres,mode=exclusivelock}')).toBeGreaterThanOrEqual(1);
      const lint = promtool(await get(`${ours.url}/metrics`))
        .split('\n')
        .filter(Boolean);
      // names of postgres_exporter, kept on purpose
      for (const l of lint)
        expect(l).toMatch(
          /^pg_stat_database_\w+ counter metrics should have "_total" suffix$|pg_stat_activity_count|pg_locks_count|non-histogram and non-summary metrics should not have "_count" suffix/,
        );
      await client.query('ROLLBACK');
      await client.end();
      await server.stop();
      const dead = await get(`${ours.url}/metrics`);
      expect(sample(dead, 'pg_up')).toBe(0);
      expect(dead, 'no zeros for what is not known').not.toMatch(/^pg_(?!up)\w+(\{|\s)/m);
    },
  );
});
