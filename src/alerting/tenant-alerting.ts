/**
 * The alerting of one tenant: takes alerts, keeps them, their silences and what was told in the log, and takes each
 * flush through inhibition, times, silences and every integration. Everything is in the log before it is acknowledged.
 * Long because one place must show the order of it all: what is kept, what is told, what is remembered.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { PostableAlert } from '../model/alert.ts';
import { Labels } from '../model/labels.ts';
import type { CompiledMatcher } from '../model/matcher.ts';
import { type Alert, isResolved, loadAlert, mergeAlert, storeAlert } from './alert.ts';
import { AlertBook } from './alert-book.ts';
import type { AlertingConfig } from './config.ts';
import type { Delivery } from './deliver.ts';
import {
  type DirectMessage,
  type DirectTarget,
  directAlert,
  directGroupLabels,
  directIntegrations,
  joinDeliveries,
  SEND_TO_MS_MAX,
  Spoken,
} from './direct.ts';
import { Dispatcher, type Flush, type Group } from './dispatcher.ts';
import { type DeadLetter, type Decision, FINGERPRINTS_PER_DECISION_MAX, History, type Verdict } from './history.ts';
import { Inhibitor } from './inhibitor.ts';
import { matchesAll } from './matchers.ts';
import {
  beforeTrying,
  LOG_RETENTION_MS,
  type LogEntry,
  NotificationLog,
  reasonToNotify,
  toldFiring,
} from './notification-log.ts';
import type { SendPorts } from './notify/channel.ts';
import { type Integration, nameOf } from './receiver-config.ts';
import { printLabels, type Route, routesOf } from './routes.ts';
import { Sender } from './sender.ts';
import { type SilenceInput, Silences } from './silences.ts';
import type { OpenedLog, StateLog } from './state-log.ts';
import { ALERT_CHARS_MAX, AlertRecords, charsOf, type StateRecord } from './state-records.ts';
import { inInterval } from './time-intervals.ts';

/** Alerts of one tenant held at a time. */
export const ALERTS_MAX = 200_000;
/** Labels or annotations of one alert, and characters of one of their values. */
export const LABELS_PER_ALERT_MAX = 100;
export const VALUE_CHARS_MAX = 65_536;
/** Resolved alerts are forgotten, and old entries swept, this often. */
export const SWEEP_MS = 30 * 60_000;
/** Inhibiting alerts named in one decision, and characters of each. */
const SOURCES_NAMED_MAX = 3;
const SOURCE_CHARS_MAX = 300;
/** The log is rewritten when it exceeds this and four times what it was after the last rewrite. */
const COMPACT_BYTES_MIN = 16 * 1024 * 1024;

export interface TenantAlertingOptions {
  readonly config: AlertingConfig;
  readonly state: OpenedLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ports: SendPorts;
  readonly externalURL: string;
  /** Tells the end of an alert also when it is silenced or inhibited by then, if its begin was told. */
  readonly orphanResolve: boolean;
  readonly random?: () => number;
  readonly onDecision?: (decision: Decision) => void;
}

export interface AlertView {
  readonly alert: Alert;
  readonly receivers: readonly string[];
  readonly silencedBy: readonly string[];
  readonly inhibitedBy: readonly string[];
}

export interface AcceptResult {
  readonly accepted: number;
  readonly problems: readonly string[];
}

export class TenantAlerting {
  readonly #clock: Clock;
  readonly #log: StateLog;
  readonly #options: TenantAlertingOptions;
  readonly #alerts = new AlertBook();
  readonly #told = new NotificationLog();
  readonly #sender: Sender;
  readonly #spoken = new Spoken();
  readonly #ended = new AbortController();
  readonly history = new History();
  readonly silences: Silences;
  #config: AlertingConfig;
  #inhibitor: Inhibitor;
  #dispatcher: Dispatcher;
  #sweepTimer: Timer | undefined;
  #compactedBytes = 0;
  #compacting = false;
  #closed = false;

