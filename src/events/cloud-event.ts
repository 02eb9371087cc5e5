/** CloudEvents 1.0 (JSON format and HTTP binding): structured, batched and binary mode, checked and bounded. */
import { z } from 'zod';
import { VigieError } from '../lib/errors.ts';
import { checkNesting } from '../lib/nesting.ts';

/** Events in one request. */
export const EVENTS_PER_REQUEST_MAX = 1_000;
/** One event's data, as JSON text. */
export const EVENT_DATA_BYTES_MAX = 64 * 1024;

/** The kinds Vigie itself understands; others are stored and counted alike. */
export const KNOWN_EVENT_TYPES = [
  'deploy',
  'config_change',
  'feedback',
  'conversion',
  'business',
  'incident',
  'maintenance',
] as const;

const attribute = z.string().min(1).max(1_024);

const cloudEventSchema = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: attribute,
    source: attribute,
    type: attribute,
    subject: attribute.optional(),
    time: z.string().optional(),
    datacontenttype: z.string().max(256).optional(),
    dataschema: z.string().max(1_024).optional(),
    data: z.unknown().optional(),
    data_base64: z.string().optional(),
  })
  .refine((e) => e.data === undefined || e.data_base64 === undefined, 'data and data_base64 exclude each other');

export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** From `time`, or the time of receipt. */
  readonly timeMs: number;
  readonly data?: unknown;
  /** Extension attributes: lower-case names, text values. */
  readonly extensions: Readonly<Record<string, string>>;
}

const CONTEXT_ATTRIBUTES = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'data_base64',
]);

/** The events of one request body, whatever the mode. Throws `bad_data` naming the event and the attribute. */
export function parseCloudEvents(
  contentType: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  nowMs: number,
): readonly CloudEvent[] {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  if (headers['ce-specversion'] !== undefined) return [parseOne(fromBinary(headers, type, body), nowMs, 'event')];
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new VigieError('bad_data', `the body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  if (
    type === 'application/cloudevents-batch+json' ||
    (Array.isArray(value) && type !== 'application/cloudevents+json')
  ) {
    if (!Array.isArray(value)) throw new VigieError('bad_data', 'a batch must be a JSON array of events');
    if (value.length > EVENTS_PER_REQUEST_MAX)
      throw new VigieError(
        'too_large',
        `${value.length} events in one request, at most ${EVENTS_PER_REQUEST_MAX} are taken`,
      );
    return value.map((v, i) => parseOne(v, nowMs, `event ${i}`));
  }
  return [parseOne(value, nowMs, 'event')];
}

function fromBinary(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  contentType: string,
  body: string,
): Record<string, unknown> {
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('ce-') || typeof value !== 'string') continue;
    try {
      event[name.slice(3)] = decodeURIComponent(value);
    } catch {
      throw new VigieError('bad_data', `header ${name} is not valid percent-encoding`);
    }
  }
  if (body === '') return event;
  if (contentType === '' || contentType.endsWith('json')) {
    try {
      event['data'] = JSON.parse(body);
    } catch (cause) {
      throw new VigieError('bad_data', `the event data is not valid JSON: ${(cause as Error).message}`, { cause });
    }
  } else event['data'] = body;
  return event;
}

function parseOne(value: unknown, nowMs: number, where: string): CloudEvent {
  const result = cloudEventSchema.safeParse(value);
  if (!result.success) {
    throw new VigieError(
      'bad_data',
      result.error.issues
        .map((i) => `${where}${i.path.length > 0 ? `.${i.path.join('.')}` : ''}: ${i.message}`)
        .join('; '),
    );
  }
  const e = result.data;
  const timeMs = e.time === undefined ? nowMs : Date.parse(e.time);
  if (!Number.isFinite(timeMs))
    throw new VigieError('bad_data', `${where}.time: want RFC 3339, got ${JSON.stringify(e.time!.slice(0, 64))}`);
  const data = e.data ?? e.data_base64;
  checkNesting(data, `${where}.data`);
  const bytes = data === undefined ? 0 : Buffer.byteLength(JSON.stringify(data));
  if (bytes > EVENT_DATA_BYTES_MAX)
    throw new VigieError('too_large', `${where}.data: ${bytes} bytes, at most ${EVENT_DATA_BYTES_MAX} are taken`);
  const extensions: Record<string, string> = {};
  for (const [name, v] of Object.entries(e)) {
    if (CONTEXT_ATTRIBUTES.has(name)) continue;
    if (!/^[a-z0-9]{1,64}$/.test(name))
      throw new VigieError(
        'bad_data',
        `${where}: extension attribute ${JSON.stringify(name.slice(0, 64))} must be lower-case letters and digits`,
      );
    if (typeof v === 'object' || String(v).length > 1_024)
      throw new VigieError('bad_data', `${where}.${name}: want a short text, number or boolean`);
    extensions[name] = String(v);
  }
  return {
    id: e.id,
    source: e.source,
    type: e.type,
    timeMs,
    extensions,
    ...(e.subject === undefined ? {} : { subject: e.subject }),
    ...(data === undefined ? {} : { data }),
  };
}
