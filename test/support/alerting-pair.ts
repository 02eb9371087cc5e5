/** A real Alertmanager or ours behind the same handle, and a sink that keeps what receivers are sent. */
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import path from 'node:path';
import { AlertingService } from '../../src/alerting/alerting-service.ts';
import { createHttpSend } from '../../src/alerting/notify/http-send.ts';
import { createMailSend } from '../../src/alerting/notify/smtp.ts';
import type { TemplatesFactory } from '../../src/alerting/notify/template-data.ts';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { alertmanagerRoutes } from '../../src/http/alertmanager/routes.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { findPeer, freePort, httpReady, start, temporaryFolder } from './peers.ts';
import { serveRoutes } from './route-server.ts';

export interface Alerter extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly pid: number | undefined;
  readonly output?: () => string;
}

/** `readdress` sends elsewhere what would go to a vendor's own address. */
export async function startOurs(
  yaml: string,
  templates: TemplatesFactory = goTemplates,
  readdress: (url: string) => string = (url) => url,
): Promise<Alerter> {
  const send = createHttpSend(undefined);
  const folder = temporaryFolder();
  const service = new AlertingService({
    folder: folder.path,
    clock: systemClock,
    logger: silentLogger,
    externalURL: 'http://alerts.test',
    templates,
    ports: () => ({ http: (r) => send({ ...r, url: readdress(r.url) }), mail: createMailSend(undefined) }),
    initial: async () => ({ yaml }),
    orphanResolve: false,
  });
  // a wrong configuration fails the test instead of sending nothing
  service.check({ yaml });
  const server = await serveRoutes(
    alertmanagerRoutes({
      alerting: (tenant) => service.tenant(tenant),
      version: '0.33.1',
      startedAtMs: systemClock.now(),
      now: () => systemClock.now(),
    }),
  );
  return {
    name: 'vigie',
    url: server.url,
    pid: undefined,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Debian's build reads the default templates of whichever release is installed, so the newer one is told its own. */
function withOwnDefaults(yaml: string, binary: string): string {
  const file = path.resolve(path.dirname(binary), '../share/prometheus/alertmanager/default.tmpl');
  return /^templates:/m.test(yaml)
    ? yaml.replace(/^templates: *\[/m, `templates: ['${file}', `)
    : `${yaml}\ntemplates: ['${file}']\n`;
}

export async function startReal(yaml: string, suite?: 'sid'): Promise<Alerter> {
  const folder = temporaryFolder();
  const file = path.join(folder.path, 'alertmanager.yml');
  const binary = findPeer('prometheus-alertmanager', suite)!;
  writeFileSync(file, suite ? withOwnDefaults(yaml, binary) : yaml);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = await start(binary, {
    args: [
      `--config.file=${file}`,
      `--storage.path=${path.join(folder.path, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
      '--web.external-url=http://alerts.test',
      '--web.route-prefix=/',
    ],
    ready: httpReady(`${url}/-/ready`),
  });
  return {
    name: suite ? `alertmanager ${suite}` : 'alertmanager',
    url,
    pid: started.pid,
    output: () => started.output(),
    async [Symbol.asyncDispose]() {
      await started.stop('SIGKILL');
      folder[Symbol.dispose]();
    },
  };
}

export interface Caught {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}
export interface Sink extends AsyncDisposable {
  readonly url: string;
  readonly caught: Caught[];
  /** Resolves when `count` requests came in or `timeoutMs` passed. */
  wait(count: number, timeoutMs?: number): Promise<void>;
}

/** Pleases every channel; Telegram's client of the original needs a whole message. */
const ANSWER = {
  ok: true,
  success: true,
  access_token: 'tk',
  errcode: 0,
  issues: [],
  status: 'success',
  result: { message_id: 1, date: 1, chat: { id: 7, type: 'private' } },
};

/** `answer` replaces what is answered to a request; undefined keeps the usual. */
export async function startSink(answer?: (request: Caught) => unknown): Promise<Sink> {
  const caught: Caught[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (c: Buffer) => chunks.push(c));
    incoming.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      let body: unknown = text;
      try {
        body = JSON.parse(text);
      } catch {
        // kept as text
      }
      const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body };
      caught.push(request);
      outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer?.(request) ?? ANSWER));
      for (const check of waiting) check();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    caught,
    wait(count, timeoutMs = 15_000) {
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiting.delete(check);
          resolve();
        };
        const check = (): void => {
          if (caught.length >= count) done();
        };
        const timer = setTimeout(done, timeoutMs);
        waiting.add(check);
        check();
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
