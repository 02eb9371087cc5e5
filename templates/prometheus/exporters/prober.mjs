/**
 * Looks at services from outside: HTTP, TCP, DNS and TLS, with the interface and the names of blackbox_exporter.
 *
 *   node prober.mjs --listen 127.0.0.1:9115
 *   GET /probe?module=http_2xx&target=https://example.com      modules: http_2xx, tcp_connect, tls_connect, dns_a
 *
 * Certificates are always verified, and their dates are told even when verification fails. Redirects are followed five
 * times. The prober asks whatever address it is given: listen on loopback or behind a proxy that decides who may ask.
 */
import { Resolver } from 'node:dns/promises';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { connect, isIP } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { flags, Registry, serve } from './exposition.mjs';

const TIMEOUT_MS = 9_500;
const REDIRECTS_MAX = 5;
const BODY_BYTES_MAX = 10 << 20;
const PHASES = ['resolve', 'connect', 'tls', 'processing', 'transfer'];

export async function probe(module, target, timeoutMs = TIMEOUT_MS) {
  const registry = new Registry();
  const g = (name, help, labels) => registry.gauge(name, help, labels);
  const success = g('probe_success', 'Did the probe succeed.');
  const duration = g('probe_duration_seconds', 'How long the probe took.');
  const lookup = g('probe_dns_lookup_time_seconds', 'Time of name resolution.');
  const ip = g('probe_ip_protocol', 'IP version used.');
  success.set({}, 0);
  const start = performance.now();
  const seconds = (from) => (performance.now() - from) / 1_000;
  const aborted = AbortSignal.timeout(timeoutMs);
  const set = { g, lookup, ip, seconds, aborted };
  try {
    const run = { http_2xx: probeHttp, tcp_connect: probeTcp, tls_connect: probeTls, dns_a: probeDns }[module];
    if (!run) throw Object.assign(new Error(`unknown module ${JSON.stringify(module)}`), { status: 400 });
    success.set({}, (await run(target, set)) ? 1 : 0);
  } catch (error) {
    if (error.status) throw error;
    success.set({}, 0);
  }
  duration.set({}, seconds(start));
  return registry;
}

async function resolve(host, { lookup, ip, seconds, aborted }) {
  const start = performance.now();
  const { lookup: find } = await import('node:dns/promises');
  const found = isIP(host) ? { address: host, family: isIP(host) } : await race(find(host), aborted);
  lookup.set({}, seconds(start));
  ip.set({}, found.family);
  return found;
}

const race = (promise, signal) =>
  Promise.race([
    promise,
    new Promise((_r, reject) => signal.addEventListener('abort', () => reject(new Error('time-out')), { once: true })),
  ]);

