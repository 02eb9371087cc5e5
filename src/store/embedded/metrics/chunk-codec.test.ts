import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES_MAX, decodeChunk, encodeChunk } from './chunk-codec.ts';

function roundTrip(offsets: number[], bitsIn: Uint32Array): number {
  const n = offsets.length;
  const values = new Float64Array(bitsIn.buffer, 0, n);
  const out = new Uint8Array(CHUNK_BYTES_MAX);
  const end = encodeChunk(Int32Array.from(offsets), values, bitsIn, n, out, 0);
  const ts = new Float64Array(n + 3);
  const got = new Float64Array(n + 3);
  const gotBits = new Uint32Array(got.buffer);
  expect(decodeChunk(out, 0, end, 1_700_000_000_000, ts, got, gotBits, 3)).toBe(n);
  expect([...ts.subarray(3)]).toEqual(offsets.map((o) => o + 1_700_000_000_000));
  expect([...gotBits.subarray(6)]).toEqual([...bitsIn.subarray(0, 2 * n)]);
  return end;
}

const bitsOf = (values: number[]): Uint32Array => new Uint32Array(Float64Array.from(values).buffer);
const regular = (n: number): number[] => Array.from({ length: n }, (_, i) => i * 15_000);

describe('chunk codec', () => {
  it.each([
    ['constant', Array(120).fill(42), 20],
    ['counter', Array.from({ length: 120 }, (_, i) => 1e6 + i * 3 + (i % 4)), 70],
    ['counter with reset', Array.from({ length: 120 }, (_, i) => (i < 60 ? 1e6 + i * 7 : i * 7)), 40],
    ['two decimals', Array.from({ length: 120 }, (_, i) => Math.round(50 + 40 * Math.sin(i)) / 100), 130],
    ['large', Array.from({ length: 120 }, (_, i) => 2 ** 49 + i), 45],
    ['thirds', Array.from({ length: 120 }, (_, i) => (i + 1) / 3), 1_000],
  ])('%s stays exact and small', (_, values, bytesMax) => {
    expect(roundTrip(regular(120), bitsOf(values))).toBeLessThanOrEqual(bytesMax);
  });

  it('chooses the widths that sorting every chunk chose (hash of what was written before it was left out)', () => {
    let seed = 1;
    const random = (below: number): number =>
      Math.floor((((seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 8) / 2 ** 24) * below);
    const bell = (reach: number): number =>
      random(reach) + random(reach) + random(reach) - random(reach) - random(reach);
    const shapes: ((x: number, reach: number) => number)[] = [
      (x, reach) => x + random(reach),
      (_, reach) => bell(reach) / 100,
      (x, reach) => x + bell(reach),
      (_, reach) => 2 ** random(20) + random(reach),
      (x, reach) => x + (random(20) === 0 ? reach * 1_000 : random(10)),
      (_, reach) => (random(2) === 0 ? 0 : random(reach)),
    ];
    const hash = createHash('sha256');
    const out = new Uint8Array(CHUNK_BYTES_MAX);
    let bytes = 0;
    for (let c = 0; c < 1_200; c++) {
      const reach = 10 ** (1 + random(5));
      let x = random(1_000_000);
      const values = Array.from({ length: 120 }, () => (x = shapes[c % shapes.length]!(x, reach)));
      const offsets = regular(120).map((o, i) => (i > 0 && c % 2 === 0 ? o + bell(40) : o));
      const bits = bitsOf(values);
      const end = encodeChunk(Int32Array.from(offsets), new Float64Array(bits.buffer), bits, 120, out, 0);
      hash.update(out.subarray(0, end));
      bytes += end;
    }
    expect(`${bytes} bytes, ${hash.digest('hex').slice(0, 32)}`).toBe('298303 bytes, 82c24a8da85d31a313098d19cd8b1c19');
  });

  it('keeps -0, infinities and every NaN bit by bit', () => {
    const bits = bitsOf([1, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5, 6, 7, 1e300, 5e-324, 8]);
    const wide = new Uint32Array(24);
    wide.set(bits);
    wide[22] = 2;
    wide[23] = 0x7ff00000;
    roundTrip(regular(12), wide);
  });

  it('round-trips any bits at any increasing times', () => {
    const value = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: -1000, max: 1e9 }).map((v) => v / 10) },
      { weight: 2, arbitrary: fc.integer() },
      { weight: 2, arbitrary: fc.double() },
      { weight: 1, arbitrary: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }) },
      { weight: 1, arbitrary: fc.constant(-0) },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, fc.integer({ min: 1, max: 1_000_000 })), { minLength: 1, maxLength: 120 }),
        fc.integer({ min: 0, max: 5 }),
        (rows, stales) => {
          let t = 0;
          const offsets = rows.map((r, i) => (i === 0 ? 0 : (t += r[1])));
          const bits = bitsOf(rows.map((r) => r[0]));
          for (let i = 0; i < stales; i++) {
            const at = (i * 31) % rows.length;
            bits[2 * at] = 2;
            bits[2 * at + 1] = 0x7ff00000;
          }
          roundTrip(offsets, bits);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('never fails otherwise than with `corrupt` on damaged bytes', () => {
    const ts = new Float64Array(120);
    const values = new Float64Array(120);
    const bits = new Uint32Array(values.buffer);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(decodeChunk(bytes, 0, bytes.length, 0, ts, values, bits, 0)).toBeLessThanOrEqual(120);
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' });
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
