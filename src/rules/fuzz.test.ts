/** Rule files over damaged copies of a valid one: groups or a VigieError with its line, in bounded time. */
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../test/support/fuzz.ts';
import { parse } from '../promql/parse.ts';
import { parseRuleFile } from './rule-file.ts';

const VALID = `groups:
  - name: api
    interval: 30s
    limit: 10
    rules: &rules
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total{code=~"5.."}[5m])) / 2
        labels: {team: a}
      - alert: Errors
        expr: |
          job:errors:rate5m > 0.1
            and on (job) up == 1
        for: 5m
        keep_firing_for: 10m
        labels: {severity: page}
        annotations: {summary: '{{ $labels.job }} fails {{ $value | humanize }}'}
  - {name: again, rules: *rules}
`;
const WORDS = [
  '&a ',
  '*a',
  '*rules',
  '{',
  '}',
  '[',
  ']',
  ':',
  ' ',
  '\n',
  '- ',
  '"',
  "'",
  '|',
  '!!binary ',
  '? ',
  '---\n',
  '\t',
  '(',
  ')',
  '[5m:',
  'sum(',
  ' offset ',
  ' @ ',
  '1e999',
  '~',
];

describe('rule files over damaged input', () => {
  it('load or say why', () => {
    const load = (b: Uint8Array) => parseRuleFile('r.yml', Buffer.from(b).toString('utf8'), { parse });
    load(Buffer.from(VALID));
    const { accepted, refused } = fuzz(damaged([VALID], WORDS), load, 600);
    expect(refused).toBeGreaterThan(120);
    expect(accepted).toBeGreaterThan(0);
  });
});
