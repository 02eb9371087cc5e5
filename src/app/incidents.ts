/** Incidents in the process: what they hear, whom they can tell, what they know of services, changes and metrics. */
import { createHmac, randomBytes } from 'node:crypto';
import { performer } from '../automation/perform.ts';
import { Remediation } from '../automation/remediation.ts';
import { execute } from '../automation/restart.ts';
import type { EventStore } from '../events/event-store.ts';
import type { RemediationAnswer, TenantPicture } from '../incidents/collections.ts';
import { HookMappings } from '../incidents/hook-mappings.ts';
import type { Incident, Signal } from '../incidents/incident.ts';
import { IncidentService } from '../incidents/incident-service.ts';
import { groupKeyOf, type MessageKind, type OutgoingMessage } from '../incidents/message.ts';
import type { ServiceEdge, ServiceNode } from '../incidents/service-graph.ts';
import { fromPosted, fromTransition, lost } from '../incidents/signals.ts';
import { StatusPages } from '../incidents/status-page.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { SelfMetrics } from '../lib/self-metrics.ts';
import type { EventLog } from '../live/event-log.ts';
import type { AlertTransition, PostableAlert, RuleHealth } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { AuditLog } from '../security/audit/audit-log.ts';
import type { EdgeDiscovery } from '../services/edge-discovery.ts';
import type { EdgeSource } from '../services/edge-metrics.ts';
import type { ServiceRegistry } from '../services/service-registry.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import type { TenantDirectory } from '../tenancy/tenant-directory.ts';
import type { TenantUsage } from '../tenancy/tenant-usage.ts';
import type { Cleanups } from './cleanups.ts';
import { evidenceOf } from './incident-evidence.ts';
import type { Options } from './options.ts';
import type { Queries } from './queries.ts';
import type { Routing } from './routing.ts';

const CALLBACK_SECRETS: CollectionSpec = { name: 'callback_secrets' };
const SECRETS: CollectionSpec = { name: 'installation_secrets' };
/** Deploys and configuration changes looked at for one incident. */
const CHANGES_MAX = 100;
/** Alerts of API clients remembered until they end or time out; more are not watched for silence. */
const POSTED_MAX = 100_000;
const SILENCE_LOOK_MS = 15_000;
/** Said only to programs that keep incidents of their own. */
const EVENT: Readonly<Partial<Record<MessageKind, 'acknowledge' | 'resolve'>>> = {
  acknowledged: 'acknowledge',
  drill_over: 'resolve',
};
/** What can be done from a message; `view` is a link in its text. */
const BUTTON_LABEL: Readonly<Record<string, string>> = {
  acknowledge: 'Acknowledge',
  snooze: 'Snooze 1 h',
  escalate: 'Escalate',
};
const ORIGIN: Readonly<Record<EdgeSource, string>> = {
  service_graph: 'service graph metrics',
  span_metrics: 'span metrics',
  mesh: 'mesh metrics',
};

export interface IncidentsInput {
  readonly options: () => Options;
  /** False: each alert opens an incident of its own. */
  readonly correlate: boolean;
  readonly documents: DocumentStore;
  readonly directory: TenantDirectory;
  readonly routing: Routing;
  readonly queries: Queries;
  readonly events: EventStore;
  readonly services: ServiceRegistry;
  readonly edges: EdgeDiscovery;
  readonly usage: TenantUsage;
  readonly auditLog: AuditLog;
  readonly live: EventLog;
  readonly externalUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SelfMetrics;
  readonly cleanups: Cleanups;
}

interface Posted {
  readonly tenant: TenantId;
  readonly signal: Signal;
  readonly endsAtMs: number;
}

export class Incidents {
  readonly service: IncidentService;
  readonly remediation: Remediation;
  readonly hooks: HookMappings;
  readonly statusPages: StatusPages;
  readonly linkKey: Uint8Array;
  readonly #i: IncidentsInput;
  /** Alerts that API clients posted, by tenant and fingerprint, with the moment their sender counts as silent. */
  readonly #posted = new Map<string, Posted>();
  #timer: Timer | undefined;

