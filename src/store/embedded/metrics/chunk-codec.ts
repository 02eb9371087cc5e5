/**
 * Chunks of up to 120 float samples, as docs/formats/chunk.md describes them byte by byte. Whole numbers (the values
 * times a power of ten, the time steps) are stored as frame of reference with one bit width and patched exceptions;
 * values that are no short decimals as XOR with their predecessor. NaN payloads and -0 survive bit by bit. Checksums
 * are the container's business (WAL record, block).
 */
import { VigieError } from '../../../lib/errors.ts';
import { BitReader, BitWriter, getVarint, putVarint, varintEnd } from './bits.ts';

export const CHUNK_SAMPLES_MAX = 120;
/** No encoding of 120 samples is longer: two sections of at most 7 bytes a field, exceptions of 9, headers. */
export const CHUNK_BYTES_MAX = 4_096;

const MODE_LEVEL = 0;
const MODE_DELTA = 1;
const MODE_XOR = 2;
/** Scaled values stay below this, so that their differences are exact doubles and fit the bit packer. */
const SCALED_MAX = 2 ** 50;
const EXPONENT_MAX = 12;
/** More values than this that are no short decimals, and the chunk is XOR. */
const EXCEPTIONS_MAX = 12;
const POW10 = Array.from({ length: EXPONENT_MAX + 1 }, (_, i) => 10 ** i);

const N = CHUNK_SAMPLES_MAX;
const steps = new Float64Array(N);
const scaled = new Float64Array(N);
const deltas = new Float64Array(N);
const sorted = new Float64Array(N);
const exceptionAt = new Uint8Array(N);
const writer = new BitWriter();
const reader = new BitReader();

const widthOf = (v: number): number =>
  v < 1 ? 0 : v < 4294967296 ? 32 - Math.clz32(v) : 64 - Math.clz32(v / 4294967296);
const zigzag = (v: number): number => (v < 0 ? -2 * v - 1 : 2 * v);
const unzigzag = (v: number): number => (v % 2 === 1 ? -(v + 1) / 2 : v / 2);

/** Bins over the range of values in which `narrowerMayPay` counts. */
const BINS = 64;
const bins = new Uint8Array(BINS);

let bestBase = 0;
let bestWidth = 0;

/** Chooses base and width for `v[from, n)`; answers the bytes it will take. */
function plan(v: Float64Array, from: number, n: number): number {
  const count = n - from;
  if (count <= 0) {
    bestBase = 0;
    bestWidth = 0;
    return 0;
  }
  let min = v[from]!;
  let max = min;
  for (let i = from + 1; i < n; i++) {
    const x = v[i]!;
    if (x < min) min = x;
    else if (x > max) max = x;
  }
  bestBase = min;
  bestWidth = widthOf(max - min);
  let best = (bestWidth * count) / 8;
  const exceptionBytes = 2 + Math.ceil(widthOf(max - min) / 7);
  if (best > 8 && narrowerMayPay(v, from, n, max - min, exceptionBytes, best)) {
    const s = sorted.subarray(0, count);
    for (let i = 0; i < count; i++) s[i] = v[from + i]!;
    s.sort();
    // the narrower the fields the more exceptions: once those alone cost more than the best plan, no narrower one is better
    for (let width = bestWidth - 1; width >= 0; width--) {
      const reach = 2 ** width;
      let most = 0;
      let mostLow = 0;
      for (let low = 0, high = 0; high < count; high++) {
        while (s[high]! - s[low]! >= reach) low++;
        if (high - low + 1 > most) {
          most = high - low + 1;
          mostLow = low;
        }
      }
      const exceptions = (count - most) * exceptionBytes;
      if (exceptions > best) break;
      const cost = (width * count) / 8 + exceptions;
      if (cost <= best) {
        best = cost;
        bestBase = s[mostLow]!;
        bestWidth = width;
      }
    }
  }
  return best;
}

/**
 * False when no narrower width can cost less than `best`: sorting, which finds out, takes longer than everything else in
 * a chunk. By counting in bins, of which a span of values touches one more than its length at each end.
 */
