/** Rows as columns of text, for people; programs ask the API. */

/** Longest cell shown; the rest is cut. */
const CELL_CHARS_MAX = 120;

/** Aligned columns with a header, one line a row, ending in a line feed; '(none)' without rows. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '(none)\n';
  const cell = (text: string): string => {
    const line = text.replace(/\s+/g, ' ');
    return line.length > CELL_CHARS_MAX ? `${line.slice(0, CELL_CHARS_MAX - 3)}...` : line;
  };
  const all = [header.map((h) => h.toUpperCase()), ...rows.map((r) => r.map(cell))];
  const widths = header.map((_, i) => Math.max(...all.map((r) => (r[i] ?? '').length)));
  return all
    .map(
      (r) =>
        `${widths
          .map((w, i) => (r[i] ?? '').padEnd(w))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
