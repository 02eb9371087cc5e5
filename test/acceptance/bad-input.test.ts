/**
 * Malformed input against the real program, over real sockets: each is refused with a 4xx that says what was wrong in
 * the error body of its family, within seconds; after each the server is ready, takes a good write and answers a good
 * query; and all of it together leaves memory bounded.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { snappyCompress } from '../../src/store/wire/snappy.ts';
import { eventually, startVigie, type VigieProcess } from '../support/vigie.ts';

/** No bad request may take longer than this, on a loaded machine. */
const ANSWER_MS_MAX = 20_000;
/** Resident memory after everything below: the limits of the protocols together are far under this. */
const RESIDENT_BYTES_MAX = 1024 * 1024 * 1024;
const DEPTH = 10_000;
const MEBIBYTE = 1024 * 1024;

type Body = NonNullable<RequestInit['body']>;
type Family = 'prometheus' | 'alertmanager' | 'otlp' | 'vigie' | 'text';
interface BadRequest {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | (() => string | Uint8Array);
  readonly family: Family;
  /** 4xx when not given. */
  readonly status?: number;
  /** What the message has to name: place, got, wanted. */
  readonly says: RegExp;
}

const varint = (n: number): Buffer => {
  const out: number[] = [];
  let v = BigInt.asUintN(64, BigInt(n));
  for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  return Buffer.from([...out, Number(v)]);
};
const bytes = (field: number, b: Uint8Array | string): Buffer => {
  const data = Buffer.from(b as Uint8Array);
  return Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
};
const double = (v: number): Buffer => {
  const b = Buffer.alloc(9);
  b[0] = 9;
  b.writeDoubleLE(v, 1);
  return b;
};
type Pair = readonly [string | Uint8Array, string | Uint8Array];
/** One series of a remote write 1.0 request, labels exactly as given. */
function series(labels: readonly Pair[], value: number, timestampMs: number): Buffer {
  const sample = Buffer.concat([double(value), varint(2 * 8), varint(timestampMs)]);
  return bytes(
    1,
    Buffer.concat([...labels.map(([n, v]) => bytes(1, Buffer.concat([bytes(1, n), bytes(2, v)]))), bytes(2, sample)]),
  );
}
const now = (): number => Date.now();
const wire = (...parts: Uint8Array[]): Uint8Array => snappyCompress(Buffer.concat(parts));
const good = (name: string, value: number): Uint8Array => wire(series([['__name__', name]], value, now()));
const WRITE = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
const WRITE_2 = { ...WRITE, 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
const JSON_TYPE = { 'content-type': 'application/json' };

const write = (name: string, body: BadRequest['body'], says: RegExp, more: Partial<BadRequest> = {}): BadRequest => ({
  name: `remote write: ${name}`,
  method: 'POST',
  path: '/api/v1/write',
  headers: WRITE,
  body: body!,
  family: 'prometheus',
  says,
  ...more,
});

const remoteWrite: readonly BadRequest[] = [
  write('truncated snappy', () => good('m', 1).subarray(0, 9), /snappy/),
  write('no snappy at all', 'plain text, no block', /snappy/),
  write('an empty body', new Uint8Array(0), /snappy/),
  write('a bomb that announces 4 GiB', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0), /limit/, { status: 413 }),
  write(
    'a bomb that announces 100 MiB in 6 bytes',
    () => Buffer.concat([varint(100 * MEBIBYTE), Buffer.of(0, 1)]),
    /announces 104857600 bytes/,
  ),
  write('a real bomb of 200 MiB', () => bomb(200 * MEBIBYTE), /209715200 bytes after snappy, limit/, { status: 413 }),
  write('a real bomb of 64 MiB of zeros', () => bomb(64 * MEBIBYTE), /byte 1: a field has the number 0/),
  write('a copy before the first byte', Uint8Array.of(4, 1, 9), /reaches back/),
  write(
    'truncated protobuf',
    () => snappyCompress(Buffer.concat([series([['__name__', 'm']], 1, now())]).subarray(0, 20)),
    /./,
  ),
  write('random protobuf', () => snappyCompress(Buffer.from('fffefdfcfb0102030405', 'hex')), /./),
  write(
    'a label value of 5 MB',
    () =>
      wire(
        series(
          [
            ['__name__', 'm'],
            ['huge', 'x'.repeat(5_000_000)],
          ],
          1,
          now(),
        ),
      ),
    /huge|label/,
    { family: 'text' },
  ),
  write(
    'a label name of 1 MB',
    () =>
      wire(
        series(
          [
            ['__name__', 'm'],
            ['n'.repeat(1_000_000), 'x'],
          ],
          1,
          now(),
        ),
      ),
    /label/,
    { family: 'text' },
  ),
  write(
    '2,000 labels',
    () => wire(series([['__name__', 'm'], ...Array.from({ length: 2_000 }, (_, i): Pair => [`l${i}`, 'x'])], 1, now())),
    /labels/,
    { family: 'text' },
  ),
  write(
    'a time stamp far in the future',
    () => wire(series([['__name__', 'm']], 1, now() + 10 * 365 * 86_400_000)),
    /too_new|future/,
    { family: 'text' },
  ),
  write(
    'the largest time stamp',
    () => wire(series([['__name__', 'm']], 1, Number.MAX_SAFE_INTEGER)),
    /too_new|future|time/,
    { family: 'text' },
  ),
  write('a negative time stamp', () => wire(series([['__name__', 'm']], 1, -86_400_000)), /too_old|old/, {
    family: 'text',
  }),
  write('a value of NaN at time stamp 0', () => wire(series([['__name__', 'm']], Number.NaN, 0)), /too_old|old/, {
    family: 'text',
  }),
  write(
    'invalid UTF-8 in a value',
    () =>
      wire(
        series(
          [
            ['__name__', 'm'],
            ['a', Uint8Array.of(0xff, 0xfe)],
          ],
          1,
          now(),
        ),
      ),
    /UTF-8/i,
    { family: 'text' },
  ),
  write(
    'invalid UTF-8 in a name',
    () =>
      wire(
        series(
          [
            ['__name__', 'm'],
            [Uint8Array.of(0xc3, 0x28), 'x'],
          ],
          1,
          now(),
        ),
      ),
    /UTF-8/i,
    { family: 'text' },
  ),
  write(
    'a label name twice',
    () =>
      wire(
        series(
          [
            ['__name__', 'm'],
            ['a', '1'],
            ['a', '2'],
          ],
          1,
          now(),
        ),
      ),
    /"a"|twice|duplicate/i,
    { family: 'text' },
  ),
  write('no metric name', () => wire(series([['a', 'b']], 1, now())), /name/i, { family: 'text' }),
  write(
    'an empty label name',
    () =>
      wire(
        series(
          [
            ['__name__', 'm'],
            ['', 'b'],
          ],
          1,
          now(),
        ),
      ),
    /label|name/i,
    { family: 'text' },
  ),
  write('a wrong content type', () => good('m', 1), /"text\/plain" is not supported, want application\/x-protobuf/, {
    headers: { ...WRITE, 'content-type': 'text/plain' },
    status: 415,
  }),
  write('an unknown message', () => good('m', 1), /"other.Message".*want prometheus.WriteRequest/, {
    headers: { ...WRITE, 'content-type': 'application/x-protobuf;proto=other.Message' },
    status: 415,
  }),
  write('an unknown encoding', () => good('m', 1), /"lzma".*want/, {
    headers: { ...WRITE, 'content-encoding': 'lzma' },
    status: 415,
  }),
  write('an encoding that is not there', () => good('m', 1), /not valid gzip/, {
    headers: { ...WRITE, 'content-encoding': 'gzip' },
  }),
  write('a gzip bomb', () => gzipSync(Buffer.alloc(100 * MEBIBYTE)), /33554432 bytes after decompression/, {
    headers: { ...WRITE, 'content-encoding': 'gzip' },
    status: 413,
  }),
  write('100 MB', () => new Uint8Array(100_000_000), /limit/, { status: 413 }),
  write(
    '2.0: a symbol that is not there',
    () => wire(bytes(4, ''), bytes(5, bytes(1, Uint8Array.of(9, 9)))),
    /symbol|label/i,
    { headers: WRITE_2 },
  ),
  write('2.0: truncated', () => snappyCompress(Buffer.from([0x22, 0x7f, 1])), /./, { headers: WRITE_2 }),
];

