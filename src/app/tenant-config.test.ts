import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryDocuments } from '../../test/support/memory-documents.ts';
import { temporaryFolder } from '../../test/support/peers.ts';
import { silentLogger } from '../lib/logger.ts';
import { tenantId } from '../model/tenant.ts';
import { TenantConfigs } from './tenant-config.ts';

it('a pattern of rule files that matches nothing is told once', async () => {
  using folder = temporaryFolder();
  const told: unknown[] = [];
  const pattern = path.join(folder.path, '*.yml');
  const tenant = tenantId('default');
  let empty: readonly string[] = [path.join(folder.path, 'none', '*.yml')];
  const configs = new TenantConfigs({
    documents: new MemoryDocuments(),
    clock: new FakeClock(),
    logger: { ...silentLogger, warn: (_message, fields) => void told.push(fields?.['pattern']) },
    options: () => ({ tenant, rules: [pattern, ...empty] }) as never,
    catalogue: async () => [],
    prometheusRuleFiles: () => [],
    check: async () => {},
    apply: async () => {},
  });
  await configs.checkFiles(tenant);
  await configs.checkFiles(tenant);
  expect(told).toEqual([pattern, ...empty]);
  empty = [];
  writeFileSync(path.join(folder.path, 'a.yml'), 'groups: []\n');
  await configs.checkFiles(tenant);
  expect(told).toHaveLength(2);
});
