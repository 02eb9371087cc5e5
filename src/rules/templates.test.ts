import { describe, expect, it } from 'vitest';
import { isVigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { createRuleTemplates, QUERIES_MAX, type RuleTemplatePorts, type TemplateSample } from './templates.ts';

const data = { labels: Labels.from({ job: 'api' }), value: 2.5, timeMs: 1_700_000_000_000, name: 'Slow' };
const make = (ports: Partial<RuleTemplatePorts> = {}) =>
  createRuleTemplates({ externalUrl: 'http://v.test/p', externalLabels: Labels.from({ dc: 'x' }), ...ports });

// what each function answers is compared with Prometheus itself in test/real/rule-templates-prometheus.test.ts

describe('expand', () => {
  it('answers at once where nothing is queried', () => {
    const t = make();
    expect(t.expand('as it is }}', data)).toBe('as it is }}');
    expect(t.expand('{{ $labels.job }} {{ $value }} {{ $externalLabels.dc }} {{ now }}', data)).toBe(
      'api 2.5 x 1.7e+09',
    );
  });

  it('asks each query once, at the time of the evaluation, however often it stands there', async () => {
    const asked: [string, number][] = [];
    const t = make({
      query: (expr, timeMs): TemplateSample[] => {
        asked.push([expr, timeMs]);
        return [{ labels: Labels.from({ q: expr }), value: asked.length }];
      },
    });
    const text =
      '{{ query "a" | first | value }}{{ range query "b" }}{{ .Labels.q }}{{ end }}{{ query "a" | first | value }}';
    expect(await t.expand(text, data)).toBe('1b1');
    expect(asked).toEqual([
      ['a', data.timeMs],
      ['b', data.timeMs],
    ]);
    // the answers are of one evaluation only
    expect(await t.expand('{{ query "a" | first | value }}', data)).toBe('3');
  });

  it('keeps simultaneous expansions apart', async () => {
    const waiting: (() => void)[] = [];
    const t = make({
      query: (expr, timeMs) =>
        new Promise((resolve) => waiting.push(() => resolve([{ labels: Labels.from({ e: expr }), value: timeMs }]))),
    });
    const text = '{{ range query $labels.job }}{{ .Labels.e }}={{ .Value }}{{ end }} {{ $labels.job }}';
    const one = t.expand(text, { ...data, timeMs: 1 });
    const two = t.expand(text, { ...data, timeMs: 2, labels: Labels.from({ job: 'other' }) });
    for (const answer of waiting.reverse()) answer();
    expect(await Promise.all([one, two])).toEqual(['api=1 api', 'other=2 other']);
  });

  it.each([
    [
      '{{ .Nope }}',
      'error executing template __alert_Slow: template: __alert_Slow:1:115: executing "__alert_Slow" at <.Nope>: ',
    ],
    ['{{ $nope }}', 'error parsing template __alert_Slow: template: __alert_Slow:1: undefined variable "$nope"'],
    ['{{ query "x" }}', 'error calling query: queries are not available here'],
    ['{{ range 100000000 }}{{ end }}', 'more than 500000 steps'],
  ])('puts the fault of %s into the text', (text, wanted) => {
    const told: string[] = [];
    const got = make({ onError: (message) => told.push(message) }).expand(text, data);
    expect(got).toBe(`<error expanding template: ${told.join()}>`);
    expect(got).toContain('<error expanding template: ');
    expect(got).toContain(wanted);
  });

  it('says which query failed', async () => {
    const t = make({ query: () => Promise.reject(new Error('too many series')) });
    expect(await t.expand('{{ query "up" }}', data)).toContain(
      'at <query "up">: error calling query: too many series>',
    );
  });

  it('stops a template that never runs out of queries', async () => {
    let asked = 0;
    const t = make({
      query: () => {
        asked++;
        return [];
      },
    });
    const text = '{{ range $i := 1000 }}{{ query (printf "up%d" $i) }}{{ end }}';
    expect(await t.expand(text, data)).toContain(`more than ${QUERIES_MAX} queries`);
    expect(asked).toBe(QUERIES_MAX);
  });

  it('never shows one set of ports what another was answered', async () => {
    const of = (name: string) => make({ query: () => [{ labels: Labels.from({ tenant: name }), value: 1 }] });
    const [a, b] = [of('a'), of('b')];
    const text = '{{ range query "up" }}{{ .Labels.tenant }}{{ end }}';
    expect(await Promise.all([a.expand(text, data), b.expand(text, data), a.expand(text, data)])).toEqual([
      'a',
      'b',
      'a',
    ]);
  });
});

describe('check', () => {
  it.each(['plain }}', '{{ $labels.a }}', '{{ query "up" | first | value | humanize }}', '{{ define "x" }}{{ end }}'])(
    'takes %s',
    (text) => {
      expect(() => make().check(text)).not.toThrow();
    },
  );

  it.each([
    ['{{ $labels.a', 'unclosed action'],
    ['{{ nope }}', 'function "nope" not defined'],
    ['{{ if }}{{ end }}', 'missing value for if'],
  ])('refuses %s', (text, wanted) => {
    try {
      make().check(text, 'Slow');
      expect.unreachable();
    } catch (error) {
      expect(isVigieError(error, 'bad_config')).toBe(true);
      expect((error as Error).message).toContain(`template: __alert_Slow:1: ${wanted}`);
    }
  });
});
