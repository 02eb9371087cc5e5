import { describe, expect, it } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { encodeFederated, escapeName, negotiate } from './federate-encode.ts';

describe('what a reader of /federate accepts', () => {
  it.each([
    [undefined, false, 'underscores'],
    ['*/*', false, 'underscores'],
    ['text/plain;version=0.0.4;q=0.5,*/*;q=0.1', false, 'underscores'],
    ['text/plain;version=1.0.0;escaping=allow-utf-8', false, 'allow-utf-8'],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3',
      false,
      'allow-utf-8',
    ],
    ['text/plain;escaping=dots;q=0.1,text/plain;escaping=values;q=0.9', false, 'values'],
    ['application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited', true, 'underscores'],
    ['application/vnd.google.protobuf;proto=other;encoding=delimited', false, 'underscores'],
    ['text/plain;escaping=nonsense', false, 'underscores'],
    [',;,=;q=x', false, 'underscores'],
  ])('%s', (accept, protobuf, escaping) => {
    const format = negotiate(accept);
    expect([format.protobuf, format.escaping]).toEqual([protobuf, escaping]);
    expect(format.contentType).toContain(`escaping=${escaping}`);
  });
});

describe('escaping of names', () => {
  it.each([
    ['http.status:sum', 'http_status:sum', 'http_dot_status:sum', 'U__http_2e_status:sum'],
    ['1a_é😀', '_a___', '__a______', 'U___31_a___e9__1f600_'],
    ['plain_name', 'plain_name', 'plain_name', 'plain_name'],
    ['', '', '', ''],
  ])('%s', (name, underscores, dots, values) => {
    expect(escapeName(name, 'underscores')).toBe(underscores);
    expect(escapeName(name, 'dots')).toBe(dots);
    expect(escapeName(name, 'values')).toBe(values);
    expect(escapeName(name, 'allow-utf-8')).toBe(name);
  });

  it('leaves text that a reader of classic names can parse', () => {
    const samples = [
      { labels: Labels.from({ __name__: 'http.requests', 'a b': 'c"\\\n' }), timestampMs: 5, value: 1 },
      { labels: Labels.from({ __name__: 'up', instance: 'i' }), timestampMs: 6, value: Number.NaN },
    ];
    expect(encodeFederated([...samples], negotiate(undefined))).toBe(
      '# TYPE http_requests untyped\nhttp_requests{a_b="c\\"\\\\\\n",instance=""} 1 5\n# TYPE up untyped\nup{instance="i"} NaN 6\n',
    );
    expect(encodeFederated([...samples], negotiate('text/plain;escaping=allow-utf-8'))).toContain(
      '{"http.requests","a b"=',
    );
  });
});
