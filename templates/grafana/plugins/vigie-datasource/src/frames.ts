/** Vigie's answers as the fields of Grafana's data frames; pure, so that it can be tested without Grafana. */
export interface FrameData {
  readonly name: string;
  readonly fields: readonly {
    readonly name: string;
    readonly kind: 'time' | 'number' | 'string';
    readonly values: readonly (number | string | null)[];
    readonly labels?: Readonly<Record<string, string>>;
    readonly config?: object;
  }[];
}

export interface Incident {
  readonly id: string;
  readonly title: string;
  readonly state: string;
  readonly severity: string;
  readonly level: string;
  readonly services: readonly string[];
  readonly openedAtMs: number;
  readonly resolvedAtMs?: number;
  readonly alerts: number;
}
export interface Forecast {
  readonly detector: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly fitAtMs: number | null;
  readonly stepMs: number;
  readonly mean: readonly number[];
  readonly lower: readonly number[];
  readonly upper: readonly number[];
}
export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

/** One row per incident that was open within the range; `time` and `timeEnd` make it an annotation too. */
export function incidentFrame(incidents: readonly Incident[], fromMs: number, toMs: number): FrameData {
  const shown = incidents.filter((i) => i.openedAtMs <= toMs && (i.resolvedAtMs ?? toMs) >= fromMs);
  const column = (name: string, kind: 'time' | 'number' | 'string', of: (i: Incident) => number | string | null) => ({
    name,
    kind,
    values: shown.map(of),
  });
  return {
    name: 'incidents',
    fields: [
      column('time', 'time', (i) => i.openedAtMs),
      column('timeEnd', 'time', (i) => i.resolvedAtMs ?? null),
      column('title', 'string', (i) => `${i.id} ${i.title}`),
      column('text', 'string', (i) => i.services.join(', ')),
      column('state', 'string', (i) => i.state),
      column('severity', 'string', (i) => i.severity),
      column('level', 'string', (i) => i.level),
      column('alerts', 'number', (i) => i.alerts),
    ],
  };
}

/** Mean and 95 % interval; the upper line fills down to the lower one. Forecasts not made yet give no frame. */
export function forecastFrames(forecasts: readonly Forecast[]): readonly FrameData[] {
  return forecasts.flatMap((f) => {
    if (f.fitAtMs === null || f.mean.length === 0) return [];
    const times = f.mean.map((_v, i) => f.fitAtMs! + (i + 1) * f.stepMs);
    const labels = { ...f.labels, detector: f.detector };
    return [
      { name: f.detector, fields: [timeField(times), ...bandFields(labels, 'forecast', f.mean, f.lower, f.upper)] },
    ];
  });
}

/** The band that a detector calls usual, and the value itself where it is asked for. */
export function bandFrames(lower: readonly RangeSeries[], upper: readonly RangeSeries[]): readonly FrameData[] {
  const key = (s: RangeSeries): string => {
    const { __name__: _name, ...labels } = s.metric;
    return JSON.stringify(Object.entries(labels).sort());
  };
  const uppers = new Map(upper.map((s) => [key(s), s]));
  return lower.flatMap((low) => {
    const high = uppers.get(key(low));
    if (!high) return [];
    const highs = new Map(high.values.map(([t, v]) => [t, Number(v)]));
    const points = low.values.filter(([t]) => highs.has(t));
    const { __name__: _name, ...labels } = low.metric;
    return [
      {
        name: labels['detector'] ?? 'usual',
        fields: [
          timeField(points.map(([t]) => t * 1_000)),
          ...bandFields(
            labels,
            'usual',
            undefined,
            points.map(([, v]) => Number(v)),
            points.map(([t]) => highs.get(t)!),
          ),
        ],
      },
    ];
  });
}

const timeField = (values: readonly number[]) => ({ name: 'time', kind: 'time' as const, values });

function bandFields(
  labels: Readonly<Record<string, string>>,
  word: string,
  mean: readonly number[] | undefined,
  lower: readonly number[],
  upper: readonly number[],
) {
  const line = (name: string, values: readonly number[], custom: object) => ({
    name,
    kind: 'number' as const,
    values: values.map((v) => (Number.isFinite(v) ? v : null)),
    labels,
    config: { displayName: name, custom },
  });
  const none = { lineWidth: 0, showPoints: 'never' };
  return [
    ...(mean
      ? [line(word, mean, { lineWidth: 2, lineStyle: { fill: 'dash', dash: [8, 6] }, showPoints: 'never' })]
      : []),
    ...(lower.length > 0 ? [line(`${word} lower`, lower, none)] : []),
    ...(upper.length > 0
      ? [line(`${word} upper`, upper, { ...none, fillBelowTo: `${word} lower`, fillOpacity: 18 })]
      : []),
  ];
}
