/** Email: subject, text and HTML parts, threading headers. The SMTP dialogue is behind a port (smtp.ts). */
import { createHash } from 'node:crypto';
import { messageOf } from '../../lib/errors.ts';
import { type Channel, SENT } from './channel.ts';
import { hashKey, str, text } from './http-post.ts';

interface Threading {
  readonly enabled?: string;
  readonly thread_by_date?: string;
}

export const email: Channel = {
  kind: 'email',
  sendResolved: false,
  fields: {
    to: { kind: 'template', required: true },
    from: { kind: 'template', global: 'smtp_from', required: true },
    smarthost: { kind: 'string', global: 'smtp_smarthost', required: true },
    hello: { kind: 'string', global: 'smtp_hello' },
    auth_username: { kind: 'string', global: 'smtp_auth_username' },
    auth_password: { kind: 'secret', global: 'smtp_auth_password' },
    auth_secret: { kind: 'secret', global: 'smtp_auth_secret' },
    tls_config: { kind: 'tls', global: 'smtp_tls_config' },
    force_implicit_tls: { kind: 'bool', global: 'smtp_force_implicit_tls' },
    require_tls: { kind: 'bool', global: 'smtp_require_tls' },
    headers: { kind: 'templateMap' },
    html: { kind: 'html', default: '{{ template "email.default.html" . }}' },
    text: { kind: 'template', default: '' },
    threading: { kind: 'json', keys: ['enabled', 'thread_by_date'] },
  },
  check(config, fail) {
    if (!/^(\[[^\]]+\]|[^:]*):[^:]+$/.test(String(config['smarthost']))) fail('smarthost', 'address must be host:port');
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries((config['headers'] as Record<string, string> | undefined) ?? {})) {
      const canonical = name
        .toLowerCase()
        .replace(/(^|-)([a-z])/g, (_, dash: string, c: string) => dash + c.toUpperCase());
      if (canonical in headers) fail('headers', `duplicate header "${canonical}" in email config`);
      headers[canonical] = value;
    }
    headers['Subject'] ??= '{{ template "email.default.subject" . }}';
    headers['To'] ??= String(config['to']);
    headers['From'] ??= String(config['from']);
    config['headers'] = headers;
    const threading = config['threading'] as Threading | undefined;
    if (threading?.enabled !== 'true') return;
    if (!['none', 'daily'].includes(threading.thread_by_date ?? ''))
      fail('threading', "thread_by_date must be either 'none' or 'daily'");
    for (const name of ['References', 'In-Reply-To'])
      if (name in headers) fail('headers', `threading conflicts with the header ${name}`);
  },
  async send(n) {
    const headers: [string, string][] = [];
    let subject = '';
    for (const [name, template] of Object.entries(n.config['headers'] as Record<string, string>)) {
      // a line break in a label must not start a header of its own
      const value = n.templates.text(template, n.data).replace(/[\r\n]+/g, ' ');
      if (name === 'Subject') subject = value;
      else headers.push([name, value]);
    }
    const threading = n.config['threading'] as Threading | undefined;
    if (threading?.enabled === 'true') {
      // one thread per group, or per group and day, as mail programs read it
      const day = threading.thread_by_date === 'daily' ? new Date(n.nowMs).toISOString().slice(0, 10) : '';
      const thread = `<alert-${hashKey(n.groupKey).slice(0, 16)}-${day}@alertmanager>`;
      headers.push(['References', thread], ['In-Reply-To', thread]);
    }
    const own = Object.entries(n.mailHeaders ?? {});
    const taken = new Set(own.map(([name]) => name.toLowerCase()));
    const sent = headers.filter(([name]) => !taken.has(name.toLowerCase()));
    for (const [name, value] of own) sent.push([name, value.replace(/[\r\n]+/g, ' ')]);
    const from = text(n, 'from');
    try {
      await n.ports.mail({
        config: n.config,
        from,
        to: text(n, 'to'),
        headers: sent,
        subject,
        text: text(n, 'text'),
        html: n.templates.html(str(n.config, 'html'), n.data),
        messageId: `<${createHash('sha256').update(n.idempotencyKey).digest('hex').slice(0, 32)}@vigie>`,
        dateMs: n.nowMs,
        signal: n.signal,
      });
      return SENT;
    } catch (error) {
      const code = (error as { responseCode?: number }).responseCode;
      // 5xx is the mail server's final word, all else may pass
      return {
        kind: 'failed',
        retry: code === undefined || code < 500,
        error: messageOf(error),
        refused: code !== undefined,
      };
    }
  },
};
