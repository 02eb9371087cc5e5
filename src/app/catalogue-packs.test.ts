/** Packs of users' own folders run in the process as the shipped ones do, and win over one of the same name. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/peers.ts';
import type { TenantId } from '../model/tenant.ts';
import { CataloguePacks, templatesFolder } from './catalogue-packs.ts';
import { resolveOptions } from './options.ts';

const board = (uid: string) => JSON.stringify({ uid, title: uid, panels: [] });

describe('packs in the process', () => {
  it('come from users’ folders too', () => {
    using folder = temporaryFolder();
    for (const f of ['packs', 'prometheus/dashboards', 'prometheus/rules'])
      mkdirSync(path.join(folder.path, f), { recursive: true });
    const pack = (name: string, uid: string) => {
      writeFileSync(path.join(folder.path, `prometheus/dashboards/${name}.json`), board(uid));
      writeFileSync(
        path.join(folder.path, `packs/${name}.yaml`),
        `pack: ${name}\nversion: 1.0.0\ntitle: ${name}\ndescription: d\nscope: platform\nneeds: { metrics: [] }\nfiles: { rules: [], tests: [], dashboards: [prometheus/dashboards/${name}.json] }\nparameters: {}\n`,
      );
    };
    pack('billing', 'mine-billing');
    pack('nginx', 'mine-nginx');
    const errors: unknown[] = [];
    const { options } = resolveOptions({ flags: { packs: ['host', 'billing', 'nginx'] }, env: {} });
    const packs = new CataloguePacks({
      options: () => ({ ...options, catalogue: { ...options.catalogue, folders: [folder.path] } }),
      hostTenant: 'default' as TenantId,
      isDemo: (t) => t === 'demo',
      logger: { error: (_m: string, of: unknown) => errors.push(of) } as never,
    });
    const uids = packs.dashboards('default' as TenantId).map((d) => d.uid);
    expect(errors).toEqual([]);
    expect(uids).toContain('mine-billing');
    expect(uids).toContain('mine-nginx');
    expect(uids).toContain('vigie-host');
    expect(uids).not.toContain('vigie-pack-nginx');
    expect(packs.packs('demo' as TenantId)).toContain('billing');
    // a broken pack fails alone
    cpSync(path.join(templatesFolder(), 'packs/redis.yaml'), path.join(folder.path, 'packs/redis.yaml'));
    expect(readFileSync(path.join(folder.path, 'packs/redis.yaml'), 'utf8')).toContain('redis');
    packs.reload();
    expect(packs.dashboards('demo' as TenantId).map((d) => d.uid)).toContain('mine-billing');
    expect(errors).toHaveLength(1);
  });
});
