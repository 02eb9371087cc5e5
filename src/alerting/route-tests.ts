/**
 * Batch tests of routing and inhibition from a file: which receivers get an alert, and which alerts inhibit it. Nothing
 * is sent. The schema stands in docs/alerting.md.
 */
import { VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import type { Alert } from './alert.ts';
import type { AlertingConfig } from './config.ts';
import { ConfigNode } from './config-reader.ts';
import { Inhibitor } from './inhibitor.ts';
import { groupLabelsOf, printLabels, routesOf } from './routes.ts';

/** Tests of one file. */
export const ROUTE_TESTS_MAX = 10_000;

export interface RouteTest {
  readonly name: string;
  readonly line: string;
  readonly labels: Labels;
  /** Alerts that fire at the same time. */
  readonly firing: readonly Labels[];
  readonly receivers: readonly string[] | undefined;
  readonly inhibited: boolean | undefined;
  readonly groupLabels: Readonly<Record<string, string>> | undefined;
}

export interface RouteTestResult {
  readonly name: string;
  readonly ok: boolean;
  /** One sentence each: got, wanted. */
  readonly problems: readonly string[];
}

/** Reads a test file. Throws `bad_config` with line and path. */
export function parseRouteTests(yaml: string): RouteTest[] {
  const root = ConfigNode.parse(yaml).mapping(['version', 'tests']);
  if (root.get('version').string() !== '1') root.get('version').fail('expected version: 1');
  const tests = root.get('tests').list();
  if (tests.length > ROUTE_TESTS_MAX) root.get('tests').fail(`more than ${ROUTE_TESTS_MAX} tests`);
  return tests.map((n, i) => {
    n.mapping(['name', 'alert', 'firing', 'receivers', 'inhibited', 'group_labels']);
    const labels = n.get('alert').stringMap();
    if (!labels) return n.fail('missing alert');
    const [receivers, inhibited, groupLabels] = [
      n.get('receivers').strings(),
      n.get('inhibited').bool(),
      n.get('group_labels').stringMap(),
    ];
    if (receivers === undefined && inhibited === undefined && groupLabels === undefined)
      n.fail('a test needs receivers, inhibited or group_labels');
    return {
      name: n.get('name').string() ?? `test ${i + 1}`,
      line: n.where,
      labels: Labels.from(labels),
      firing: n
        .get('firing')
        .list()
        .map((f) => Labels.from(f.stringMap() ?? {})),
      receivers,
      inhibited,
      groupLabels,
    };
  });
}

export function runRouteTests(config: AlertingConfig, tests: readonly RouteTest[]): RouteTestResult[] {
  if (tests.length === 0) throw new VigieError('bad_config', 'the file holds no tests');
  return tests.map((test) => {
    const problems: string[] = [];
    const routes = routesOf(config.route, test.labels);
    const receivers = routes.map((r) => r.receiver);
    if (test.receivers && receivers.join('\n') !== test.receivers.join('\n'))
      problems.push(`${test.line}: receivers [${receivers.join(', ')}], wanted [${test.receivers.join(', ')}]`);
    if (test.groupLabels) {
      const wanted = Labels.from(test.groupLabels);
      const got = routes.map((r) => groupLabelsOf(r, test.labels));
      if (!got.some((g) => g.equals(wanted)))
        problems.push(`${test.line}: grouped by ${got.map(printLabels).join(' and ')}, wanted ${printLabels(wanted)}`);
    }
    if (test.inhibited !== undefined) {
      const inhibitor = new Inhibitor(config.inhibitRules);
      for (const f of test.firing) inhibitor.update(firing(f));
      const by = inhibitor.inhibitedBy(firing(test.labels), 0);
      if (by.length > 0 !== test.inhibited)
        problems.push(`${test.line}: ${by.length > 0 ? 'inhibited' : 'not inhibited'}, wanted the opposite`);
    }
    return { name: test.name, ok: problems.length === 0, problems };
  });
}

const firing = (labels: Labels): Alert => ({
  fingerprint: labels.fingerprint(),
  labels,
  annotations: Labels.EMPTY,
  startsAtMs: 0,
  endsAtMs: Number.MAX_SAFE_INTEGER,
  updatedAtMs: 0,
  timeout: false,
  generatorURL: '',
});
