/** Routes of an Alertmanager configuration that no alert can reach, receivers that nothing uses or that tell nobody. */
import type { Finding } from './finding.ts';

interface Route {
  readonly receiver?: string;
  readonly matchers?: readonly string[];
  readonly match?: Readonly<Record<string, string>>;
  readonly match_re?: Readonly<Record<string, string>>;
  readonly continue?: boolean;
  readonly routes?: readonly Route[];
}
interface Config {
  readonly route?: Route;
  readonly receivers?: readonly { readonly name: string }[];
}

/** `config` is the parsed file, already accepted by the reader; `file` names it. */
export function checkRoutes(file: string, config: Readonly<Record<string, unknown>>): readonly Finding[] {
  const { route, receivers } = config as Config;
  const findings: Finding[] = [];
  const used = new Set<string>();
  const walk = (node: Route, path: string, inherited: ReadonlyMap<string, string>): void => {
    if (node.receiver) used.add(node.receiver);
    const taken: { path: string; matchers: ReadonlySet<string> }[] = [];
    (node.routes ?? []).forEach((child, i) => {
      const here = `${path}.routes[${i}]`;
      const own = matchersOf(child);
      const conflict = own
        .map((m) => /^(\w+)="(.*)"$/.exec(m))
        .find((m) => m && inherited.has(m[1]!) && inherited.get(m[1]!) !== m[2]);
      if (conflict)
        findings.push({
          level: 'warning',
          kind: 'dead-route',
          where: `${file}: ${here}`,
          message: `wants ${conflict[0]} below a route that wants ${conflict[1]}="${inherited.get(conflict[1]!)}"`,
        });
      const before = taken.find((t) => [...t.matchers].every((m) => own.includes(m)));
      if (before)
        findings.push({
          level: 'warning',
          kind: 'dead-route',
          where: `${file}: ${here}`,
          message: `can match nothing: ${before.path} takes all of it and does not continue`,
        });
      if (!child.continue) taken.push({ path: here, matchers: new Set(own) });
      const below = new Map(inherited);
      for (const m of own) {
        const eq = /^(\w+)="(.*)"$/.exec(m);
        if (eq) below.set(eq[1]!, eq[2]!);
      }
      walk(child, here, below);
    });
  };
  if (route) walk(route, 'route', new Map());
  for (const receiver of receivers ?? []) {
    if (!used.has(receiver.name))
      findings.push({
        level: 'warning',
        kind: 'unused-receiver',
        where: `${file}: receiver ${JSON.stringify(receiver.name)}`,
        message: 'no route names it',
      });
    else if (Object.keys(receiver).length === 1 && !['nobody', 'null', 'none', 'blackhole'].includes(receiver.name))
      findings.push({
        level: 'warning',
        kind: 'silent-receiver',
        where: `${file}: receiver ${JSON.stringify(receiver.name)}`,
        message: 'has no channel: what is routed to it reaches nobody',
      });
  }
  return findings;
}

/** Matchers in one way of writing, so that equal ones are equal texts. */
function matchersOf(route: Route): string[] {
  return [
    ...(route.matchers ?? []).flatMap((m) =>
      m
        .trim()
        .replace(/^\{|\}$/g, '')
        .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
        .map((one) => {
          const [, name, op, value] = /^\s*"?([^"=!~\s]+)"?\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*$/s.exec(one) ?? [];
          return `${name}${op}"${value}"`;
        }),
    ),
    ...Object.entries(route.match ?? {}).map(([n, v]) => `${n}="${v}"`),
    ...Object.entries(route.match_re ?? {}).map(([n, v]) => `${n}=~"${v}"`),
  ];
}
