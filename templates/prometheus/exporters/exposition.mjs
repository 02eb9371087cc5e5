/**
 * Counters, gauges and histograms and their text format: what the exporters of this folder share. No dependencies.
 * A metric keeps at most SERIES_MAX series; what comes after is counted under the label value "other", so that a flood
 * of values can never take the process or the monitoring down.
 */
import { createServer } from 'node:http';

export const SERIES_MAX = 2_000;
export const LATENCY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2.5, 5, 10];

const escapeLabel = (v) => String(v).replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
const escapeHelp = (v) => v.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const number = (n) => (n === Infinity ? '+Inf' : n === -Infinity ? '-Inf' : String(n));

class Family {
  constructor(kind, name, help, labelNames, buckets) {
    Object.assign(this, { kind, name, help, labelNames, buckets, series: new Map() });
  }

  #at(labels) {
    const values = this.labelNames.map((n) => String(labels[n] ?? ''));
    let key = values.join('\u0000');
    let found = this.series.get(key);
    if (!found) {
      if (this.series.size >= SERIES_MAX) {
        const other = this.labelNames.map(() => 'other');
        key = other.join('\u0000');
        found = this.series.get(key);
        if (found) return found;
        values.splice(0, values.length, ...other);
      }
      found = { values, value: 0, counts: this.buckets && new Float64Array(this.buckets.length + 1), sum: 0 };
      this.series.set(key, found);
    }
    return found;
  }

  /** Counters only ever grow; a negative amount is an error of the caller. */
  inc(labels = {}, by = 1) {
    if (this.kind === 'counter' && !(by >= 0)) throw new Error(`${this.name} cannot grow by ${by}`);
    this.#at(labels).value += by;
  }
  set(labels, value) {
    this.#at(labels).value = value;
  }
  observe(labels, value) {
    const s = this.#at(labels);
    let i = 0;
    while (i < this.buckets.length && value > this.buckets[i]) i++;
    s.counts[i]++;
    s.sum += value;
  }
  clear() {
    this.series.clear();
  }

  write(out) {
    out.push(`# HELP ${this.name} ${escapeHelp(this.help)}`, `# TYPE ${this.name} ${this.kind}`);
    for (const s of this.series.values()) {
      const pairs = this.labelNames.map((n, i) => `${n}="${escapeLabel(s.values[i])}"`);
      const labels = (extra) => {
        const all = extra ? [...pairs, extra] : pairs;
        return all.length > 0 ? `{${all.join(',')}}` : '';
      };
      if (this.kind !== 'histogram') {
        out.push(`${this.name}${labels()} ${number(s.value)}`);
        continue;
      }
      let sum = 0;
      for (let i = 0; i <= this.buckets.length; i++) {
        sum += s.counts[i];
        out.push(`${this.name}_bucket${labels(`le="${i < this.buckets.length ? this.buckets[i] : '+Inf'}"`)} ${sum}`);
      }
      out.push(`${this.name}_sum${labels()} ${number(s.sum)}`, `${this.name}_count${labels()} ${sum}`);
    }
  }
}

export class Registry {
  families = [];
  #add(...args) {
    const family = new Family(...args);
    this.families.push(family);
    return family;
  }
  counter(name, help, labels = []) {
    return this.#add('counter', name, help, labels);
  }
  gauge(name, help, labels = []) {
    return this.#add('gauge', name, help, labels);
  }
  histogram(name, help, labels = [], buckets = LATENCY_SECONDS) {
    return this.#add('histogram', name, help, labels, buckets);
  }
  text() {
    const out = [];
    for (const f of this.families) f.write(out);
    return `${out.join('\n')}\n`;
  }
}

/** Serves `/metrics` (and what `routes` adds) on `host:port`; `collect` runs before each scrape. */
export function serve({ listen, registry, collect, routes = {} }) {
  const [, host, port] = /^(.*):(\d+)$/.exec(listen) ?? [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    try {
      if (routes[url.pathname]) return await routes[url.pathname](request, response, url);
      if (url.pathname !== '/metrics') return response.writeHead(404).end();
      await collect?.();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(registry.text());
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
    }
  });
  server.listen(Number(port), host || '127.0.0.1', () => {
    const at = server.address();
    console.error(`metrics at http://${at.address}:${at.port}/metrics`);
  });
  const stop = () => server.close(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  return server;
}

/** `--name value` flags over defaults; an unknown one ends the program. */
export function flags(defaults, argv = process.argv.slice(2)) {
  const out = { ...defaults };
  for (let i = 0; i < argv.length; i += 2) {
    const name = argv[i]?.replace(/^--/, '');
    if (!(name in defaults) || argv[i + 1] === undefined) {
      console.error(
        `unknown or empty flag ${argv[i]}; known are ${Object.keys(defaults)
          .map((k) => `--${k}`)
          .join(', ')}`,
      );
      process.exit(2);
    }
    out[name] = argv[i + 1];
  }
  return out;
}

/** Calls `onLine` for what is appended to a file from now on (or from its start), across rotation; polls once a second. */
export async function follow(file, onLine, { fromStart = false } = {}) {
  const { open, stat } = await import('node:fs/promises');
  const CHUNK = 1 << 20;
  const LINE_MAX = 1 << 20;
  let offset = fromStart
    ? 0
    : await stat(file).then(
        (s) => s.size,
        () => 0,
      );
  let inode;
  let rest = Buffer.alloc(0);
  const poll = async () => {
    const now = await stat(file).catch(() => undefined);
    if (!now) return;
    if ((inode !== undefined && now.ino !== inode) || now.size < offset) {
      offset = 0;
      rest = Buffer.alloc(0);
    }
    inode = now.ino;
    if (now.size === offset) return;
    const handle = await open(file, 'r');
    try {
      const buffer = Buffer.alloc(CHUNK);
      while (offset < now.size) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK, offset);
        if (bytesRead === 0) break;
        offset += bytesRead;
        let data = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
          onLine(data.subarray(0, end).toString('utf8'));
          data = data.subarray(end + 1);
        }
        rest = data.length > LINE_MAX ? Buffer.alloc(0) : Buffer.from(data);
      }
    } finally {
      await handle.close();
    }
  };
  await poll();
  return { poll, timer: setInterval(() => poll().catch((e) => console.error(e.message)), 1_000) };
}