/** A snappy block of n zero bytes: one literal, then copies of 64 bytes. */
function bomb(n: number): Uint8Array {
  const copies = Math.ceil((n - 1) / 64);
  const head = varint(n);
  const out = Buffer.alloc(head.length + 2 + copies * 3);
  head.copy(out);
  let at = head.length + 2; // literal of one zero byte
  let left = n - 1;
  for (let i = 0; i < copies; i++) {
    const size = Math.min(64, left);
    out[at] = ((size - 1) << 2) | 2;
    out[at + 1] = 1;
    at += 3;
    left -= size;
  }
  return out.subarray(0, at);
}

const otlp = (
  name: string,
  type: string,
  body: BadRequest['body'],
  says: RegExp,
  more: Partial<BadRequest> = {},
): BadRequest => ({
  name: `OTLP: ${name}`,
  method: 'POST',
  path: '/v1/metrics',
  headers: { 'content-type': type },
  body: body!,
  family: 'otlp',
  says,
  ...more,
});
const PROTO_TYPE = 'application/x-protobuf';
const otlpCases: readonly BadRequest[] = [
  otlp('truncated protobuf', PROTO_TYPE, Buffer.from([0x0a, 0x7f, 0x12]), /./),
  otlp('a varint without an end', PROTO_TYPE, Buffer.alloc(30, 0xff), /./),
  otlp('no JSON', 'application/json', '{"resourceMetrics": [', /JSON/),
  otlp('a list', 'application/json', '[]', /want|object/),
  otlp('resourceMetrics is a number', 'application/json', '{"resourceMetrics": 7}', /resourceMetrics.*7.*want/),
  otlp(
    'a metric name of the wrong type',
    'application/json',
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":5}]}]}]}',
    /metrics\[0\]\.name: got 5, want a string/,
  ),
  otlp(
    'a time stamp of the wrong type',
    'application/json',
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":"x"}]}}]}]}]}',
    /timeUnixNano: got "x"/,
  ),
  otlp(
    '10,000 levels of values',
    'application/json',
    () =>
      `{"resourceMetrics":[{"resource":{"attributes":[{"key":"k","value":${'{"arrayValue":{"values":['.repeat(DEPTH)}${']}}'.repeat(DEPTH)}}]},"scopeMetrics":[]}]}`,
    /deep|levels|nest/,
  ),
  otlp('10,000 levels of JSON', 'application/json', () => '['.repeat(DEPTH) + ']'.repeat(DEPTH), /./),
  otlp('a wrong content type', 'text/csv', 'a,b', /"text\/csv", want/, { status: 415 }),
  otlp('100 MB', PROTO_TYPE, () => new Uint8Array(100_000_000), /limit/, { status: 413 }),
  otlp('a zstd body that is none', PROTO_TYPE, 'xx', /not valid zstd/, {
    headers: { 'content-type': PROTO_TYPE, 'content-encoding': 'zstd' },
  }),
];

