/** Incidents in virtual time: the real service over documents in memory, with what it sent and published written down. */
import type { IncidentPorts } from '../../src/incidents/collections.ts';
import type { Signal } from '../../src/incidents/incident.ts';
import { IncidentService } from '../../src/incidents/incident-service.ts';
import type { OutgoingMessage } from '../../src/incidents/message.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryDocuments } from './memory-documents.ts';

export const MINUTE = 60_000;
export const NOW = Date.UTC(2026, 2, 2, 10);
export const KEY = new Uint8Array(32).fill(7);
export const acme = tenantId('acme');
export const other = tenantId('zeta-corp');

export const POLICY = {
  version: 1,
  kind: 'escalation_policy',
  name: 'standard',
  steps: [
    { level: 'L1', remediate: true, timeout: '3m' },
    { level: 'L2', notify: [{ receiver: 'slack-team' }, { schedule: 'primary' }], timeout: '5m' },
    { level: 'L3', notify: [{ receiver: 'specialists' }], timeout: '10m' },
    { level: 'L4', notify: [{ receiver: 'vendor' }], timeout: '10m' },
  ],
  repeat: 1,
  fallback: [{ receiver: 'fallback' }],
  idle_after: '30m',
};

export interface World {
  readonly clock: FakeClock;
  readonly documents: MemoryDocuments;
  readonly sent: { tenant: string; message: OutgoingMessage; atMs: number }[];
  readonly published: { tenant: string; data: unknown }[];
  service: IncidentService;
  fail: (m: OutgoingMessage) => boolean;
  playbooks: number;
  restart(): Promise<void>;
}

export async function world(over: Partial<IncidentPorts> = {}): Promise<World> {
  const clock = new FakeClock(NOW);
  const documents = new MemoryDocuments();
  const w: World = {
    clock,
    documents,
    sent: [],
    published: [],
    fail: () => false,
    playbooks: 0,
    service: undefined as unknown as IncidentService,
    async restart() {
      await w.service?.[Symbol.asyncDispose]();
      w.service = new IncidentService({
        documents,
        clock,
        logger: silentLogger,
        externalURL: 'https://vigie.example',
        linkKey: KEY,
        publish: (tenant, data) => void w.published.push({ tenant, data }),
        send: async (tenant, message) => {
          if (w.fail(message)) throw new Error('503 from the receiver');
          // as a receiver without a program that keeps incidents of its own
          const event = message.kind === 'acknowledged' || message.kind === 'drill_over';
          if (event && message.receiver !== 'pagerduty') return false;
          w.sent.push({ tenant, message, atMs: clock.now() });
          return true;
        },
        remediate: async () => ({ started: w.playbooks, proposed: 0, words: `${w.playbooks} playbooks` }),
        ...over,
      });
      await w.service.start();
    },
  };
  await w.restart();
  return w;
}

export async function withPolicy(over: Partial<IncidentPorts> = {}): Promise<World> {
  const w = await world(over);
  const { directory } = await w.service.tenant(acme);
  await directory.putContact({
    version: 1,
    kind: 'contact',
    name: 'ada',
    rules: [{ email: 'ada@example.org' }, { receiver: 'pager-ada', after: '2m' }],
  });
  await directory.putSchedule({
    version: 1,
    kind: 'schedule',
    name: 'primary',
    time_zone: 'Europe/Berlin',
    layers: [{ name: 'weekly', start: '2026-01-05T09:00', rotation: { every: '1w', users: ['ada'] } }],
  });
  await directory.putPolicy(POLICY);
  return w;
}

export const signal = (over: Partial<Signal> & { name?: string } = {}, nowMs = NOW): Signal => ({
  labels: { alertname: over.name ?? 'ApiErrorsHigh', service: 'api', severity: 'critical', ...over.labels },
  annotations: { summary: 'errors are high', ...over.annotations },
  status: over.status ?? 'firing',
  startsAtMs: over.startsAtMs ?? nowMs,
  ...(over.endsAtMs === undefined ? {} : { endsAtMs: over.endsAtMs }),
  ...(over.firstBadAtMs === undefined ? {} : { firstBadAtMs: over.firstBadAtMs }),
  source: 'rules',
});
export const receiver = (s: { message: OutgoingMessage }): string => s.message.receiver ?? s.message.email!;
