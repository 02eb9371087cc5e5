/**
 * Colours that keep apart for people with any form of colour blindness and hold 3:1 against both backgrounds. Series
 * past the eighth repeat the colours with dashes, so that no two look the same up to 24.
 */
export const SERIES_LIGHT = ['#0067b1', '#c04f00', '#00795a', '#9b2f86', '#7a6000', '#3a48c2', '#b3263a', '#4d5b66'];
export const SERIES_DARK = ['#5ab0f2', '#f59a4a', '#3fcfa3', '#e38ad2', '#e3c84a', '#9aa5ff', '#ff8a94', '#b6c2cc'];
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3]];

export type Theme = 'light' | 'dark';

export function seriesColour(index: number, theme: Theme): string {
  const list = theme === 'dark' ? SERIES_DARK : SERIES_LIGHT;
  return list[index % list.length]!;
}
export function seriesDash(index: number): readonly number[] {
  return DASHES[Math.floor(index / SERIES_LIGHT.length) % DASHES.length]!;
}

/** Grafana's named colours, each mapped to one of ours with enough contrast. */
const NAMED: Readonly<Record<string, readonly [string, string]>> = {
  green: ['#0b7a43', '#4cc38a'],
  red: ['#c2212f', '#ff7b83'],
  orange: ['#b85200', '#f59a4a'],
  yellow: ['#806000', '#e3c84a'],
  blue: ['#0067b1', '#5ab0f2'],
  purple: ['#8032a8', '#c79af0'],
  white: ['#f4f5f7', '#f4f5f7'],
  black: ['#17191c', '#17191c'],
  gray: ['#5b6670', '#a5b1bb'],
  text: ['#1b1f23', '#e6e9ec'],
};

/** A colour as dashboards name it (`semi-dark-red`, `#ff0`, `rgb(...)`, `transparent`). */
export function namedColour(name: string | undefined, theme: Theme, fallback = '#5b6670'): string {
  if (!name) return fallback;
  if (name.startsWith('#') || name.startsWith('rgb') || name === 'transparent') return name;
  const base = name.replace(/^(super-light|semi-dark|light|dark)-/, '');
  const pair = NAMED[base];
  return pair ? pair[theme === 'dark' ? 1 : 0] : fallback;
}

const SEVERITY: Readonly<Record<string, string>> = {
  critical: 'red',
  page: 'red',
  error: 'red',
  high: 'orange',
  warning: 'orange',
  medium: 'yellow',
  info: 'blue',
  low: 'blue',
};
export function severityColour(severity: string): string {
  return SEVERITY[severity.toLowerCase()] ?? 'gray';
}
