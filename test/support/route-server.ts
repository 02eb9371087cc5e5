/** Serves a route table on a loopback port without credentials, for tests with real clients. Not a product server. */
import { createServer } from 'node:http';
import { asVigieError, errorAnswer } from '../../src/http/error-body.ts';
import type { HttpRequest, Route } from '../../src/http/route.ts';
import type { TenantId } from '../../src/model/tenant.ts';
import type { RequestContext } from '../../src/tenancy/context.ts';

export interface RouteServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

export async function serveRoutes(routes: readonly Route[], tenant = 'default'): Promise<RouteServer> {
  const context: RequestContext = {
    tenant: tenant as TenantId,
    principal: { id: 'local', kind: 'local', name: 'local' },
    role: 'platform_admin',
    grants: 'all',
    requestId: 'test',
  };
  const table = routes.map((route) => {
    const names: string[] = [];
    const pattern = route.path.replace(/:([a-zA-Z]+)|\*/g, (_all, name?: string) => {
      names.push(name ?? '*');
      return name ? '([^/]+)' : '(.*)';
    });
    return { route, names, pattern: new RegExp(`^${pattern}$`) };
  });
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (c: Buffer) => chunks.push(c));
    incoming.on('end', async () => {
      const url = new URL(incoming.url ?? '/', 'http://local');
      const found = table.find((t) => t.route.method === incoming.method && t.pattern.test(url.pathname));
      if (!found) return void outgoing.writeHead(404).end();
      const values = found.pattern.exec(url.pathname)!.slice(1).map(decodeURIComponent);
      const request: HttpRequest = {
        context,
        method: incoming.method ?? 'GET',
        path: url.pathname,
        params: Object.fromEntries(found.names.map((n, i) => [n, values[i] ?? ''])),
        query: url.searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks),
        signal: new AbortController().signal,
        remoteAddress: '127.0.0.1',
      };
      const answer = await Promise.resolve()
        .then(() => found.route.handle(request))
        .catch((error) => errorAnswer(found.route.family, asVigieError(error), 'test'));
      const json = answer.json === undefined ? undefined : JSON.stringify(answer.json);
      outgoing.writeHead(answer.status ?? 200, {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...answer.headers,
      });
      if (json !== undefined) outgoing.end(json);
      else if (typeof answer.body === 'string' || answer.body instanceof Uint8Array) outgoing.end(answer.body);
      else if (answer.body) {
        for await (const part of answer.body) outgoing.write(part);
        outgoing.end();
      } else outgoing.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
