/** Binary operators in which at least one side is a native histogram. */
import type { NativeHistogram } from '../model/histogram.ts';
import type { Binary } from './ast.ts';
import type { Annotations } from './context.ts';
import { addHistograms, equalHistograms, type MergeNotes, scaleHistogram, trimHistogram } from './native-histogram.ts';

type Sample = number | NativeHistogram;
const typeText = (v: Sample): string => (typeof v === 'number' ? 'float' : 'histogram');

/** The result, or undefined when the operator drops the pair; says why in an annotation. */
export function binaryHistogram(
  notes: Pick<Annotations, 'warn' | 'info'>,
  e: Binary,
  l: Sample,
  r: Sample,
): Sample | undefined {
  const incompatible = (): undefined => {
    notes.info(
      `incompatible sample types encountered for binary operator ${JSON.stringify(e.op)}: ${typeText(l)} ${e.op} ${typeText(r)}`,
      e.pos,
    );
    return undefined;
  };
  if (typeof l === 'number' && typeof r === 'number') return incompatible();
  if (typeof l === 'number') return e.op === '*' ? scaleHistogram(r as NativeHistogram, l) : incompatible();
  if (typeof r === 'number') {
    if (e.op === '*') return scaleHistogram(l, r);
    if (e.op === '/') return scaleHistogram(l, 1 / r, r);
    if (e.op === '</' || e.op === '>/') return trimHistogram(l, r, e.op === '</');
    return incompatible();
  }
  if (e.op === '==' || e.op === '!=') {
    const keep = equalHistograms(l, r) === (e.op === '==');
    return e.bool ? (keep ? 1 : 0) : keep ? l : undefined;
  }
  if (e.op !== '+' && e.op !== '-') return incompatible();
  const merge: MergeNotes = {};
  const sum = addHistograms(l, r, e.op === '-' ? -1 : 1, merge);
  if (merge.counterResetCollision)
    notes.warn(`conflicting counter resets during histogram ${e.op === '-' ? 'subtraction' : 'addition'}`, e.pos);
  if (merge.reconciledBounds)
    notes.info(`mismatched custom buckets were reconciled during ${e.op === '-' ? 'subtraction' : 'addition'}`, e.pos);
  if (!sum) {
    notes.warn(`incompatible bucket layout encountered for binary operator ${e.op}`, e.pos);
    return undefined;
  }
  return sum;
}