const api = (
  method: string,
  path: string,
  name: string,
  body: BadRequest['body'],
  says: RegExp,
  more: Partial<BadRequest> = {},
): BadRequest => ({
  name: `${method} ${path}: ${name}`,
  method,
  path,
  headers: JSON_TYPE,
  ...(body === undefined ? {} : { body }),
  family: path.startsWith('/api/v2') ? 'alertmanager' : path.startsWith('/vigie') ? 'vigie' : 'prometheus',
  says,
  ...more,
});
const deepJson = (): string => '{"a":'.repeat(DEPTH) + '1' + '}'.repeat(DEPTH);
const deepList = (): string => '['.repeat(DEPTH) + ']'.repeat(DEPTH);
const deepYaml = (levels = DEPTH): string => `route: ${'['.repeat(levels)}${']'.repeat(levels)}\n`;
/** Nine levels of ten references each: a milliard of strings. */
const aliasBomb = (): string =>
  [
    'a0: &a0 [x,x,x,x,x,x,x,x,x,x]',
    ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(',')}]`),
  ].join('\n');
const EVENTS = { 'content-type': 'application/cloudevents+json' };
const EVENT = { specversion: '1.0', id: '1', source: '/t', type: 'vigie.deploy' };
const CONFIG = '/vigie/v1/tenants/default/config';
const config = (name: string, body: BadRequest['body'], says: RegExp, more: Partial<BadRequest> = {}): BadRequest =>
  api('PUT', CONFIG, name, body, says, more);
const YAML_TYPE = { 'content-type': 'application/yaml' };

const bodies: readonly BadRequest[] = [
  api('POST', '/vigie/v1/events', 'no JSON', '{', /JSON/, { headers: EVENTS }),
  api('POST', '/vigie/v1/events', 'a number', '7', /./, { headers: EVENTS }),
  api('POST', '/vigie/v1/events', 'attributes of wrong types', JSON.stringify({ ...EVENT, id: 5 }), /id/, {
    headers: EVENTS,
  }),
  api('POST', '/vigie/v1/events', 'a wrong time', JSON.stringify({ ...EVENT, time: 'yesterday' }), /time/, {
    headers: EVENTS,
  }),
  api(
    'POST',
    '/vigie/v1/events',
    '10,000 levels of data',
    () => `{"specversion":"1.0","id":"1","source":"/t","type":"vigie.deploy","data":${deepJson()}}`,
    /deep|levels|nest|large|bytes/,
    { headers: EVENTS },
  ),
  api('POST', '/vigie/v1/events', '10,000 levels of list', deepList, /./, {
    headers: { 'content-type': 'application/cloudevents-batch+json' },
  }),
  api('POST', '/vigie/v1/events', '100 MB', () => new Uint8Array(100_000_000), /limit/, {
    headers: EVENTS,
    status: 413,
  }),
  api('POST', '/vigie/v1/events', '10 MB', () => 'x'.repeat(10_000_000), /10000000 bytes/, {
    headers: EVENTS,
    status: 413,
  }),
  api('POST', '/api/v2/alerts', 'no list', '{}', /list|array/),
  api('POST', '/api/v2/alerts', 'no JSON', '[{', /JSON/),
  api('POST', '/api/v2/alerts', 'labels of a wrong type', '[{"labels": 7}]', /labels/),
  api('POST', '/api/v2/alerts', 'a wrong time', '[{"labels":{"alertname":"a"},"startsAt":"noon"}]', /startsAt/),
  api('POST', '/api/v2/alerts', '10,000 levels', deepList, /./),
  api('POST', '/api/v2/alerts', '100 MB', () => new Uint8Array(100_000_000), /limit/, { status: 413 }),
  api('POST', '/api/v2/silences', 'wrong shape', '{"matchers": "x"}', /in body is required/),
  api('POST', '/api/v2/silences', 'nothing', '', /./),
  api(
    'POST',
    '/api/v2/silences',
    'a wrong regular expression',
    JSON.stringify({
      matchers: [{ name: 'a', value: '(', isRegex: true }],
      startsAt: new Date().toISOString(),
      endsAt: new Date(now() + 6e4).toISOString(),
      createdBy: 'x',
      comment: 'x',
    }),
    /regular|regex|\(/i,
  ),
  api('POST', '/api/v2/silences', '10,000 levels', () => `{"matchers":${deepList()}}`, /./),
  config('no JSON', 'route:', /JSON/),
  config('wrong types', '{"alertmanager": 5}', /alertmanager/),
  config('YAML that is none', JSON.stringify({ alertmanager: 'route: {receiver: [' }), /line 1/),
  config(
    'an unknown key',
    JSON.stringify({ alertmanager: 'route: {receiver: a}\nreceivers: [{name: a}]\nwhat: 1\n' }),
    /what/,
  ),
  config('10,000 levels of YAML', () => JSON.stringify({ alertmanager: deepYaml() }), /deep|levels|nest/),
  config(
    '10,000 levels of rule file',
    () => JSON.stringify({ rules: { r: `groups: ${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}` } }),
    /deep|levels|nest/,
  ),
  config(
    '10,000 levels of scrape file',
    () => JSON.stringify({ scrape: `scrape_configs: ${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}` }),
    /deep|levels|nest/,
  ),
  config('an alias bomb as Alertmanager file', () => JSON.stringify({ alertmanager: aliasBomb() }), /alias/i),
  config('an alias bomb as rule file', () => JSON.stringify({ rules: { r: aliasBomb() } }), /unknown field "a0"/),
  config('an alias bomb as scrape file', () => JSON.stringify({ scrape: aliasBomb() }), /alias/i),
  config(
    'a rule that does not parse',
    JSON.stringify({ rules: { r: 'groups: [{name: g, rules: [{record: a, expr: "sum("}]}]' } }),
    /expr|parse|position|1:/,
  ),
  config('100 MB', () => new Uint8Array(100_000_000), /limit/, { status: 413 }),
  api('POST', '/prometheus/config/v1/rules/ns', 'an alias bomb', aliasBomb, /./, { headers: YAML_TYPE }),
  api(
    'POST',
    '/prometheus/config/v1/rules/ns',
    '10,000 levels',
    () => `name: g\nrules: ${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`,
    /deep|levels|nest/,
    { headers: YAML_TYPE },
  ),
  api('POST', '/api/v1/alerts', 'an alias bomb', aliasBomb, /./, { headers: YAML_TYPE }),
  api('POST', '/api/v1/alerts', '10,000 levels', deepYaml, /deep|levels|nest/, { headers: YAML_TYPE }),
  api('PUT', '/vigie/v1/dashboards/d', 'wrong shape', '{"title": 5}', /./),
  api('PUT', '/vigie/v1/dashboards/d', '10,000 levels', deepJson, /./),
  api('PUT', '/vigie/v1/heartbeats', 'wrong types', '{"name": 5, "interval": "often"}', /name/),
  api('PUT', '/vigie/v1/services', 'wrong types', '{"name": {}}', /name/),
  api('POST', '/vigie/v1/keys', 'wrong types', '{"role": "emperor"}', /role/),
  api('POST', '/vigie/v1/incidents', 'nothing', '{}', /./),
  api('PUT', '/vigie/v1/preferences', '10,000 levels', deepJson, /deep|levels|nest/),
  ...['/vigie/v1/playbooks', '/vigie/v1/on-call/policies'].flatMap((path) => [
    api('PUT', path, 'an alias bomb', () => JSON.stringify({ yaml: aliasBomb() }), /alias/i),
    api('PUT', path, '10,000 levels', () => JSON.stringify({ yaml: deepYaml() }), /deep|levels|nest/),
    api('PUT', path, '500 levels', () => JSON.stringify({ yaml: deepYaml(500) }), /deep|levels|nest/),
  ]),
  ...[300, 1_000, 2_000, 4_000].flatMap((levels) => [
    config(`${levels} levels of YAML`, () => JSON.stringify({ alertmanager: deepYaml(levels) }), /deep|levels|nest/),
    config(
      `${levels} levels of mappings`,
      () => JSON.stringify({ rules: { r: `groups: ${'{a: '.repeat(levels)}${'}'.repeat(levels)}` } }),
      /groups|deep/,
    ),
    config(
      `${levels} levels of scrape file`,
      () => JSON.stringify({ scrape: `scrape_configs: ${'['.repeat(levels)}${']'.repeat(levels)}` }),
      /deep|levels|nest/,
    ),
    api('POST', '/api/v1/alerts', `${levels} levels`, () => deepYaml(levels), /deep|levels|nest/, {
      headers: YAML_TYPE,
    }),
  ]),
];

const query = (name: string, expression: string, says: RegExp, more: Partial<BadRequest> = {}): BadRequest => ({
  name: `query: ${name}`,
  method: 'POST',
  path: '/api/v1/query',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: () => new URLSearchParams({ query: expression }).toString(),
  family: 'prometheus',
  says,
  ...more,
});
const queries: readonly BadRequest[] = [
  query('does not parse', 'sum(', /1:5|position|parse/),
  query('nothing', '', /./),
  query('10,000 parentheses', `${'('.repeat(DEPTH)}1${')'.repeat(DEPTH)}`, /1:\d+: parse error|deep/),
  query('10,000 signs', `${'-'.repeat(DEPTH)}1`, /1:\d+: parse error|deep/),
  query('10,000 additions', Array(DEPTH).fill('up').join('+'), /1:\d+: parse error|deep/),
  query('500 kB of text', `"${'x'.repeat(500_000)}" + 1`, /./),
  query('too many steps', 'vector(1)[100y:1ms]', /sample|step|limit|many/),
  query(
    'subqueries in subqueries',
    'max_over_time(max_over_time(max_over_time(vector(1)[90d:1s])[90d:1s])[90d:1s])',
    /sample|step|limit|many/,
  ),
  query('an unknown function', 'explode(up)', /explode/),
  query('a wrong expression', 'up{a=~"("}', /./),
  {
    ...query('a range with too many points', 'up', /11,?000/),
    path: '/api/v1/query_range',
    body: 'query=up&start=0&end=1e9&step=1',
  },
  {
    ...query('a range that ends before it starts', 'up', /end/),
    path: '/api/v1/query_range',
    body: 'query=up&start=10&end=1&step=1',
  },
  { ...query('a step of zero', 'up', /step/), path: '/api/v1/query_range', body: 'query=up&start=1&end=10&step=0' },
  { ...query('a time that is none', 'up', /time/), body: 'query=up&time=noon' },
  { ...query('a matcher that selects everything', 'up', /./), path: '/api/v1/series', body: 'match[]={}' },
  {
    name: 'remote read: garbage',
    method: 'POST',
    path: '/api/v1/read',
    headers: WRITE,
    body: 'xxxx',
    family: 'prometheus',
    says: /./,
  },
];

const protocol: readonly BadRequest[] = [
  {
    name: 'a method that a path does not have',
    method: 'PATCH',
    path: '/api/v1/write',
    body: 'x',
    family: 'prometheus',
    says: /PATCH/,
  },
  { name: 'a rare method', method: 'PROPFIND', path: '/vigie/v1/events', family: 'vigie', says: /PROPFIND/ },
  { name: 'a path that is none', path: '/vigie/v1/%ff%fe', family: 'vigie', says: /./ },
  { name: 'a path with NUL', path: '/vigie/v1/heartbeats/%00/ping', family: 'vigie', says: /./ },
  {
    name: 'a tenant name that is none',
    path: '/api/v1/query?query=1',
    headers: { 'x-scope-orgid': '../../etc' },
    family: 'prometheus',
    says: /tenant/,
  },
  {
    name: 'a tenant in the path that is none',
    path: '/t/%ff/api/v1/query?query=1',
    family: 'prometheus',
    says: /tenant/,
  },
  {
    name: 'a stream from an event that is none',
    path: '/vigie/v1/live/subscriptions',
    method: 'POST',
    headers: JSON_TYPE,
    body: '[]',
    family: 'vigie',
    says: /./,
  },
];

/** The message in the error body of a family; a failed expectation when the shape is another. */
function messageIn(family: Family, text: string): string {
  if (family === 'text') return text;
  const body = JSON.parse(text) as never;
  switch (family) {
    case 'prometheus':
      expect(body).toMatchObject({ status: 'error', errorType: expect.any(String), error: expect.any(String) });
      return (body as { error: string }).error;
    case 'alertmanager':
      expect(body).toEqual(expect.any(String));
      return body;
    case 'otlp':
      expect(body).toMatchObject({ code: expect.any(Number), message: expect.any(String) });
      return (body as { message: string }).message;
    case 'vigie': {
      expect(body).toMatchObject({
        error: {
          code: expect.any(String),
          message: expect.any(String),
          hint: expect.any(String),
          requestId: expect.any(String),
        },
      });
      return (body as { error: { message: string } }).error.message;
    }
  }
}

let vigie: VigieProcess;
let count = 0;
const resident = (): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${vigie.started.pid}/status`, 'utf8'))![1]) * 1024;

