import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemplateError } from './errors.ts';
import { tokenize } from './lexer.ts';
import { TemplateSet } from './template-set.ts';
import { timeFromMs } from './time-value.ts';
import { type Functions, fromJson, GoFunction, GoMap, GoSlice, GoStruct, type GoValue, stringMap } from './value.ts';

const functions: Functions = {
  upper: new GoFunction(['string'], (s: string) => s.toUpperCase()),
  adder: new GoFunction([], () => new GoFunction(['int', 'int'], (a: bigint, b: bigint) => a + b)),
  list: new GoFunction([], (...items: GoValue[]) => new GoSlice(items), 'any'),
};
const data = new GoStruct('main.Data', {
  Name: 'Ann',
  Count: 3n,
  Ratio: 0.5,
  Tags: new GoSlice(['a', 'b'], 'string'),
  Map: stringMap([
    ['k', 'v'],
    ['a', '1'],
  ]),
  Any: fromJson({ deep: { er: [1, null, 'x'] } }),
  At: timeFromMs(1_700_000_000_123),
  Zero: timeFromMs(undefined),
});

function run(source: string, limits = {}): string {
  try {
    return new TemplateSet(functions).with('t', source).text('t', data, limits);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return `! ${error.message}`;
  }
}

describe('text templates', () => {
  // compared with Go 1.26 through amtool in test/real/gotemplate-amtool.test.ts; here what amtool's data cannot show
  it.each([
    ['{{ .Any.deep.er }} {{ index .Any.deep.er 0 }}', '[1 <nil> x] 1'],
    ['{{ .Any.none }}|{{ .Map.none }}|{{ .Tags }}', '<no value>||[a b]'],
    [
      '{{ .Any.none.deeper }}',
      '! template: t:1:7: executing "t" at <.Any.none.deeper>: nil pointer evaluating interface {}.deeper',
    ],
    ['{{ call adder 1 2 }} {{ call (adder) 1 2 }}', '3 3'],
    [
      '{{ call adder 1 }}',
      '! template: t:1:3: executing "t" at <call adder 1>: error calling call: wrong number of args for adder: got 1 want 2',
    ],
    [
      '{{ call adder 1 "x" }}',
      '! template: t:1:3: executing "t" at <call adder 1 "x">: error calling call: arg 1: value has type string; should be int',
    ],
    [
      '{{ adder }}',
      '! template: t:1:3: executing "t" at <{{adder}}>: can\'t print {{adder}} of type func(int, int) interface {}',
    ],
    ['{{ .Any }}', 'map[deep:map[er:[1 <nil> x]]]'],
    ['{{ range $k, $v := .Map }}{{ $k }}={{ $v }};{{ end }}', 'a=1;k=v;'],
    ['{{ range .Count }}{{ . }}{{ end }}', '012'],
    ['{{ .Ratio }} {{ eq .Ratio 0.5 }} {{ lt .Count 4 }}', '0.5 true true'],
    ['{{ .At }} {{ .Zero.IsZero }}', '2023-11-14 22:13:20.123 +0000 UTC true'],
    ['{{ with .Map }}{{ .k }}{{ $.Name }}{{ end }}', 'vAnn'],
    ['{{ $x := "a" }}{{ range .Tags }}{{ $x = print $x . }}{{ end }}{{ $x }}', 'aab'],
    ['a {{- /* c */ -}} b{{ .Name | upper | printf "%s-%d" }}', 'abANN-%!d(MISSING)'],
  ])('%s', (source, wanted) => {
    expect(run(source)).toBe(wanted);
  });

  it('counts columns in bytes and lines from 1', () => {
    expect(run('é\n  é{{ .Nope }}')).toBe(
      '! template: t:2:7: executing "t" at <.Nope>: can\'t evaluate field Nope in type main.Data',
    );
  });

  it('keeps a definition with content over an empty one', () => {
    const set = new TemplateSet({}).with('a', '{{ define "x" }}full{{ end }}').with('b', '{{ define "x" }} {{ end }}');
    expect(set.with('c', '{{ template "x" }}').text('c', undefined)).toBe('full');
  });

  it('does not change the set it was made from', () => {
    const base = new TemplateSet({}).with('a', '{{ define "x" }}1{{ end }}');
    const one = base.with('c', '{{ define "x" }}2{{ end }}{{ template "x" }}');
    expect(one.text('c', undefined)).toBe('2');
    expect(base.with('c', '{{ template "x" }}').text('c', undefined)).toBe('1');
  });
});

