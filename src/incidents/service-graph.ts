/** Who depends on whom: declared by people or discovered from metrics. Edges point from the caller to what it needs. */
import { asComponent, type ComponentId } from './component.ts';

/** Edges of one tenant's graph; further ones are left out. */
export const EDGES_MAX = 20_000;
/** Dependencies are followed this far. */
export const HOPS_MAX = 6;

export interface ServiceNode {
  readonly name: string;
  readonly dependsOn?: readonly string[];
  readonly owner?: string;
  readonly tier?: string;
}
export interface ServiceEdge {
  readonly from: string;
  readonly to: string;
  /** Where it was seen, in words: `service graph metrics`. */
  readonly origin: string;
}
export const DECLARED = 'declared';
/** Edges shown with one incident. */
export const EDGES_SHOWN_MAX = 100;

export class ServiceGraph {
  readonly #needs = new Map<ComponentId, Set<ComponentId>>();
  readonly #neededBy = new Map<ComponentId, Set<ComponentId>>();
  readonly #origins = new Map<string, string>();
  readonly edges: number;

  constructor(nodes: readonly ServiceNode[], discovered: readonly ServiceEdge[] = []) {
    let edges = 0;
    const add = (from: string, to: string, origin: string): void => {
      const a = asComponent(from);
      const b = asComponent(to);
      if (a === b) return;
      const before = this.#origins.get(edgeKey(a, b));
      if (before !== undefined) {
        if (before !== origin) this.#origins.set(edgeKey(a, b), `${before}, ${origin}`);
        return;
      }
      if (edges >= EDGES_MAX) return;
      link(this.#needs, a, b);
      link(this.#neededBy, b, a);
      this.#origins.set(edgeKey(a, b), origin);
      edges++;
    };
    for (const n of nodes) for (const d of n.dependsOn ?? []) add(n.name, d, DECLARED);
    for (const e of discovered) add(e.from, e.to, e.origin);
    this.edges = edges;
  }

  /** Has it any edge at all? */
  knows(component: ComponentId): boolean {
    return this.#needs.has(component) || this.#neededBy.has(component);
  }

  needs(component: ComponentId): ReadonlySet<ComponentId> {
    return this.#needs.get(component) ?? NONE;
  }

  neededBy(component: ComponentId): ReadonlySet<ComponentId> {
    return this.#neededBy.get(component) ?? NONE;
  }

  /** Where the edge between two neighbours comes from, whichever way it points; undefined when they are none. */
  originOf(a: ComponentId, b: ComponentId): string | undefined {
    return this.#origins.get(edgeKey(a, b)) ?? this.#origins.get(edgeKey(b, a));
  }

  /** Edges that begin or end at one of `components`, those between two of them first. */
  around(components: ReadonlySet<ComponentId>): readonly ServiceEdge[] {
    const out = new Map<string, ServiceEdge & { readonly inside: boolean }>();
    const take = (from: ComponentId, to: ComponentId): void => {
      const origin = this.#origins.get(edgeKey(from, to))!;
      out.set(edgeKey(from, to), { from, to, origin, inside: components.has(from) && components.has(to) });
    };
    for (const c of components) {
      for (const to of this.needs(c)) take(c, to);
      for (const from of this.neededBy(c)) take(from, c);
    }
    return [...out.values()]
      .sort((a, b) => Number(b.inside) - Number(a.inside))
      .slice(0, EDGES_SHOWN_MAX)
      .map(({ from, to, origin }) => ({ from, to, origin }));
  }

  /** Everything `component` needs, with the number of hops; breadth first, at most HOPS_MAX away. */
  allNeeds(component: ComponentId): ReadonlyMap<ComponentId, number> {
    return reach(component, (c) => this.needs(c));
  }

  /** Everything that needs `component`. */
  allNeededBy(component: ComponentId): ReadonlyMap<ComponentId, number> {
    return reach(component, (c) => this.neededBy(c));
  }

  /**
   * Hops between two components along one direction, or to a shared dependency; undefined when they are unrelated.
   * Two callers of one failing database are two hops apart.
   */
  distance(a: ComponentId, b: ComponentId): number | undefined {
    if (a === b) return 0;
    const down = this.allNeeds(a);
    const up = this.allNeeds(b);
    let best = down.get(b) ?? up.get(a);
    for (const [c, hops] of down) {
      const other = up.get(c);
      if (other !== undefined && (best === undefined || hops + other < best)) best = hops + other;
    }
    return best;
  }
}

const NONE: ReadonlySet<ComponentId> = new Set();

function link(map: Map<ComponentId, Set<ComponentId>>, from: ComponentId, to: ComponentId): void {
  let set = map.get(from);
  if (!set) map.set(from, (set = new Set()));
  set.add(to);
}

const edgeKey = (from: ComponentId, to: ComponentId): string => `${from}\u0000${to}`;

function reach(
  start: ComponentId,
  next: (c: ComponentId) => ReadonlySet<ComponentId>,
): ReadonlyMap<ComponentId, number> {
  const hops = new Map<ComponentId, number>();
  let front: ComponentId[] = [start];
  for (let n = 1; n <= HOPS_MAX && front.length > 0; n++) {
    const further: ComponentId[] = [];
    for (const c of front)
      for (const d of next(c))
        if (d !== start && !hops.has(d)) {
          hops.set(d, n);
          further.push(d);
        }
    front = further;
  }
  return hops;
}
