/** An OTLP metrics request as a plain tree, the same from protobuf and JSON. Times in ms. Parts not used are not kept. */
export type AttributePair = readonly [name: string, value: string];

export interface OtlpExemplar {
  readonly attributes: readonly AttributePair[];
  readonly timestampMs: number;
  readonly value: number;
  /** Hexadecimal, '' when absent. */
  readonly traceId: string;
  readonly spanId: string;
}

interface Point {
  readonly attributes: readonly AttributePair[];
  readonly timestampMs: number;
  /** The source says that it has no value now: a stale marker. */
  readonly noValue: boolean;
  readonly exemplars: readonly OtlpExemplar[];
}
export interface NumberPoint extends Point {
  readonly value: number;
}
export interface HistogramPoint extends Point {
  readonly count: number;
  readonly sum: number | undefined;
  readonly bounds: readonly number[];
  readonly bucketCounts: readonly number[];
}
export interface ExponentialPoint extends Point {
  readonly count: number;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: { readonly offset: number; readonly counts: readonly number[] };
  readonly negative: { readonly offset: number; readonly counts: readonly number[] };
}
export interface SummaryPoint extends Point {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly (readonly [number, number])[];
}

export type Temporality = 'unspecified' | 'delta' | 'cumulative';
export type OtlpData =
  | { readonly kind: 'gauge'; readonly points: readonly NumberPoint[] }
  | {
      readonly kind: 'sum';
      readonly points: readonly NumberPoint[];
      readonly monotonic: boolean;
      readonly temporality: Temporality;
    }
  | { readonly kind: 'histogram'; readonly points: readonly HistogramPoint[]; readonly temporality: Temporality }
  | { readonly kind: 'exponential'; readonly points: readonly ExponentialPoint[]; readonly temporality: Temporality }
  | { readonly kind: 'summary'; readonly points: readonly SummaryPoint[] }
  | { readonly kind: 'empty'; readonly points: readonly [] };

export interface OtlpMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly data: OtlpData;
}
export interface OtlpScope {
  readonly name: string;
  readonly version: string;
  readonly schemaUrl: string;
  readonly attributes: readonly AttributePair[];
  readonly metrics: readonly OtlpMetric[];
}
export interface OtlpResource {
  readonly attributes: readonly AttributePair[];
  readonly scopes: readonly OtlpScope[];
}
export type OtlpMetricsRequest = readonly OtlpResource[];

/** Data points in one request. */
export const POINTS_MAX = 5_000_000;
/** Nesting of attribute values. */
export const VALUE_DEPTH_MAX = 32;
export const TEMPORALITIES: readonly Temporality[] = ['unspecified', 'delta', 'cumulative'];

/** A nested attribute value as one string: scalars as they are, lists and maps as JSON, bytes as base64. */
export function attributeText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'bigint'
    ? String(value)
    : JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v));
}