async function stillGood(): Promise<void> {
  expect((await vigie.fetch('/-/ready')).status).toBe(200);
  const value = ++count;
  const written = await vigie.fetch('/api/v1/write', {
    method: 'POST',
    headers: WRITE,
    body: good('still_good', value) as Body,
  });
  expect(written.status, await written.text()).toBe(204);
  const { data } = await vigie.json<{ data: { result: { value: [number, string] }[] } }>(
    '/api/v1/query?query=still_good',
  );
  expect(data.result[0]!.value[1]).toBe(String(value));
}

beforeAll(async () => {
  vigie = await startVigie();
}, 60_000);
afterAll(() => vigie?.[Symbol.asyncDispose]());

/** A body past the limit is refused before it is read; a client that still writes may see the connection end first. */
async function ask(c: BadRequest, body: string | Uint8Array | undefined): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await vigie.fetch(c.path, {
        method: c.method ?? 'GET',
        headers: c.headers ?? {},
        ...(body === undefined ? {} : { body: body as Body }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
    } catch (error) {
      const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? '';
      if (c.status !== 413 || !['EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(code) || attempt === 10) throw error;
    }
  }
}

describe('bad requests', () => {
  it.each([...remoteWrite, ...otlpCases, ...bodies, ...queries, ...protocol])(
    '$name',
    async (c) => {
      const body = typeof c.body === 'function' ? c.body() : c.body;
      const response = await ask(c, body);
      const text = await response.text();
      const shown = `${response.status} ${text.slice(0, 500)}`;
      if (c.status) expect(response.status, shown).toBe(c.status);
      expect(Math.floor(response.status / 100), shown).toBe(4);
      expect(messageIn(c.family, text), shown).toMatch(c.says);
      expect(text.length, 'an error is short').toBeLessThan(10_000);
      expect(text, 'no stack goes out').not.toMatch(/\.ts:\d+|node_modules/);
      await stillGood();
    },
    60_000,
  );

  it('accepts what is only unusual: an empty batch, a value of NaN, parameters twice', async () => {
    const empty = await vigie.fetch('/api/v1/write', {
      method: 'POST',
      headers: WRITE,
      body: snappyCompress(new Uint8Array(0)) as Body,
    });
    expect(empty.status).toBe(204);
    const nan = await vigie.fetch('/api/v1/write', {
      method: 'POST',
      headers: WRITE,
      body: good('not_a_number', Number.NaN) as Body,
    });
    expect(nan.status).toBe(204);
    expect((await vigie.fetch('/api/v1/query?query=1&query=2')).status).toBe(200);
  });
});

/** Sends raw bytes; what came back until the other side closed, or `ms` passed. */
function raw(text: string, ms = 10_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(vigie.port, '127.0.0.1');
    let out = '';
    const end = (): void => {
      socket.destroy();
      resolve(out);
    };
    const timer = setTimeout(end, ms);
    socket.on('data', (b: Buffer) => {
      out += b.toString('latin1');
      if (out.includes('\r\n\r\n')) setTimeout(end, 50);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      end();
    });
    socket.on('error', () => {});
    socket.end(text);
  });
}

