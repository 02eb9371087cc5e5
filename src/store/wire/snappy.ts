/**
 * Snappy compression, block format: literals and copies of at most 64 KiB back, found with a small hash table. Output
 * is valid for every decoder; the ratio is that of the reference within a few per cent.
 */
const TABLE_BITS = 14;
const table = new Int32Array(1 << TABLE_BITS);
const OFFSET_MAX = 65_535;

export function snappyCompress(b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(32 + b.length + Math.floor(b.length / 6));
  let to = 0;
  for (let n = b.length; ; n = Math.floor(n / 128)) {
    out[to++] = n > 127 ? (n % 128) | 128 : n;
    if (n <= 127) break;
  }
  const literal = (from: number, end: number): void => {
    const n = end - from - 1;
    if (n < 0) return;
    if (n < 60) out[to++] = n << 2;
    else if (n < 256) {
      out[to++] = 60 << 2;
      out[to++] = n;
    } else if (n < 65_536) {
      out[to++] = 61 << 2;
      out[to++] = n & 255;
      out[to++] = n >> 8;
    } else {
      out[to++] = 63 << 2;
      for (let s = 0; s < 32; s += 8) out[to++] = (n >>> s) & 255;
    }
    out.set(b.subarray(from, end), to);
    to += end - from;
  };
  table.fill(-1);
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  let start = 0;
  let at = 0;
  let misses = 0;
  while (at + 4 <= b.length) {
    const word = view.getInt32(at, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - TABLE_BITS);
    const candidate = table[slot]!;
    table[slot] = at;
    if (candidate < 0 || at - candidate > OFFSET_MAX || view.getInt32(candidate, true) !== word) {
      // bytes that do not compress are passed over faster and faster
      at += 1 + (misses++ >> 5);
      continue;
    }
    misses = 0;
    literal(start, at);
    let end = at + 4;
    while (end < b.length && b[end] === b[candidate + end - at]) end++;
    const offset = at - candidate;
    for (let left = end - at; left > 0; ) {
      const n = left > 64 ? (left - 64 < 4 ? 60 : 64) : left;
      if (n >= 4 && n <= 11 && offset < 2048) {
        out[to++] = 1 | ((n - 4) << 2) | ((offset >> 8) << 5);
        out[to++] = offset & 255;
      } else {
        out[to++] = 2 | ((n - 1) << 2);
        out[to++] = offset & 255;
        out[to++] = offset >> 8;
      }
      left -= n;
    }
    at = end;
    start = end;
  }
  literal(start, b.length);
  return out.slice(0, to);
}
