/** Looks who is on call and tells whoever came on since the last look; remembered, so that a restart tells nobody twice. */
import type { TenantId } from '../model/tenant.ts';
import { HAND_OVERS, type HandOver, type IncidentPorts } from './collections.ts';
import { reachesOf } from './contacts.ts';
import { handOverMessage } from './hand-over.ts';
import type { Incident } from './incident.ts';
import type { OutboxEntry } from './message.ts';
import type { OnCallDirectory } from './on-call-directory.ts';
import { onCallAt } from './schedule.ts';

/** How late a notice may be. */
const LOOK_MS = 60_000;

export interface HandOverWatchOptions {
  readonly tenant: TenantId;
  readonly ports: IncidentPorts;
  readonly directory: OnCallDirectory;
  readonly live: () => readonly Incident[];
  /** Resolves once the message is in the outbox. */
  readonly post: (entry: OutboxEntry) => Promise<void>;
}

export class HandOverWatch {
  readonly #o: HandOverWatchOptions;
  /** Schedule -> who is on call, as last told. */
  readonly #known = new Map<string, string>();
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: HandOverWatchOptions) {
    this.#o = options;
  }

  async look(): Promise<void> {
    const { tenant, ports, directory } = this.#o;
    const { clock, documents, externalURL } = ports;
    const steadyMs = clock.monotonicMs();
    if (steadyMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = steadyMs;
    const nowMs = clock.now();
    const kept = documents.collection<HandOver>(tenant, HAND_OVERS);
    for (const schedule of directory.schedules()) {
      const { user } = onCallAt(schedule, nowMs);
      const before = this.#known.get(schedule.name) ?? (await kept.get(schedule.name))?.body.user;
      if (before !== user) {
        const contact = directory.contact(user);
        // a schedule seen for the first time hands nothing over
        const to = before !== undefined && contact ? reachesOf(contact, 'P4', nowMs)[0] : undefined;
        if (to) {
          const message = handOverMessage({
            tenant,
            schedule: schedule.name,
            user,
            before: before ?? '',
            sinceMs: nowMs,
            live: this.#o.live(),
            to: { ...to, contact: user },
            externalURL,
          });
          await this.#o.post({ message, dueAtMs: nowMs, attempts: 0, generation: 0 });
        }
        await kept.put(schedule.name, { user, sinceMs: nowMs });
      }
      this.#known.set(schedule.name, user);
    }
  }
}
