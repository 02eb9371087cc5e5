import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { serveRoutes } from '../../../test/support/route-server.ts';
import { IncidentService } from '../../incidents/incident-service.ts';
import type { OutgoingMessage } from '../../incidents/message.ts';
import { StatusPages } from '../../incidents/status-page.ts';
import { silentLogger } from '../../lib/logger.ts';
import type { TenantId } from '../../model/tenant.ts';
import { statusPageRoutes } from './status-page.ts';

const NOW = Date.UTC(2026, 2, 2, 10);

async function world() {
  const documents = new MemoryDocuments();
  const clock = new FakeClock(NOW);
  const sent: OutgoingMessage[] = [];
  const incidents = new IncidentService({
    documents,
    clock,
    logger: silentLogger,
    externalURL: '',
    linkKey: new Uint8Array(32),
    publish: () => {},
    send: async (_t, m) => sent.push(m) > 0,
  });
  await incidents.start();
  const routes = statusPageRoutes({
    incidents,
    pages: new StatusPages(documents),
    clock,
    silentServices: async () => new Set(['quiet']),
    audit: async () => {},
  });
  const acme = await serveRoutes(routes, 'acme');
  const zeta = await serveRoutes(routes, 'zeta');
  const call = async (server: { url: string }, method: string, at: string, body?: unknown) => {
    const r = await fetch(server.url + at, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await r.text();
    return { status: r.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  return {
    clock,
    incidents,
    sent,
    acme,
    zeta,
    call,
    close: async () => void (await Promise.all([acme[Symbol.asyncDispose](), zeta[Symbol.asyncDispose]()])),
  };
}

const PAGE = {
  version: 1,
  kind: 'status_page',
  slug: 'acme-status',
  title: 'Acme <status>',
  components: [
    { name: 'Chat', services: ['api'] },
    { name: 'Uploads', services: ['media'] },
    { name: 'Plans', services: ['quiet'] },
  ],
  receivers: ['stakeholders'],
};

describe('the public status page', () => {
  it('shows components and what people wrote, and nothing of alerts', async () => {
    const w = await world();
    const public_ = (at = '') => w.call(w.zeta, 'GET', `/vigie/v1/public/status/acme-status${at}`);
    expect((await public_()).status).toBe(404);
    expect((await w.call(w.acme, 'PUT', '/vigie/v1/status-page', PAGE)).status).toBe(200);
    const states = async () =>
      Object.fromEntries(
        (await public_('/summary.json')).json.components.map((c: { name: string; state: string }) => [c.name, c.state]),
      );
    expect(await states()).toEqual({ Chat: 'operational', Uploads: 'operational', Plans: 'unknown' });
    const [id] = await w.incidents.observe('acme' as TenantId, [
      {
        labels: { alertname: 'SecretInternalName', service: 'api', severity: 'critical' },
        annotations: { summary: 'secret summary' },
        status: 'firing',
        startsAtMs: NOW,
        source: 'rules',
      },
    ]);
    expect((await states())['Chat']).toBe('degraded');
    await (await w.incidents.tenant('acme' as TenantId)).directory.putMaintenance({
      id: 'm',
      services: ['media'],
      startsAtMs: NOW,
      endsAtMs: NOW + 1_000,
    });
    expect((await states())['Uploads']).toBe('maintenance');
    const update = { status: 'investigating', title: 'Chat is <slow>', text: 'We are looking.' };
    expect((await w.call(w.acme, 'POST', `/vigie/v1/incidents/${id}/updates`, update)).status).toBe(201);
    expect((await w.call(w.zeta, 'POST', `/vigie/v1/incidents/${id}/updates`, update)).status).toBe(404);
    const page = (await public_()).text;
    expect(page).toContain('Chat is &lt;slow&gt;');
    expect(page).toContain('Acme &lt;status&gt;');
    expect(`${page}${(await public_('/summary.json')).text}`).not.toMatch(/Secret|secret|INC-1|severity/);
    await w.clock.advance(1_000);
    expect(w.sent.map((m) => [m.receiver, m.kind, m.title, m.links.length])).toContainEqual([
      'stakeholders',
      'stakeholders',
      'Chat is <slow>',
      0,
    ]);
    await w.close();
  });

  it('gives an address to one tenant, and none when switched off (isolation)', async () => {
    const w = await world();
    await w.call(w.acme, 'PUT', '/vigie/v1/status-page', PAGE);
    const taken = await w.call(w.zeta, 'PUT', '/vigie/v1/status-page', { ...PAGE, title: 'Zeta' });
    expect([taken.status, taken.text.includes('acme"')]).toEqual([409, false]);
    await w.call(w.acme, 'PUT', '/vigie/v1/status-page', { ...PAGE, slug: 'acme-new' });
    expect((await w.call(w.zeta, 'PUT', '/vigie/v1/status-page', { ...PAGE, title: 'Zeta' })).status).toBe(200);
    expect((await w.call(w.acme, 'GET', '/vigie/v1/public/status/acme-status')).text).toContain('Zeta');
    await w.call(w.acme, 'PUT', '/vigie/v1/status-page', { ...PAGE, slug: 'acme-new', enabled: false });
    expect((await w.call(w.zeta, 'GET', '/vigie/v1/public/status/acme-new')).status).toBe(404);
    expect((await w.call(w.zeta, 'GET', '/vigie/v1/public/status/..%2f')).status).toBe(404);
    await w.close();
  });
});

describe('hand-over notices', () => {
  it('tell who comes on call, once, with what is open', async () => {
    const w = await world();
    const tenant = 'acme' as TenantId;
    const { directory } = await w.incidents.tenant(tenant);
    for (const name of ['ada', 'ben'])
      await directory.putContact({ version: 1, kind: 'contact', name, rules: [{ email: `${name}@example.org` }] });
    await directory.putSchedule({
      version: 1,
      kind: 'schedule',
      name: 'daily',
      time_zone: 'UTC',
      layers: [{ name: 'l', start: '2026-03-02T09:00', rotation: { every: '1d', users: ['ada', 'ben'] } }],
    });
    await w.incidents.observe(tenant, [
      {
        labels: { alertname: 'A', service: 'api' },
        annotations: {},
        status: 'firing',
        startsAtMs: NOW,
        source: 'rules',
      },
    ]);
    await w.clock.advance(22 * 3_600_000);
    expect(w.sent).toEqual([]);
    await w.clock.advance(2 * 3_600_000);
    expect(w.sent.map((m) => [m.email, m.kind])).toEqual([['ben@example.org', 'handover']]);
    expect(w.sent[0]!.text).toContain('after ada');
    expect(w.sent[0]!.text).toContain('INC-1');
    await w.clock.advance(24 * 3_600_000);
    expect(w.sent.map((m) => m.email)).toEqual(['ben@example.org', 'ada@example.org']);
    await w.close();
  });
});
