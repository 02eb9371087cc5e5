/** Turns the targets of a policy step into messages to send: who is on call now, and how each person wants to be told. */
import { type Reach, reachesOf } from './contacts.ts';
import type { Incident } from './incident.ts';
import type { OnCallDirectory } from './on-call-directory.ts';
import type { Target } from './policy.ts';
import { onCallAt } from './schedule.ts';

export interface ReachedTarget extends Reach {
  /** '' for a receiver that the policy names itself. */
  readonly contact: string;
}

export interface ReachAnswer {
  readonly reached: readonly ReachedTarget[];
  /** Why a target could not be reached, in words. */
  readonly missed: readonly string[];
}

export function reach(
  targets: readonly Target[],
  incident: Pick<Incident, 'criticality'>,
  directory: OnCallDirectory,
  atMs: number,
): ReachAnswer {
  const reached: ReachedTarget[] = [];
  const missed: string[] = [];
  const person = (name: string, why: string): void => {
    const contact = directory.contact(name);
    if (!contact) {
      missed.push(`${why}: no contact ${name}`);
      return;
    }
    const ways = reachesOf(contact, incident.criticality, atMs);
    if (ways.length === 0) missed.push(`${why}: ${name} is not to be told of ${incident.criticality} now`);
    for (const w of ways) reached.push({ ...w, contact: name });
  };
  for (const t of targets) {
    if ('receiver' in t) reached.push({ receiver: t.receiver, contact: '', afterMs: 0 });
    else if ('contact' in t) person(t.contact, 'contact');
    else {
      const schedule = directory.schedule(t.schedule);
      const user = schedule ? onCallAt(schedule, atMs).user : '';
      if (user === '') missed.push(`schedule ${t.schedule}: ${schedule ? 'nobody is on call' : 'no such schedule'}`);
      else person(user, `schedule ${t.schedule}`);
    }
  }
  // the same way twice is one message
  const seen = new Set<string>();
  return {
    reached: reached.filter((r) => {
      const key = `${r.receiver ?? ''}\u0000${r.email ?? ''}\u0000${r.afterMs}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    }),
    missed,
  };
}