  private constructor(input: IncidentsInput, linkKey: Uint8Array) {
    this.#i = input;
    this.linkKey = linkKey;
    this.hooks = new HookMappings(input.documents);
    this.statusPages = new StatusPages(input.documents);
    const { clock, logger, documents, options } = input;
    this.remediation = new Remediation({
      documents,
      clock,
      logger,
      performer: performer(execute, clock),
      query: async (tenant, expr) => {
        try {
          return (await input.queries.vector(tenant, expr, clock.now())).length > 0 ? 'yes' : 'no';
        } catch {
          return 'unknown';
        }
      },
      signal: (tenant, fingerprint) => this.service.signalState(tenant, fingerprint),
      audit: async (tenant, actor, action, target, after) =>
        void (await input.auditLog.append(tenant, { actor, actorName: actor, action, target, after, requestId: '' })),
      report: async (tenant, incident, text) =>
        void (await this.service.note(tenant, incident, { kind: 'remediation', actor: 'automation', text })),
      enabled: options().intelligent_alerts.auto_remediation,
      forbids: (tenant, action) =>
        tenant === PLATFORM_TENANT || tenant === options().tenant
          ? undefined
          : `${action.do} is for playbooks of the operators`,
    });
    this.service = new IncidentService({
      documents,
      clock,
      logger,
      metrics: input.metrics,
      externalURL: input.externalUrl.replace(/\/+$/, ''),
      linkKey,
      publish: (tenant, data) => void input.live.append(tenant, 'incident', clock.now(), data),
      send: (tenant, message) => this.#send(tenant, message),
      services: async (tenant) => await input.services.list(tenant),
      edges: (tenant) => this.edges(tenant),
      picture: async (tenant) => this.picture(tenant),
      usage: () => input.usage.current(),
      changes: async (tenant, fromMs, toMs) => {
        const { events } = await input.events.list(tenant, { fromMs, toMs, limit: CHANGES_MAX });
        return events
          .filter((e) => /deploy|config|change|flag/i.test(e.type))
          .map((e) => ({ id: e.id, atMs: e.timeMs, type: e.type, subject: e.subject ?? '', source: e.source }));
      },
      evidence: (tenant, incident) =>
        evidenceOf((expr, range) => input.queries.matrix(tenant, expr, range), incident.firstBadAtMs, clock.now()),
      remediate: (tenant, incident, key) => this.remediate(tenant, incident, { key, actor: 'escalation' }),
      settings: { correlate: input.correlate },
    });
  }

  static async open(input: IncidentsInput): Promise<Incidents> {
    const made = new Incidents(input, await linkKeyOf(input.documents));
    await made.service.start();
    await made.remediation.start();
    const look = (): void => {
      made.#lookForSilence();
      made.#timer = input.clock.setTimer(look, SILENCE_LOOK_MS);
    };
    made.#timer = input.clock.setTimer(look, SILENCE_LOOK_MS);
    input.cleanups.add('incidents', async () => {
      made.#timer?.cancel();
      await made.remediation[Symbol.asyncDispose]();
      await made.service[Symbol.asyncDispose]();
    });
    return made;
  }

  /** A rule's alert changed. */
  onTransition(transition: AlertTransition, health: RuleHealth): void {
    const signal = fromTransition(transition, health);
    if (signal) this.#observe(transition.tenant as TenantId, [signal]);
  }

  /** A client posted alerts to /api/v2/alerts. */
  onPosted(tenant: TenantId, alerts: readonly PostableAlert[]): void {
    const nowMs = this.#i.clock.now();
    const signals = alerts.map((a) => {
      const signal = fromPosted(a, nowMs);
      const key = `${tenant}/${a.labels.fingerprint()}`;
      if (signal.status === 'resolved') this.#posted.delete(key);
      else if (this.#posted.size < POSTED_MAX || this.#posted.has(key))
        this.#posted.set(key, { tenant, signal, endsAtMs: a.endsAtMs ?? nowMs + 5 * 60_000 });
      return signal;
    });
    this.#observe(tenant, signals);
  }

  /** A sender that fell silent resolves nothing: its alerts become unknown. */
  #lookForSilence(): void {
    const nowMs = this.#i.clock.now();
    for (const [key, posted] of this.#posted) {
      if (posted.endsAtMs > nowMs) continue;
      this.#posted.delete(key);
      this.#observe(posted.tenant, [lost(posted.signal)]);
    }
  }