describe('bad HTTP', () => {
  it.each([
    [
      'headers of 64 kB',
      `GET /api/v1/query?query=1 HTTP/1.1\r\nhost: x\r\nx-big: ${'a'.repeat(64_000)}\r\n\r\n`,
      /^HTTP\/1.1 431/,
    ],
    [
      '2,000 headers',
      `GET /api/v1/query?query=1 HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(2_000)}\r\n`,
      /^HTTP\/1.1 (431|200)/,
    ],
    ['a method nobody knows', 'EXPLODE /api/v1/query HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 400/],
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1.1 400/],
    [
      'two content lengths',
      'POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 9\r\n\r\nx',
      /^HTTP\/1.1 400/,
    ],
    [
      'a length and chunks at once',
      'POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    [
      'a chunk size that is none',
      'POST /api/v1/write HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      /^HTTP\/1.1 400/,
    ],
  ])(
    '%s',
    async (_name, text, want) => {
      expect(await raw(text)).toMatch(want);
      await stillGood();
    },
    30_000,
  );

  it('a body that stops in the middle', async () => {
    await raw('POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\nabc', 1_000);
    await stillGood();
  }, 30_000);
});

describe('a hostile target', () => {
  const answers: Record<string, { type?: string; body: string | Uint8Array; encoding?: string }> = {
    garbage: { body: Buffer.from('00ff10fe{{{\n\n}}}=\0', 'latin1') },
    truncated: { body: 'a_metric{label="x' },
    utf8: { body: Buffer.from([0x61, 0x7b, 0x62, 0x3d, 0x22, 0xff, 0xfe, 0x22, 0x7d, 0x20, 0x31, 0x0a]) },
    number: { body: 'a_metric one\n' },
    openmetrics: { type: 'application/openmetrics-text; version=1.0.0', body: 'a_metric 1\n' },
    protobuf: {
      type: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
      body: Buffer.from([0x7f, 1, 2, 3]),
    },
    html: { type: 'text/html', body: '<html><body>sign in</body></html>' },
    gzip: { body: 'no gzip', encoding: 'gzip' },
    bomb: { body: gzipSync(Buffer.alloc(200 * MEBIBYTE, 0x0a)), encoding: 'gzip' },
    labels: { body: `a_metric{${Array.from({ length: 5_000 }, (_, i) => `l${i}="x"`).join(',')}} 1\n` },
    duplicate: { body: 'a_metric{a="1",a="2"} 1\n' },
  };
  let target: Server;
  beforeAll(async () => {
    target = createServer((request, response) => {
      const answer = answers[request.url!.slice(1)]!;
      response.writeHead(200, {
        'content-type': answer.type ?? 'text/plain; version=0.0.4',
        ...(answer.encoding ? { 'content-encoding': answer.encoding } : {}),
      });
      response.end(answer.body);
    });
    await new Promise<void>((done) => target.listen(0, '127.0.0.1', done));
  });
  afterAll(() => void target?.close());

  it('is down for its own reason each, and harms nobody', async () => {
    const { port } = target.address() as AddressInfo;
    const names = Object.keys(answers);
    const scrape = `scrape_configs:\n${names.map((n) => `  - {job_name: ${n}, metrics_path: /${n}, scrape_interval: 2s, scrape_timeout: 2s, body_size_limit: 10MB, static_configs: [{targets: ['127.0.0.1:${port}']}]}\n`).join('')}`;
    const put = await vigie.fetch(CONFIG, { method: 'PUT', headers: JSON_TYPE, body: JSON.stringify({ scrape }) });
    expect(put.status, await put.text()).toBeLessThan(300);
    interface Target {
      readonly scrapePool: string;
      readonly health: string;
      readonly lastError: string;
    }
    const targets = await eventually('every hostile target scraped', async () => {
      const { data } = await vigie.json<{ data: { activeTargets: Target[] } }>('/api/v1/targets');
      const mine = data.activeTargets.filter((t) => names.includes(t.scrapePool));
      return mine.length === names.length && mine.every((t) => t.health !== 'unknown') ? mine : undefined;
    });
    for (const t of targets) {
      expect(t.health, `${t.scrapePool} ${t.lastError}`).toBe('down');
      expect(t.lastError.length, t.scrapePool).toBeGreaterThan(10);
    }
    expect(new Set(targets.map((t) => t.lastError)).size, 'each says its own').toBeGreaterThan(names.length / 2);
    await stillGood();
    await vigie.fetch(CONFIG, { method: 'PUT', headers: JSON_TYPE, body: JSON.stringify({ scrape: null }) });
  }, 60_000);
});

describe('after all of it', () => {
  it('memory is bounded, nothing was stored of it, and it stops in order', async () => {
    for (let i = 0; i < 20; i++)
      await vigie.fetch('/api/v1/write', { method: 'POST', headers: WRITE, body: bomb(64 * MEBIBYTE) as Body });
    console.info(`${Math.round(resident() / MEBIBYTE)} MiB resident at the end`);
    expect(resident()).toBeLessThan(RESIDENT_BYTES_MAX);
    const { data } = await vigie.json<{ data: { result: unknown[] } }>('/api/v1/query?query=count({__name__="m"})');
    expect(data.result).toEqual([]);
    expect(vigie.started.output()).not.toContain('"code":"internal"');
    expect(await vigie.stop()).toBe(0);
  }, 120_000);
});
