/** Grafana's calculations: one value from the values of a field. One that is not known is taken as the last. */
import { summarise } from '../series.ts';
import type { Cell } from './transformations.ts';

const numbers = (values: readonly Cell[]): (number | null)[] => values.map((v) => (typeof v === 'number' ? v : null));

export function reduceValues(values: readonly Cell[], calc: string): Cell {
  const s = summarise(numbers(values));
  switch (calc) {
    case 'last':
      return values.at(-1) ?? null;
    case 'lastNotNull':
      return [...values].reverse().find((v) => v !== null && !(typeof v === 'number' && Number.isNaN(v))) ?? null;
    case 'first':
      return values[0] ?? null;
    case 'firstNotNull':
      return values.find((v) => v !== null) ?? null;
    case 'min':
      return s.min;
    case 'max':
      return s.max;
    case 'mean':
      return s.avg;
    case 'sum':
    case 'total':
      return s.sum ?? 0;
    case 'count':
      return s.count;
    case 'range':
      return s.max === null ? null : s.max - s.min!;
    case 'diff':
    case 'delta':
      return s.last === null ? null : s.last - s.first!;
    case 'distinctCount':
      return new Set(values).size;
    case 'changeCount':
      return values.reduce<number>((n, v, i) => n + (i > 0 && v !== values[i - 1] ? 1 : 0), 0);
    case 'allIsZero':
      return s.count > 0 && s.min === 0 && s.max === 0 ? 1 : 0;
    case 'allIsNull':
      return s.count === 0 ? 1 : 0;
    case 'median':
      return quantile(values, 0.5);
    case 'variance':
    case 'stdDev': {
      if (s.avg === null) return null;
      const v = numbers(values).reduce<number>((sum, x) => sum + (x === null ? 0 : (x - s.avg!) ** 2), 0) / s.count;
      return calc === 'variance' ? v : Math.sqrt(v);
    }
    default: {
      const p = /^p(\d{1,2})$/.exec(calc);
      return p ? quantile(values, Number(p[1]) / 100) : s.last;
    }
  }
}

function quantile(values: readonly Cell[], q: number): number | null {
  const sorted = numbers(values)
    .filter((v) => v !== null)
    .sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}
