/** What links of a dashboard may speak of: its variables and the range of now. */
import type { Values } from '../../../lib/dashboard/interpolate.ts';
import type { PageContext } from '../../../lib/dashboard/links.ts';
import { useView } from '../../../lib/view.ts';

export function usePageContext(values: Values): PageContext {
  const { range } = useView();
  return { values, from: range.from, to: range.to };
}
