/** Which methods a path answers, for refusals of the others: 405 names them, as HTTP demands. Not on the hot path. */
import type { Route } from './route.ts';

/** A function from a path to the methods of the routes that match it, in order of the alphabet; none: no such path. */
export function methodsByPath(routes: readonly Route[]): (path: string) => readonly string[] {
  const patterns = routes.map((r) => ({ method: r.method, parts: r.path.split('/') }));
  return (path) => {
    const parts = path.split('/');
    const found = new Set<string>();
    for (const p of patterns) if (matches(p.parts, parts)) found.add(p.method);
    return [...found].sort();
  };
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.at(-1) === '*') {
    if (path.length < pattern.length) return false;
  } else if (path.length !== pattern.length) return false;
  return pattern.every((p, i) => p === '*' || (p.startsWith(':') ? path[i] !== '' : p === path[i]));
}
