/** The dashboard's ad hoc filters as a function on queries; the grammar that it needs is fetched when there are any. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Values } from '../../lib/dashboard/interpolate.ts';
import type { Filter } from '../../lib/dashboard/model.ts';

/** Ad hoc filters travel among the variables' values, under a name that no variable can have. */
export const FILTERS = '\u0000filters';

/** One filter as Grafana's addresses write it, so that links between dashboards work: `key|operator|value`. */
export const filterText = (f: Filter): string =>
  [f.key, f.operator, f.value].map((part) => part.replaceAll('|', '__gfp__')).join('|');
export function filterOf(text: string): Filter | undefined {
  const [key, operator, value] = text.split('|').map((part) => part.replaceAll('__gfp__', '|'));
  return key && operator && value !== undefined ? { key, operator, value } : undefined;
}

const NONE: readonly string[] = [];

/** Undefined while the grammar is on its way: nothing may be asked unfiltered meanwhile. */
export function useFilters(values: Values): { readonly apply: (expr: string) => string } | undefined {
  const texts = values[FILTERS]?.values ?? NONE;
  const { data: grammar } = useQuery({
    queryKey: ['chunk', 'ad-hoc-filters'],
    enabled: texts.length > 0,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => import('../../lib/dashboard/ad-hoc-filters.ts'),
  });
  const text = texts.join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text stands for the list
  return useMemo(() => {
    const filters = texts.map(filterOf).filter((f) => f !== undefined);
    if (filters.length === 0) return { apply: (expr) => expr };
    return grammar ? { apply: (expr) => grammar.withFilters(expr, filters) } : undefined;
  }, [text, grammar]);
}
