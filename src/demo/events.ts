/**
 * What happens in the demonstration beside its series: deploys (one shortly before each regression, others harmless),
 * feedback and conversions, as CloudEvents. A pure function of seed and day, with ids that repeat, so that sending a
 * window twice stores nothing twice.
 */
import type { Fault } from './faults.ts';
import { Random } from './random.ts';

export interface DemoEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: 'deploy' | 'feedback' | 'conversion' | 'config_change';
  readonly subject: string;
  /** RFC 3339. */
  readonly time: string;
  readonly data: Readonly<Record<string, string | number | boolean>>;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** A regression begins this long after the deploy that brought it. */
export const DEPLOY_BEFORE_MS = 2 * MINUTE_MS;
const SERVICES = ['agent-api', 'planner', 'media'] as const;
const PRAISE = [
  'The release plan saved me a week.',
  'Mix suggestions are spot on.',
  'Upload was quick today.',
] as const;
const BLAME = [
  'The chat is slow tonight.',
  'My upload failed twice.',
  'I was logged out in the middle of a track.',
] as const;

/** Events of a tenant with fromMs <= time < toMs, by time. `faults` must cover the window and DEPLOY_BEFORE_MS after it. */
export function demoEventsBetween(
  seed: number | string,
  tenant: { readonly id: string; readonly tier: string },
  faults: readonly Fault[],
  fromMs: number,
  toMs: number,
): DemoEvent[] {
  const out: { atMs: number; event: DemoEvent }[] = [];
  const add = (atMs: number, type: DemoEvent['type'], name: string, subject: string, data: DemoEvent['data']): void => {
    if (atMs < fromMs || atMs >= toMs) return;
    const event: DemoEvent = {
      specversion: '1.0',
      id: `${type}-${name}`,
      source: `/demo/${tenant.id}`,
      type,
      subject,
      time: new Date(atMs).toISOString(),
      data: { ...data, synthetic: true },
    };
    out.push({ atMs, event });
  };
  for (const f of faults) {
    if (f.tenant !== tenant.id || (f.kind !== 'latency-regression' && f.kind !== 'error-burst')) continue;
    const random = new Random(`${seed}/deploy/${tenant.id}/${f.startMs}`);
    add(f.startMs - DEPLOY_BEFORE_MS, 'deploy', `f${f.startMs}`, 'agent-api', {
      version: `2.${random.integer(10, 60)}.${random.integer(0, 9)}`,
      by: 'ci',
    });
  }
  for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day++) {
    const random = new Random(`${seed}/events/${tenant.id}/${day}`);
    const at = (): number => day * DAY_MS + random.integer(6 * 60, 23 * 60) * MINUTE_MS;
    if (random.unit() < 0.4)
      add(at(), 'deploy', `d${day}`, random.pick(SERVICES), {
        version: `2.${random.integer(10, 60)}.${random.integer(0, 9)}`,
        by: 'ci',
      });
    if (random.unit() < 0.1)
      add(at(), 'config_change', `c${day}`, 'planner', { key: 'workers', value: random.integer(4, 16) });
    for (let i = random.integer(2, 6); i > 0; i--) {
      const good = random.unit() < 0.8;
      add(at(), 'feedback', `${day}-${i}`, 'agent-api', {
        score: good ? random.integer(4, 6) : random.integer(1, 3),
        text: random.pick(good ? PRAISE : BLAME),
      });
    }
    for (let i = random.integer(1, 4); i > 0; i--)
      add(at(), 'conversion', `${day}-${i}`, tenant.tier, { euros: random.pick([9, 29, 99]) });
  }
  return out.sort((a, b) => a.atMs - b.atMs).map((e) => e.event);
}
