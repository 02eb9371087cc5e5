/** The real alerting and the real incidents, built for a rehearsal: nothing is kept, nothing is sent. */

import { parseAlertingConfig } from '../alerting/config.ts';
import type { ConfigPorts } from '../alerting/config-ports.ts';
import type { Decision } from '../alerting/history.ts';
import type { StateLog } from '../alerting/state-log.ts';
import { TenantAlerting } from '../alerting/tenant-alerting.ts';
import type { TenantPicture } from '../incidents/collections.ts';
import type { Signal } from '../incidents/incident.ts';
import { rehearsedIncidents } from '../incidents/rehearsed-incidents.ts';
import type { ServiceEdge, ServiceNode } from '../incidents/service-graph.ts';
import { silentLogger } from '../lib/logger.ts';
import type { TenantId } from '../model/tenant.ts';
import type { MakeEngines } from '../replay/rehearsal.ts';

export interface RehearsalConfiguration {
  readonly tenant: TenantId;
  /** An Alertmanager configuration. */
  readonly alertmanager: string;
  readonly config: ConfigPorts;
  readonly policies: readonly unknown[];
  readonly schedules: readonly unknown[];
  readonly contacts: readonly unknown[];
  readonly services: readonly ServiceNode[];
  readonly edges?: readonly ServiceEdge[];
  readonly picture: TenantPicture;
  readonly acknowledgeAfterMs?: number;
}

/** Throws `bad_config` for an Alertmanager configuration that does not load, before anything is rehearsed. */
export function rehearsalEngines(options: RehearsalConfiguration): MakeEngines {
  const config = parseAlertingConfig(options.alertmanager, options.config);
  return async (clock, tell) => {
    const names = new Map<string, string>();
    const log: StateLog = {
      sizeBytes: 0,
      append: async () => {},
      rewrite: async () => {},
      close: async () => {},
    };
    let last = '';
    const onDecision = (d: Decision): void => {
      if (d.verdict !== 'sent') return;
      // a receiver with three integrations tells one thing, not three
      const key = `${d.atMs}\u0000${d.receiver}\u0000${d.groupKey}`;
      if (key === last) return;
      last = key;
      tell({
        atMs: d.atMs,
        to: d.receiver,
        kind: 'notification',
        about: d.groupKey,
        reason: d.reason,
        rules: [...new Set(d.fingerprints.map((f) => names.get(f) ?? ''))].filter((n) => n !== ''),
        resolved: d.firing === 0,
      });
    };
    const alerting = new TenantAlerting({
      config,
      state: { log, records: [], cutBytes: 0 },
      clock,
      logger: silentLogger,
      ports: { http: async () => ({ status: 200, headers: {}, body: '' }), mail: async () => {} },
      externalURL: 'http://rehearsal.invalid',
      orphanResolve: true,
      random: () => 0.5,
      onDecision,
    });
    const incidents = await rehearsedIncidents({
      ...options,
      clock,
      onPage: ({ atMs, message, rules }) =>
        tell({
          atMs,
          to: message.contact || message.receiver || message.email || '',
          kind: 'page',
          about: message.incident,
          reason: message.level || message.kind,
          rules,
          resolved: message.status === 'resolved',
        }),
    });
    return {
      async accept(batch) {
        for (const { alert } of batch) names.set(alert.labels.fingerprint(), alert.labels.get('alertname'));
        await alerting.accept(batch.map((b) => b.alert));
        await incidents.observe(
          batch.map(
            ({ alert, episode, status }): Signal => ({
              labels: alert.labels.toObject(),
              annotations: alert.annotations.toObject(),
              status,
              startsAtMs: episode.startsAtMs,
              ...(episode.firstBadAtMs === undefined ? {} : { firstBadAtMs: episode.firstBadAtMs }),
              ...(status === 'resolved' && episode.endsAtMs !== undefined ? { endsAtMs: episode.endsAtMs } : {}),
              source: 'rules',
            }),
          ),
        );
      },
      async close() {
        // nothing is kept, so what still runs is only let go
        const closing = Promise.all([alerting.close(), incidents.close()]);
        await closing;
      },
    };
  };
}
