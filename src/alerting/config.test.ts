/** Configurations: what loads as what, and what is refused at which line. */
import { describe, expect, it } from 'vitest';
import { Labels } from '../model/labels.ts';
import { parseAlertingConfig } from './config.ts';
import { parseMatchers } from './matchers.ts';
import { goTemplates } from './notify/templates.ts';
import { routesOf, walkRoutes } from './routes.ts';
import { inInterval } from './time-intervals.ts';

const load = (yaml: string) => parseAlertingConfig(yaml, { templates: goTemplates });
const RECEIVERS = 'receivers:\n  - name: a\n  - name: b\n';

describe('configuration', () => {
  it('inherits down the tree and prints keys as Alertmanager does', () => {
    const config = load(`route:
  receiver: a
  group_by: [x]
  group_wait: 10s
  routes:
    - match: { team: yes }
      routes: [{ matchers: ['v=~"1|2"', 'u!=z'], receiver: b, group_by: ['...'] }]
${RECEIVERS}`);
    const [, middle, leaf] = [...walkRoutes(config.route)];
    expect(middle).toMatchObject({
      key: '{}/{team="yes"}',
      receiver: 'a',
      groupWaitMs: 10_000,
      repeatIntervalMs: 14_400_000,
    });
    expect(leaf).toMatchObject({ key: '{}/{team="yes"}/{u!="z",v=~"1|2"}', receiver: 'b', groupByAll: true });
    expect(routesOf(config.route, Labels.from({ team: 'yes', v: '2' })).map((r) => r.receiver)).toEqual(['b']);
    expect(routesOf(config.route, Labels.from({ team: 'yes', v: '3' })).map((r) => r.receiver)).toEqual(['a']);
  });

  it.each([
    ['route: { receiver: a, grup_by: [x] }', /^line 1: route\.grup_by: field grup_by not found/],
    ['route:\n  receiver: c', /^line 2: route\.receiver: undefined receiver "c"/],
    ['route:\n  receiver: a\n  group_wait: 5x', /^line 3: route\.group_wait: not a valid duration/],
    [
      'route:\n  receiver: a\n  routes:\n    - matchers: ["a=~("]',
      /^line 4: route\.routes\[0\]\.matchers\[0\]: invalid regular/,
    ],
    ['route:\n  receiver: a\n  routes:\n    - mute_time_intervals: [x]', /^line 4: .*undefined time interval "x"/],
    ['route: { receiver: a, matchers: [x=y] }', /root route must not have any matchers/],
    ['route: { receiver: a, group_interval: 0s }', /group_interval cannot be zero/],
    ['templates: ["/etc/passwd"]\nroute: { receiver: a }', /^line 1: templates\[0\]: .*may name no file/],
    ['route: { receiver: d }\nreceivers: [{ name: d, jira_configs: [{}] }]', /missing api_url in jira config/],
    ['route: { receiver: d }\nreceivers: [{ name: d, kafka_configs: [{}] }]', /field kafka_configs not found/],
    [
      'route: { receiver: d }\nreceivers: [{ name: d, sns_configs: [{ topic_arn: a, sigv4: { region: r, role_arn: x } }] }]',
      /sigv4: role_arn is not supported here/,
    ],
    [
      'route: { receiver: d }\nreceivers: [{ name: d, pushover_configs: [{ user_key: a, token: b, ttl: 1d }] }]',
      /ttl: not a valid duration string: "1d"/,
    ],
    [
      "route: { receiver: d }\nreceivers: [{ name: d, slack_configs: [{ api_url: 'http://x', fields: [{ titel: a }] }] }]",
      /fields\[0\]\.titel: field titel not found/,
    ],
    ['route: { receiver: d }\nreceivers: [{ name: d, slack_configs: [{}] }]', /missing api_url in slack config/],
    ["route: { receiver: d }\nreceivers: [{ name: d, webhook_configs: [{ url: 'ftp://x' }] }]", /unsupported scheme/],
    [
      "route: { receiver: d }\nreceivers: [{ name: d, email_configs: [{ to: a, from: b, smarthost: 'h:25', text: '{{ .x' }] }]",
      /email_configs\[0\]\.text: template/,
    ],
    ['route: [', /^line \d+: /],
  ])('refuses %j', (yaml, message) => {
    expect(() => load(yaml.includes('receivers:') ? yaml : `${yaml}\n${RECEIVERS}`)).toThrow(message);
  });
});

describe('matchers', () => {
  it.each([
    ['{a="b", c=~"d.*"}', ['a="b"', 'c=~"d.*"']],
    ['foo=bar', ['foo="bar"']],
    ['"ü b"!="x,y"', ['ü b!="x,y"']],
    ['a=', ['a=""']],
    ['foo=bar baz', ['foo="bar baz"']],
    ['{}', []],
  ])('%s', (text, wanted) => {
    expect(parseMatchers(text).map((m) => `${m.name}${m.op}"${m.value}"`)).toEqual(wanted);
  });
  it.each(['=x', 'a', '"a'])('refuses %s', (text) => expect(() => parseMatchers(text)).toThrow());
});

describe('time intervals', () => {
  const interval = (yaml: string) =>
    load(
      `route: { receiver: a }\ntime_intervals: [{ name: n, time_intervals: [${yaml}] }]\n${RECEIVERS}`,
    ).timeIntervals.get('n')![0]!;
  it.each([
    ["{ times: [{ start_time: 09:00, end_time: '17:00' }] }", '2026-11-24T09:00:00Z', true],
    ["{ times: [{ start_time: 09:00, end_time: '17:00' }] }", '2026-11-24T17:00:00Z', false],
    ["{ weekdays: ['monday:friday'] }", '2026-11-24T00:00:00Z', true],
    ["{ weekdays: ['saturday'] }", '2026-11-24T00:00:00Z', false],
    ["{ days_of_month: ['-1'] }", '2024-02-29T12:00:00Z', true],
    ["{ days_of_month: ['1:-2'] }", '2024-02-29T12:00:00Z', false],
    ["{ months: ['november', '3:5'] }", '2026-11-24T00:00:00Z', true],
    ["{ years: ['2020:2025'] }", '2026-11-24T00:00:00Z', false],
    [
      "{ times: [{ start_time: '09:00', end_time: '10:00' }], location: 'Europe/Berlin' }",
      '2026-07-01T07:30:00Z',
      true,
    ],
    [
      "{ times: [{ start_time: '09:00', end_time: '10:00' }], location: 'Europe/Berlin' }",
      '2026-12-01T07:30:00Z',
      false,
    ],
  ])('%s at %s', (yaml, at, inside) => expect(inInterval(interval(yaml), Date.parse(at))).toBe(inside));
  it.each([
    "{ weekdays: ['fryday'] }",
    '{ location: Nowhere }',
    "{ days_of_month: ['0'] }",
    "{ times: [{ start_time: '10:00', end_time: '09:00' }] }",
  ])('refuses %s', (yaml) => expect(() => interval(yaml)).toThrow(/line/));
});
