/**
 * The incidents of one tenant: takes signals, correlates, keeps the life cycle, takes escalation steps when they are
 * due, and does what people ask. A change and the messages it causes are stored together before anything is said.
 * Long because every way an incident changes goes through one lock and one write here.
 */
import { atMost } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import { CoOccurrence, type CoOccurrenceState } from './co-occurrence.ts';
import { type IncidentPorts, type IncidentSettings, LEARNED, OUTBOX } from './collections.ts';
import { isNoIncident } from './component.ts';
import { type CorrelationDecision, correlate, inheritSummary } from './correlate.ts';
import { isHigher } from './criticality.ts';
import { drillOfMessage } from './drill.ts';
import { DrillWatch } from './drill-watch.ts';
import { advance, ESCALATION } from './escalation.ts';
import { Facts } from './facts.ts';
import { isFlapping, resolveAfterMs } from './flap.ts';
import { HandOverWatch } from './hand-over-watch.ts';
import {
  allRecovered,
  BY_PERSON,
  type Incident,
  type IncidentAlert,
  type Signal,
  type SignalStatus,
  TIMER_KINDS,
  type TimelineEntry,
  type TimerKind,
  updatedAlert,
  withEntry,
  withoutTimer,
  withTimers,
} from './incident.ts';
import { type Draft, IncidentStore } from './incident-store.ts';
import { judged, newAlert, newIncident, titleOf } from './judgement.ts';
import { LabelRarity } from './label-rarity.ts';
import { type IncidentEvent, isEscalating, isLive } from './life-cycle.ts';
import type { OutboxEntry } from './message.ts';
import { OnCallDirectory } from './on-call-directory.ts';
import { Outbox } from './outbox.ts';
import { choosePolicy, type Policy } from './policy.ts';
import { rankCauses } from './root-cause.ts';
import type { ServiceGraph } from './service-graph.ts';
import { Stakeholders } from './stakeholder-teller.ts';
import { Teller } from './tell.ts';
import { touched, transition } from './transition.ts';

/** Live incidents of one tenant; beyond it alerts join the newest one, which says so. */
export const LIVE_INCIDENTS_MAX = 2_000;
/** Signals of one call. */
export const SIGNALS_PER_CALL_MAX = 10_000;
/** Timers taken in one pass; more wait for the next. */
const DUE_PER_PASS_MAX = 10_000;
/** A step that waits for a recovery to prove itself is due this long after that. */
const HELD_MS = 1;
/** What the causes of new incidents may hold up the first message: this long, and for so many at once. */
const FIRST_WORD_MS_MAX = 2_000;
const FIRST_WORD_MAX = 20;
const RELATED_CHANGES_MAX = 50;
/** Changes looked at before the first bad sample, and after it. */
const CHANGES_BEFORE_MS = 3_600_000;
const CHANGES_AFTER_MS = 600_000;

export interface TenantIncidentsOptions {
  readonly tenant: TenantId;
  readonly ports: IncidentPorts;
  readonly settings: IncidentSettings;
  /** Tenants with a live incident of the same kind about now: for the verdict; a tenant learns their number only. */
  readonly alsoHit: (tenant: TenantId, incident: Incident) => ReadonlySet<string>;
  readonly onChanged: (incident: Incident, before: Incident | undefined) => void;
  /** A deadline may be earlier now, or something waits to be enriched. */
  readonly onDeadline: () => void;
}

export class TenantIncidents {
  readonly tenant: TenantId;
  readonly directory: OnCallDirectory;
  readonly #o: TenantIncidentsOptions;
  readonly #store: IncidentStore;
  readonly #outbox: Outbox;
  readonly #teller: Teller;
  #learned = new CoOccurrence();
  readonly #rarity = new LabelRarity();
  #learnedDirty = false;
  readonly #facts: Facts;
  readonly #enrichWaiting = new Set<string>();
  readonly #handOvers: HandOverWatch;
  readonly drills: DrillWatch;
  readonly stakeholders: Stakeholders;
  #closed = false;

