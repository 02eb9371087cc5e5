import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MemoryDocuments } from '../../../test/support/memory-documents.ts';
import { CatalogueService } from '../../catalogue/catalogue-service.ts';
import { catalogueConfigSchema } from '../../catalogue/config.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { RequestContext } from '../../tenancy/context.ts';
import type { CatalogueAnswer, PackAnswer, PackPreviewAnswer } from '../contract/catalogue.ts';
import type { HttpRequest } from '../route.ts';
import { catalogueRoutes } from './catalogue.ts';

const TEMPLATES = path.resolve(import.meta.dirname, '../../../templates');

function setUp() {
  const changed: string[] = [];
  const audited: string[] = [];
  const service = new CatalogueService({
    folders: () => [TEMPLATES],
    config: () =>
      catalogueConfigSchema.parse({
        overrides: { api: { parameters: { error_ratio: 0.03 } } },
        tenants: { a: { overrides: { api: { parameters: { error_ratio: 0.04 } } } } },
      }),
    environment: () => 'prod',
    documents: new MemoryDocuments(),
    onChange: (t) => changed.push(t),
  });
  const routes = catalogueRoutes({
    catalogue: service,
    audit: async (c, action, target) => void audited.push(`${c.tenant} ${action} ${target}`),
  });
  const ask = async <T>(method: string, at: string, tenant = 'a', body?: unknown): Promise<T> => {
    const [, pack, preview] = /^\/vigie\/v1\/catalogue(?:\/([^/]+))?(\/preview)?$/.exec(at)!;
    const route = routes.find(
      (r) => r.method === method && r.path === `/vigie/v1/catalogue${pack ? '/:pack' : ''}${preview ?? ''}`,
    )!;
    const answer = await route.handle({
      context: { tenant } as RequestContext,
      params: { pack: pack ?? '' },
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
    } as unknown as HttpRequest);
    return answer.json as T;
  };
  return { ask, changed, audited, service };
}
const P = '/vigie/v1/catalogue';

describe('the catalogue by HTTP', () => {
  it('lists packs and shows what each parameter changes', async () => {
    const { ask } = setUp();
    const { packs } = await ask<CatalogueAnswer>('GET', P);
    expect(packs.length).toBeGreaterThanOrEqual(22);
    expect(packs.every((p) => p.problem === undefined && !p.tuned)).toBe(true);
    const api = await ask<PackAnswer>('GET', `${P}/api`);
    expect(api.parameters.find((p) => p.name === 'error_ratio')).toMatchObject({
      default: 0.02,
      value: 0.04,
      usedBy: ['ApiErrorsHigh'],
    });
    // every parameter of every pack does something
    for (const { pack } of packs) {
      const { parameters, rules } = await ask<PackAnswer>('GET', `${P}/${pack}`);
      // those of the intelligence pack tune detectors, which are no rules
      if (rules.length > 0 && pack !== 'intelligence')
        for (const p of parameters) expect(p.usedBy.length, `${pack}.${p.name}`).toBeGreaterThan(0);
    }
  });

  it('shows a change before it is kept, keeps it for this tenant alone, and takes it back', async () => {
    const { ask, changed, audited, service } = setUp();
    const change = { parameters: { error_ratio: 0.1 }, rules: { ApiLatencyHigh: { enabled: false } } };
    const preview = await ask<PackPreviewAnswer>('POST', `${P}/api/preview`, 'a', change);
    expect(preview.problems).toEqual([]);
    expect(preview.diff).toMatch(/-.*> 0\.04/);
    expect(preview.diff).toMatch(/\+.*> 0\.1 /);
    expect(await ask('PUT', `${P}/api`, 'a', { override: change, expectVersion: 0 })).toEqual({ overrideVersion: 1 });
    const api = await ask<PackAnswer>('GET', `${P}/api`);
    expect(api.rules.find((r) => r.name === 'ApiLatencyHigh')).toMatchObject({ enabled: false });
    expect(api).toMatchObject({ override: change, overrideVersion: 1 });
    const other = await ask<PackAnswer>('GET', `${P}/api`, 'b');
    expect(other.parameters.find((p) => p.name === 'error_ratio')!.value).toBe(0.03);
    expect(other.override).toEqual({});
    const files = await service.ruleFiles('a' as TenantId, ['api'], () => expect.unreachable());
    expect(files[0]!.text).not.toContain('ApiLatencyHigh');
    await expect(ask('PUT', `${P}/api`, 'a', { override: {}, expectVersion: 0 })).rejects.toMatchObject({
      code: 'conflict',
    });
    await ask('DELETE', `${P}/api`);
    expect((await ask<PackAnswer>('GET', `${P}/api`)).overrideVersion).toBe(0);
    expect(changed).toEqual(['a', 'a']);
    expect(audited).toEqual(['a catalogue.tune api', 'a catalogue.reset api']);
  });

  it.each([
    [{ parameters: { error_ratio: 7 } }, /at most 1/],
    [{ parameters: { nope: 1 } }, /unknown parameter "nope"/],
    [{ rules: { Nope: { enabled: false } } }, /no rule "Nope"/],
  ])('refuses %j and says why', async (override, message) => {
    const { ask, changed } = setUp();
    expect((await ask<PackPreviewAnswer>('POST', `${P}/api/preview`, 'a', override)).problems[0]).toMatch(message);
    await expect(ask('PUT', `${P}/api`, 'a', { override, expectVersion: 0 })).rejects.toMatchObject({
      code: 'bad_config',
    });
    expect(changed).toEqual([]);
  });
  it('answers 404 for a pack that is not there, and 400 for a path', async () => {
    const { ask } = setUp();
    await expect(ask('GET', `${P}/nothing`)).rejects.toMatchObject({ code: 'not_found' });
    await expect(ask('GET', `${P}/..%2f`)).rejects.toMatchObject({ code: 'bad_data' });
  });
});
