// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the subject is text with such placeholders
import { describe, expect, it } from 'vitest';
import { displayName, linkOf, ownAddress } from './links.ts';

const page = { values: { job: { values: ['a&b', 'c'] } }, from: 'now-6h', to: 'now' };
const point = {
  name: 'web 1',
  labels: { instance: 'web-1:9100', 'k8s.pod': 'p' },
  value: 3.5,
  text: '3.5 s',
  timeMs: 1_700_000_000_000,
  row: { Host: 'x/y', Up: 1 },
};

describe('linkOf', () => {
  it.each([
    ['/d/abc/some-slug?var-host=${__field.labels.instance}', '/dashboards/abc?var-host=web-1%3A9100'],
    ['/x?h=${__data.fields["Host"]}&n=${__data.fields.Up}&f=${__data.fields[0]}', '/x?h=x%2Fy&n=1&f=x%2Fy'],
    ['/x?v=${__value.raw}&t=${__value.time}', '/x?v=3.5&t=1700000000000'],
    ['/x?${__url_time_range}&${job:queryparam}', '/x?from=now-6h&to=now&var-job=a%26b&var-job=c'],
    ['/x?$__all_variables', '/x?var-job=a%26b&var-job=c'],
    ['/x/${__series.name}', '/x/web%201'],
    ['/x?p=${__field.labels["k8s.pod"]}', '/x?p=p'],
    ['https://wiki.example/${__field.labels.gone}', 'https://wiki.example/'],
  ])('%s', (url, want) => expect(linkOf({ url, title: 't' }, page, point)?.href).toBe(want));

  it('names it, and refuses what is no address', () => {
    expect(linkOf({ url: '/x', title: 'See ${__field.name}: ${__value.text}' }, page, point)?.text).toBe(
      'See web 1: 3.5 s',
    );
    for (const url of ['javascript:alert(1)', '//evil.example', 'data:text/html,x', ''])
      expect(linkOf({ url, title: 'x' }, page, point)).toBeUndefined();
  });
  it('lets a value choose no other scheme', () =>
    expect(linkOf({ url: '${__value.raw}' }, page, { ...point, value: 'javascript:alert(1)' })).toBeUndefined());
});

describe('ownAddress', () => {
  it.each([
    ['/d/uid?var-a=1&var-a=2&orgId=1', '/dashboards/uid?var-a=1%1F2'],
    ['d/uid/slug', '/dashboards/uid'],
    ['/dashboards/x', '/dashboards/x'],
    ['https://grafana.example/d/uid', 'https://grafana.example/d/uid'],
  ])('%s', (href, want) => expect(ownAddress(href)).toBe(want));
});

it('names a field by its labels', () => {
  expect(displayName({ displayName: '${__field.labels.instance}' }, 'n', point.labels)).toBe('web-1:9100');
  expect(displayName({ displayName: '${__field.labels.gone}' }, 'n', point.labels)).toBe('n');
  expect(displayName({}, 'n', {})).toBe('n');
});