function narrowerMayPay(
  v: Float64Array,
  from: number,
  n: number,
  range: number,
  exceptionBytes: number,
  best: number,
): boolean {
  const count = n - from;
  const min = bestBase;
  const perBin = BINS / (range + 1);
  bins.fill(0);
  for (let i = from; i < n; i++) {
    const bin = ((v[i]! - min) * perBin) | 0;
    bins[bin < BINS ? bin : BINS - 1]!++;
  }
  for (let width = bestWidth - 1; width >= 0; width--) {
    const span = Math.floor(2 ** width * perBin) + 2;
    if (span >= BINS) return true;
    let inside = 0;
    let most = 0;
    for (let b = 0; b < BINS; b++) {
      inside += bins[b]!;
      if (b >= span) inside -= bins[b - span]!;
      if (inside > most) most = inside;
    }
    const exceptions = (count - most) * exceptionBytes;
    if (exceptions > best) return false;
    if ((width * count) / 8 + exceptions <= best) return true;
  }
  return false;
}

/** Writes `v[from, n)` with the plan made last: base, width, exceptions, packed fields. */
function putInts(v: Float64Array, from: number, n: number, out: Uint8Array, at: number): number {
  const base = bestBase;
  const width = bestWidth;
  const reach = 2 ** width;
  at = putVarint(out, at, zigzag(base));
  out[at++] = width;
  const countAt = at++;
  let exceptions = 0;
  for (let i = from; i < n; i++) {
    const d = v[i]! - base;
    if (d < 0 || d >= reach) {
      out[at++] = i;
      at = putVarint(out, at, zigzag(d));
      exceptions++;
    }
  }
  out[countAt] = exceptions;
  if (width === 0) return at;
  writer.start(out, at);
  for (let i = from; i < n; i++) {
    const d = v[i]! - base;
    writer.put(d < 0 || d >= reach ? 0 : d, width);
  }
  return writer.end();
}

function getInts(v: Float64Array, from: number, n: number, b: Uint8Array, at: number, end: number): number {
  const base = unzigzag(getVarint(b, at, end));
  at = varintEnd;
  if (at + 2 > end) throw new VigieError('corrupt', 'a chunk ends within its header');
  const width = b[at++]!;
  if (width > 53) throw new VigieError('corrupt', `a chunk has the bit width ${width}`);
  const exceptions = b[at++]!;
  const first = at;
  for (let i = 0; i < exceptions; i++) {
    getVarint(b, at + 1, end);
    at = varintEnd;
  }
  if (width === 0) v.fill(base, from, n);
  else {
    reader.start(b, at, end);
    for (let i = from; i < n; i++) v[i] = base + reader.get(width);
  }
  const next = width === 0 ? at : reader.end();
  at = first;
  for (let i = 0; i < exceptions; i++) {
    const where = b[at]!;
    if (where < from || where >= n) throw new VigieError('corrupt', 'an exception of a chunk points outside it');
    v[where] = base + unzigzag(getVarint(b, at + 1, end));
    at = varintEnd;
  }
  return next;
}

/**
 * Encodes `n` samples: times `firstMs + offsets[i]` (offsets[0] = 0, increasing), values by their bits
 * (`bits[2i]` low, `bits[2i + 1]` high; `values` is the same memory). Answers the index after the last byte written.
 */