  #observe(tenant: TenantId, signals: readonly Signal[]): void {
    this.service
      .observe(tenant, signals)
      .catch((error: unknown) =>
        this.#i.logger.error('incidents did not take alerts', { tenant, error: messageOf(error) }),
      );
  }

  services(tenant: TenantId): Promise<readonly ServiceNode[]> {
    return this.#i.services.list(tenant);
  }

  /** Who calls whom by the metrics. */
  async edges(tenant: TenantId): Promise<readonly ServiceEdge[]> {
    const found = await this.#i.edges.edges(tenant);
    return found.map((e) => ({ from: e.from, to: e.to, origin: e.sources.map((s) => ORIGIN[s]).join(', ') }));
  }

  picture(tenant: TenantId): TenantPicture {
    const all = this.#i.directory.list().filter((t) => t.id !== PLATFORM_TENANT && t.state === 'active');
    return {
      tier: this.#i.directory.get(tenant)?.tier ?? '',
      population: all.map((t) => ({
        id: t.id,
        plan: t.tier,
        ...(t.labels['region'] ? { region: t.labels['region'] } : {}),
      })),
    };
  }

  /** Offers an incident to the playbooks; on a person's word one may be named. */
  remediate(
    tenant: TenantId,
    incident: Incident,
    options: { readonly playbook?: string; readonly actor: string; readonly key?: string },
  ): Promise<RemediationAnswer> {
    return this.remediation.offer(
      tenant,
      {
        incident: incident.id,
        alerts: incident.alerts.map((a) => ({ fingerprint: a.fingerprint, labels: a.labels, state: a.state })),
        actor: options.actor,
        key: options.key ?? `${incident.id}/${randomBytes(6).toString('hex')}`,
      },
      options.playbook,
    );
  }

  async #send(tenant: TenantId, message: OutgoingMessage): Promise<boolean> {
    const alerting = await this.#i.routing.service.tenant(tenant);
    const nowMs = this.#i.clock.now();
    const target = message.email === undefined ? { receiver: message.receiver ?? '' } : { email: message.email };
    const buttons = message.links.flatMap(({ action, url }) => {
      const label = BUTTON_LABEL[action];
      return label ? [{ label, url, value: `${action}:${message.incident}` }] : [];
    });
    const { thread } = message;
    const event = EVENT[message.kind];
    const delivery = await alerting.sendTo(
      target,
      {
        labels: Labels.from({ alertname: message.title, ...message.labels }),
        annotations: Labels.from({
          ...message.annotations,
          summary: message.title,
          description: message.text,
        }),
        status: message.status,
        startsAtMs: nowMs,
        ...(message.status === 'resolved' ? { endsAtMs: nowMs } : {}),
        groupKey: groupKeyOf(tenant, message.group ?? (message.incident || message.id)),
        idempotencyKey: message.id,
        reason: message.kind,
        ...(buttons.length > 0 ? { buttons, pressable: new Set(await this.callbackPrograms(tenant)) } : {}),
        ...(event ? { event } : {}),
        mailHeaders: {
          'Message-ID': thread.messageId,
          ...(thread.inReplyTo ? { 'In-Reply-To': thread.inReplyTo } : {}),
          ...(thread.references.length > 0 ? { References: thread.references.join(' ') } : {}),
          ...(message.unsubscribe === undefined
            ? {}
            : {
                'List-Unsubscribe': `<${message.unsubscribe}>`,
                'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
              }),
        },
      },
      new AbortController().signal,
    );
    if (!delivery.ok) throw new VigieError('upstream', delivery.error);
    return event === undefined || delivery.attempts > 0;
  }

  async forget(tenant: TenantId): Promise<void> {
    for (const [key, posted] of this.#posted) if (posted.tenant === tenant) this.#posted.delete(key);
    await this.service.forget(tenant);
  }

  /** The secret that a tenant's Slack app, Discord application or PagerDuty subscription signs with. */
  async callbackSecret(tenant: TenantId, program: string): Promise<string | undefined> {
    return (await this.#callbackSecrets(tenant).get(program))?.body.secret;
  }

  async callbackPrograms(tenant: TenantId): Promise<readonly string[]> {
    return (await this.#callbackSecrets(tenant).list()).items.map((d) => d.id);
  }

  /** Undefined removes it. */
  async putCallbackSecret(tenant: TenantId, program: string, secret: string | undefined): Promise<void> {
    if (secret === undefined) await this.#callbackSecrets(tenant).delete(program);
    else await this.#callbackSecrets(tenant).put(program, { secret });
  }

  #callbackSecrets(tenant: TenantId) {
    return this.#i.documents.collection<{ readonly secret: string }>(tenant, CALLBACK_SECRETS);
  }

  /** Services that have no data now. */
  async silentServices(tenant: TenantId): Promise<ReadonlySet<string>> {
    const services = await this.#i.services.list(tenant);
    return new Set(services.filter((s) => s.state === 'unknown').map((s) => s.name));
  }
}

/** Made once per installation and kept with the platform's documents, so that links outlive a restart. */
async function linkKeyOf(documents: DocumentStore): Promise<Uint8Array> {
  const collection = documents.collection<{ readonly secret: string }>(PLATFORM_TENANT, SECRETS);
  let found = await collection.get('links');
  if (!found) {
    await collection.put('links', { secret: randomBytes(32).toString('base64') }, 'absent').catch(() => undefined);
    found = await collection.get('links');
  }
  if (!found) throw new VigieError('storage', 'the key for signed links could not be kept');
  return createHmac('sha256', 'vigie incident links').update(Buffer.from(found.body.secret, 'base64')).digest();
}
