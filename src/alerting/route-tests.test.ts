/** Batch tests find what is right, name what is wrong with its line, and refuse what they do not know. */
import { expect, it } from 'vitest';
import { parseAlertingConfig } from './config.ts';
import { goTemplates } from './notify/templates.ts';
import { parseRouteTests, runRouteTests } from './route-tests.ts';

const config = parseAlertingConfig(
  `route: { receiver: a, group_by: [x], routes: [{ matchers: [t=db], receiver: b, continue: true }, { matchers: [t=~d.], receiver: c }] }
inhibit_rules: [{ source_matchers: [s=crit], target_matchers: [s=warn], equal: [n] }]
receivers: [{ name: a }, { name: b }, { name: c }]`,
  { templates: goTemplates },
);

it('judges routes, groups and inhibition', () => {
  const tests = parseRouteTests(`version: 1
tests:
  - { alert: { t: db, x: y }, receivers: [b, c], group_labels: { x: y } }
  - { alert: { s: warn, n: k }, firing: [{ s: crit, n: k }], inhibited: true }
  - { name: wrong, alert: { t: web }, receivers: [b] }
  - { name: also wrong, alert: { s: warn, n: k }, firing: [{ s: crit, n: other }], inhibited: true }
`);
  const results = runRouteTests(config, tests);
  expect(results.map((r) => r.ok)).toEqual([true, true, false, false]);
  expect(results[2]!.problems).toEqual(['line 5: tests[2]: receivers [a], wanted [b]']);
});

it.each(['tests: []', 'version: 1\ntests: [{ alert: { a: b } }]', 'version: 1\ntests: [{ alrt: {} }]'])(
  'refuses %j',
  (yaml) => expect(() => parseRouteTests(yaml)).toThrow(/line/),
);