export function encodeChunk(
  offsets: Int32Array | Float64Array,
  values: Float64Array,
  bits: Uint32Array,
  n: number,
  out: Uint8Array,
  at: number,
): number {
  out[at++] = n;
  const modeAt = at++;
  for (let i = 1; i < n; i++) steps[i] = offsets[i]! - offsets[i - 1]!;
  plan(steps, 1, n);
  at = putInts(steps, 1, n, out, at);
  const exponent = scale(values, bits, n);
  if (exponent < 0) {
    out[modeAt] = MODE_XOR;
    return putXor(bits, n, out, at);
  }
  let mode = MODE_LEVEL;
  deltas[0] = scaled[0]!;
  for (let i = 1; i < n; i++) deltas[i] = scaled[i]! - scaled[i - 1]!;
  const deltaCost = plan(deltas, 1, n) + 4;
  const deltaBase = bestBase;
  const deltaWidth = bestWidth;
  if (plan(scaled, 0, n) > deltaCost) {
    mode = MODE_DELTA;
    bestBase = deltaBase;
    bestWidth = deltaWidth;
  }
  out[modeAt] = mode | (exponent << 4);
  if (mode === MODE_DELTA) {
    at = putVarint(out, at, zigzag(scaled[0]!));
    at = putInts(deltas, 1, n, out, at);
  } else at = putInts(scaled, 0, n, out, at);
  out[at++] = exceptionCount;
  for (let e = 0; e < exceptionCount; e++) {
    const i = exceptionAt[e]!;
    out[at++] = i;
    at = put32(out, put32(out, at, bits[2 * i]!), bits[2 * i + 1]!);
  }
  return at;
}

let exceptionCount = 0;

/** Fills `scaled` and the exceptions; answers the exponent, or -1 when XOR is the better choice. */
function scale(values: Float64Array, bits: Uint32Array, n: number): number {
  let exponent = 0;
  let factor = 1;
  exceptionCount = 0;
  for (let i = 0; i < n; i++) {
    const v = values[i]!;
    let e = exponent;
    let f = factor;
    let ok = false;
    while (!Number.isNaN(v)) {
      const m = Math.round(v * f);
      if (m > SCALED_MAX || m < -SCALED_MAX) break;
      if (m / f === v) {
        ok = m !== 0 || bits[2 * i + 1]! === 0;
        break;
      }
      if (++e > EXPONENT_MAX) break;
      f = POW10[e]!;
    }
    if (ok) {
      exponent = e;
      factor = f;
    } else {
      if (exceptionCount >= EXCEPTIONS_MAX && exceptionCount * 4 > i) return -1;
      exceptionAt[exceptionCount++] = i;
    }
  }
  if (exceptionCount * 2 > n && n > 2) return -1;
  let next = 0;
  let previous = 0;
  for (let i = 0; i < n; i++) {
    if (next < exceptionCount && exceptionAt[next] === i) next++;
    else {
      previous = Math.round(values[i]! * factor);
      // a larger exponent found later may round where the smaller did not, or leave the exact range
      if (previous / factor !== values[i]! || previous > SCALED_MAX || previous < -SCALED_MAX) return -1;
    }
    scaled[i] = previous;
  }
  return exponent;
}

function put32(out: Uint8Array, at: number, v: number): number {
  out[at] = v;
  out[at + 1] = v >>> 8;
  out[at + 2] = v >>> 16;
  out[at + 3] = v >>> 24;
  return at + 4;
}

