import { describe, expect, it } from 'vitest';
import { acme, MINUTE, NOW, other, POLICY, signal, withPolicy, world } from '../../test/support/incident-world.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { TenantPicture } from './collections.ts';

describe('tenants', () => {
  it('see nothing of each other: lists, links, live stream, verdicts (I9)', async () => {
    const picture = async (): Promise<TenantPicture> => ({
      tier: 'pro',
      population: [
        { id: 'acme', plan: 'pro' },
        { id: 'zeta-corp', plan: 'free' },
      ],
    });
    const w = await withPolicy({ picture });
    await w.service.observe(other, [signal({ labels: { secret: 'of-zeta' } })]);
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(2_000);
    const mine = await w.service.get(acme, id!);
    expect(mine.verdict).toMatchObject({
      kind: 'everybody',
      tenantsHit: 2,
      tenants: ['acme'],
      words: 'everybody: you and 1 others',
    });
    expect(JSON.stringify(mine)).not.toContain('zeta-corp');
    expect((await w.service.list(acme)).incidents).toHaveLength(1);
    await expect((await w.service.tenant(acme)).get('INC-2')).rejects.toThrow(/no incident/);
    expect(JSON.stringify(w.published.filter((p) => p.tenant === 'acme'))).not.toContain('of-zeta');
    expect(w.sent.every((s) => s.tenant === 'acme')).toBe(true); // only acme has a policy that tells people
    expect((await w.service.tenant(other)).directory.policies()).toEqual([]);
  });

  it('names a noisy neighbour to the operators, and to a tenant its own use alone (I9)', async () => {
    const picture = async (): Promise<TenantPicture> => ({
      tier: '',
      population: [{ id: 'acme' }, { id: 'zeta-corp' }, { id: 'third' }],
    });
    let usage = [
      { tenant: 'zeta-corp', share: 0.8, usualShare: 0.3 },
      { tenant: 'acme', share: 0.2, usualShare: 0.7 },
    ];
    const w = await world({ picture, usage: async () => usage });
    const shared = signal({ labels: { tenant_id: 'acme' } });
    const [ops] = await w.service.observe(PLATFORM_TENANT, [shared]);
    const [mine] = await w.service.observe(acme, [signal()]);
    const [theirs] = await w.service.observe(other, [signal()]);
    await w.clock.advance(2_000);
    const noisy = { tenant: 'zeta-corp', share: 0.8, usualShare: 0.3 };
    const verdict = async (tenant: TenantId, id: string) => (await w.service.get(tenant, id)).verdict;
    expect(await verdict(PLATFORM_TENANT, ops!)).toMatchObject({ noisyNeighbour: noisy });
    expect((await verdict(PLATFORM_TENANT, ops!)).words).toContain('zeta-corp uses 80 % of the whole, usually 30 %');
    expect(JSON.stringify(await w.service.get(acme, mine!))).not.toMatch(/zeta-corp|noisy/);
    expect((await verdict(other, theirs!)).words).toContain('your own use is 80 % of the whole');
    // what was noisy an hour ago says nothing of now
    usage = [];
    await w.clock.advance(10 * MINUTE);
    await w.service.observe(PLATFORM_TENANT, [signal({ name: 'Another', labels: { tenant_id: 'acme' } })]);
    await w.clock.advance(2_000);
    expect(await verdict(PLATFORM_TENANT, ops!)).not.toHaveProperty('noisyNeighbour');
  });

  it('goes on without knowing the use of tenants', async () => {
    const w = await world({ usage: () => Promise.reject(new Error('no store')) });
    const [id] = await w.service.observe(acme, [signal()]);
    await w.clock.advance(2_000);
    expect((await w.service.get(acme, id!)).causes).toHaveLength(1);
  });
});

