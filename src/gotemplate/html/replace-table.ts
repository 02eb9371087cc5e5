/** Character by character replacement by a table. */

export type Table = (text: string) => string;

/** A function that puts `table[c]` for every character that the table has. */
export function replaceBy(table: Readonly<Record<string, string>>): Table {
  const set = Object.keys(table)
    .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
  const any = new RegExp(`[${set}]`, 'g');
  return (text) => text.replace(any, (c) => table[c]!);
}
