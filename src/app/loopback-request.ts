/** Requests to this server's own listener, over the loopback address: for parts of Vigie that come in by the front door. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** Longest answer read; the rest is dropped. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface LoopbackInput {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly signal: AbortSignal;
}
export type LoopbackRequest = (input: LoopbackInput) => Promise<{ readonly status: number; readonly text: string }>;

/**
 * `url` is asked for at each request: the port is known once the server listens. Its certificate is not checked, for it
 * is our own process and the name in it is not the loopback address. Close ends idle connections.
 */
export function loopbackRequest(url: () => string): LoopbackRequest & { close(): void } {
  const plain = new HttpAgent({ keepAlive: true, maxSockets: 2 });
  const secure = new HttpsAgent({ keepAlive: true, maxSockets: 2, rejectUnauthorized: false });
  const send: LoopbackRequest = ({ method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const target = new URL(path, url());
      const tls = target.protocol === 'https:';
      const options = { method, headers: { ...headers, 'content-length': Buffer.byteLength(body ?? '') }, signal };
      const outgoing = (tls ? httpsRequest : httpRequest)(
        target,
        { ...options, agent: tls ? secure : plain },
        (answer) => {
          const parts: Buffer[] = [];
          let size = 0;
          answer.on('data', (part: Buffer) => {
            if (size < ANSWER_BYTES_MAX) parts.push(part);
            size += part.length;
          });
          answer.once('error', reject);
          answer.once('end', () =>
            resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
          );
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  return Object.assign(send, {
    close: (): void => {
      plain.destroy();
      secure.destroy();
    },
  });
}