describe('correlation in the service', () => {
  it('joins by the service graph, says why, and ranks the dependency as the cause', async () => {
    const w = await withPolicy({
      services: async () => [{ name: 'api', dependsOn: ['database:db-1'] }],
      changes: async () => [
        { id: '1', atMs: NOW - 5 * MINUTE, type: 'deploy', subject: 'database:db-1', source: '/ci' },
      ],
    });
    const db = { name: 'PostgresConnectionsLow', labels: { service: '', instance: 'db-1', job: 'postgres' } };
    const [a] = await w.service.observe(acme, [signal()]);
    const [b] = await w.service.observe(acme, [signal({ ...db, startsAtMs: NOW + 30_000 })]);
    expect(b).toBe(a);
    await w.clock.advance(2_000);
    const incident = await w.service.get(acme, a!);
    expect(incident.alerts[1]!.why.join(' ')).toContain('1 hop from api in the service graph');
    expect(incident.causes[0]!.component).toBe('database:db-1');
    expect(incident.causes[0]!.evidence.join(' ')).toContain('deploy 5 min before');
  });

  it('tells the likely cause with the first message, and waits two seconds for it at most', async () => {
    const steps = [{ level: 'L2', notify: [{ receiver: 'slack-team' }], timeout: '5m' }];
    let hang = false;
    const w = await withPolicy({
      services: async () => [{ name: 'api', dependsOn: ['database:db-1'] }],
      evidence: () => (hang ? new Promise(() => {}) : Promise.resolve([])),
    });
    await (await w.service.tenant(acme)).directory.putPolicy({ ...POLICY, steps });
    await w.service.observe(acme, [signal()]);
    await w.clock.advance(100);
    expect(w.sent).toHaveLength(1);
    expect(w.sent[0]!.message.text).toContain('Likely cause: service:api');
    hang = true;
    await w.service.act(acme, 'INC-1', 'resolve', 'ada', 'done');
    await w.clock.advance(24 * 60 * MINUTE);
    w.sent.length = 0;
    const [second] = await w.service.observe(acme, [
      signal({ name: 'Other', labels: { service: 'far' }, startsAtMs: w.clock.now() }),
    ]);
    expect(second).toBe('INC-2');
    await w.clock.advance(1_900);
    expect(w.sent).toEqual([]);
    await w.clock.advance(200);
    expect(w.sent).toHaveLength(1);
    expect(w.sent[0]!.message.text).not.toContain('Likely cause');
  });

  it('joins what a person opened to nothing: who opens one means one', async () => {
    const w = await world();
    const byHand = (request: string) => ({
      ...signal({ name: 'OpenedByHand', labels: { request } }),
      source: 'person/ada',
    });
    const [a] = await w.service.observe(acme, [byHand('1')]);
    const [b, again] = await w.service.observe(acme, [byHand('2'), byHand('1')]);
    expect([a, b, again]).toEqual(['INC-1', 'INC-2', 'INC-1']);
  });

  it('keeps an alert with a NUL in it, without the NUL', async () => {
    const w = await world();
    const odd = signal({ labels: { path: 'a\0b' }, annotations: { summary: 'x\0y' } });
    const [id] = await w.service.observe(acme, [odd]);
    expect(JSON.stringify(await w.service.get(acme, id!))).not.toContain('\\u0000');
    expect(await w.service.observe(acme, [{ ...odd, status: 'resolved' }])).toEqual([id]);
  });

  it('takes a storm of 10,000 alerts in a bounded time and loses none', async () => {
    const w = await world();
    const storm = Array.from({ length: 10_000 }, (_, i) => signal({ name: `Rule${i % 50}`, labels: { pod: `p${i}` } }));
    const startMs = performance.now();
    const ids = await w.service.observe(acme, storm);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(ids.every((id) => id !== '')).toBe(true);
    const { incidents } = await w.service.list(acme);
    expect(incidents.reduce((n, i) => n + i.alerts.length, 0)).toBe(10_000);
    expect(incidents.length).toBeLessThanOrEqual(20);
  });
});
