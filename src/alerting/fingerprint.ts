/** The identity of an alert: FNV-1a 64 over its sorted labels, as Prometheus and Alertmanager print it. */
import type { Labels } from '../model/labels.ts';

const encoder = new TextEncoder();

/** 16 hexadecimal digits; equal to Alertmanager's `fingerprint` for equal labels. */
export function fingerprintOf(labels: Labels): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  const mix = (byte: number): void => {
    low = (low ^ byte) >>> 0;
    // times 0x100000001b3: 2^40 + 0x1b3, in two halves that stay exact in a double
    const product = low * 0x1b3;
    high = (high * 0x1b3 + Math.floor(product / 0x1_0000_0000) + (low << 8)) >>> 0;
    low = product >>> 0;
  };
  for (const text of labels.flat) {
    let i = 0;
    for (; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      mix(code);
    }
    if (i < text.length) for (const byte of encoder.encode(text.slice(i))) mix(byte);
    mix(0xff);
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
