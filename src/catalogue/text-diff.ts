/** Line differences of two texts, in the unified format; for people, so long stretches are cut. */
const CONTEXT = 3;
/** Lines of either side past which only the counts are said: the table below is quadratic. */
export const DIFF_LINES_MAX = 3_000;

/** undefined when the texts are equal. */
export function textDiff(before: string, after: string, name: string): string | undefined {
  if (before === after) return undefined;
  const a = before.split('\n');
  const b = after.split('\n');
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const oldLines = a.slice(start, a.length - end);
  const newLines = b.slice(start, b.length - end);
  const head = `--- ${name}\n+++ ${name}\n`;
  if (oldLines.length > DIFF_LINES_MAX || newLines.length > DIFF_LINES_MAX)
    return `${head}${oldLines.length} lines become ${newLines.length}\n`;
  const marked = [
    ...a.slice(Math.max(0, start - CONTEXT), start).map((l) => ` ${l}`),
    ...changes(oldLines, newLines),
    ...b.slice(b.length - end, b.length - end + CONTEXT).map((l) => ` ${l}`),
  ];
  return `${head}@@ line ${start + 1} @@\n${folded(marked).join('\n')}\n`;
}

/** Longest common subsequence, by rows. */
function changes(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] =
        a[i] === b[j]
          ? table[(i + 1) * width + j + 1]! + 1
          : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(` ${a[i++]}`);
      j++;
    } else if (i < a.length && (j >= b.length || table[(i + 1) * width + j]! >= table[i * width + j + 1]!))
      out.push(`-${a[i++]}`);
    else out.push(`+${b[j++]}`);
  }
  return out;
}

/** Unchanged lines far from a change become one mark. */
function folded(lines: readonly string[]): string[] {
  const keep = lines.map(() => false);
  lines.forEach((l, i) => {
    if (l.startsWith(' ')) return;
    for (let k = Math.max(0, i - CONTEXT); k <= Math.min(lines.length - 1, i + CONTEXT); k++) keep[k] = true;
  });
  return lines.flatMap((l, i) => (keep[i] ? [l] : i > 0 && keep[i - 1] ? ['@@ ... @@'] : []));
}
