/** What an escaper is handed: its text and whether the author vouched for its kind (safeHtml, safeUrl). */
import { sprint } from '../format.ts';
import { GoScalar, type GoValue } from '../value.ts';

/** Replaces what a filter finds unsafe; it means "not safe here" to whoever reads the page's source. */
export const UNSAFE = 'ZgotmplZ';

export type ContentKind = 'plain' | 'css' | 'html' | 'htmlattr' | 'js' | 'jsstr' | 'url' | 'srcset';

const KINDS: Readonly<Record<string, ContentKind>> = {
  'template.CSS': 'css',
  'template.HTML': 'html',
  'template.HTMLAttr': 'htmlattr',
  'template.JS': 'js',
  'template.JSStr': 'jsstr',
  'template.URL': 'url',
  'template.Srcset': 'srcset',
};

export interface Content {
  readonly text: string;
  readonly kind: ContentKind;
}

export function stringify(args: readonly GoValue[]): Content {
  const [only] = args;
  if (args.length === 1) {
    if (typeof only === 'string') return { text: only, kind: 'plain' };
    if (only instanceof GoScalar && typeof only.value === 'string')
      return { text: only.value, kind: KINDS[only.goType] ?? 'plain' };
  }
  // nil prints as nothing here, unlike in text templates
  return { text: sprint(args.filter((a) => a !== undefined)), kind: 'plain' };
}