describe('limits', () => {
  it.each([
    ['steps', '{{ range 100000000 }}{{ end }}', /more than \d+ steps/],
    ['output', '{{ range 10000 }}{{ printf "%100000d" . }}{{ end }}', /output of more than|steps/],
    [
      'templates',
      '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}',
      /exceeded maximum template depth \(500\)/,
    ],
    ['nesting', '{{ if 1 }}'.repeat(300) + '{{ end }}'.repeat(300), /nested deeper than 200/],
    ['parentheses', `{{ ${'('.repeat(300)}1${')'.repeat(300)} }}`, /max expression depth exceeded/],
    ['else if', `{{ if 0 }}${'{{ else if 0 }}'.repeat(500)}{{ end }}`, /nested deeper than 200/],
    [
      'lists in lists',
      '{{ $x := list 1 }}{{ range 100 }}{{ $x = list $x $x }}{{ end }}{{ $x }}',
      /more than \d+ characters/,
    ],
    ['strings', '{{ $x := "0123456789" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}', /more than \d+ characters/],
    ['source', ' '.repeat(1_000_001), /source of 1000001 characters/],
  ])('bounds %s', (_, source, wanted) => {
    expect(run(source)).toMatch(wanted);
  });

  it('takes narrower limits per execution', () => {
    expect(run('{{ range 10 }}x{{ end }}', { stepsMax: 5 })).toMatch(/more than 5 steps/);
    expect(run('{{ range 10 }}x{{ end }}', { outputLengthMax: 5 })).toMatch(/more than 5 characters/);
  });
});

const piece = fc.constantFrom(
  ...'{{|}}|{{-|-}}| |\n|.|.Name|.Map.k|$|$x|:=|=|,|(|)|"|`|\'|"a"|`b`|1|1.5|0x|nil|true|if|else|end|range|with|define|template|block|break|continue|/*|*/|print|upper|index|len|\\|é|\u0000|😀|||'
    .split('|')
    .concat('|'),
);
const source = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(''));
const actions = fc
  .array(
    fc.array(piece, { maxLength: 8 }).map((parts) => `{{ ${parts.join(' ')} }}`),
    { maxLength: 8 },
  )
  .map((parts) => parts.join('x'));

describe('any input', () => {
  it('ends in text or in a TemplateError', () => {
    let errors = 0;
    let texts = 0;
    fc.assert(
      fc.property(fc.oneof(source, actions, fc.string({ unit: 'binary' })), (s) => {
        if (run(s, { stepsMax: 10_000 }).startsWith('! ')) errors++;
        else texts++;
      }),
      { numRuns: 3_000 },
    );
    // the generator must reach both
    expect(Math.min(errors, texts)).toBeGreaterThan(50);
  });

  it('is cut into tokens that lie in order within the source', () => {
    fc.assert(
      fc.property(source, (s) => {
        let last = 0;
        for (const t of tokenize(s)) {
          expect(t.at).toBeGreaterThanOrEqual(last);
          expect(t.at).toBeLessThanOrEqual(s.length);
          last = t.at;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('is text when there are no braces', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((s) => !s.includes('{{')),
        (s) => run(s) === s,
      ),
    );
  });
});

it('gives absent keys of a map the zero value of its type', () => {
  const set = new TemplateSet({}).with('t', '[{{ .x }}]');
  expect(set.text('t', new GoMap(new Map(), 'int'))).toBe('[0]');
  expect(set.text('t', new GoMap(new Map(), 'string'))).toBe('[]');
  expect(set.text('t', new GoMap(new Map()))).toBe('[<no value>]');
});
