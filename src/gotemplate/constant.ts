/** Number and character constants of templates, with Go's syntax: 0x1F, 0b101, 0o17, 1_000, 1e3, 0x1p-2, 'a'. */
import type { NumberNode } from './ast.ts';
import { quoteGo, unquoteGo } from './quote.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

/** The constant, or what Go says against it. */
export function parseConstant(source: string, isChar: boolean, at: number): NumberNode | string {
  if (isChar) {
    const text = unquoteGo(source);
    if (text === undefined || text === '') return 'invalid syntax';
    if ([...text].length !== 1) return `malformed character constant: ${source}`;
    const code = BigInt(text.codePointAt(0)!);
    return { kind: 'number', at, source, int: code, float: Number(code), ideal: code };
  }
  const illegal = `illegal number syntax: ${quoteGo(source)}`;
  // complex numbers have no use here and no value to stand for them
  if (source.endsWith('i')) return illegal;
  const whole = parseInteger(source);
  if (whole !== undefined) {
    const int = whole >= INT_MIN && whole <= INT_MAX ? whole : undefined;
    if (int === undefined && (whole < 0n || whole > UINT_MAX)) return `integer overflow: ${quoteGo(source)}`;
    return { kind: 'number', at, source, int, float: Number(whole), ideal: int };
  }
  const float = parseFloating(source);
  if (float === undefined || !Number.isFinite(float)) return illegal;
  // an integer that is none: 08
  if (!/[.eEpP]/.test(source)) return `integer overflow: ${quoteGo(source)}`;
  const int = Number.isInteger(float) && Math.abs(float) < 2 ** 63 ? BigInt(float) : undefined;
  return { kind: 'number', at, source, int, float, ideal: float };
}

/** strconv.ParseInt with base 0, without its range check. */
export function parseInteger(source: string): bigint | undefined {
  const m = /^([+-]?)(?:0[xX]((?:_?[0-9a-fA-F])+)|0[bB]((?:_?[01])+)|0[oO]?((?:_?[0-7])+)|(0|[1-9](?:_?[0-9])*))$/.exec(
    source,
  );
  if (!m) return undefined;
  const clean = (digits: string): string => digits.replaceAll('_', '');
  const [, sign, hex, binary, octal, decimal] = m;
  const magnitude =
    hex !== undefined
      ? BigInt(`0x${clean(hex)}`)
      : binary !== undefined
        ? BigInt(`0b${clean(binary)}`)
        : octal !== undefined
          ? BigInt(`0o${clean(octal)}`)
          : BigInt(clean(decimal!));
  return sign === '-' ? -magnitude : magnitude;
}

/** strconv.ParseFloat of a literal; undefined when malformed. Underscores only where a base prefix allows them. */
export function parseFloating(source: string): number | undefined {
  const hex = /^([+-]?)0[xX]_?((?:[0-9a-fA-F]_?)*)(?:\.((?:[0-9a-fA-F]_?)*))?[pP]([+-]?\d+)$/.exec(source);
  if (hex) {
    const [, sign, whole, fraction = '', exponent] = hex as unknown as [
      string,
      string,
      string,
      string | undefined,
      string,
    ];
    const w = whole.replaceAll('_', '');
    const f = fraction.replaceAll('_', '');
    if (w + f === '') return undefined;
    const value = Number(BigInt(`0x${w}${f}`)) * 2 ** (Number(exponent) - 4 * f.length);
    return sign === '-' ? -value : value;
  }
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(source)) return Number(source);
  return undefined;
}
