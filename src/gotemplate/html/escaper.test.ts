/** What the escaping promises, checked from outside: data never changes the structure of the page around it. */
import vm from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemplateError } from '../errors.ts';
import { TemplateSet } from '../template-set.ts';
import { type Functions, GoFunction, GoScalar, GoStruct, stringSlice } from '../value.ts';
import { escapeTrees } from './escaper.ts';

const functions: Functions = {
  safeHtml: new GoFunction(['string'], (s: string) => new GoScalar('template.HTML', s)),
  safeUrl: new GoFunction(['string'], (s: string) => new GoScalar('template.URL', s)),
};

function render(source: string, x: string): string {
  try {
    const set = new TemplateSet(functions).with('t', source).escaped('t');
    return set.text('t', new GoStruct('main.Data', { X: x, List: stringSlice([x, 'b']) }));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return `! ${error.message}`;
  }
}

interface Token {
  readonly kind: 'text' | 'open' | 'close' | 'comment';
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const decode = (text: string): string =>
  text
    .replace(/&#x([0-9a-fA-F]+);/g, (_, h: string) => String.fromCodePoint(Number.parseInt(h, 16)))
    .replace(/&#(\d+);/g, (_, d: string) => String.fromCodePoint(Number(d)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

/** A tokenizer after the HTML standard's states, for what the tests write. */
function tokens(html: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  while (at < html.length) {
    const rest = html.slice(at);
    const comment = /^<!--[\s\S]*?(?:-->|$)/.exec(rest);
    const tag = /^<(\/?)([a-zA-Z][^ \t\n\f\r/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/.exec(rest);
    if (comment) {
      out.push({ kind: 'comment', name: comment[0], attributes: {} });
      at += comment[0].length;
    } else if (tag) {
      const name = tag[2]!.toLowerCase();
      const attributes: Record<string, string> = {};
      for (const a of tag[3]!.matchAll(
        /([^ \t\n\f\r=/>"']+)(?:[ \t\n\f\r]*=[ \t\n\f\r]*(?:"([^"]*)"|'([^']*)'|([^ \t\n\f\r"'>]+)))?/g,
      ))
        attributes[a[1]!] = decode(a[2] ?? a[3] ?? a[4] ?? '');
      out.push({ kind: tag[1] ? 'close' : 'open', name, attributes });
      at += tag[0].length;
      if (!tag[1] && ['script', 'style', 'textarea', 'title'].includes(name)) {
        const end = html.slice(at).search(new RegExp(`</${name}[ \\t\\n\\f\\r/>]`, 'i'));
        const body = end < 0 ? html.slice(at) : html.slice(at, at + end);
        out.push({ kind: 'text', name: body, attributes: {} });
        at += body.length;
      }
    } else {
      const next = rest.slice(1).search(/<(?:!--|\/?[a-zA-Z])/);
      const text = next < 0 ? rest : rest.slice(0, next + 1);
      out.push({ kind: 'text', name: text, attributes: {} });
      at += text.length;
    }
  }
  return out;
}

/** Tags, names of attributes and their order: all but texts and values. */
const structure = (html: string): string =>
  tokens(html)
    .filter((t) => t.kind !== 'text')
    .map((t) => `${t.kind} ${t.kind === 'comment' ? '' : t.name} ${Object.keys(t.attributes).join()}`)
    .join('\n');

const hostile = fc
  .array(
    fc.constantFrom(
      ...'<|>|"|\'|`|&|=|/|\\| |\n|\u2028|\u0000|;|{|}|(|)|$|${|-->|<!--|</script>|<script>|</style>|</title>|</textarea>|javascript:|data:|x|1|#|?|%|&quot;|&#34;|onload|]]>|*/|//|é|😀|\ufdd0'.split(
        '|',
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

const PLACES = [
  '<p>{{ .X }}</p>',
  '<b title="{{ .X }}">a</b>',
  "<b title='{{ .X }}'>a</b>",
  '<b title={{ .X }} class=c>a</b>',
  '<a href="{{ .X }}">a</a>',
  '<a href=/x?{{ .X }}>a</a>',
  '<a href="/p/{{ .X }}?a={{ .X }}#{{ .X }}">a</a>',
  '<div style="color: {{ .X }}">a</div>',
  "<div style=\"background: url('{{ .X }}'); font: '{{ .X }}'\">a</div>",
  '<div onclick="f({{ .X }}, \'{{ .X }}\')">a</div>',
  '<script>var a = {{ .X }}, b = "{{ .X }}", c = \'{{ .X }}\';</script><i>b</i>',
  '<style>p { a: {{ .X }}; b: "{{ .X }}" }</style><i>b</i>',
  '<textarea>{{ .X }}</textarea><title>{{ .X }}</title>',
  '<!-- {{ .X }} --><p>b</p>',
  '<img srcset="{{ .X }} 2x, {{ .X }}">',
  '<input {{ .X }}="a"><p>b</p>',
  '{{ range .List }}<li title="{{ . }}">{{ . }}</li>{{ end }}',
  '{{ define "d" }}{{ . }}{{ end }}<p title="{{ template "d" .X }}">{{ template "d" .X }}</p><script>x = {{ template "d" .X }}</script>',
  '<b title="{{ safeHtml .X }}">a</b><textarea>{{ safeHtml .X }}</textarea>',
];

describe('data keeps its place', () => {
  it.each(PLACES)('%s', (source) => {
    const wanted = structure(render(source, 'abc')).replace(/abc|ZgotmplZ/gi, '*');
    expect(wanted).not.toBe('');
    fc.assert(
      fc.property(hostile, (x) => {
        const got = structure(render(source, x)).replace(/[a-z0-9]+(?=$)|ZgotmplZ/gim, '*');
        expect(got).toBe(wanted.replace(/[a-z0-9]+(?=$)/gim, '*'));
      }),
      { numRuns: 150 },
    );
  });

  it('would notice: the same places without escaping do change', () => {
    const raw = (x: string): string => `<p>${x}</p>`;
    expect(structure(raw('<script>'))).not.toBe(structure(raw('abc')));
    expect(structure('<b title="a" onload="b">')).not.toBe(structure('<b title="a">'));
  });

  it('is read back unchanged from attributes and text', () => {
    fc.assert(
      fc.property(hostile, (x) => {
        const clean = x.replaceAll('\0', '\ufffd');
        const page = tokens(render('<b title="{{ .X }}" lang=\'{{ .X }}\' id=x{{ .X }}>a</b>', x));
        expect(page[0]!.attributes).toEqual({ title: clean, lang: clean, id: `x${clean || 'ZgotmplZ'}` });
        expect(decode(tokens(`<p>${render('{{ .X }}', x)}`)[1]?.name ?? '')).toBe(clean);
      }),
    );
  });

  it('is the same string to a script, as value and in each kind of literal', () => {
    fc.assert(
      fc.property(hostile, (x) => {
        const page = tokens(
          render(
            '<script>a = {{ .X }}; b = "{{ .X }}"; c = \'{{ .X }}\'; d = `{{ .X }}`; e = /^{{ .X }}$/; f = `${ {{ .X }} }`;</script>',
            x,
          ),
        );
        const seen = vm.runInNewContext(`${page[1]!.name}; [a, b, c, d, f]`, {}, { timeout: 1_000 }) as string[];
        expect([...seen]).toEqual([x, x, x, x, x]);
      }),
    );
  });

  it('matches itself when put into a regular expression', () => {
    fc.assert(
      fc.property(hostile, (x) => {
        const page = tokens(render('<script>e = /^{{ .X }}$/</script>', x));
        const re = vm.runInNewContext(`${page[1]!.name}; e`, {}, { timeout: 1_000 }) as RegExp;
        expect(re.test(x)).toBe(true);
      }),
    );
  });

  it('never runs from an address', () => {
    fc.assert(
      fc.property(
        hostile,
        fc.constantFrom('', ' ', '\n', 'java', 'JavaScript:', 'vbscript:', 'data:text/html,'),
        (x, scheme) => {
          const { href } = tokens(render('<a href="{{ .X }}">a</a>', scheme + x))[0]!.attributes;
          // an address that cannot be read leads nowhere
          if (!URL.canParse(href!, 'https://base.example/')) return;
          expect(new URL(href!, 'https://base.example/').protocol).toMatch(/^(?:https?|mailto):$/);
        },
      ),
    );
  });
});

describe('templates that cannot be made safe', () => {
  it.each([
    ['<a href="', /ends in a non-text context: \{stateURL/],
    ['{{ if .X }}<b title="{{ else }}<i>{{ end }}', /\{\{if\}\} branches end in different contexts/],
    ['<a href="{{ if .X }}?{{ else }}/{{ end }}{{ .X }}">', /appears in an ambiguous context within a URL/],
    ['<script>{{ if .X }}a{{ else }}a ={{ end }} /b/</script>', /'\/' could start a division or regexp/],
    ['<a b=c"d>', /in unquoted attr/],
    ['{{ .X | html | print }}', /predefined escaper "html" disallowed/],
    ['{{ template "none" }}', /no such template "none"/],
    ['{{ range .List }}<b title="{{ end }}', /on range loop re-entry/],
    ['{{ define "r" }}<b title="{{ if .X }}{{ template "r" . }}{{ end }}{{ end }}{{ template "r" . }}', /./],
  ])('%s', (source, wanted) => {
    expect(render(source, 'x')).toMatch(new RegExp(`^! .*${wanted.source}`, 's'));
  });

  it('gives up on templates built to be slow', () => {
    expect(render('{{ range .List }}'.repeat(60) + '{{ end }}'.repeat(60), 'x')).toMatch(/steps to escape/);
    const spiral = '{{ define "a" }}`${ {{ template "a" . }}{{ end }}<script>{{ template "a" . }}';
    expect(render(spiral, 'x')).toMatch(/nested deeper than/);
  });
});

it('ends for any template in trees or a TemplateError', () => {
  const piece = fc.constantFrom(
    ...'<a |<b>|</b>|href=|title=|style=|onclick=|"|\'|>|<script>|</script>|<style>|</style>|<!--|-->|/*|*/|//|\n|{|}|`|${|/|\\|url(|)|=|x|&quot;|{{ .X }}|{{ if .X }}|{{ else }}|{{ end }}|{{ range .List }}|{{ break }}|{{ continue }}|{{ template "d" .X }}|{{ .X | html }}|<meta content="|<script type="|[|]|#|?|;|-|+'.split(
      '|',
    ),
  );
  let safe = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (parts) => {
      const source = `${parts.join('')}{{ define "d" }}<i title="{{ . }}">{{ end }}`;
      if (render(source, 'y').startsWith('! ')) refused++;
      else safe++;
    }),
    { numRuns: 3_000 },
  );
  expect(safe).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(100);
});

it('leaves the trees it was given as they are', () => {
  const set = new TemplateSet({}).with('t', '<a href="{{ .X }}">{{/* c */}}<!-- x --></a>');
  const before = JSON.stringify([...set.trees]);
  expect(escapeTrees(set.trees, 't')).not.toBe(set.trees);
  expect(JSON.stringify([...set.trees])).toBe(before);
});
