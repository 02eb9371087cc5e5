/** What the tenant's queries and series cost. */

/** `GET /vigie/v1/query-log?limit&minMs`: finished queries, newest first. */
export interface QueryLogAnswer {
  readonly queries: readonly {
    readonly atMs: number;
    readonly kind: 'instant' | 'range' | 'rule' | 'live' | 'other';
    readonly expr: string;
    readonly startMs?: number;
    readonly endMs?: number;
    readonly stepMs?: number;
    readonly durationMs: number;
    readonly samples: number;
    readonly series: number;
    /** '' when it succeeded. */
    readonly error: string;
    readonly by: string;
  }[];
}

/** `GET /vigie/v1/cardinality?limit&matcher`. */
export interface CardinalityAnswer {
  readonly activeSeries: number;
  readonly seriesLimit?: number;
  readonly byMetric: readonly { readonly name: string; readonly series: number }[];
  readonly byLabel: readonly { readonly name: string; readonly values: number; readonly series: number }[];
  readonly byPair: readonly { readonly name: string; readonly value: string; readonly series: number }[];
}

/** `GET /vigie/v1/service-discovery`: per scrape pool, what discovery found and what relabelling made of it. */
export interface ServiceDiscoveryAnswer {
  readonly pools: readonly {
    readonly name: string;
    readonly active: number;
    readonly dropped: number;
    readonly error: string;
    readonly targets: readonly {
      readonly discovered: Readonly<Record<string, string>>;
      /** Absent: dropped by relabelling. */
      readonly labels?: Readonly<Record<string, string>>;
    }[];
  }[];
}