  constructor(options: TenantAlertingOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.state.log;
    this.#config = options.config;
    this.#sender = new Sender(options);
    this.silences = new Silences((records) => this.#log.append(records.map((v) => ({ k: 's', v }))));
    for (const record of options.state.records) this.#replay(record as StateRecord);
    this.#compactedBytes = this.#log.sizeBytes;
    this.#inhibitor = new Inhibitor(options.config.inhibitRules);
    this.#dispatcher = new Dispatcher(options.config.route, this.#clock, (flush) => this.#flush(flush));
    this.#start();
    this.#sweepLater();
  }

  #replay(r: StateRecord): void {
    switch (r.k) {
      case 'a':
      case 'A':
        for (const stored of r.k === 'a' ? [r.v] : r.v) {
          this.#alerts.set(loadAlert(stored));
        }
        break;
      case 'e':
      case 'E':
        for (const [fingerprint, endsAtMs, updatedAtMs] of r.k === 'e' ? [[r.f, r.e, r.u] as const] : r.v) {
          const old = this.#alerts.get(fingerprint);
          if (old) this.#alerts.set({ ...old, endsAtMs, updatedAtMs });
        }
        break;
      case 's':
        this.silences.restore(r.v);
        break;
      case 'n':
        this.#told.set(r.v);
        break;
      case 'h':
        this.history.add(r.v);
        break;
      case 'd':
        this.history.deadLetter(r.v);
        break;
      case 'D':
        this.history.drop(r.id);
        break;
      case 'o':
        this.#spoken.add(r.v, r.t);
        break;
      case 'w':
        this.#sweep(r.t, new Set(r.keep));
        break;
    }
  }

  /** All sources are known to inhibition before the first group exists, so nothing inhibited is told at a start. */
  #start(): void {
    for (const a of this.#alerts.values()) this.#inhibitor.update(a);
    const nowMs = this.#clock.now();
    for (const a of this.#alerts.values())
      this.#dispatcher.insert(
        a,
        isResolved(a, nowMs) ? (groupKey, route) => this.#wasTold(groupKey, route.receiver, a.fingerprint) : undefined,
      );
  }

  /** Takes alerts as Alertmanager does: the valid ones of a batch count, the others are named. Throws `storage`, `quota`. */
  async accept(posted: readonly PostableAlert[]): Promise<AcceptResult> {
    const nowMs = this.#clock.now();
    const problems: string[] = [];
    const records = new AlertRecords();
    const changed: Alert[] = [];
    for (const p of posted) {
      const problem = checkPosted(p);
      const alert = problem === undefined ? this.#fromPosted(p, nowMs) : undefined;
      if (!alert) {
        problems.push(problem!);
        continue;
      }
      if (alert.startsAtMs > alert.endsAtMs) {
        problems.push(`invalid alert ${alert.labels}: start time must be before end time`);
        continue;
      }
      const old = this.#alerts.get(alert.fingerprint);
      if (!old && this.#alerts.size >= ALERTS_MAX) {
        problems.push(`the tenant holds ${ALERTS_MAX} alerts, no more are taken`);
        continue;
      }
      const merged = mergeAlert(old, alert, nowMs);
      this.#alerts.set(merged);
      records.add(merged, old !== undefined && sameButEnd(old, merged));
      changed.push(merged);
    }
    for (const a of changed) this.#inhibitor.update(a);
    await this.#log.append(records.all);
    for (const a of changed) this.#dispatcher.insert(a);
    this.#compactWhenLarge();
    return { accepted: changed.length, problems };
  }

