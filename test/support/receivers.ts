/** Receivers that behave as the real ones do, on loopback ports: an SMTP server, Slack, Discord and PagerDuty. */
import { createServer } from 'node:http';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export interface Received {
  readonly path: string;
  readonly body: Record<string, unknown>;
}
export interface ReceivedMail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly html: string;
  readonly text: string;
  /** RFC 5322 thread: Message-ID, In-Reply-To, References. */
  readonly messageId: string;
  readonly inReplyTo: string;
  readonly references: readonly string[];
  /** RFC 8058: the address to post to, and what to post; '' without. */
  readonly unsubscribe: string;
  readonly unsubscribePost: string;
}

export interface Receivers extends AsyncDisposable {
  readonly url: string;
  readonly smtpPort: number;
  readonly posts: Received[];
  readonly mails: ReceivedMail[];
}

/**
 * `/slack...` answers `ok`, `/discord...` 204 without a body, `/pagerduty...` 202 with a dedup key, all else `{}`; each
 * refuses what the real one refuses: no attachments, no embeds, no routing key.
 */
export async function startReceivers(): Promise<Receivers> {
  const posts: Received[] = [];
  const mails: ReceivedMail[] = [];
  const http = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (c: Buffer) => chunks.push(c));
    incoming.on('end', () => {
      const path = incoming.url ?? '';
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      const refuse = (what: string): void => void outgoing.writeHead(400).end(what);
      if (path.startsWith('/slack') && !Array.isArray(body['attachments'])) return refuse('no_text');
      if (path.startsWith('/discord') && !Array.isArray(body['embeds'])) return refuse('Cannot send an empty message');
      if (path.startsWith('/pagerduty') && !body['routing_key']) return refuse('Event object is invalid');
      posts.push({ path, body });
      if (path.startsWith('/slack')) outgoing.end('ok');
      else if (path.startsWith('/discord')) outgoing.writeHead(204).end();
      else if (path.startsWith('/pagerduty'))
        outgoing
          .writeHead(202, { 'content-type': 'application/json' })
          .end(JSON.stringify({ status: 'success', message: 'Event processed', dedup_key: body['dedup_key'] }));
      else outgoing.end('{}');
    });
  });
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, done) {
      simpleParser(stream).then((m) => {
        mails.push({
          to: session.envelope.rcptTo.map((r) => r.address),
          subject: m.subject ?? '',
          html: m.html || '',
          text: m.text ?? '',
          messageId: m.messageId ?? '',
          inReplyTo: m.inReplyTo ?? '',
          unsubscribe: headerOf(m.headerLines, 'list-unsubscribe'),
          unsubscribePost: headerOf(m.headerLines, 'list-unsubscribe-post'),
          references: typeof m.references === 'string' ? [m.references] : (m.references ?? []),
        });
        done();
      }, done);
    },
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  const portOf = (address: unknown): number => (address as { port: number }).port;
  return {
    url: `http://127.0.0.1:${portOf(http.address())}`,
    smtpPort: portOf(smtp.server.address()),
    posts,
    mails,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await new Promise<void>((resolve) => smtp.close(() => resolve()));
    },
  };
}

const headerOf = (lines: readonly { readonly key: string; readonly line: string }[], name: string): string =>
  (lines.find((l) => l.key === name)?.line ?? '')
    .replace(/^[^:]*:/, '')
    .replaceAll(/\r?\n\s+/g, '')
    .trim();
