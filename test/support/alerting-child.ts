/** Takes alerts and a silence into the folder argv[2], says `acknowledged <count>` for each, until it is killed. */

import { parseAlertingConfig } from '../../src/alerting/config.ts';
import { goTemplates } from '../../src/alerting/notify/templates.ts';
import { openStateLog } from '../../src/alerting/state-log.ts';
import { TenantAlerting } from '../../src/alerting/tenant-alerting.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { Labels } from '../../src/model/labels.ts';

const alerting = new TenantAlerting({
  config: parseAlertingConfig('route: { receiver: a }\nreceivers: [{ name: a }]', { templates: goTemplates }),
  state: await openStateLog(`${process.argv[2]}/state.log`, systemClock),
  clock: systemClock,
  logger: silentLogger,
  ports: { http: async () => ({ status: 200, headers: {}, body: '' }), mail: async () => {} },
  externalURL: '',
  orphanResolve: true,
});
// the last one again: it may have died between its alert and its silence
for (let i = Math.max(0, alerting.current().length - 1); ; i++) {
  const nowMs = systemClock.now();
  await alerting.accept([
    { labels: Labels.from({ i: String(i) }), annotations: Labels.EMPTY, generatorURL: '', endsAtMs: nowMs + 3_600_000 },
  ]);
  if (i % 10 === 0)
    await alerting.setSilence({
      matchers: [{ name: 'i', op: '=', value: String(i) }],
      startsAtMs: nowMs,
      endsAtMs: nowMs + 3_600_000,
      createdBy: 'test',
      comment: '',
    });
  if (i % 100 === 0) await alerting.compact();
  process.stdout.write(`acknowledged ${i + 1}\n`);
}
