/** xxHash64 (seed 0) over Prometheus' layout of a label set; `limit_ratio` chooses series by it. */
import type { Labels } from '../model/labels.ts';

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const rotl = (x: bigint, r: bigint): bigint => u64((x << r) | (x >> (64n - r)));
const round = (acc: bigint, lane: bigint): bigint => u64(rotl(u64(acc + u64(lane * P2)), 31n) * P1);

export function xxhash64(data: Buffer): bigint {
  let i = 0;
  let h: bigint;
  if (data.length >= 32) {
    let v1 = u64(P1 + P2);
    let v2 = P2;
    let v3 = 0n;
    let v4 = u64(-P1);
    for (; i + 32 <= data.length; i += 32) {
      v1 = round(v1, data.readBigUInt64LE(i));
      v2 = round(v2, data.readBigUInt64LE(i + 8));
      v3 = round(v3, data.readBigUInt64LE(i + 16));
      v4 = round(v4, data.readBigUInt64LE(i + 24));
    }
    h = u64(rotl(v1, 1n) + rotl(v2, 7n) + rotl(v3, 12n) + rotl(v4, 18n));
    for (const v of [v1, v2, v3, v4]) h = u64((h ^ round(0n, v)) * P1 + P4);
  } else h = P5;
  h = u64(h + BigInt(data.length));
  for (; i + 8 <= data.length; i += 8) h = u64(rotl(h ^ round(0n, data.readBigUInt64LE(i)), 27n) * P1 + P4);
  if (i + 4 <= data.length) {
    h = u64(rotl(h ^ u64(BigInt(data.readUInt32LE(i)) * P1), 23n) * P2 + P3);
    i += 4;
  }
  for (; i < data.length; i++) h = u64(rotl(h ^ u64(BigInt(data[i]!) * P5), 11n) * P1);
  h = u64((h ^ (h >> 33n)) * P2);
  h = u64((h ^ (h >> 29n)) * P3);
  return h ^ (h >> 32n);
}

/** Each string is preceded by its byte length: one byte below 255, else 255 and three bytes, low first. */
export function labelsHash(labels: Labels): bigint {
  const parts: Buffer[] = [];
  for (const text of labels.flat) {
    const bytes = Buffer.from(text, 'utf8');
    const n = bytes.length;
    parts.push(n < 255 ? Buffer.from([n]) : Buffer.from([255, n & 255, (n >> 8) & 255, (n >> 16) & 255]), bytes);
  }
  return xxhash64(Buffer.concat(parts));
}
