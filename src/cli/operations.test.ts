/** The pure parts of the commands that operators use: tenant, silence, alert, test-routes, audit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditAnswer } from '../http/contract/administration.ts';
import type { TenantConfigAnswer } from '../http/contract/tenant-config.ts';
import { alertOf, alertsTable } from './alert.ts';
import { pagesOf, verdictText } from './audit.ts';
import { matchersOf, previewText, silenceOf, silencesTable } from './silence.ts';
import { table } from './table.ts';
import { changeOf, configText, settingsOf } from './tenant.ts';
import { resultsText, testRoutes } from './test-routes.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

describe('table', () => {
  it('aligns, bounds, and says when there is nothing', () => {
    expect(
      table(
        ['a', 'b'],
        [
          ['x', 'y'],
          ['longer', 'z\nz'],
        ],
      ),
    ).toBe('A       B\nx       y\nlonger  z z\n');
    expect(table(['a'], [])).toBe('(none)\n');
    expect(table(['a'], [['x'.repeat(500)]]).split('\n')[1]).toHaveLength(120);
  });
});

describe('matchersOf', () => {
  it.each([
    [['DiskFull'], [{ name: 'alertname', op: '=', value: 'DiskFull' }]],
    [
      ['DiskFull', 'severity=critical'],
      [
        { name: 'alertname', op: '=', value: 'DiskFull' },
        { name: 'severity', op: '=', value: 'critical' },
      ],
    ],
    [
      ['instance=~"web.*"', 'team!=db'],
      [
        { name: 'instance', op: '=~', value: 'web.*' },
        { name: 'team', op: '!=', value: 'db' },
      ],
    ],
    [
      ['a=b,c!~d'],
      [
        { name: 'a', op: '=', value: 'b' },
        { name: 'c', op: '!~', value: 'd' },
      ],
    ],
  ])('%j', (words, matchers) => expect(matchersOf(words)).toEqual(matchers));
  it('refuses what is no matcher after the first word', () => {
    expect(() => matchersOf(['a=b', 'critical'])).toThrow(/critical/);
  });
});

describe('silenceOf', () => {
  const flags = { comment: 'rack moves', duration: '2h' };
  it('is what API v2 takes', () => {
    expect(silenceOf(['DiskFull', 'host!~"a|b"'], flags, 'ana', NOW)).toEqual({
      matchers: [
        { name: 'alertname', value: 'DiskFull', isRegex: false, isEqual: true },
        { name: 'host', value: 'a|b', isRegex: true, isEqual: false },
      ],
      startsAt: '2026-01-02T03:04:05.000Z',
      endsAt: '2026-01-02T05:04:05.000Z',
      createdBy: 'ana',
      comment: 'rack moves',
    });
  });
  it.each([
    [{ ...flags, duration: 'soon' }, /--duration: not a valid duration/],
    [{ ...flags, duration: '0' }, /would end before it starts/],
    [{ ...flags, start: 'tomorrow' }, /--start: want a time/],
    [{ ...flags, end: '2020-01-01T00:00:00Z' }, /would end before it starts/],
  ])('refuses %j', (f, message) => expect(() => silenceOf(['a=b'], f, 'ana', NOW)).toThrow(message));
});

describe('what is printed of silences and alerts', () => {
  const silence = {
    id: 's1',
    status: { state: 'active' },
    comment: 'rack moves',
    createdBy: 'ana',
    startsAt: new Date(NOW).toISOString(),
    endsAt: new Date(NOW + 5_400_000).toISOString(),
    matchers: [{ name: 'a', value: 'b', isRegex: true, isEqual: false }],
  } as const;
  it('shows matchers and how long it lasts', () => {
    expect(silencesTable([silence], NOW)).toMatch(/s1 +a!~"b" +active +\S+ \(in 1h30m\) +ana +rack moves/);
  });
  it('counts what a preview would mute, and what it did not list', () => {
    expect(previewText({ total: 0, alerts: [] })).toBe('0 alerts would be muted\n');
    const alert = { fingerprint: 'f', labels: { alertname: 'X', a: 'b' }, receivers: ['ops'], silencedBy: ['s1'] };
    const text = previewText({ total: 3, alerts: [alert] });
    expect(text).toMatch(/^3 alerts would be muted\n/);
    expect(text).toMatch(/X .*ops +silenced already\nand 2 more\n$/);
  });
  it('shows an alert with its state', () => {
    const alert = {
      fingerprint: 'f1',
      labels: { alertname: 'DiskFull', host: 'h' },
      annotations: { summary: 'no room' },
      startsAt: new Date(NOW - 90_000).toISOString(),
      receivers: [{ name: 'ops' }],
      status: { state: 'suppressed', silencedBy: ['s1'], inhibitedBy: [] },
    };
    expect(alertsTable([alert], NOW)).toMatch(/f1 +DiskFull +silenced +1m30s +ops +\{host="h"\} +no room/);
  });
});

describe('alertOf', () => {
  it('is what API v2 takes', () => {
    expect(alertOf(['Test', 'severity=info'], { annotation: ['summary=a=b'], duration: '5m' }, NOW)).toEqual({
      labels: { alertname: 'Test', severity: 'info' },
      annotations: { summary: 'a=b' },
      startsAt: '2026-01-02T03:04:05.000Z',
      endsAt: '2026-01-02T03:09:05.000Z',
    });
  });
  it.each([
    [['a=~b'], {}, /want name=value, got "a=~b"/],
    [['a=b', 'a=c'], {}, /label a is given twice/],
    [['a=b'], { annotation: ['x'] }, /--annotation: want name=value/],
    [['a=b'], { duration: '5 minutes' }, /--duration: /],
  ])('refuses %j %j', (words, flags, message) => expect(() => alertOf(words, flags, NOW)).toThrow(message));
});

describe('test-routes', () => {
  const config = [
    'global:\n  slack_api_url: <secret>\n  smtp_auth_password_file: pw',
    'route:\n  receiver: all\n  group_by: [alertname]\n  routes:\n    - matchers: [team="db"]\n      receiver: db',
    'receivers:\n  - name: all\n  - name: db\n    slack_configs:\n      - channel: "#db"\n        text: "{{ not a template"',
  ].join('\n');
  const tests = (receiver: string): string =>
    `version: 1\ntests:\n  - name: database\n    alert: {alertname: A, team: db}\n    receivers: [${receiver}]\n`;
  it('runs with a configuration as the server shows it, opening no file', () => {
    expect(testRoutes('am.yml', config, 't.yml', tests('db'))).toEqual([{ name: 'database', ok: true, problems: [] }]);
  });
  it('says what failed where, and how many', () => {
    const results = testRoutes('am.yml', config, 't.yml', tests('all'));
    expect(resultsText('t.yml', results)).toMatch(
      /^FAILED database\n {2}t\.yml: line 3: .*receivers \[db\], wanted \[all\]\n0 passed, 1 failed\n$/,
    );
  });
  it('names the file that does not load', () => {
    expect(() => testRoutes('am.yml', 'route: {}\n', 't.yml', tests('db'))).toThrow(/^am\.yml: /);
    expect(() => testRoutes('am.yml', config, 't.yml', 'version: 2\n')).toThrow(/^t\.yml: line \d+/);
  });
});

describe('audit', () => {
  const entry = (sequence: number) => ({
    sequence,
    atMs: NOW,
    who: 'ana',
    action: 'key.create',
    target: 't',
    hash: 'h',
  });
  it('exports every page once, whatever their size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5_000), async (total) => {
        const server = async (query: URLSearchParams): Promise<AuditAnswer> => {
          const [limit, before] = [Number(query.get('limit')), Number(query.get('before') ?? total + 1)];
          const entries = Array.from({ length: Math.min(limit, before - 1) }, (_, i) => entry(before - 1 - i));
          const last = entries.at(-1)?.sequence ?? 0;
          return { entries, ...(entries.length === limit && last > 1 ? { next: last } : {}) };
        };
        const seen: number[] = [];
        for await (const page of pagesOf(server)) seen.push(...page.map((e) => e.sequence));
        expect(seen).toEqual(Array.from({ length: total }, (_, i) => total - i));
      }),
      { numRuns: 50 },
    );
  });
  it('does not follow a server that repeats itself for ever', async () => {
    const pages = pagesOf(async () => ({ entries: [entry(5)], next: 5 }));
    const all = async (): Promise<void> => {
      for await (const _ of pages);
    };
    await expect(all()).rejects.toThrow(/repeats a page/);
  });
  it('words a verdict', () => {
    expect(verdictText({ ok: true, entries: 1 })).toBe('the chain holds: 1 entry\n');
    expect(verdictText({ ok: false, entries: 3, brokenAt: 4, reason: 'entry 4 was altered' })).toMatch(
      /BROKEN at entry 4: entry 4 was altered \(3 entries/,
    );
  });
});

describe('tenant', () => {
  it('turns flags into settings', () => {
    expect(
      settingsOf({
        name: 'Acme',
        label: ['region=eu'],
        limit: ['active_series=1e5'],
        view: 'customer=acme',
        state: 'suspended',
      }),
    ).toEqual({
      displayName: 'Acme',
      labels: { region: 'eu' },
      limits: { active_series: 100_000 },
      platformView: { label: 'customer', value: 'acme' },
      state: 'suspended',
    });
    expect(settingsOf({ view: 'none' })).toEqual({ platformView: null });
    expect(settingsOf({})).toEqual({});
  });
  it.each([
    [{ label: ['x'] }, /--label: want name=value/],
    [{ limit: ['active_series=many'] }, /--limit active_series: want a number, got "many"/],
    [{ limit: ['active_series='] }, /--limit active_series: want a number/],
  ])('refuses %j', (flags, message) => expect(() => settingsOf(flags)).toThrow(message));

  const answer: TenantConfigAnswer = {
    version: 3,
    updatedAtMs: NOW,
    by: 'key:1',
    rules: { 'api.yml': 'groups: []\n' },
    templates: {},
    files: { rules: [{ name: 'host.yml', source: 'catalogue', text: 'a\nb' }], alertmanager: 'route: {}\n' },
    problem: '',
  };
  it('prints an overview, one part, one file', () => {
    expect(configText(answer, undefined, undefined)).toMatch(/^version 3 by key:1\nPART .*\nrules +api\.yml +api/);
    expect(configText({ ...answer, problem: 'line 3: no' }, undefined, undefined)).toMatch(/NOT IN FORCE: line 3: no/);
    expect(configText(answer, 'rules', undefined)).toBe('host.yml\napi.yml\n');
    expect(configText(answer, 'rules', 'host.yml')).toBe('a\nb');
    expect(configText(answer, 'alertmanager', undefined)).toBe('route: {}\n');
    expect(() => configText(answer, 'scrape', undefined)).toThrow(/no scrape configuration/);
    expect(() => configText(answer, 'rules', '__proto__')).toThrow(/no rule file/);
    expect(() => configText(answer, 'colours', undefined)).toThrow(/want one of rules, alertmanager, scrape/);
  });
  it('makes the change of a file', () => {
    const read = (file: string): string => `text of ${file}`;
    expect(changeOf('rules', 'a/b.yml', { read })).toEqual({ rules: { 'b.yml': 'text of a/b.yml' } });
    expect(changeOf('rules', '-', { read, as: 'x.yml' })).toEqual({ rules: { 'x.yml': 'text of -' } });
    expect(changeOf('alertmanager', 'am.yml', { read, template: ['t/x.tmpl'] })).toEqual({
      alertmanager: 'text of am.yml',
      templates: { 'x.tmpl': 'text of t/x.tmpl' },
    });
    expect(() => changeOf('rules', '-', { read })).toThrow(/need a name/);
    expect(() => changeOf('scrape', 'x', { read, as: 'y' })).toThrow(/--as is for rules/);
  });
});