const get32 = (b: Uint8Array, at: number): number =>
  (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;

/** First value, then per value a bit "changed" and the bits between the zeros that all differences share. */
function putXor(bits: Uint32Array, n: number, out: Uint8Array, at: number): number {
  let low = 0;
  let high = 0;
  for (let i = 1; i < n; i++) {
    low |= bits[2 * i]! ^ bits[2 * i - 2]!;
    high |= bits[2 * i + 1]! ^ bits[2 * i - 1]!;
  }
  at = put32(out, put32(out, at, bits[0]!), bits[1]!);
  const trailLow = low === 0 ? 32 : 31 - Math.clz32(low & -low);
  const trailHigh = high === 0 ? 32 : 31 - Math.clz32(high & -high);
  const widthLow = low === 0 ? 0 : 32 - Math.clz32(low) - trailLow;
  const widthHigh = high === 0 ? 0 : 32 - Math.clz32(high) - trailHigh;
  out[at++] = low === 0 ? 0 : trailLow;
  out[at++] = widthLow;
  out[at++] = high === 0 ? 0 : trailHigh;
  out[at++] = widthHigh;
  writer.start(out, at);
  for (let i = 1; i < n; i++) {
    const l = (bits[2 * i]! ^ bits[2 * i - 2]!) >>> 0;
    const h = (bits[2 * i + 1]! ^ bits[2 * i - 1]!) >>> 0;
    if (l === 0 && h === 0) writer.put(0, 1);
    else {
      writer.put(1, 1);
      if (widthLow > 0) writer.put(l >>> trailLow, widthLow);
      if (widthHigh > 0) writer.put(h >>> trailHigh, widthHigh);
    }
  }
  return writer.end();
}

/**
 * Decodes a chunk into `ts[to..]` (ms) and `values[to..]`; `bits` is `values`' memory. Answers the number of samples.
 * Throws `corrupt`; what was written is then meaningless.
 */
export function decodeChunk(
  b: Uint8Array,
  at: number,
  end: number,
  firstMs: number,
  ts: Float64Array,
  values: Float64Array,
  bits: Uint32Array,
  to: number,
): number {
  if (at + 2 > end) throw new VigieError('corrupt', 'a chunk ends within its header');
  const n = b[at++]!;
  const mode = b[at]! & 15;
  const exponent = b[at++]! >> 4;
  if (n === 0 || n > N || mode > MODE_XOR || exponent > EXPONENT_MAX)
    throw new VigieError('corrupt', `a chunk header is invalid: ${n} samples, mode ${mode}, exponent ${exponent}`);
  at = getInts(steps, 1, n, b, at, end);
  let t = firstMs;
  ts[to] = t;
  for (let i = 1; i < n; i++) {
    t += steps[i]!;
    ts[to + i] = t;
  }
  if (mode === MODE_XOR) {
    getXor(bits, to, n, b, at, end);
    return n;
  }
  const factor = POW10[exponent]!;
  if (mode === MODE_DELTA) {
    let m = unzigzag(getVarint(b, at, end));
    at = getInts(deltas, 1, n, b, varintEnd, end);
    values[to] = m / factor;
    for (let i = 1; i < n; i++) {
      m += deltas[i]!;
      values[to + i] = m / factor;
    }
  } else {
    at = getInts(scaled, 0, n, b, at, end);
    for (let i = 0; i < n; i++) values[to + i] = scaled[i]! / factor;
  }
  if (at >= end) throw new VigieError('corrupt', 'a chunk ends before its exceptions');
  const exceptions = b[at++]!;
  if (at + exceptions * 9 > end) throw new VigieError('corrupt', 'a chunk ends within its exceptions');
  for (let e = 0; e < exceptions; e++, at += 9) {
    const i = b[at]!;
    if (i >= n) throw new VigieError('corrupt', 'an exception of a chunk points outside it');
    bits[2 * (to + i)] = get32(b, at + 1);
    bits[2 * (to + i) + 1] = get32(b, at + 5);
  }
  return n;
}

function getXor(bits: Uint32Array, to: number, n: number, b: Uint8Array, at: number, end: number): void {
  if (at + 12 > end) throw new VigieError('corrupt', 'a chunk ends within its header');
  let low = get32(b, at);
  let high = get32(b, at + 4);
  const trailLow = b[at + 8]!;
  const widthLow = b[at + 9]!;
  const trailHigh = b[at + 10]!;
  const widthHigh = b[at + 11]!;
  if (trailLow + widthLow > 32 || trailHigh + widthHigh > 32)
    throw new VigieError('corrupt', 'a chunk has invalid bit widths');
  reader.start(b, at + 12, end);
  bits[2 * to] = low;
  bits[2 * to + 1] = high;
  for (let i = 1; i < n; i++) {
    if (reader.get(1) === 1) {
      if (widthLow > 0) low ^= reader.get(widthLow) << trailLow;
      if (widthHigh > 0) high ^= reader.get(widthHigh) << trailHigh;
    }
    bits[2 * (to + i)] = low;
    bits[2 * (to + i) + 1] = high;
  }
}
