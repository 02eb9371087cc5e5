/** Sends mail through nodemailer: one connection a message, STARTTLS as configured, addresses guarded. */
import { createTransport } from 'nodemailer';
import type { AddressGuard } from '../../lib/address-guard.ts';
import type { MailSend, TlsConfig } from './channel.ts';

/** A mail server that says nothing for this long is given up. */
const SOCKET_MS_MAX = 30_000;

export function createMailSend(guard: AddressGuard | undefined): MailSend {
  return async (message) => {
    const smarthost = String(message.config['smarthost']);
    const cut = smarthost.lastIndexOf(':');
    const host = smarthost.slice(0, cut).replace(/^\[(.*)\]$/, '$1') || 'localhost';
    const port = Number(smarthost.slice(cut + 1));
    const pinned = guard ? await guard(host) : undefined;
    const user = String(message.config['auth_username'] ?? '');
    const secret = String(message.config['auth_secret'] ?? '');
    const implicit = (message.config['force_implicit_tls'] as boolean | undefined) ?? port === 465;
    const tls = message.config['tls_config'] as TlsConfig | undefined;
    const transport = createTransport({
      host: pinned?.address ?? host,
      port,
      secure: implicit,
      requireTLS: !implicit && message.config['require_tls'] !== false,
      ignoreTLS: message.config['require_tls'] === false && user === '',
      name: String(message.config['hello'] ?? 'localhost'),
      tls: {
        servername: tls?.serverName ?? host,
        rejectUnauthorized: !tls?.insecureSkipVerify,
        ...(tls?.ca ? { ca: tls.ca } : {}),
        ...(tls?.cert ? { cert: tls.cert } : {}),
        ...(tls?.key ? { key: tls.key } : {}),
        ...(tls?.minVersion ? { minVersion: tls.minVersion } : {}),
        ...(tls?.maxVersion ? { maxVersion: tls.maxVersion } : {}),
      },
      connectionTimeout: SOCKET_MS_MAX,
      greetingTimeout: SOCKET_MS_MAX,
      socketTimeout: SOCKET_MS_MAX,
      disableFileAccess: true,
      disableUrlAccess: true,
      // the secret is for CRAM-MD5 alone, the password for the other ways
      ...(user && secret ? { auth: { user, pass: secret }, authMethod: 'CRAM-MD5' } : {}),
      ...(user && !secret ? { auth: { user, pass: String(message.config['auth_password'] ?? '') } } : {}),
    });
    const stop = (): void => transport.close();
    message.signal.addEventListener('abort', stop, { once: true });
    try {
      const own = new Map(message.headers.map(([name, value]) => [name.toLowerCase(), value]));
      await transport.sendMail({
        from: own.get('from') ?? message.from,
        to: own.get('to') ?? message.to,
        envelope: { from: message.from, to: message.to },
        subject: message.subject,
        messageId: own.get('message-id') ?? message.messageId,
        date: new Date(message.dateMs),
        headers: message.headers
          .filter(([name]) => !['from', 'to', 'subject', 'message-id', 'date'].includes(name.toLowerCase()))
          .map(([key, value]) => ({ key, value })),
        ...(message.text ? { text: message.text } : {}),
        ...(message.html ? { html: message.html } : {}),
      });
    } finally {
      message.signal.removeEventListener('abort', stop);
      transport.close();
    }
  };
}
