/** encoding/json's Marshal over template values, HTML-safe as its default is. */
import { FunctionError } from './errors.ts';
import { formatFloat } from './float-text.ts';
import { timeJson } from './time-value.ts';
import { basicOf, GoMap, GoSlice, GoStruct, type GoValue, typeName } from './value.ts';

/** Longest text, in UTF-16 units; shared lists can unfold to any size. */
export const JSON_LENGTH_MAX = 10_000_000;
const DEPTH_MAX = 100;

/** The text. Throws FunctionError for values JSON cannot hold. */
export function toJson(value: GoValue): string {
  const out: string[] = [];
  let length = 0;
  const put = (text: string): void => {
    length += text.length;
    if (length > JSON_LENGTH_MAX) throw new FunctionError(`json: text of more than ${JSON_LENGTH_MAX} characters`);
    out.push(text);
  };
  write(value, put, 0);
  return out.join('');
}

function write(value: GoValue, put: (text: string) => void, depth: number): void {
  if (depth > DEPTH_MAX) throw new FunctionError('json: unsupported value: nested too deeply');
  const basic = basicOf(value);
  if (basic === undefined) put('null');
  else if (typeof basic === 'string') put(jsonString(basic));
  else if (typeof basic === 'boolean' || typeof basic === 'bigint') put(String(basic));
  else if (typeof basic === 'number') put(jsonNumber(basic));
  else if ((basic instanceof GoSlice || basic instanceof GoMap) && basic.isNil) put('null');
  else if (basic instanceof GoSlice) writeAll('[', ']', basic.items, put, (item) => write(item, put, depth + 1));
  else if (basic instanceof GoMap)
    writeAll('{', '}', basic.sorted(), put, ([key, item]) => {
      put(`${jsonString(String(key))}:`);
      write(item, put, depth + 1);
    });
  else if (basic instanceof GoStruct && basic.goType === 'time.Time') put(jsonString(timeJson(basic)));
  else if (basic instanceof GoStruct)
    writeAll('{', '}', [...basic.fields], put, ([name, item]) => {
      put(`${jsonString(basic.jsonNames[name] ?? name)}:`);
      write(item, put, depth + 1);
    });
  else throw new FunctionError(`json: unsupported type: ${typeName(value)}`);
}

function writeAll<T>(
  open: string,
  close: string,
  items: readonly T[],
  put: (text: string) => void,
  one: (item: T) => void,
): void {
  put(open);
  items.forEach((item, i) => {
    if (i > 0) put(',');
    one(item);
  });
  put(close);
}

/** Quoted, with `<`, `>`, `&` and the line separators escaped. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029\u007f]/g, (c) =>
    c === '\u007f' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function jsonNumber(v: number): string {
  if (!Number.isFinite(v)) throw new FunctionError(`json: unsupported value: ${formatFloat(v, 'g', -1)}`);
  const abs = Math.abs(v);
  if (abs !== 0 && (abs < 1e-6 || abs >= 1e21)) return formatFloat(v, 'e', -1).replace(/e-0(\d)$/, 'e-$1');
  return formatFloat(v, 'f', -1);
}