  constructor(options: TenantIncidentsOptions) {
    this.#o = options;
    this.tenant = options.tenant;
    const { documents, clock, logger } = options.ports;
    this.directory = new OnCallDirectory(documents, this.tenant);
    this.#outbox = new Outbox({
      collection: () => documents.collection<OutboxEntry>(this.tenant, OUTBOX),
      clock,
      logger,
      send: (e) => options.ports.send(this.tenant, e.message),
      wanted: (e) => this.#wanted(e),
      onSent: (e) => this.#said(e),
      onGivenUp: (e, error) => this.#givenUp(e, error),
    });
    this.#facts = new Facts(this.tenant, options.ports);
    this.#handOvers = new HandOverWatch({
      tenant: this.tenant,
      ports: options.ports,
      directory: this.directory,
      live: () => this.#store.live(),
      post: (entry) => this.#change(async (draft) => void draft.outgoing.push(entry)),
    });
    this.drills = new DrillWatch({
      tenant: this.tenant,
      ports: options.ports,
      directory: this.directory,
      post: (entries) => this.#change(async (draft) => void draft.outgoing.push(...entries)),
    });
    this.stakeholders = new Stakeholders(this.tenant, options.ports, () => this.#outbox.size);
    this.#teller = new Teller(this.tenant, options.ports, this.directory, () => this.#outbox.size);
    this.#store = new IncidentStore({
      tenant: this.tenant,
      documents,
      onCommitted: (changed, outgoing) => {
        for (const [after, before] of changed) {
          this.#enrichWaiting.add(after.id);
          this.#o.onChanged(after, before);
        }
        this.#outbox.take(outgoing);
        this.#o.onDeadline();
      },
    });
  }

  async load(): Promise<void> {
    const { documents, clock } = this.#o.ports;
    await this.directory.load();
    await this.drills.load();
    await this.stakeholders.lists.load();
    await this.#store.load(clock.now() - this.#o.settings.correlation.reopenWindowMs);
    const learned = await documents.collection<CoOccurrenceState>(this.tenant, LEARNED).get('co-occurrence');
    this.#learned = new CoOccurrence(learned?.body);
    await this.#outbox.load();
    await this.#boundDeadlines();
    this.#o.onDeadline();
  }

  /** No deadline is further away than what set it allows: the clock may have been set back while Vigie was away. */
  #boundDeadlines(): Promise<void> {
    return this.#change(async (draft) => {
      const nowMs = this.#o.ports.clock.now();
      for (const incident of this.#store.live()) {
        const policy = this.policyOf(incident);
        const { escalation, recovery, idle } = incident.timers;
        const step = Math.max(...policy.steps.map((s) => s.timeout));
        const hold = resolveAfterMs(incident, this.#o.settings, nowMs);
        const timers = {
          ...incident.timers,
          ...(escalation !== undefined && incident.hushed === ''
            ? { escalation: Math.min(escalation, nowMs + step) }
            : {}),
          ...(recovery === undefined ? {} : { recovery: Math.min(recovery, nowMs + hold) }),
          ...(idle === undefined ? {} : { idle: Math.min(idle, nowMs + policy.idle_after) }),
        };
        const bounded = withTimers(incident, timers);
        if (JSON.stringify(timers) !== JSON.stringify(incident.timers)) this.#keep(bounded, draft);
      }
    });
  }

  live(): readonly Incident[] {
    return this.#store.live();
  }

  /** From memory, or an old one from the documents. Throws `not_found`. */
  get(id: string): Promise<Incident> {
    return this.#store.find(id);
  }

  /** The state of one alert as incidents know it; `unknown` when it belongs to none. */
  signalState(fingerprint: string): SignalStatus {
    const owner = this.#store.owner(fingerprint);
    const incident = owner === undefined ? undefined : this.#store.held(owner);
    return incident?.alerts.find((a) => a.fingerprint === fingerprint)?.state ?? 'unknown';
  }

  /** Messages not yet delivered. */
  get outboxSize(): number {
    return this.#outbox.size;
  }

  get graph(): ServiceGraph {
    return this.#facts.graph;
  }

  /** The earliest deadline; undefined without any. */
  nextDueAtMs(): number | undefined {
    let due: number | undefined;
    for (const i of this.#store.live())
      if (i.nextDueAtMs > 0 && (due === undefined || i.nextDueAtMs < due)) due = i.nextDueAtMs;
    return due;
  }

  /** Takes signals; resolved means their effect is durable. Answers the incident of each, '' for ends of what is not known. */
  async observe(signals: readonly Signal[]): Promise<readonly string[]> {
    if (signals.length > SIGNALS_PER_CALL_MAX)
      throw new VigieError(
        'too_large',
        `${signals.length} signals in one call, at most ${SIGNALS_PER_CALL_MAX} are taken`,
      );
    await this.#facts.refresh();
    return this.#change(async (draft) => signals.map((s) => this.#one(s, draft)));
  }

  #one(signal: Signal, draft: Draft): string {
    if (isNoIncident(signal.labels)) return '';
    const nowMs = this.#o.ports.clock.now();
    const fingerprint = signal.fingerprint ?? Labels.from(signal.labels).fingerprint();
    const owner = this.#store.owner(fingerprint);
    const known = owner === undefined ? undefined : this.#store.now(owner, draft);
    const current = known?.alerts.find((a) => a.fingerprint === fingerprint);
    if (signal.status !== 'firing') {
      const nothing = !current || !isLive(known!.state) || current.state === signal.status;
      // what recovered stays recovered when its data goes away afterwards
      if (nothing || (signal.status === 'unknown' && current.state === 'resolved')) return known?.id ?? '';
      this.#changedAlert(known!, current, signal, nowMs, draft);
      return known!.id;
    }
    if (current?.state === 'firing' && isLive(known!.state)) return known!.id;
    if (!current || current.state === 'resolved') {
      this.#learned.learn(signal.labels['alertname'] ?? '', signal.firstBadAtMs ?? signal.startsAtMs);
      this.#rarity.learn(signal.labels);
      this.#learnedDirty = true;
    }
    const decision = this.#decide(signal, fingerprint, known, draft, nowMs);
    const target = decision.incident === undefined ? undefined : this.#store.now(decision.incident, draft);
    if (!target) return this.#open(signal, fingerprint, decision, nowMs, draft);
    const mine = target.alerts.find((a) => a.fingerprint === fingerprint);
    if (mine) this.#changedAlert(target, mine, signal, nowMs, draft);
    else this.#join(target, signal, fingerprint, decision, nowMs, draft);
    return target.id;
  }

  #decide(
    signal: Signal,
    fingerprint: string,
    known: Incident | undefined,
    draft: Draft,
    nowMs: number,
  ): CorrelationDecision {
    const { settings } = this.#o;
    const context = {
      graph: this.#facts.graph,
      learned: this.#learned,
      rarity: this.#rarity,
      settings: settings.correlation,
    };
    if (known) {
      const own = correlate(signal, fingerprint, [known], context, nowMs);
      if (own.incident !== undefined && known.alerts.some((a) => a.fingerprint === fingerprint)) return own;
    }
    // who opens one means one: joined to another it would be looked for in vain
    if (signal.source.startsWith(BY_PERSON)) return { score: 1, words: ['a person opened it'] };
    if (!settings.correlate) return { score: 1, words: ['correlation is switched off'] };
    const decision = correlate(signal, fingerprint, this.#store.candidates(draft), context, nowMs);
    if (decision.incident !== undefined) return decision;
    const live = this.#store.live();
    if (live.length < LIVE_INCIDENTS_MAX) return decision;
    const words = [`${LIVE_INCIDENTS_MAX} incidents are open, no more are made`];
    return { incident: live.at(-1)!.id, score: 0, words };
  }

  #open(signal: Signal, fingerprint: string, decision: CorrelationDecision, nowMs: number, draft: Draft): string {
    const alert = newAlert(signal, fingerprint, decision, nowMs);
    const bare = newIncident(this.#store.takeNumber(), alert, titleOf(signal), nowMs);
    const text = `${titleOf(signal)}; ${decision.words.join('; ')}`;
    this.#keep(withEntry(bare, { atMs: nowMs, kind: 'opened', text, actor: 'vigie' }), draft);
    this.#store.own(fingerprint, bare.id);
    draft.judge.set(bare.id, undefined);
    return bare.id;
  }

  #join(
    target: Incident,
    signal: Signal,
    fingerprint: string,
    decision: CorrelationDecision,
    nowMs: number,
    draft: Draft,
  ): void {
    const alert = newAlert(signal, fingerprint, decision, nowMs);
    const text = `${titleOf(signal)} joined: ${decision.words.join('; ')}`;
    const firstBadAtMs = Math.min(target.firstBadAtMs, alert.firstBadAtMs);
    const grown = { ...target, alerts: [...target.alerts, alert], firstBadAtMs, updatedAtMs: nowMs };
    const noted = withEntry(grown, { atMs: nowMs, kind: 'alert', text, actor: 'vigie' });
    const next = this.#firedAgain(noted, nowMs);
    inheritSummary(target, next, alert);
    this.#store.own(fingerprint, target.id);
    this.#keep(next, draft);
    if (!draft.judge.has(target.id)) draft.judge.set(target.id, target);
  }

  #changedAlert(target: Incident, current: IncidentAlert, signal: Signal, nowMs: number, draft: Draft): void {
    const alert = updatedAlert(current, signal, nowMs);
    const alerts = target.alerts.map((a) => (a === current ? alert : a));
    const name = signal.labels['alertname'] ?? 'alert';
    const said = { firing: 'fires again', resolved: 'recovered', unknown: 'has no data: not counted as recovered' };
    let next = withEntry(
      { ...target, alerts, updatedAtMs: nowMs },
      { atMs: nowMs, kind: 'alert', text: `${name} ${said[signal.status]}`, actor: 'vigie' },
    );
    next = { ...next, flapping: isFlapping(next, nowMs) };
    if (signal.status === 'firing') next = this.#firedAgain(next, nowMs);
    else if (signal.status === 'unknown') {
      next = this.#unheld(next, nowMs);
      next = this.#move(next, 'data_lost', nowMs, 'vigie', 'data is missing');
    } else if (allRecovered(next)) {
      const recovery = nowMs + resolveAfterMs(next, this.#o.settings, nowMs);
      const recoveredAtMs = Math.max(...alerts.map((a) => a.endsAtMs ?? 0));
      next = withTimers({ ...next, recoveredAtMs }, { ...next.timers, recovery });
    }
    this.#keep(next, draft);
    if (!draft.judge.has(target.id)) draft.judge.set(target.id, target);
  }

  /** The recovery is off; a step that waited for it is due. */
  #unheld(incident: Incident, nowMs: number): Incident {
    const { escalation, recovery } = incident.timers;
    const held = escalation !== undefined && recovery !== undefined && escalation === recovery + HELD_MS;
    return withTimers(incident, {
      ...withoutTimer(incident.timers, 'recovery'),
      ...(held ? { escalation: nowMs } : {}),
    });
  }

  #firedAgain(incident: Incident, nowMs: number): Incident {
    const { recoveredAtMs: _gone, ...rest } = this.#unheld(incident, nowMs);
    return this.#move(rest, 'alert_fired', nowMs, 'vigie', 'an alert fires');
  }

  policyOf(incident: Incident): Policy {
    const named = this.directory.policy(incident.escalation.policy);
    return incident.escalation.status === 'waiting' && named ? named : this.#chosen(incident);
  }

  #chosen(incident: Incident): Policy {
    const labels = incident.alerts.map((a) => a.labels);
    return choosePolicy(this.directory.policies(), {
      criticality: incident.criticality,
      services: incident.services,
      labels,
    });
  }

  #move(
    incident: Incident,
    event: IncidentEvent,
    nowMs: number,
    actor: string,
    text: string,
    more: { readonly snoozeUntilMs?: number; readonly mergedInto?: string } = {},
  ): Incident {
    const window = this.directory.maintenanceFor(incident.services, nowMs);
    const next = transition(incident, {
      event,
      nowMs,
      actor,
      text,
      policy: this.#chosen(incident),
      ...(window ? { notBeforeMs: window.endsAtMs } : {}),
      ...more,
    });
    if (next === incident) return incident;
    const hushed =
      window && isEscalating(next.state)
        ? `maintenance ${window.id} until ${new Date(window.endsAtMs).toISOString()}`
        : '';
    return hushed === next.hushed ? next : { ...next, hushed };
  }

  #judged(incident: Incident): Incident {
    return judged(incident, {
      tenant: this.tenant,
      platform: this.tenant === PLATFORM_TENANT,
      picture: this.#facts.picture,
      alsoHit: this.#o.alsoHit(this.tenant, incident),
    });
  }

  /** Verdict and criticality once per change; a rise begins the escalation anew. Those told hear of an end. */
  #settle(draft: Draft): void {
    const nowMs = this.#o.ports.clock.now();
    for (const [id, before] of draft.judge) {
      const incident = draft.changed.get(id);
      if (!incident) continue;
      const next = this.#judged(incident);
      const words = next.criticalityWords.join(', ');
      if (!before) this.#keep(this.#move(next, 'criticality_raised', nowMs, 'vigie', words), draft);
      else if (isHigher(next.criticality, before.criticality)) {
        const text = `${before.criticality} -> ${next.criticality}: ${words}`;
        const noted = withEntry(next, { atMs: nowMs, kind: 'criticality', text, actor: 'vigie' });
        // people who are being told by the same policy already are not told everything again
        const goesOn =
          isEscalating(noted.state) &&
          noted.escalation.status === 'waiting' &&
          noted.escalation.policy === this.#chosen(noted).name;
        this.#keep(goesOn ? noted : this.#move(noted, 'criticality_raised', nowMs, 'vigie', text), draft);
        // what was bad was bad: it does not fall again
      } else this.#keep({ ...next, criticality: before.criticality }, draft);
    }
    for (const [id, incident] of draft.changed) {
      const before = this.#store.held(id);
      if (incident.state === 'resolved' && before?.state !== 'resolved')
        draft.outgoing.push(...this.#teller.end(incident, nowMs));
      // who took it in PagerDuty did so there already
      const taken = incident.state === 'acknowledged' && before && before.state !== 'acknowledged';
      if (taken && !incident.acknowledgedBy?.startsWith('pagerduty:'))
        draft.outgoing.push(...this.#teller.acknowledged(incident, nowMs));
    }
  }

  /** A person or a playbook did something. Throws `not_found`, `conflict`. */
  act(
    id: string,
    event: IncidentEvent,
    actor: string,
    text: string,
    more: { readonly snoozeUntilMs?: number } = {},
  ): Promise<Incident> {
    return this.#change(async (draft) => {
      const incident = await this.#store.find(id);
      const nowMs = this.#o.ports.clock.now();
      const active = touched(incident, this.policyOf(incident), nowMs);
      this.#keep(this.#move(active, event, nowMs, actor, text, more), draft);
      return id;
    }).then(() => this.get(id));
  }

  /** Goes to the next escalation step at once. */
  escalateNow(id: string, actor: string): Promise<Incident> {
    return this.#change(async (draft) => {
      const incident = await this.#store.find(id);
      const nowMs = this.#o.ports.clock.now();
      const entry: TimelineEntry = { atMs: nowMs, kind: 'escalation', text: 'escalated by hand', actor };
      const noted = withEntry(incident, entry);
      if (isEscalating(incident.state) && ESCALATION[incident.escalation.status].escalate_now === 'advance')
        this.#keep(withTimers(noted, { ...noted.timers, escalation: nowMs }), draft);
      else {
        const ended = incident.state === 'resolved';
        this.#keep(
          this.#move(noted, ended ? 'reopen' : 'criticality_raised', nowMs, actor, 'escalated by hand'),
          draft,
        );
      }
    }).then(() => this.get(id));
  }

  /** A note, or a report of a playbook; counts as activity. */
  note(id: string, entry: Omit<TimelineEntry, 'atMs'>): Promise<Incident> {
    return this.#change(async (draft) => {
      const incident = await this.#store.find(id);
      const nowMs = this.#o.ports.clock.now();
      const next = withEntry(touched(incident, this.policyOf(incident), nowMs), { ...entry, atMs: nowMs });
      this.#keep({ ...next, updatedAtMs: nowMs }, draft);
    }).then(() => this.get(id));
  }

  /** Tells receivers, and the stakeholder lists it concerns, something a person wrote about an incident. */
  announce(
    id: string,
    receivers: readonly string[],
    words: { readonly key: string; readonly title: string; readonly text: string; readonly actor: string },
  ): Promise<void> {
    return this.#change(async (draft) => {
      const incident = await this.#store.find(id);
      const nowMs = this.#o.ports.clock.now();
      receivers.forEach((receiver, n) => {
        const to = { receiver, contact: '', afterMs: 0 };
        const entry = this.#teller.entry(incident, to, 'stakeholders', `${words.key}/${n}`, '', nowMs);
        const { title, text } = words;
        const annotations = { ...entry.message.annotations, summary: title, description: text };
        // what stakeholders read holds no link that acts
        draft.outgoing.push({ ...entry, message: { ...entry.message, title, text, annotations, links: [] } });
      });
      const lists = await this.stakeholders.announce(incident, words, draft.outgoing);
      const text = `${words.title}: ${words.text}${lists === '' ? '' : ` (${lists})`}`;
      this.#keep(withEntry(incident, { atMs: nowMs, kind: 'stakeholders', text, actor: words.actor }), draft);
    });
  }

  /** Moves all alerts of `id` into `into`. */
  merge(id: string, into: string, actor: string): Promise<Incident> {
    return this.#change(async (draft) => {
      if (id === into) throw new VigieError('bad_data', `${id} cannot be merged into itself`);
      const from = await this.#store.find(id);
      const to = await this.#store.find(into);
      if (!isLive(to.state)) throw new VigieError('conflict', `${into} is ${to.state}; merge into one that is live`);
      const nowMs = this.#o.ports.clock.now();
      const gone = this.#move(from, 'merge', nowMs, actor, `merged into ${into}`, { mergedInto: into });
      const why = `merged from ${id} by ${actor}`;
      const moved = from.alerts
        .filter((a) => !to.alerts.some((b) => b.fingerprint === a.fingerprint))
        .map((a) => ({ ...a, why: [...a.why, why] }));
      let grown: Incident = {
        ...to,
        alerts: [...to.alerts, ...moved],
        firstBadAtMs: Math.min(to.firstBadAtMs, from.firstBadAtMs),
        updatedAtMs: nowMs,
      };
      if (moved.some((a) => a.state !== 'resolved')) grown = this.#firedAgain(grown, nowMs);
      const text = `${moved.length} alerts came from ${id}`;
      this.#keep({ ...gone, alerts: [] }, draft);
      this.#keep(withEntry(grown, { atMs: nowMs, kind: 'merge', text, actor }), draft);
      for (const a of moved) this.#store.own(a.fingerprint, into);
      draft.judge.set(into, to);
    }).then(() => this.get(into));
  }

  /** Moves some alerts of `id` into a new incident; answers the new one. */
  split(id: string, fingerprints: readonly string[], actor: string): Promise<Incident> {
    return this.#change(async (draft) => {
      const from = await this.#store.find(id);
      const why = `split from ${id} by ${actor}`;
      const moved = from.alerts
        .filter((a) => fingerprints.includes(a.fingerprint))
        .map((a) => ({ ...a, why: [...a.why, why] }));
      const first = moved[0];
      if (!first) throw new VigieError('bad_data', `none of these alerts belongs to ${id}`);
      const nowMs = this.#o.ports.clock.now();
      const fresh = newIncident(this.#store.takeNumber(), first, titleOf(first), nowMs);
      const firstBadAtMs = Math.min(...moved.map((a) => a.firstBadAtMs));
      const born: Incident = { ...fresh, alerts: moved, firstBadAtMs, splitFrom: id };
      this.#keep(withEntry(born, { atMs: nowMs, kind: 'opened', text: why, actor }), draft);
      draft.judge.set(born.id, undefined);
      for (const a of moved) this.#store.own(a.fingerprint, born.id);
      const rest = from.alerts.filter((a) => !fingerprints.includes(a.fingerprint));
      const text = `${moved.length} alerts went to ${born.id}`;
      const left = withEntry(
        { ...from, alerts: rest, updatedAtMs: nowMs },
        { atMs: nowMs, kind: 'merge', text, actor },
      );
      this.#keep(
        rest.length === 0 ? this.#move(left, 'split', nowMs, actor, text) : this.#recoveryAfterSplit(left, nowMs),
        draft,
      );
      return born.id;
    }).then((born) => this.get(born));
  }

  #recoveryAfterSplit(left: Incident, nowMs: number): Incident {
    if (!allRecovered(left) || left.timers.recovery !== undefined || !isLive(left.state)) return left;
    return withTimers(left, { ...left.timers, recovery: nowMs + resolveAfterMs(left, this.#o.settings, nowMs) });
  }

  /** Takes every timer that is due. */
  async tick(): Promise<void> {
    await this.#enrichBeforeFirstWord();
    return this.#change(async (draft) => {
      for (let n = 0; n < DUE_PER_PASS_MAX; n++) {
        const nowMs = this.#o.ports.clock.now();
        const due = this.#firstDue(nowMs, draft);
        if (!due) break;
        await this.#take(due.incident, due.kind, nowMs, draft);
      }
    }).then(async () => {
      await this.#handOvers.look();
      await this.drills.look();
      this.#store.forget(this.#o.ports.clock.now() - this.#o.settings.correlation.reopenWindowMs);
    });
  }

  /**
   * Who is told first is told the likely cause too, where it can be had at once. Never waits long: a slow store of
   * metrics must not hold up a page.
   */
  async #enrichBeforeFirstWord(): Promise<void> {
    const { clock } = this.#o.ports;
    const fresh = this.#store
      .live()
      .filter(
        (i) => i.told.length === 0 && (i.timers.escalation ?? Infinity) <= clock.now() && this.#enrichWaiting.has(i.id),
      )
      .slice(0, FIRST_WORD_MAX);
    if (fresh.length > 0) await atMost(clock, FIRST_WORD_MS_MAX, Promise.all(fresh.map((i) => this.#enrichOne(i.id))));
  }

  #firstDue(nowMs: number, draft: Draft): { incident: Incident; kind: TimerKind } | undefined {
    let best: { incident: Incident; kind: TimerKind; atMs: number } | undefined;
    for (const incident of this.#store.candidates(draft)) {
      if (incident.nextDueAtMs === 0 || incident.nextDueAtMs > nowMs) continue;
      for (const kind of TIMER_KINDS) {
        const atMs = incident.timers[kind];
        if (atMs !== undefined && atMs <= nowMs && (!best || atMs < best.atMs)) best = { incident, kind, atMs };
      }
    }
    return best;
  }

  async #take(incident: Incident, kind: TimerKind, nowMs: number, draft: Draft): Promise<void> {
    if (kind === 'escalation') return this.#step(incident, nowMs, draft);
    const rest = withTimers(incident, withoutTimer(incident.timers, kind));
    const move = (event: IncidentEvent, text: string): void =>
      this.#keep(this.#move(rest, event, nowMs, 'vigie', text), draft);
    // re-checked: what is not recovered now must not resolve
    if (kind === 'recovery' && !allRecovered(rest)) this.#keep(rest, draft);
    else if (kind === 'recovery') move('signals_recovered', 'every signal recovered and stayed so');
    else if (kind === 'snooze') move('snooze_over', 'the snooze is over');
    else move('idle_timeout', `taken by ${incident.acknowledgedBy ?? 'somebody'}, then nothing happened`);
  }

  /** Takes the escalation step that is due: who is told is decided now, and stored with the step. */
  async #step(incident: Incident, nowMs: number, draft: Draft): Promise<void> {
    let next = withTimers(incident, withoutTimer(incident.timers, 'escalation'));
    if (ESCALATION[incident.escalation.status].due !== 'advance' || !isEscalating(incident.state)) {
      this.#keep(next, draft);
      return;
    }
    const window = this.directory.maintenanceFor(incident.services, nowMs);
    // nobody is woken for what has recovered and only has to prove it; should it fire again, the step is taken then
    const waitsMs =
      window?.endsAtMs ?? (next.timers.recovery === undefined ? undefined : next.timers.recovery + HELD_MS);
    if (waitsMs !== undefined) {
      this.#keep(withTimers(next, { ...next.timers, escalation: waitsMs }), draft);
      return;
    }
    if (next.hushed !== '') next = { ...next, hushed: '' };
    const policy = this.policyOf(incident);
    const { generation, round, step } = incident.escalation;
    const key = `g${generation}/r${round}/s${step}`;
    const say = (kind: TimelineEntry['kind'], text: string): void => {
      next = withEntry(next, { atMs: nowMs, kind, text, actor: 'vigie' });
    };
    let started = 0;
    if (policy.steps[step]?.remediate && this.#o.ports.remediate) {
      const answer = await this.#o.ports
        .remediate(this.tenant, next, `${this.tenant}/${incident.id}/${key}`)
        .catch((error) => ({ started: 0, words: `playbooks could not be asked: ${messageOf(error)}` }));
      started = answer.started;
      say('remediation', `L1: ${answer.words}`);
    }
    const move = advance(next.escalation, policy, nowMs, (s) => s.notify.length > 0 || started > 0);
    next = { ...next, escalation: move.state };
    if (move.dueAtMs !== undefined) next = withTimers(next, { ...next.timers, escalation: move.dueAtMs });
    if (move.taken)
      next = this.#teller.tell(
        {
          incident: next,
          targets: move.taken.targets,
          fallback: policy.fallback,
          kind: 'escalation',
          key,
          level: move.taken.step.level,
          nowMs,
        },
        draft.outgoing,
      );
    if (move.state.status === 'exhausted') say('escalation', `${policy.name}: that was the last step`);
    this.#keep(next, draft);
  }

  /** A delayed message of somebody's personal rules is dropped once the incident was taken. */
  #wanted(entry: OutboxEntry): boolean {
    const drill = drillOfMessage(entry.message);
    if (drill !== '') return this.drills.wants(drill);
    if (entry.generation === 0 || entry.attempts > 0) return true;
    const incident = this.#store.held(entry.message.incident);
    return !incident || (isEscalating(incident.state) && incident.escalation.generation === entry.generation);
  }

  #said(entry: OutboxEntry): void {
    const m = entry.message;
    // a list of hundreds stands in the time line once, when it was told
    if (m.incident === '' || m.unsubscribe !== undefined) return;
    const to = m.contact || m.receiver || m.email;
    const text = `told ${to}${m.contact ? ` by ${m.receiver ?? 'mail'}` : ''} (${m.level || m.kind})`;
    this.#later(m.incident, (i, nowMs) => withEntry(i, { atMs: nowMs, kind: 'notification', text, actor: 'vigie' }));
  }

  #givenUp(entry: OutboxEntry, error: string): void {
    const m = entry.message;
    if (m.incident === '') {
      const drill = drillOfMessage(m);
      if (drill !== '') void this.drills.undelivered(drill, error).catch(() => {});
      this.#o.ports.logger.warn('a notice or a drill was not delivered', { tenant: this.tenant, error });
      return;
    }
    const text = `could not tell ${m.contact || m.receiver || m.email}: ${error}`;
    this.#later(m.incident, (i, nowMs, draft) => {
      let next = withEntry(i, { atMs: nowMs, kind: 'notification', text, actor: 'vigie' });
      const stale = !isEscalating(next.state) || next.escalation.generation !== entry.generation;
      if (entry.generation === 0 || stale) return next;
      if (m.kind !== 'fallback') {
        const key = `${m.id.split('/').slice(2).join('/')}/x`;
        const targets = this.policyOf(next).fallback;
        next = this.#teller.tell(
          { incident: next, targets, fallback: [], kind: 'fallback', key, level: m.level, nowMs },
          draft.outgoing,
        );
      }
      if (ESCALATION[next.escalation.status].unreachable === 'advance')
        next = withTimers(next, { ...next.timers, escalation: Math.min(nowMs, next.timers.escalation ?? nowMs) });
      return next;
    });
  }

  #later(id: string, to: (incident: Incident, nowMs: number, draft: Draft) => Incident): void {
    if (this.#closed) return;
    const { logger, clock } = this.#o.ports;
    this.#change(async (draft) => this.#keep(to(await this.#store.find(id), clock.now(), draft), draft)).catch(
      (error) =>
        logger.warn('an incident was not updated', { tenant: this.tenant, incident: id, error: messageOf(error) }),
    );
  }

  /** True when `enrich` has something to do. */
  get wantsEnrichment(): boolean {
    return this.#enrichWaiting.size > 0 || this.#learnedDirty;
  }

  /** Causes and related changes of what changed lately; asks events and metrics, so not within a change. */
  async enrich(): Promise<void> {
    const { ports } = this.#o;
    const ids = [...this.#enrichWaiting];
    this.#enrichWaiting.clear();
    for (const id of ids) await this.#enrichOne(id);
    if (!this.#learnedDirty) return;
    this.#learnedDirty = false;
    await ports.documents
      .collection<CoOccurrenceState>(this.tenant, LEARNED)
      .put('co-occurrence', this.#learned.state());
  }

  async #enrichOne(id: string): Promise<void> {
    const { ports } = this.#o;
    const incident = this.#store.held(id);
    if (!incident || !isLive(incident.state)) return;
    try {
      const { firstBadAtMs } = incident;
      const found = await ports.changes?.(
        this.tenant,
        firstBadAtMs - CHANGES_BEFORE_MS,
        firstBadAtMs + CHANGES_AFTER_MS,
      );
      const changes = (found ?? []).slice(0, RELATED_CHANGES_MAX);
      const metrics = (await ports.evidence?.(this.tenant, incident)) ?? [];
      const causes = rankCauses({ alerts: incident.alerts, graph: this.#facts.graph, metrics, changes });
      await this.#facts.refreshUsage();
      const { verdict } = this.#judged(incident);
      const before = [incident.causes, incident.changes, incident.verdict];
      if (JSON.stringify(before) === JSON.stringify([causes, changes, verdict])) return;
      await this.#change(async (draft) => {
        const now = this.#store.held(id);
        if (now) this.#keep({ ...now, causes, changes, verdict: this.#judged(now).verdict }, draft);
      });
      this.#enrichWaiting.delete(id);
    } catch (error) {
      ports.logger.warn('the causes of an incident were not ranked', {
        tenant: this.tenant,
        incident: id,
        error: messageOf(error),
      });
    }
  }

  /** The wall clock was set by `byMs`: what was to come in ten minutes still comes in ten minutes. */
  shiftTimers(byMs: number): Promise<void> {
    this.#outbox.shift(byMs);
    return this.#change(async (draft) => {
      for (const incident of this.#store.live()) {
        if (incident.nextDueAtMs === 0) continue;
        const timers = Object.fromEntries(Object.entries(incident.timers).map(([k, t]) => [k, (t as number) + byMs]));
        this.#keep(withTimers(incident, timers), draft);
      }
    });
  }

  #keep(incident: Incident, draft: Draft): void {
    this.#store.keep(incident, draft);
  }

  #change<R>(work: (draft: Draft) => Promise<R>): Promise<R> {
    return this.#store.change(async (draft) => {
      const answer = await work(draft);
      this.#settle(draft);
      for (const incident of draft.changed.values())
        this.#keep(await this.stakeholders.follow(incident, draft.outgoing), draft);
      return answer;
    });
  }

  async close(): Promise<void> {
    await this.#store.close();
    this.#closed = true;
    await this.#outbox.close();
  }
}