  #fromPosted(p: PostableAlert, nowMs: number): Alert {
    // the same object for the same labels keeps what is known about their routes
    const fingerprint = p.labels.fingerprint();
    const labels = this.#alerts.get(fingerprint)?.labels ?? p.labels;
    const endsAtMs = p.endsAtMs ?? nowMs + this.#config.resolveTimeoutMs;
    return {
      fingerprint,
      labels,
      annotations: p.annotations,
      startsAtMs: p.startsAtMs ?? (p.endsAtMs !== undefined && p.endsAtMs < nowMs ? p.endsAtMs : nowMs),
      endsAtMs,
      updatedAtMs: nowMs,
      timeout: p.endsAtMs === undefined,
      generatorURL: p.generatorURL,
    };
  }

  /** The alerts that have not ended and that `keep` takes, by fingerprint. */
  current(keep?: (alert: Alert) => boolean, nowMs = this.#clock.now()): Alert[] {
    return this.#alerts.current(nowMs, keep);
  }

  /** Names of the time intervals that mute a route now. */
  mutedByTime(route: Route): string[] {
    const nowMs = this.#clock.now();
    const within = (name: string): boolean =>
      (this.#config.timeIntervals.get(name) ?? []).some((i) => inInterval(i, nowMs));
    const muting = route.muteTimeIntervals.filter(within);
    const active = route.activeTimeIntervals;
    return muting.length > 0 || active.length === 0 || active.some(within) ? muting : [...active];
  }

  /** As `current`, with who gets them and what mutes them. */
  views(): AlertView[] {
    return this.current().map((a) => this.view(a));
  }

  view(alert: Alert, nowMs = this.#clock.now()): AlertView {
    return {
      alert,
      receivers: this.#dispatcher.receiversFor(alert.labels),
      silencedBy: this.silences.mutedBy(alert.labels, nowMs),
      inhibitedBy: this.#inhibitor.inhibitedBy(alert, nowMs),
    };
  }

  groups(): Group[] {
    return this.#dispatcher.groups();
  }

  get config(): AlertingConfig {
    return this.#config;
  }

  async setSilence(input: SilenceInput): Promise<string> {
    return this.silences.set(input, this.#clock.now());
  }

  async expireSilence(id: string): Promise<void> {
    await this.silences.expire(id, this.#clock.now());
  }

  /** Who would get an alert with these labels, in order. */
  routeTest(labels: Labels): { readonly receiver: string; readonly route: Route }[] {
    return routesOf(this.#config.route, labels).map((route) => ({ receiver: route.receiver, route }));
  }

  /** Search in the history for alerts with these labels: those still held, and groups whose labels say it. */
  decidedOn(matchers: readonly CompiledMatcher[]): (decision: Decision) => boolean {
    const found = new Set<string>();
    for (const a of this.#alerts.values()) if (matchesAll(matchers, a.labels)) found.add(a.fingerprint);
    // an absent label of a group proves nothing about its alerts
    const group = (d: Decision): boolean =>
      matchers.every((m) => m.matches(d.groupLabels[m.name] ?? '') && m.name in d.groupLabels);
    return (d) => d.fingerprints.some((f) => found.has(f)) || group(d);
  }

  /** The alerts that a silence with these matchers would mute now. */
  silencePreview(matches: (labels: Labels) => boolean): Alert[] {
    const nowMs = this.#clock.now();
    return [...this.#alerts.values()].filter((a) => a.endsAtMs >= nowMs && matches(a.labels));
  }

  /** Replaces the configuration; alerts are grouped anew at once. */
  async reload(config: AlertingConfig): Promise<void> {
    const old = this.#dispatcher;
    this.#config = config;
    this.#inhibitor = new Inhibitor(config.inhibitRules);
    this.#dispatcher = new Dispatcher(config.route, this.#clock, (flush) => this.#flush(flush));
    await old.stop();
    this.#start();
  }

  #wasTold(groupKey: string, receiver: string, fingerprint: string): boolean {
    const integrations = this.#config.receivers.get(receiver)?.integrations ?? [];
    return integrations.some((i) => toldFiring(this.#told.get(groupKey, receiver, nameOf(i)), fingerprint));
  }

  async #flush(flush: Flush): Promise<boolean> {
    try {
      return await this.#notify(flush);
    } catch (error) {
      this.#options.logger.error('a flush failed', { group: flush.groupKey, error: messageOf(error) });
      return false;
    }
  }

  async #notify(flush: Flush): Promise<boolean> {
    const { route, nowMs } = flush;
    const orphan = (a: Alert): boolean =>
      this.#options.orphanResolve &&
      isResolved(a, nowMs) &&
      this.#wasTold(flush.groupKey, route.receiver, a.fingerprint);
    const inhibited: Alert[] = [];
    const sources = new Set<string>();
    let alerts = flush.alerts.filter((a) => {
      const by = orphan(a) ? [] : this.#inhibitor.inhibitedBy(a, nowMs);
      if (by.length === 0) return true;
      for (const fingerprint of by) if (sources.size < SOURCES_NAMED_MAX) sources.add(fingerprint);
      inhibited.push(a);
      return false;
    });
    if (inhibited.length > 0) this.#decide(flush, 'inhibited', this.#inhibitedWhy([...sources]), inhibited);
    if (alerts.length === 0) return true;
    const within = (name: string): boolean =>
      (this.#config.timeIntervals.get(name) ?? []).some((i) => inInterval(i, nowMs));
    if (route.activeTimeIntervals.length > 0 && !route.activeTimeIntervals.some(within)) {
      this.#decide(flush, 'outside_active_time', `none of ${route.activeTimeIntervals.join(', ')} is now`, alerts);
      return true;
    }
    const muting = route.muteTimeIntervals.find(within);
    if (muting !== undefined) {
      this.#decide(flush, 'muted_by_time', `the time interval ${muting} is now`, alerts);
      return true;
    }
    const silenced: Alert[] = [];
    const by = new Set<string>();
    alerts = alerts.filter((a) => {
      if (orphan(a)) return true;
      const ids = this.silences.mutedBy(a.labels, nowMs);
      for (const id of ids) by.add(id);
      if (ids.length > 0) silenced.push(a);
      return ids.length === 0;
    });
    this.#decide(flush, 'silenced', `silence ${[...by].join(', ')}`, silenced);
    if (alerts.length === 0) return true;
    const integrations = this.#config.receivers.get(route.receiver)?.integrations ?? [];
    if (integrations.length === 0)
      this.#decide(flush, 'not_needed', `the receiver ${route.receiver} sends through nothing: nobody is told`, alerts);
    const told = await Promise.all(integrations.map((i) => this.#tell(flush, i, alerts)));
    return told.every(Boolean);
  }

  #inhibitedWhy(sources: readonly string[]): string {
    const named = sources.map((f) => {
      const labels = this.#alerts.get(f)?.labels;
      return labels ? printLabels(labels).slice(0, SOURCE_CHARS_MAX) : f;
    });
    return `inhibited while this fires: ${named.join(' and ')}`;
  }

  async #tell(flush: Flush, integration: Integration, alerts: readonly Alert[]): Promise<boolean> {
    const { route, groupKey, nowMs } = flush;
    const name = nameOf(integration);
    const firing = alerts.filter((a) => !isResolved(a, nowMs));
    const resolved = alerts.filter((a) => isResolved(a, nowMs));
    const ids = (list: readonly Alert[]): string[] => list.map((a) => a.fingerprint).sort();
    const entry = this.#told.get(groupKey, route.receiver, name);
    const view = {
      firing: ids(firing),
      resolved: ids(resolved),
      sendResolved: integration.sendResolved,
      repeatIntervalMs: route.repeatIntervalMs,
      nowMs,
    };
    const reason = reasonToNotify(entry, view);
    if (!reason) {
      this.#decide(flush, 'not_needed', 'nothing new since the last notification', alerts, name);
      return true;
    }
    const sending = integration.sendResolved ? alerts : firing;
    if (sending.length > 0) {
      const idempotencyKey = createHash('sha256')
        .update(JSON.stringify([groupKey, route.receiver, name, entry?.atMs ?? 0, view.firing, view.resolved]))
        .digest('hex');
      const blank = { groupKey, receiver: route.receiver, integration: name, atMs: 0, firing: [], resolved: [] };
      const expiresAtMs = nowMs + Math.min(LOG_RETENTION_MS, 2 * route.repeatIntervalMs);
      const noted = beforeTrying(entry ?? { ...blank, expiresAtMs }, view.firing);
      if (noted) {
        // noted only afterwards, a crash in between would hide the next begin, or the end, of these alerts
        this.#told.set(noted);
        await this.#log.append([{ k: 'n', v: noted }]);
      }
      const delivery = await this.#send(flush, integration, sending, idempotencyKey, reason);
      if (!delivery.ok) {
        this.#failed(flush, name, sending, delivery);
        if (delivery.refused) this.#forgetBegun(groupKey, route.receiver, name, entry?.maybeFiring);
        return false;
      }
      this.#decide(flush, 'sent', reason, sending, name, delivery.attempts);
    }
    const fresh: LogEntry = {
      groupKey,
      receiver: route.receiver,
      integration: name,
      atMs: nowMs,
      firing: view.firing,
      resolved: view.resolved,
      expiresAtMs: nowMs + Math.min(LOG_RETENTION_MS, 2 * route.repeatIntervalMs),
    };
    this.#told.set(fresh);
    const settled = this.history.settle(groupKey, route.receiver, name);
    await this.#log.append([{ k: 'n', v: fresh }, ...settled.map((id) => ({ k: 'D', id }))]);
    return true;
  }

  #send(
    flush: Flush,
    integration: Integration,
    alerts: readonly Alert[],
    idempotencyKey: string,
    reason: string,
    once = false,
  ): Promise<Delivery> {
    const templates = this.#config.templates;
    return this.#sender.send({ flush, integration, alerts, templates, idempotencyKey, reason, once });
  }

  /** The receiver has certainly not heard of what was new this time. */
  #forgetBegun(groupKey: string, receiver: string, integration: string, before: readonly string[] = []): void {
    const entry = this.#told.get(groupKey, receiver, integration);
    if (!entry?.maybeFiring || this.#closed) return;
    const fresh: LogEntry = { ...entry, maybeFiring: before };
    this.#told.set(fresh);
    this.#later([{ k: 'n', v: fresh }]);
  }

  #failed(flush: Flush, integration: string, alerts: readonly Alert[], delivery: Delivery): void {
    if (this.#closed) return;
    this.#decide(flush, 'failed', delivery.error, alerts, integration, delivery.attempts);
    const letter: DeadLetter = {
      id: randomUUID(),
      atMs: flush.nowMs,
      receiver: flush.route.receiver,
      integration,
      routeId: flush.route.id,
      groupKey: flush.groupKey,
      groupLabels: flush.groupLabels.toObject(),
      error: delivery.error,
      attempts: delivery.attempts,
      alerts: alerts.map(storeAlert),
    };
    this.history.deadLetter(letter);
    this.#later([{ k: 'd', v: letter }]);
  }

  /** Sends a dead letter once more, now. Throws `not_found` when it, or its receiver, is gone. */
  async resend(id: string, signal: AbortSignal): Promise<Delivery> {
    const letter = this.history.letter(id);
    const integration =
      letter && this.#config.receivers.get(letter.receiver)?.integrations.find((i) => nameOf(i) === letter.integration);
    if (!letter || !integration)
      throw new VigieError('not_found', `no dead letter ${id} with a receiver that still exists`);
    const route = { ...this.#config.route, receiver: letter.receiver };
    const flush: Flush = {
      route,
      groupKey: letter.groupKey,
      groupLabels: Labels.from(letter.groupLabels),
      alerts: [],
      nowMs: this.#clock.now(),
      signal,
    };
    const delivery = await this.#send(
      flush,
      integration,
      letter.alerts.map(loadAlert),
      `dead-letter-${id}`,
      'first notification',
      true,
    );
    if (delivery.ok) {
      this.history.drop(id);
      await this.#log.append([{ k: 'D', id }]);
    }
    return delivery;
  }

  /** Sends a made-up alert through every integration of a receiver, once. Throws `not_found`. */
  async testReceiver(
    name: string,
    labels: Labels,
    annotations: Labels,
    signal: AbortSignal,
  ): Promise<{ kind: string; index: number; delivery: Delivery; durationMs: number }[]> {
    const receiver = this.#config.receivers.get(name);
    if (!receiver) throw new VigieError('not_found', `no receiver ${JSON.stringify(name)}`);
    const nowMs = this.#clock.now();
    const all = Labels.from({ alertname: 'TestAlert' }).merge(labels);
    const alert: Alert = {
      fingerprint: all.fingerprint(),
      labels: all,
      annotations,
      startsAtMs: nowMs,
      endsAtMs: nowMs + this.#config.resolveTimeoutMs,
      updatedAtMs: nowMs,
      timeout: true,
      generatorURL: this.#options.externalURL,
    };
    const route = { ...this.#config.route, receiver: name };
    const flush: Flush = {
      route,
      groupKey: `{}/test:{receiver="${name}"}`,
      groupLabels: Labels.from({ alertname: all.get('alertname') }),
      alerts: [alert],
      nowMs,
      signal,
    };
    return Promise.all(
      receiver.integrations.map(async (i) => {
        const startMs = this.#clock.monotonicMs();
        const delivery = await this.#send(flush, i, [alert], `test-${randomUUID()}`, 'first notification', true);
        return { kind: i.channel.kind, index: i.index, delivery, durationMs: this.#clock.monotonicMs() - startMs };
      }),
    );
  }

  /**
   * Speaks to a receiver, or to one address, outside of routes and silences: incidents and reports use it. What one
   * idempotency key has delivered is remembered, also through a crash, so that a second call sends only what is
   * missing; no attempt is made when no integration wants to hear of it. Tries again until `signal` aborts, at most
   * SEND_TO_MS_MAX. Throws `not_found` for an unknown receiver, `bad_data` for what is no address, `bad_config` when
   * there is no mail server.
   */
  async sendTo(target: DirectTarget, message: DirectMessage, signal: AbortSignal): Promise<Delivery> {
    const { receiver, integrations } = directIntegrations(this.#config, target);
    const nowMs = this.#clock.now();
    const alert = directAlert(message, nowMs, this.#options.externalURL);
    const limit = new AbortController();
    const timer = this.#clock.setTimer(() => limit.abort(new Error('the time for this is over')), SEND_TO_MS_MAX);
    const flush: Flush = {
      route: { ...this.#config.route, receiver },
      groupKey: message.groupKey,
      groupLabels: directGroupLabels(message.labels),
      alerts: [alert],
      nowMs,
      signal: AbortSignal.any([signal, limit.signal, this.#ended.signal]),
    };
    const wanted = integrations.filter((i) =>
      message.event ? i.channel.acknowledges : message.status === 'firing' || i.sendResolved,
    );
    try {
      return joinDeliveries(
        await Promise.all(wanted.map(async (i) => [nameOf(i), await this.#direct(flush, i, message)])),
      );
    } finally {
      timer.cancel();
    }
  }

  async #direct(flush: Flush, integration: Integration, message: DirectMessage): Promise<Delivery> {
    const name = nameOf(integration);
    const key = createHash('sha256')
      .update(JSON.stringify([message.idempotencyKey, flush.route.receiver, name]))
      .digest('hex');
    if (this.#spoken.has(key)) return { ok: true, attempts: 0, error: '' };
    const delivery = await this.#sender
      .send({
        flush,
        integration,
        alerts: flush.alerts,
        templates: this.#config.templates,
        idempotencyKey: key,
        reason: message.reason,
        ...(message.mailHeaders ? { mailHeaders: message.mailHeaders } : {}),
        ...(message.buttons ? { buttons: message.buttons } : {}),
        ...(message.pressable?.has(integration.channel.kind) ? { pressable: true } : {}),
        ...(message.event ? { event: message.event } : {}),
      })
      .catch((error: unknown) => ({ ok: false, attempts: 0, error: messageOf(error) }));
    if (this.#closed) return delivery;
    this.#decide(
      flush,
      delivery.ok ? 'sent' : 'failed',
      delivery.ok ? message.reason : delivery.error,
      flush.alerts,
      name,
      delivery.attempts,
    );
    if (delivery.ok) {
      this.#spoken.add(key, flush.nowMs);
      await this.#log.append([{ k: 'o', v: key, t: flush.nowMs }]);
    }
    return delivery;
  }

  #decide(
    flush: Flush,
    verdict: Verdict,
    reason: string,
    alerts: readonly Alert[],
    integration = '',
    attempts = 0,
  ): void {
    if (alerts.length === 0) return;
    const resolved = alerts.filter((a) => isResolved(a, flush.nowMs)).length;
    const decision: Decision = {
      id: randomUUID(),
      atMs: flush.nowMs,
      receiver: flush.route.receiver,
      integration,
      groupKey: flush.groupKey,
      groupLabels: flush.groupLabels.toObject(),
      verdict,
      reason,
      attempts,
      firing: alerts.length - resolved,
      resolved,
      fingerprints: alerts.slice(0, FINGERPRINTS_PER_DECISION_MAX).map((a) => a.fingerprint),
    };
    if (!this.history.add(decision)) return;
    this.#options.onDecision?.(decision);
    this.#later([{ k: 'h', v: decision }]);
  }

  /** For records nobody waits for; a full disk is logged, the notification has gone out anyway. */
  #later(records: readonly StateRecord[]): void {
    this.#log
      .append(records)
      .catch((error) => this.#options.logger.error('history was not written', { error: messageOf(error) }));
  }

  #sweepLater(): void {
    this.#sweepTimer = this.#clock.setTimer(() => {
      const nowMs = this.#clock.now();
      // an end that could not be told yet is kept
      const waiting = new Set(this.#dispatcher.groups().flatMap((g) => [...g.alerts.keys()]));
      const keep = [...waiting].filter((f) => isResolved(this.#alerts.get(f)!, nowMs));
      const gone = this.#sweep(nowMs, new Set(keep));
      for (const a of gone) this.#inhibitor.remove(a);
      this.#later([{ k: 'w', t: nowMs, keep }]);
      this.#compactWhenLarge();
      this.#sweepLater();
    }, SWEEP_MS);
  }

  /** Forgets what is over; the same again when the log is replayed. Answers the alerts that went. */
  #sweep(nowMs: number, keep: ReadonlySet<string>): Alert[] {
    const gone = this.#alerts.remove((a) => isResolved(a, nowMs) && !keep.has(a.fingerprint));
    this.silences.sweep(nowMs);
    this.#told.sweep(nowMs);
    this.#spoken.sweep(nowMs);
    return gone;
  }

  #compactWhenLarge(): void {
    if (this.#compacting || this.#log.sizeBytes < Math.max(COMPACT_BYTES_MIN, this.#compactedBytes * 4)) return;
    this.#compacting = true;
    this.compact()
      .catch((error) => this.#options.logger.error('alerting state was not compacted', { error: messageOf(error) }))
      .finally(() => {
        this.#compacting = false;
      });
  }

  /** Rewrites the log as a snapshot of the present state. Throws `storage`. */
  async compact(): Promise<void> {
    await this.#log.rewrite(() => this.snapshot());
    this.#compactedBytes = this.#log.sizeBytes;
  }

  *snapshot(): IterableIterator<StateRecord> {
    for (const a of this.#alerts.values()) yield { k: 'a', v: storeAlert(a) };
    for (const v of this.silences.all()) yield { k: 's', v };
    for (const v of this.#told.all()) yield { k: 'n', v };
    for (const v of this.history.kept()) yield { k: 'h', v };
    for (const v of this.history.letters().reverse()) yield { k: 'd', v };
    for (const [v, t] of this.#spoken.all()) yield { k: 'o', v, t };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ended.abort(new Error('stopped'));
    this.#sweepTimer?.cancel();
    await this.#dispatcher.stop();
    await this.#log.close();
  }
}

function sameButEnd(a: Alert, b: Alert): boolean {
  return (
    a.startsAtMs === b.startsAtMs &&
    a.timeout === b.timeout &&
    a.generatorURL === b.generatorURL &&
    a.annotations.equals(b.annotations)
  );
}

function checkPosted(p: PostableAlert): string | undefined {
  if (p.labels.size === 0) return 'at least one label pair required';
  if (charsOf(p) > ALERT_CHARS_MAX) return `labels and annotations exceed ${ALERT_CHARS_MAX} characters together`;
  for (const set of [p.labels, p.annotations]) {
    if (set.size > LABELS_PER_ALERT_MAX) return `more than ${LABELS_PER_ALERT_MAX} labels or annotations`;
    for (let i = 0; i < set.flat.length; i += 2) {
      if (set.flat[i] === '') return 'invalid label name ""';
      if (set.flat[i + 1]!.length > VALUE_CHARS_MAX)
        return `the value of ${JSON.stringify(set.flat[i])} exceeds ${VALUE_CHARS_MAX} characters`;
    }
  }
  return undefined;
}
