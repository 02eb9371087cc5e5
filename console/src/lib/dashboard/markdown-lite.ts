/** A safe subset of Markdown as data: headings, items, paragraphs; bold, code, links to http(s) or our own pages. HTML tags are dropped. */
export interface Span {
  readonly text: string;
  readonly bold?: boolean;
  readonly code?: boolean;
  readonly href?: string;
}
export interface Block {
  readonly kind: 'heading' | 'item' | 'paragraph';
  readonly spans: readonly Span[];
}
const INLINE = /\*\*([^*]+)\*\*|`([^`]+)`|\[([^\]]*)\]\(([^)\s]+)\)/g;

export function markdownLite(text: string): Block[] {
  return text
    .replace(/<[^>]*>/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => {
      const heading = /^#{1,6}\s+/.exec(line);
      const item = /^[-*]\s+/.exec(line);
      return {
        kind: heading ? 'heading' : item ? 'item' : 'paragraph',
        spans: spans(line.slice((heading ?? item)?.[0].length ?? 0)),
      };
    });
}

function spans(line: string): Span[] {
  const out: Span[] = [];
  let at = 0;
  for (const m of line.matchAll(INLINE)) {
    if (m.index > at) out.push({ text: line.slice(at, m.index) });
    if (m[1] !== undefined) out.push({ text: m[1], bold: true });
    else if (m[2] !== undefined) out.push({ text: m[2], code: true });
    else out.push(/^(https?:\/\/|\/(?!\/))/.test(m[4]!) ? { text: m[3] || m[4]!, href: m[4]! } : { text: m[3] ?? '' });
    at = m.index + m[0].length;
  }
  if (at < line.length) out.push({ text: line.slice(at) });
  return out;
}
