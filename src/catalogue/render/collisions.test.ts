import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstCollision } from './collisions.ts';

describe('names of rule files', () => {
  it.each([
    [['acme', 'beta'], ['api', 'ai-service', 'host'], undefined],
    [['a', 'a-b'], ['b-c', 'c'], 'a-b-c'],
    [['a', 'a-b'], ['b-c', 'd'], undefined],
    [['platform', 'platform-x'], ['x-host', 'host'], 'platform-x-host'],
  ])('%j with %j', (slugs, packs, file) => {
    expect(firstCollision(slugs, packs)?.file).toBe(file);
  });

  it('finds one exactly when two origins give the same name (property)', () => {
    const name = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((p) => p.join('-'));
    const names = fc.uniqueArray(name, { minLength: 1, maxLength: 6 });
    let found = 0;
    fc.assert(
      fc.property(names, names, (slugs, packs) => {
        const files = slugs.flatMap((s) => packs.map((p) => `${s}-${p}`));
        const collision = firstCollision(slugs, packs);
        if (collision) found++;
        expect(collision !== undefined).toBe(new Set(files).size < files.length);
        if (collision) for (const o of collision.of) expect(o.replace('/', '-')).toBe(collision.file);
      }),
      { numRuns: 2_000 },
    );
    expect(found).toBeGreaterThan(100);
  });
});
