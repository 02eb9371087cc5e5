/** The identity of an alert: FNV-1a 64 over its sorted labels, as Prometheus and Alertmanager print it. */
import type { Labels } from '../model/labels.ts';

/** Labels of up to this many UTF-8 bytes are hashed without an allocation. */
const SCRATCH_BYTES = 16_384;
const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);

/** 16 hexadecimal digits; equal to Alertmanager's `fingerprint` for equal labels. */
export function fingerprintOf(labels: Labels): string {
  let bytesMax = 0;
  for (const text of labels.flat) bytesMax += text.length * 3 + 1;
  const bytes = bytesMax <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(bytesMax);
  let length = 0;
  for (const text of labels.flat) {
    length += bytes.write(text, length);
    // no UTF-8 text holds this byte
    bytes[length++] = 0xff;
  }
  return fnv1a64(bytes, length);
}

/** Each alert that comes is hashed: integers of 32 bits take a tenth of what doubles or BigInts take. */
function fnv1a64(bytes: Uint8Array, length: number): string {
  let high = 0xcbf29ce4 | 0;
  let low = 0x84222325 | 0;
  for (let i = 0; i < length; i++) {
    const mixed = low ^ bytes[i]!;
    // times 0x100000001b3, which is 2^40 + 0x1b3; 16 bits at a time, for such a product never leaves 32 bits
    const lower = (mixed & 0xffff) * 0x1b3;
    const upper = (mixed >>> 16) * 0x1b3 + (lower >>> 16);
    high = (Math.imul(high, 0x1b3) + (upper >>> 16) + (mixed << 8)) | 0;
    low = ((upper & 0xffff) << 16) | (lower & 0xffff);
  }
  return hex(high) + hex(low);
}

const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
