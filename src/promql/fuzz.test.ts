/** PromQL over damaged copies of valid queries: a tree that prints and parses again, or a VigieError, in bounded time. */
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../test/support/fuzz.ts';
import { parse } from './parse.ts';
import { print } from './print.ts';

const VALID = [
  'sum by (job) (rate(errors_total{code=~"5..",a!="b"}[5m] offset -1h)) / on (job) group_left (x) up == bool 1',
  'histogram_quantile(0.9, sum without (pod) (rate(latency_bucket[1m:10s] @ end()))) unless -foo ^ 2 % .5e3',
  'label_replace({"odd name", x=""}, "a", "$1", "b", `(.*)`) or absent(up) # comment\n and topk(3, vector(NaN))',
];
const WORDS = [
  '(',
  ')',
  '{',
  '}',
  '[5m]',
  '[5m:]',
  '"',
  '`',
  "'",
  '\\',
  ' offset ',
  ' @ ',
  ' by (',
  'sum',
  '=~',
  '!~',
  '1e999',
  '0x',
  '#',
  '\0',
  '\ud83d\ude00',
  ' bool ',
  ' and ',
  ',',
];

describe('PromQL over damaged input', () => {
  it('parses or says where not', () => {
    const read = (b: Uint8Array): void => {
      const printed = print(parse(Buffer.from(b).toString('utf8')));
      // what was understood means the same when it is written down
      if (print(parse(printed)) !== printed) throw new Error(`printed as ${printed}`);
    };
    for (const v of VALID) read(Buffer.from(v));
    const { accepted, refused } = fuzz(damaged(VALID, WORDS), read, 1_500);
    expect(refused).toBeGreaterThan(200);
    expect(accepted).toBeGreaterThan(50);
  });
});
