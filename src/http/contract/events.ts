/** Events (CloudEvents 1.0), heartbeats and services: what our own API takes and answers. */
import { z } from 'zod';
import { parseDuration } from '../../model/duration.ts';

const duration = z.union([z.number().positive(), z.string()]).transform((value, context) => {
  if (typeof value === 'number') return value * 1000;
  try {
    return parseDuration(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

export const heartbeatInput = z.strictObject({
  name: z.string(),
  description: z.string().max(500).optional(),
  /** Seconds, or a duration such as "24h". */
  interval: duration,
  grace: duration.optional(),
});

export const serviceInput = z.strictObject({
  name: z.string(),
  description: z.string().max(2_000).optional(),
  owner: z.string().max(200).optional(),
  tier: z.string().max(100).optional(),
  dependsOn: z.array(z.string()).max(200).optional(),
  labels: z.record(z.string(), z.string().max(500)).optional(),
});

export interface EventsAnswer {
  readonly events: readonly EventItem[];
  /** Pass as `after` for the next page. */
  readonly next?: string;
}
export interface EventItem {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly timeMs: number;
  readonly data?: unknown;
  readonly extensions: Readonly<Record<string, string>>;
}
export interface HeartbeatItem {
  readonly name: string;
  readonly description: string;
  readonly intervalMs: number;
  readonly graceMs: number;
  readonly lastAtMs?: number;
  readonly lastStatus?: 'ok' | 'failed';
  readonly state: 'waiting' | 'ok' | 'late' | 'failed';
  readonly deadlineMs: number;
}
export interface ServiceItem {
  readonly name: string;
  readonly description?: string;
  readonly owner?: string;
  readonly tier?: string;
  readonly dependsOn?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly source: 'declared' | 'discovered';
  readonly state: 'up' | 'down' | 'unknown';
  readonly lastSeenMs?: number;
}

/** `GET /vigie/v1/service-edges`: busiest first. Components are `kind:name`; declared dependencies stand with their service. */
export interface ServiceEdgesAnswer {
  readonly edges: readonly ServiceEdgeItem[];
}
export interface ServiceEdgeItem {
  readonly from: string;
  readonly to: string;
  readonly sources: readonly ('service_graph' | 'span_metrics' | 'mesh')[];
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly callsPerSecond: number;
}