async function probeHttp(target, set) {
  const { g, seconds, aborted } = set;
  const phases = g('probe_http_duration_seconds', 'Time by phase, redirects added up.', ['phase']);
  const status = g('probe_http_status_code', 'Status of the last answer.');
  const redirects = g('probe_http_redirects', 'Redirects followed.');
  const length = g('probe_http_content_length', 'Content-Length, -1 when absent.');
  const body = g('probe_http_uncompressed_body_length', 'Bytes of the body.');
  const version = g('probe_http_version', 'Version of HTTP.');
  const ssl = g('probe_http_ssl', 'Did the last answer come over TLS.');
  const expiry = certificateGauges(g);
  for (const phase of PHASES) phases.set({ phase }, 0);
  let url = new URL(/^https?:\/\//.test(target) ? target : `http://${target}`);
  for (let followed = 0; ; followed++) {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const resolved = performance.now();
    const { address } = await resolve(host, set);
    phases.inc({ phase: 'resolve' }, seconds(resolved));
    const answer = await new Promise((done, fail) => {
      let mark = performance.now();
      const lap = (phase) => {
        phases.inc({ phase }, seconds(mark));
        mark = performance.now();
      };
      const request = (url.protocol === 'https:' ? https : http)(
        url,
        {
          agent: false,
          signal: aborted,
          headers: { 'user-agent': 'vigie-prober', accept: '*/*' },
          servername: isIP(host) ? undefined : host,
          lookup: (_h, options, cb) =>
            options.all ? cb(null, [{ address, family: isIP(address) }]) : cb(null, address, isIP(address)),
        },
        (response) => {
          lap('processing');
          let bytes = 0;
          response.on('data', (c) => {
            bytes += c.length;
            if (bytes > BODY_BYTES_MAX) response.destroy(new Error('body too long'));
          });
          response.on('error', fail);
          response.on('end', () => {
            lap('transfer');
            done({ response, bytes });
          });
        },
      );
      request.on('socket', (socket) => {
        socket.once('connect', () => lap('connect'));
        socket.once('secureConnect', () => {
          lap('tls');
          expiry(socket);
        });
      });
      request.on('error', fail);
      request.end();
    });
    const { response, bytes } = answer;
    status.set({}, response.statusCode);
    redirects.set({}, followed);
    length.set({}, Number(response.headers['content-length'] ?? -1));
    body.set({}, bytes);
    version.set({}, Number(response.httpVersion));
    ssl.set({}, url.protocol === 'https:' ? 1 : 0);
    const location = response.headers.location;
    if ([301, 302, 303, 307, 308].includes(response.statusCode) && location) {
      if (followed >= REDIRECTS_MAX) return false;
      url = new URL(location, url);
      continue;
    }
    return response.statusCode >= 200 && response.statusCode < 300;
  }
}

function certificateGauges(g) {
  const earliest = g(
    'probe_ssl_earliest_cert_expiry',
    'End of the first certificate of the chain to end, as Unix time.',
  );
  const info = g('probe_tls_version_info', 'Version of TLS.', ['version']);
  return (socket) => {
    let first = Infinity;
    const seen = new Set();
    for (let c = socket.getPeerCertificate(true); c?.valid_to && !seen.has(c.fingerprint256); c = c.issuerCertificate) {
      seen.add(c.fingerprint256);
      first = Math.min(first, Date.parse(c.valid_to) / 1_000);
    }
    if (first !== Infinity) earliest.set({}, first);
    info.set({ version: (socket.getProtocol() ?? '').replace('TLSv', 'TLS ') }, 1);
  };
}

const hostPort = (target) => {
  const m = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(target);
  if (!m) throw Object.assign(new Error(`want host:port, got ${JSON.stringify(target)}`), { status: 400 });
  return { host: m[1] ?? m[2], port: Number(m[3]) };
};

async function probeTcp(target, set) {
  const { host, port } = hostPort(target);
  const { address } = await resolve(host, set);
  return new Promise((done) => {
    const socket = connect({ host: address, port, signal: set.aborted });
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

async function probeTls(target, set) {
  const { host, port } = hostPort(target);
  const { address } = await resolve(host, set);
  const told = certificateGauges(set.g);
  return new Promise((done) => {
    // verified below, so that the dates of a bad certificate are told too
    const socket = tlsConnect({
      host: address,
      port,
      servername: isIP(host) ? undefined : host,
      rejectUnauthorized: false,
      signal: set.aborted,
    });
    socket.once('secureConnect', () => {
      told(socket);
      const good = socket.authorized;
      socket.destroy();
      done(good);
    });
    socket.once('error', () => done(false));
  });
}

/** The target is the server; `target=server[:port]/name` asks for another name than `localhost`. */
async function probeDns(target, set) {
  const answers = set.g('probe_dns_answer_rrs', 'Records in the answer.');
  const query = set.g('probe_dns_query_succeeded', 'Was there an answer without an error.');
  const [server, name = 'localhost'] = target.split('/');
  query.set({}, 0);
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  resolver.setServers([server]);
  const start = performance.now();
  const found = await race(resolver.resolve4(name), set.aborted);
  set.lookup.set({}, set.seconds(start));
  answers.set({}, found.length);
  query.set({}, 1);
  return found.length > 0;
}

if (import.meta.main) {
  const f = flags({ listen: '127.0.0.1:9115' });
  const own = new Registry();
  const probes = own.counter('prober_probes_total', 'Probes made.', ['module']);
  serve({
    listen: f.listen,
    registry: own,
    routes: {
      '/probe': async (_request, response, url) => {
        const module = url.searchParams.get('module') ?? 'http_2xx';
        const target = url.searchParams.get('target');
        try {
          if (!target) throw Object.assign(new Error('target is missing'), { status: 400 });
          const registry = await probe(module, target);
          probes.inc({ module });
          response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(registry.text());
        } catch (error) {
          response.writeHead(error.status ?? 500, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
        }
      },
    },
  });
}
