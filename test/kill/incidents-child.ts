/** Takes alerts and escalates them until it is killed, or until all is said; tells on stdout what happened. */
import path from 'node:path';
import { IncidentService } from '../../src/incidents/incident-service.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { tenantId } from '../../src/model/tenant.ts';
import { EmbeddedDocuments } from '../../src/store/embedded/documents/embedded-documents.ts';

const folder = process.argv[2]!;
const first = Number(process.argv[3]);
/** 0: no new alerts, only what is left to do. */
const count = Number(process.argv[4]);
const tenant = tenantId('acme');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const documents = await EmbeddedDocuments.open({ file: path.join(folder, 'documents.sqlite'), clock: systemClock });
const service = new IncidentService({
  documents,
  clock: systemClock,
  logger: silentLogger,
  externalURL: 'http://test.invalid',
  linkKey: new Uint8Array(32),
  publish: () => {},
  send: async (_tenant, message) => {
    say(`sent ${message.id}`);
    return true;
  },
  // each alert is an incident of its own, so that there are many steps to lose
  settings: { correlate: false },
});
await service.start();
const incidents = await service.tenant(tenant);
await incidents.directory.putPolicy({
  version: 1,
  kind: 'escalation_policy',
  name: 'p',
  steps: [
    { level: 'L2', notify: [{ receiver: 'a' }, { receiver: 'b' }], timeout: '300ms' },
    { level: 'L3', notify: [{ receiver: 'c' }], timeout: '300ms' },
  ],
  repeat: 1,
});
say('ready');
for (let i = first; i < first + count; i++) {
  const labels = { alertname: `A${i}`, service: `s${i}`, severity: 'critical' };
  await service.observe(tenant, [
    { labels, annotations: {}, status: 'firing', startsAtMs: systemClock.now(), source: 'test' },
  ]);
  say(`acknowledged ${i}`);
}
while (incidents.live().some((i) => i.escalation.status === 'waiting') || incidents.outboxSize > 0)
  await new Promise((resolve) => setTimeout(resolve, 50));
await service[Symbol.asyncDispose]();
await documents[Symbol.asyncDispose]();
say('done');
process.exit(0);
