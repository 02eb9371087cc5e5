/** People: how each wants to be told, in which order, and when not. Version 1 of a contact document. */
import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import type { Criticality } from './incident.ts';
import { checkZone, localTime, parseClock } from './zone.ts';

export const CONTACTS_PER_TENANT_MAX = 1_000;
export const RULES_PER_CONTACT_MAX = 10;

const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,99}$/, 'want 1 to 100 of a-z A-Z 0-9 _ . @ -');
const accepted =
  (parse: (text: string) => unknown) =>
  (text: string): boolean => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };

export const contactSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('contact'),
  name,
  display_name: z.string().max(200).default(''),
  language: z.enum(['en', 'fr', 'de']).default('en'),
  /** Tried in order: each `after` counts from the step that named the contact. */
  rules: z
    .array(
      z
        .strictObject({
          /** A receiver of the tenant's Alertmanager configuration. */
          receiver: z.string().min(1).max(200).optional(),
          email: z.email().optional(),
          after: z.string().refine(accepted(parseDuration), 'want a duration such as 5m').default('0s'),
          /** Only for these; default all. */
          criticality: z
            .array(z.enum(['P1', 'P2', 'P3', 'P4']))
            .min(1)
            .optional(),
        })
        .refine((r) => (r.receiver === undefined) !== (r.email === undefined), 'want either receiver or email'),
    )
    .min(1)
    .max(RULES_PER_CONTACT_MAX),
  quiet_hours: z
    .strictObject({
      time_zone: z.string().refine(accepted(checkZone), 'want an IANA time zone'),
      from: z.string().refine(accepted(parseClock), 'want a time of day such as 22:00'),
      to: z.string().refine(accepted(parseClock), 'want a time of day such as 07:00'),
      /** Told all the same. */
      except: z.array(z.enum(['P1', 'P2', 'P3', 'P4'])).default(['P1']),
    })
    .optional(),
});
export type Contact = z.output<typeof contactSchema>;

export interface Reach {
  readonly receiver?: string;
  readonly email?: string;
  readonly afterMs: number;
}

/** How to reach a contact now; empty when quiet hours or the rules say not at all. */
export function reachesOf(contact: Contact, criticality: Criticality, atMs: number): readonly Reach[] {
  if (isQuiet(contact, criticality, atMs)) return [];
  return contact.rules
    .filter((r) => r.criticality === undefined || r.criticality.includes(criticality))
    .map((r) => ({
      afterMs: parseDuration(r.after),
      ...(r.receiver === undefined ? {} : { receiver: r.receiver }),
      ...(r.email === undefined ? {} : { email: r.email }),
    }));
}

export function isQuiet(contact: Contact, criticality: Criticality, atMs: number): boolean {
  const q = contact.quiet_hours;
  if (!q || q.except.includes(criticality)) return false;
  const t = localTime(q.time_zone, atMs);
  const minute = t.hour * 60 + t.minute;
  const from = parseClock(q.from);
  const to = parseClock(q.to);
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
