/** From the answers to a panel's queries to its frames and named series; what the transformations of a panel make of them. */
import type { VectorItem } from '../../api/prometheus.ts';
import { type Columns, legendName, type Metric, metricName, parseValue, shortName, telling } from '../series.ts';
import type { Transformation } from './model.ts';
import { type Field, type Frame, transform } from './transformations.ts';

export interface NamedSeries {
  readonly name: string;
  readonly refId: string;
  readonly metric: Metric;
  readonly values: (number | null)[];
}
/** One query's answer: columns of a range, or a vector. */
export interface Answered {
  readonly refId: string;
  /** Variables already in it; undefined or `__auto` names series by what tells them apart. */
  readonly legend?: string | undefined;
  readonly columns?: Columns | undefined;
  readonly vector?: readonly VectorItem[] | undefined;
}
export interface Shaped {
  /** Seconds, ascending. */
  readonly times: readonly number[];
  readonly series: readonly NamedSeries[];
  readonly frames: readonly Frame[];
}

export function panelAnswer(answers: readonly Answered[]): Shaped {
  const frames: Frame[] = [];
  const series: NamedSeries[] = [];
  const times = allTimes(answers.flatMap((a) => (a.columns ? [a.columns.times] : [])));
  // the queries of a panel are of one moment, though each was asked at its own: else rows of two would never merge
  const atS = Math.max(0, ...answers.flatMap((a) => a.vector?.[0]?.value?.[0] ?? []));
  for (const { refId, legend, columns, vector } of answers) {
    // without a legend, what the series share says nothing: only what tells them apart is written
    const metrics = columns?.series.map((s) => s.metric) ?? vector?.map((v) => v.metric) ?? [];
    const differing =
      legend && legend !== '__auto' ? undefined : new Map(telling(metrics).map((d, k) => [metrics[k]!, d]));
    const name = (metric: Metric): string =>
      differing ? shortName(metric, differing.get(metric) ?? {}) : legendName(legend, metric);
    if (columns) {
      const timesMs = columns.times.map((t) => t * 1_000);
      const place = columns.times === times ? undefined : placed(columns.times, times);
      for (const s of columns.series) {
        const called = name(s.metric);
        series.push({ name: called, refId, metric: s.metric, values: place ? place(s.values) : s.values });
        frames.push({
          refId,
          fields: [
            { name: 'Time', type: 'time', values: timesMs },
            { name: called, type: 'number', values: s.values, labels: s.metric },
          ],
        });
      }
    }
    if (vector) {
      for (const v of vector)
        if (v.value) series.push({ name: name(v.metric), refId, metric: v.metric, values: [numberOf(v.value[1])] });
      frames.push(vectorFrame(refId, vector, answers.length > 1, atS));
    }
  }
  return { times, series, frames };
}

/** What is drawn: with transformations, their frames and the number columns in them; else the answers as they came. */
export function shape(answer: Shaped, steps: readonly Transformation[]): Shaped {
  if (steps.length === 0) return answer;
  const frames = transform(answer.frames, steps);
  const timed = frames.map((f) => f.fields.find((x) => x.type === 'time')?.values.map((v) => Number(v) / 1_000));
  const times = allTimes(timed.filter((t) => t !== undefined));
  const series = frames.flatMap((frame, i): NamedSeries[] => {
    const own = timed[i];
    const place = own === undefined || own === times ? undefined : placed(own, times);
    return frame.fields
      .filter((f) => f.type === 'number')
      .map((f) => {
        const values = f.values.map((v) => (typeof v === 'number' ? v : null));
        return { name: f.name, refId: frame.refId, metric: f.labels ?? {}, values: place ? place(values) : values };
      });
  });
  return { times, series, frames };
}

/** One axis for all: mostly they are equal, else every time that occurs. */
function allTimes(lists: readonly (readonly number[])[]): readonly number[] {
  const [first, ...others] = lists;
  if (!first) return [];
  if (others.every((o) => o === first || (o.length === first.length && o.every((t, i) => t === first[i]))))
    return first;
  return [...new Set(lists.flat())].sort((a, b) => a - b);
}

function placed(from: readonly number[], to: readonly number[]) {
  if (from.length === to.length && from.every((t, i) => t === to[i])) return undefined;
  const at = new Map(from.map((t, k) => [t, k]));
  return (values: readonly (number | null)[]): (number | null)[] =>
    to.map((t) => (at.has(t) ? (values[at.get(t)!] ?? null) : null));
}

const numberOf = (text: string): number | null => {
  const n = parseValue(text);
  return Number.isNaN(n) ? null : n;
};

function vectorFrame(refId: string, vector: readonly VectorItem[], several: boolean, atS: number): Frame {
  const labels = [...new Set(vector.flatMap((v) => Object.keys(v.metric)))].sort();
  const fields: Field[] = [
    { name: 'Time', type: 'time', values: vector.map(() => atS * 1_000) },
    ...labels.map((name): Field => ({ name, type: 'string', values: vector.map((v) => v.metric[name] ?? null) })),
    {
      name: several ? `Value #${refId}` : 'Value',
      type: 'number',
      values: vector.map((v) => (v.value ? numberOf(v.value[1]) : null)),
    },
  ];
  return { refId, name: vector[0] ? metricName(vector[0].metric) : refId, fields };
}
