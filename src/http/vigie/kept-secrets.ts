/**
 * Secrets that a client was shown as `<secret>` and sends back: each is replaced by the stored value of the same place,
 * so that a configuration can be read, edited and written without its secrets ever leaving the server.
 */
import { isMap, isScalar, isSeq, type Node, type ParsedNode, parseDocument } from 'yaml';
import { AS_WRITTEN } from '../../alerting/config-reader.ts';
import { VigieError } from '../../lib/errors.ts';

export const SECRET_SHOWN = '<secret>';

/** `text` with every `<secret>` replaced from `stored`. Throws `bad_config` naming the line when nothing is stored there. */
export function withKeptSecrets(text: string, stored: string | undefined): string {
  if (!text.includes(SECRET_SHOWN)) return text;
  const next = parseDocument(text, AS_WRITTEN);
  // what does not parse is refused, with its line, by whoever reads it
  if (next.errors.length > 0) return text;
  const before = stored === undefined ? undefined : parseDocument(stored, AS_WRITTEN);
  let kept = 0;
  const fill = (node: Node | null, old: Node | null | undefined, where: string): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        const key = isScalar(pair.key) ? String(pair.key.value) : '';
        const from = isMap(old) ? (old.get(key, true) as Node | undefined) : undefined;
        fill(pair.value as Node | null, from, where === '' ? key : `${where}.${key}`);
      }
    } else if (isSeq(node)) {
      node.items.forEach((item, i) => {
        fill(item as Node, isSeq(old) ? sameItem(item as Node, old.items as Node[], i) : undefined, `${where}[${i}]`);
      });
    } else if (isScalar(node) && node.value === SECRET_SHOWN) {
      if (!isScalar(old) || typeof old.value !== 'string') {
        const line = text.slice(0, (node as ParsedNode).range?.[0] ?? 0).split('\n').length;
        throw new VigieError(
          'bad_config',
          `line ${line}: ${where}: ${SECRET_SHOWN} stands for a stored value, and none is stored here`,
        );
      }
      node.value = old.value;
      node.type = 'QUOTE_DOUBLE';
      kept++;
    }
  };
  fill(next.contents, before?.contents, '');
  return kept === 0 ? text : next.toString({ lineWidth: 0 });
}

/** The stored item that an item of a list was: by name (receivers, jobs), else by its place. */
function sameItem(item: Node, stored: readonly Node[], place: number): Node | undefined {
  for (const key of ['name', 'job_name']) {
    const name = isMap(item) ? item.get(key) : undefined;
    if (typeof name === 'string') return stored.find((s) => isMap(s) && s.get(key) === name);
  }
  return stored[place];
}
