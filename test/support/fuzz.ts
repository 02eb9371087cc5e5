/** For fuzz tests of decoders: damaged copies of valid input, and the one rule they have to keep. */
import fc from 'fast-check';
import { expect } from 'vitest';

/** No input of a few kilobytes may keep a decoder busy longer, on a loaded machine. */
export const DECODE_MS_MAX = 2_000;

type Damage =
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number; readonly times: number }
  | { readonly kind: 'splice'; readonly at: number; readonly other: number; readonly from: number };

const damage = (words: readonly Uint8Array[]): fc.Arbitrary<Damage> =>
  fc.oneof(
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.nat(255) }),
    fc.record({
      kind: fc.constant('insert' as const),
      at: fc.nat(),
      bytes: fc.oneof(fc.uint8Array({ maxLength: 12 }), ...(words.length > 0 ? [fc.constantFrom(...words)] : [])),
    }),
    fc.record({ kind: fc.constant('remove' as const), at: fc.nat(), length: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      kind: fc.constant('repeat' as const),
      at: fc.nat(),
      length: fc.integer({ min: 1, max: 40 }),
      times: fc.integer({ min: 2, max: 60 }),
    }),
    fc.record({ kind: fc.constant('splice' as const), at: fc.nat(), other: fc.nat(), from: fc.nat() }),
  );

/** Valid inputs with one to four damages each, and now and then bytes of no origin. `words` are what the format is made of. */
export function damaged(
  valid: readonly (string | Uint8Array)[],
  words: readonly string[] = [],
): fc.Arbitrary<Uint8Array> {
  const seeds = valid.map((v) => Buffer.from(v as Uint8Array));
  const apply = (seed: Buffer, list: readonly Damage[]): Buffer => {
    let b = seed;
    for (const d of list) {
      const at = d.at % (b.length + 1);
      if (d.kind === 'cut') b = b.subarray(0, at);
      else if (d.kind === 'set') {
        b = Buffer.from(b);
        if (at < b.length) b[at] = d.byte;
      } else if (d.kind === 'insert') b = Buffer.concat([b.subarray(0, at), d.bytes, b.subarray(at)]);
      else if (d.kind === 'remove') b = Buffer.concat([b.subarray(0, at), b.subarray(at + d.length)]);
      else if (d.kind === 'repeat') {
        const piece = b.subarray(at, at + d.length);
        b = Buffer.concat([b.subarray(0, at), ...Array<Buffer>(d.times).fill(piece), b.subarray(at)]);
      } else {
        const other = seeds[d.other % seeds.length]!;
        b = Buffer.concat([b.subarray(0, at), other.subarray(d.from % (other.length + 1))]);
      }
    }
    return b;
  };
  return fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(
          fc.constantFrom(...seeds),
          fc.array(damage(words.map((w) => Buffer.from(w))), { minLength: 1, maxLength: 4 }),
        )
        .map(([seed, list]) => apply(seed, list)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
}

export interface FuzzResult {
  accepted: number;
  refused: number;
}

/** Runs `decode` over `inputs`: a value or a VigieError with words, in bounded time. Counts both, so that neither is rare. */
export function fuzz(
  inputs: fc.Arbitrary<Uint8Array>,
  decode: (bytes: Uint8Array) => unknown,
  numRuns: number,
): FuzzResult {
  const result: FuzzResult = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(inputs, (bytes) => {
      const startMs = performance.now();
      try {
        decode(bytes);
        result.accepted++;
      } catch (error) {
        expect(error).toMatchObject({
          name: 'VigieError',
          code: expect.stringMatching(/^(bad_|too_large|quota|unsupported)/),
        });
        expect((error as Error).message, 'in words of our own').not.toMatch(
          /call stack|\[object|Cannot read|is not a function|not iterable/,
        );
        result.refused++;
      }
      expect(performance.now() - startMs).toBeLessThan(DECODE_MS_MAX);
    }),
    { numRuns },
  );
  return result;
}
