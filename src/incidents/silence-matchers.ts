/** What to silence so that an incident's alerts are quiet: per rule, the labels that all its alerts here share. Pure. */
import type { Incident } from './incident.ts';

export interface EqualMatcher {
  readonly name: string;
  readonly value: string;
}

export function silenceMatchers(incident: Pick<Incident, 'alerts'>): readonly (readonly EqualMatcher[])[] {
  const shared = new Map<string, Map<string, string>>();
  for (const a of incident.alerts) {
    const name = a.labels['alertname'] ?? '';
    const known = shared.get(name);
    if (!known) shared.set(name, new Map(Object.entries(a.labels)));
    else for (const [k, v] of known) if (a.labels[k] !== v) known.delete(k);
  }
  return [...shared.values()]
    .filter((m) => m.size > 0)
    .map((m) => [...m].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value })));
}
