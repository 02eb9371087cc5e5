/** Remote read requests and answers over damaged copies of valid ones: a value or a VigieError, in bounded time. */
import { describe, expect, it } from 'vitest';
import { damaged, fuzz } from '../../../test/support/fuzz.ts';
import { Labels } from '../../model/labels.ts';
import { decodeReadRequest, decodeReadResponse, encodeReadRequest, encodeReadResponse } from './remote-read.ts';

// copied at once: the encoders share one buffer
const request = Uint8Array.from(
  encodeReadRequest([
    {
      startMs: 1_767_225_600_000,
      endMs: 1_767_229_200_000,
      matchers: [
        { name: '__name__', op: '=', value: 'up' },
        { name: 'job', op: '=~', value: 'a.*' },
      ],
    },
  ]),
);
const answer = Uint8Array.from(
  encodeReadResponse([
    [
      {
        labels: Labels.from({ __name__: 'up', job: 'a' }),
        length: 2,
        timestamps: Float64Array.of(1, 2),
        values: Float64Array.of(3, 4),
      },
    ],
  ]),
);

describe('remote read over damaged input', () => {
  it.each<[string, Uint8Array, (b: Uint8Array) => unknown]>([
    ['requests', request, decodeReadRequest],
    ['answers', answer, decodeReadResponse],
  ])('%s', (_name, valid, decode) => {
    decode(valid);
    const { accepted, refused } = fuzz(damaged([valid]), decode, 1_500);
    expect(refused).toBeGreaterThan(100);
    expect(accepted).toBeGreaterThan(20);
  });
});
