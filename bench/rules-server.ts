/** Remote write, queries and rules on the embedded store, and nothing else: the rule engine as a process, for bench/rules.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { prometheusQueryRoutes } from '../src/http/prometheus/query.ts';
import { remoteWriteRoute } from '../src/http/prometheus/remote-write.ts';
import type { HttpRequest } from '../src/http/route.ts';
import { RemoteWrite1Decoder } from '../src/ingest/remote-write/decode-v1.ts';
import { RemoteWrite2Decoder } from '../src/ingest/remote-write/decode-v2.ts';
import { SnappyDecoder } from '../src/ingest/snappy.ts';
import { systemClock } from '../src/lib/clock.ts';
import { VigieError } from '../src/lib/errors.ts';
import { tenantId } from '../src/model/tenant.ts';
import { openRulesEngine, type RulesMode } from './rules-engine.ts';

const [folder, port, rules, mode] = process.argv.slice(2) as [string, string, string, RulesMode];
const { store, engine, service, stats } = await openRulesEngine(folder, systemClock, mode);
const [one, two, snappy] = [new RemoteWrite1Decoder(), new RemoteWrite2Decoder(), new SnappyDecoder()];
const route = remoteWriteRoute({
  writer: (t) => store.writer(t),
  decompress: (b, max) => snappy.decode(b, max),
  decode1: (b) => one.decode(b),
  decode2: (b) => two.decode(b),
});
const queries = prometheusQueryRoutes({ reader: (c) => store.reader(c.tenant), engine, clock: systemClock });
// a profile (`--cpu-prof`) is written at an orderly end only
process.on('SIGTERM', () => process.exit(0));

async function control(url: string): Promise<unknown> {
  if (url === '/start' && rules !== '-')
    for (const file of readdirSync(rules)) {
      const text = readFileSync(path.join(rules, file), 'utf8');
      await service.configure(tenantId(file.replace('.yml', '')), [{ name: file, text }]);
    }
  return stats();
}

// rounds are 15 s apart: a connection must outlive the pause between them
const options = { keepAliveTimeout: 120_000 };
createServer(options, (request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (b: Buffer) => parts.push(b));
  request.on('end', async () => {
    try {
      const url = new URL(request.url ?? '/', 'http://local');
      if (url.pathname === '/stats' || url.pathname === '/start')
        return void response.end(JSON.stringify(await control(url.pathname)));
      const query = queries.find((q) => q.method === request.method && q.path === url.pathname);
      const tenant = tenantId(String(request.headers['x-scope-orgid'] ?? 'default'));
      const answer = await (query ?? route).handle({
        context: { tenant },
        headers: request.headers,
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        params: {},
        body: Buffer.concat(parts),
        signal: new AbortController().signal,
      } as unknown as HttpRequest);
      const { body } = answer;
      response.writeHead(answer.status ?? (body === undefined ? 204 : 200), answer.headers);
      if (typeof body === 'string' || body instanceof Uint8Array) response.end(body);
      else {
        if (body) for await (const piece of body) response.write(piece);
        response.end();
      }
    } catch (error) {
      response.writeHead(error instanceof VigieError ? error.status : 500).end(String((error as Error).message));
    }
  });
}).listen(Number(port), '127.0.0.1');
