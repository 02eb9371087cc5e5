import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { serveRoutes } from '../../../test/support/route-server.ts';
import { IncidentService } from '../../incidents/incident-service.ts';
import type { OutgoingMessage } from '../../incidents/message.ts';
import { signLink } from '../../incidents/signed-link.ts';
import { StatusPages } from '../../incidents/status-page.ts';
import { readUnsubscribe, signUnsubscribe } from '../../incidents/unsubscribe-link.ts';
import { silentLogger } from '../../lib/logger.ts';
import type { TenantId } from '../../model/tenant.ts';
import { stakeholderRoutes } from './stakeholders.ts';
import { statusPageRoutes } from './status-page.ts';

const NOW = Date.UTC(2026, 2, 2, 10);
const KEY = new Uint8Array(32).fill(7);
const ACME = 'acme' as TenantId;

async function world() {
  const documents = new MemoryDocuments();
  const clock = new FakeClock(NOW);
  const sent: OutgoingMessage[] = [];
  const audited: string[] = [];
  const ports = {
    documents,
    clock,
    logger: silentLogger,
    externalURL: 'https://vigie.example',
    linkKey: KEY,
    publish: () => {},
    send: async (_t: TenantId, m: OutgoingMessage) => sent.push(m) > 0,
  };
  let incidents = new IncidentService(ports);
  await incidents.start();
  const audit = async (_c: unknown, action: string, target: string): Promise<void> =>
    void audited.push(`${action} ${target}`);
  const routes = () => [
    ...statusPageRoutes({
      incidents,
      pages: new StatusPages(documents),
      clock,
      silentServices: async () => new Set(),
      audit,
    }),
    ...stakeholderRoutes({
      incidents,
      clock,
      linkKey: KEY,
      audit,
      auditExternal: async (tenant, actor, action, target) =>
        void audited.push(`${tenant} ${actor}: ${action} ${target}`),
    }),
  ];
  let acme = await serveRoutes(routes(), 'acme');
  const zeta = await serveRoutes(routes(), 'zeta');
  const call = async (server: { url: string }, method: string, at: string, body?: unknown) => {
    const r = await fetch(server.url + at, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await r.text();
    return { status: r.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  const put = (document: object, server = acme) => call(server, 'PUT', '/vigie/v1/stakeholders', { document });
  await call(acme, 'PUT', '/vigie/v1/status-page', {
    version: 1,
    kind: 'status_page',
    slug: 'acme-status',
    title: 'Acme',
    components: [{ name: 'Chat', services: ['api'] }],
  });
  const alert = (status: 'firing' | 'resolved', labels: Record<string, string> = {}) =>
    incidents.observe(ACME, [
      {
        labels: { alertname: 'SecretInternalName', service: 'api', severity: 'critical', ...labels },
        annotations: { summary: 'secret summary' },
        status,
        startsAtMs: NOW,
        ...(status === 'resolved' ? { endsAtMs: clock.now() } : {}),
        source: 'rules',
      },
    ]);
  return {
    clock,
    sent,
    audited,
    put,
    call,
    alert,
    zeta,
    get acme() {
      return acme;
    },
    get incidents() {
      return incidents;
    },
    mails: () => sent.filter((m) => m.kind === 'stakeholders' && m.email !== undefined),
    /** As after a crash: what is stored is all there is. */
    async restart() {
      await incidents[Symbol.asyncDispose]();
      await acme[Symbol.asyncDispose]();
      incidents = new IncidentService(ports);
      await incidents.start();
      acme = await serveRoutes(routes(), 'acme');
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([acme[Symbol.asyncDispose](), zeta[Symbol.asyncDispose]()]);
      await incidents[Symbol.asyncDispose]();
    },
  };
}
const LIST = {
  version: 1,
  kind: 'stakeholder_list',
  name: 'customers',
  members: ['ann@x.test', 'bob@x.test'],
  automatic: { criticality: 'P2', min_interval: '15m' },
};

describe('stakeholder lists', () => {
  it('are told by themselves of begin and end, in their language, and nothing of alerts', async () => {
    await using w = await world();
    expect((await w.put({ ...LIST, language: 'fr' })).status).toBe(200);
    await w.alert('firing');
    await w.clock.advance(1_000);
    expect(w.mails().map((m) => [m.email, m.title])).toEqual([
      ['ann@x.test', 'Acme: Chat fonctionne de façon dégradée'],
      ['bob@x.test', 'Acme: Chat fonctionne de façon dégradée'],
    ]);
    await w.alert('resolved');
    await w.clock.advance(10 * 60_000);
    const mails = w.mails();
    expect(mails.slice(2).map((m) => m.title)).toEqual(Array(2).fill('Acme: Chat fonctionne à nouveau'));
    expect(mails[2]!.text).toContain('Durée: ');
    expect(mails[0]!.text).toContain('https://vigie.example/vigie/v1/public/status/acme-status');
    expect(JSON.stringify(mails)).not.toMatch(/secret|severity|SecretInternalName|criticality/i);
    // the links of one member are not another's
    expect(new Set(mails.map((m) => m.unsubscribe)).size).toBe(2);
    const { timeline } = await w.incidents.get(ACME, 'INC-1');
    expect(timeline.filter((e) => e.kind === 'stakeholders').map((e) => e.text)).toEqual([
      'Acme: Chat fonctionne de façon dégradée (customers: 2 told)',
      'Acme: Chat fonctionne à nouveau (customers: 2 told)',
    ]);
  });

  it.each([
    ['less critical than asked for', { ...LIST, automatic: { criticality: 'P1' } }, {}, 0],
    ['nothing public is hit', LIST, { service: 'internal-batch' }, 0],
    ['a service that the list names', { ...LIST, services: ['internal-batch'] }, { service: 'internal-batch' }, 2],
    ['about another service than the list', { ...LIST, services: ['other'] }, {}, 0],
    ['only what people write', { ...LIST, automatic: undefined }, {}, 0],
    ['only the end', { ...LIST, automatic: { on: ['resolved'] } }, {}, 0],
  ])('%s', async (_name, list, labels, told) => {
    await using w = await world();
    expect((await w.put(list)).status).toBe(200);
    await w.alert('firing', labels);
    await w.clock.advance(1_000);
    expect(w.mails()).toHaveLength(told);
    if (list.automatic && 'on' in list.automatic) {
      await w.alert('resolved', labels);
      await w.clock.advance(10 * 60_000);
      expect(w.mails().map((m) => m.title)).toEqual(Array(2).fill('Acme: Chat works again'));
    }
  });

  it('are not flooded by an incident that comes and goes, and hear its end', async () => {
    await using w = await world();
    await w.put({ ...LIST, automatic: { criticality: 'P2', min_interval: '2h' } });
    for (let i = 0; i < 5; i++) {
      await w.alert('firing');
      await w.clock.advance(60_000);
      await w.alert('resolved');
      await w.clock.advance(9 * 60_000);
    }
    await w.clock.advance(3_600_000);
    const ann = w.mails().filter((m) => m.email === 'ann@x.test');
    expect(ann.map((m) => m.title)).toEqual(['Acme: Chat is degraded', 'Acme: Chat works again']);
  });

  it('are told once whatever crashes in between', async () => {
    await using w = await world();
    await w.put(LIST);
    await w.alert('firing');
    await w.restart();
    await w.alert('firing');
    await w.clock.advance(60_000);
    await w.restart();
    await w.clock.advance(60_000);
    expect(w.mails().map((m) => m.email)).toEqual(['ann@x.test', 'bob@x.test']);
    expect(new Set(w.mails().map((m) => m.id)).size).toBe(2);
  });

  it('get what people write, and say beforehand who would get what', async () => {
    await using w = await world();
    await w.put({ ...LIST, automatic: undefined });
    await w.alert('firing');
    const { left: _left, ...answered } = (await w.call(w.acme, 'GET', '/vigie/v1/stakeholders')).json.lists[0];
    expect((await w.put({ ...answered, automatic: { min_interval: 60_000 } })).json.automatic.min_interval).toBe(
      60_000,
    );
    await w.put({ ...LIST, automatic: undefined });
    const preview = await w.call(w.acme, 'POST', '/vigie/v1/stakeholders/customers/preview', { incident: 'INC-1' });
    expect(preview.json).toMatchObject({
      recipients: ['ann@x.test', 'bob@x.test'],
      subject: 'Acme: Chat is degraded',
      silentBecause: 'the list has no automatic part',
    });
    expect(preview.text).toContain('token=…');
    expect(w.mails()).toEqual([]);
    const update = { status: 'identified', title: 'Chat is slow', text: 'A disk is full.' };
    expect((await w.call(w.acme, 'POST', '/vigie/v1/incidents/INC-1/updates', update)).status).toBe(201);
    await w.clock.advance(1_000);
    expect(w.mails().map((m) => [m.email, m.title])).toEqual([
      ['ann@x.test', 'Chat is slow'],
      ['bob@x.test', 'Chat is slow'],
    ]);
    expect(w.mails()[0]!.text).toContain('identified: A disk is full.');
    expect((await w.call(w.acme, 'POST', '/vigie/v1/stakeholders/customers/test', { email: 'me@x.test' })).status).toBe(
      200,
    );
    expect(w.sent.at(-1)).toMatchObject({ email: 'me@x.test', title: 'TEST: customers', incident: '' });
  });

  it('are left by a link of one member: only the button acts, asking twice is fine, an editor may undo it', async () => {
    await using w = await world();
    await w.put(LIST);
    await w.alert('firing');
    await w.clock.advance(1_000);
    const at = new URL(w.mails()[0]!.unsubscribe!);
    const link = at.pathname + at.search;
    expect((await w.call(w.zeta, 'GET', link)).text).toContain('ann@x.test');
    const left = async () => (await w.call(w.acme, 'GET', '/vigie/v1/stakeholders')).json.lists[0].left;
    expect(await left()).toEqual([]);
    for (let i = 0; i < 2; i++) expect((await w.call(w.zeta, 'POST', link)).status).toBe(200);
    expect(await left()).toEqual(['ann@x.test']);
    expect(w.audited).toContain('acme ann@x.test: stakeholder_list.leave customers');
    // putting the list again brings nobody back, nor does a restart
    await w.put({ ...LIST, members: ['Ann@x.test', 'bob@x.test'] });
    await w.restart();
    await w.alert('resolved');
    await w.clock.advance(10 * 60_000);
    expect(
      w
        .mails()
        .slice(2)
        .map((m) => m.email),
    ).toEqual(['bob@x.test']);
    const back = '/vigie/v1/stakeholders/customers/left/ann%40x.test';
    expect((await w.call(w.acme, 'DELETE', back)).status).toBeLessThan(300);
    expect((await w.call(w.acme, 'DELETE', back)).status).toBe(404);
    expect(await left()).toEqual([]);
  });

  it('belong to one tenant (isolation)', async () => {
    await using w = await world();
    await w.put(LIST);
    expect((await w.call(w.zeta, 'GET', '/vigie/v1/stakeholders')).json).toEqual({ lists: [] });
    for (const [method, at, body] of [
      ['POST', '/vigie/v1/stakeholders/customers/preview', {}],
      ['POST', '/vigie/v1/stakeholders/customers/test', { email: 'a@x.test' }],
      ['DELETE', '/vigie/v1/stakeholders/customers', undefined],
      ['DELETE', '/vigie/v1/stakeholders/customers/left/ann%40x.test', undefined],
    ] as const)
      expect((await w.call(w.zeta, method, at, body)).status, at).toBe(404);
    // the same name and member elsewhere is another list
    await w.put(LIST, w.zeta);
    const { lists } = (await w.incidents.tenant('zeta' as TenantId)).stakeholders;
    await lists.leave('customers', 'ann@x.test', NOW);
    expect((await w.call(w.acme, 'GET', '/vigie/v1/stakeholders')).json.lists[0].left).toEqual([]);
    await w.alert('firing');
    await w.clock.advance(1_000);
    expect(w.mails()).toHaveLength(2);
  });

  it.each([
    [{ ...LIST, members: ['no address'] }, /members\.0/],
    [{ ...LIST, members: ['a@x.test', 'A@x.test'] }, /each address once/],
    [{ ...LIST, automatic: { min_interval: 'soon' } }, /min_interval: want a duration/],
    [{ ...LIST, automatic: { on: [] } }, /automatic\.on/],
    [{ ...LIST, name: '../x' }, /name: want 1 to 63/],
    [{ ...LIST, extra: 1 }, /extra/],
    [null, /stakeholder_list/],
  ])('refuses %j', async (document, message) => {
    await using w = await world();
    const answer = await w.call(w.acme, 'PUT', '/vigie/v1/stakeholders', { document });
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(message);
  });
});

describe('the link to leave', () => {
  const claims = { tenant: 'acme', list: 'customers', email: 'ann@x.test' };
  it('cannot be altered, and no link of an incident stands for it (property)', () => {
    const token = signUnsubscribe(KEY, claims);
    expect(readUnsubscribe(KEY, token)).toEqual(claims);
    expect(() => readUnsubscribe(new Uint8Array(32), token)).toThrow(/altered/);
    const other = signLink(KEY, {
      tenant: 'acme',
      incident: 'INC-1',
      action: 'resolve',
      addressee: 'a',
      expiresAtMs: NOW,
    });
    expect(() => readUnsubscribe(KEY, other)).toThrow(/altered/);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABab01_-.'), (i, ch) => {
        const altered = token.slice(0, i) + ch + token.slice(i + 1);
        if (altered !== token) expect(() => readUnsubscribe(KEY, altered)).toThrow(/this link/);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.string(), (t) => {
        expect(() => readUnsubscribe(KEY, t)).toThrow(/this link/);
      }),
    );
  });
});
