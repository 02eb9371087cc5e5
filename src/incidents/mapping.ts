/**
 * Any JSON as alerts: a mapping of version 1 says where in a body the list is and which paths make labels, annotations,
 * status and times. Paths are dotted names and list positions; nothing is executed.
 */
import { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import type { Signal } from './incident.ts';
import { SIGNALS_PER_CALL_MAX } from './tenant-incidents.ts';

export const MAPPINGS_PER_TENANT_MAX = 100;
const VALUE_CHARS_MAX = 4_096;

const path = z.string().min(1).max(300);
/** A path, `=text` for a fixed text, or a list of either: the first that gives something. */
const source = z.union([path, z.array(path).min(1).max(10)]);
export const mappingSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('hook_mapping'),
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$/),
  /** Where the list of alerts is; absent: the body itself is one alert, or a list of them. */
  each: path.optional(),
  labels: z
    .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), source)
    .refine((l) => 'alertname' in l, 'want alertname'),
  annotations: z.record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/), source).default({}),
  status: z
    .strictObject({
      path: source,
      firing: z.array(z.string()).default([]),
      /** Texts that mean recovered; anything else fires when `firing` is empty, and is unknown otherwise. */
      resolved: z.array(z.string()).min(1),
    })
    .optional(),
  /** RFC 3339, or seconds or milliseconds since 1970. */
  starts_at: source.optional(),
  ends_at: source.optional(),
});
export type HookMapping = z.output<typeof mappingSchema>;

export function fromMapped(mapping: HookMapping, body: unknown, nowMs: number): Signal[] {
  const found = mapping.each === undefined ? body : at(body, mapping.each);
  if (found === undefined) throw new VigieError('bad_data', `body: nothing at ${mapping.each}`);
  const items = Array.isArray(found) ? found : [found];
  if (items.length > SIGNALS_PER_CALL_MAX)
    throw new VigieError('too_large', `${items.length} alerts in one body, at most ${SIGNALS_PER_CALL_MAX} are taken`);
  return items.map((item, i): Signal => {
    const labels = texts(mapping.labels, item);
    if (!labels['alertname'])
      throw new VigieError(
        'bad_data',
        `alert ${i}: nothing at ${JSON.stringify(mapping.labels['alertname'])} for alertname`,
      );
    const status = statusOf(mapping, item);
    const endsAtMs = time(value(mapping.ends_at, item));
    return {
      labels,
      annotations: texts(mapping.annotations, item),
      status,
      startsAtMs: time(value(mapping.starts_at, item)) ?? nowMs,
      ...(status === 'resolved' ? { endsAtMs: endsAtMs ?? nowMs } : {}),
      source: `hook/${mapping.name}`,
    };
  });
}

function statusOf(mapping: HookMapping, item: unknown): Signal['status'] {
  if (!mapping.status) return 'firing';
  const text = value(mapping.status.path, item);
  if (text === undefined) return 'unknown';
  if (mapping.status.resolved.includes(text)) return 'resolved';
  return mapping.status.firing.length === 0 || mapping.status.firing.includes(text) ? 'firing' : 'unknown';
}

function texts(from: Readonly<Record<string, z.output<typeof source>>>, item: unknown): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, s] of Object.entries(from)) {
    const v = value(s, item);
    if (v !== undefined && v !== '') out[name] = v.slice(0, VALUE_CHARS_MAX);
  }
  return out;
}

function value(from: z.output<typeof source> | undefined, item: unknown): string | undefined {
  if (from === undefined) return undefined;
  for (const p of Array.isArray(from) ? from : [from]) {
    if (p.startsWith('=')) return p.slice(1);
    const v = at(item, p);
    if (v !== undefined && v !== null && typeof v !== 'object') return String(v);
  }
  return undefined;
}

function at(value: unknown, path: string): unknown {
  let now = value;
  for (const key of path.split('.')) {
    if (now === null || typeof now !== 'object' || !Object.hasOwn(now, key)) return undefined;
    now = (now as Record<string, unknown>)[key];
  }
  return now;
}

function time(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const n = Number(text);
  // below this a number is in seconds: it would be 1973 in milliseconds
  if (Number.isFinite(n)) return n < 1e11 ? n * 1000 : n;
  const ms = Date.parse(text);
  return Number.isFinite(ms) ? ms : undefined;
}
