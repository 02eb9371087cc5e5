/**
 * Rule files are called `<tenant>-<pack>`: the tenant `a` with a pack `b-c` and the tenant `a-b` with a pack `c` would
 * write one file. Shipped packs have no such names; packs of users may.
 */

export interface Collision {
  readonly file: string;
  /** `tenant/pack`, twice. */
  readonly of: readonly [string, string];
}

/** The first collision; undefined when every file has one origin. Pairs of packs are few, tenants may be many. */
export function firstCollision(slugs: readonly string[], packs: readonly string[]): Collision | undefined {
  const known = new Set(slugs);
  for (const long of packs)
    for (const short of packs) {
      if (!long.endsWith(`-${short}`)) continue;
      const between = long.slice(0, -short.length - 1);
      for (const slug of slugs)
        if (known.has(`${slug}-${between}`))
          return { file: `${slug}-${long}`, of: [`${slug}/${long}`, `${slug}-${between}/${short}`] };
    }
  return undefined;
}
