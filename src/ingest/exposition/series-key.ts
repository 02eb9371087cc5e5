/**
 * Labels out of the raw bytes of a series as the text formats write it: `name{a="b"}`, `{"name with.dots", a="b"}`.
 * Only called when a series is new; speed does not matter here, exactness does.
 */
import { VigieError } from '../../lib/errors.ts';
import { Labels, METRIC_NAME } from '../../model/labels.ts';
import type { MetricType } from '../../model/sample.ts';
import { formatBound, numberOk, parseNumber } from './number.ts';

/** A series with more labels is refused before anything is built of it. */
export const LABELS_PER_SERIES_MAX = 1_000;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strict UTF-8; throws `bad_data` naming `what`. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new VigieError('bad_data', `${what} is not valid UTF-8`, { cause });
  }
}

const isNameByte = (c: number): boolean =>
  (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c === 58 || (c >= 48 && c <= 57);

/** `\\`, `\"` and `\n` are escapes; any other backslash stays as it is, as in Prometheus. */
export function unescapeLabelValue(text: string): string {
  return text.includes('\\') ? text.replace(/\\(["\\n])/g, (_, c: string) => (c === 'n' ? '\n' : c)) : text;
}

/** Labels of `b[start, end)`. `type` decides whether `le` or `quantile` is written in its canonical form. */
export function parseSeriesKey(b: Uint8Array, start: number, end: number, type: MetricType): Labels {
  const map = new Map<string, string>();
  let i = start;
  let nameEnd = i;
  while (nameEnd < end && isNameByte(b[nameEnd]!)) nameEnd++;
  if (nameEnd > i) map.set(METRIC_NAME, Buffer.from(b.buffer, b.byteOffset + i, nameEnd - i).toString('latin1'));
  i = nameEnd;
  const space = (): void => {
    while (i < end && (b[i] === 32 || b[i] === 9)) i++;
  };
  const quoted = (what: string): string => {
    const from = ++i;
    while (i < end && b[i] !== 34) i += b[i] === 92 ? 2 : 1;
    return unescapeLabelValue(decodeUtf8(b.subarray(from, i++), what));
  };
  space();
  if (i < end && b[i] === 123) {
    i++;
    for (let count = 0; ; count++) {
      space();
      if (i >= end || b[i] === 125) break;
      if (count >= LABELS_PER_SERIES_MAX)
        throw new VigieError('bad_data', `a series has more than ${LABELS_PER_SERIES_MAX} labels`);
      let name: string;
      if (b[i] === 34) name = quoted('a label name');
      else {
        const from = i;
        while (i < end && isNameByte(b[i]!)) i++;
        name = Buffer.from(b.buffer, b.byteOffset + from, i - from).toString('latin1');
      }
      space();
      if (b[i] === 61) {
        i++;
        space();
        set(map, name, quoted(`the value of label ${JSON.stringify(name)}`));
      } else set(map, METRIC_NAME, name);
      space();
      if (b[i] === 44) i++;
    }
  }
  const bound = type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : undefined;
  const boundText = bound ? map.get(bound) : undefined;
  if (bound && boundText !== undefined) {
    const bytes = Buffer.from(boundText);
    const v = parseNumber(bytes, 0, bytes.length);
    if (numberOk) map.set(bound, formatBound(v));
  }
  return Labels.fromPairs(map);
}

function set(map: Map<string, string>, name: string, value: string): void {
  if (name === '') throw new VigieError('bad_data', 'a label name is empty');
  if (map.has(name)) throw new VigieError('bad_data', `label ${JSON.stringify(name)} occurs twice in one series`);
  map.set(name, value);
}
