/**
 * The first level: runs armed playbooks for an incident, as transactions. Pre-check, act, verify on the same signal,
 * roll back or stop; each part is durable and audited before the next. What is not armed is only proposed.
 */
import { createHash } from 'node:crypto';
import { type Clock, sleep } from '../lib/clock.ts';
import { messageOf, VigieError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';
import { began, ended, NEW_STATE, objection, type PlaybookState } from './guard.ts';
import type { Done, Performer } from './perform.ts';
import {
  type Action,
  describeAction,
  PLAYBOOKS_PER_TENANT_MAX,
  type Playbook,
  playbookSchema,
  RUN_MS_MAX,
  type SignalAlert,
  signalFor,
} from './playbook.ts';
import { isFailure, isOver, RUN, type RunEvent, type RunState } from './run-state.ts';

export const PLAYBOOKS: CollectionSpec = { name: 'playbooks' };
export const RUNS: CollectionSpec = { name: 'playbook_runs', indexed: ['startedAtMs', 'state', 'playbook', 'open'] };
/** Runs of one tenant at a time: two repairs at once hide each other's effect. */
export const RUNS_AT_ONCE_MAX = 1;
const LOG_LINES_MAX = 200;

export interface StoredPlaybook extends PlaybookState {
  readonly raw: unknown;
  /** Of the text that was armed: a changed playbook must be armed anew. */
  readonly digest: string;
}

export interface PlaybookRun {
  readonly id: string;
  readonly playbook: string;
  readonly incident: string;
  readonly actor: string;
  readonly dryRun: boolean;
  readonly state: RunState;
  /** 1 until it is over; indexed. */
  readonly open: 0 | 1;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  readonly log: readonly { readonly atMs: number; readonly text: string }[];
}

export interface PlaybookView extends PlaybookState {
  readonly playbook: Playbook;
  /** What its actions do, in words, and how it would be undone. */
  readonly plan: readonly string[];
  readonly undo: readonly string[];
  /** Why it would not run now; '' when it would. */
  readonly objection: string;
}

export interface RemediationPorts {
  readonly documents: DocumentStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly performer: Performer;
  /** Does a PromQL expression give a result now? `unknown`: it could not be asked. */
  readonly query: (tenant: TenantId, expr: string) => Promise<'yes' | 'no' | 'unknown'>;
  /** The state of one alert now. */
  readonly signal: (tenant: TenantId, fingerprint: string) => Promise<SignalAlert['state']>;
  readonly audit: (tenant: TenantId, actor: string, action: string, target: string, after: unknown) => Promise<void>;
  /** Tells the incident what happened. */
  readonly report: (tenant: TenantId, incident: string, text: string) => Promise<void>;
  /** `intelligent_alerts.auto_remediation`: false starts nothing by itself and proposes nothing. */
  readonly enabled: boolean;
  /** Why a tenant may not do this; default: only the platform tenant reaches hosts and clusters. */
  readonly forbids?: (tenant: TenantId, action: Action) => string | undefined;
}

/** Playbooks act on hosts and clusters, which belong to the operators. */
export const onlyPlatform = (tenant: TenantId, action: Action): string | undefined =>
  tenant === PLATFORM_TENANT ? undefined : `${action.do} is for playbooks of the platform tenant`;

export interface RunRequest {
  readonly incident: string;
  readonly alerts: readonly SignalAlert[];
  readonly actor: string;
  /** Repeats after a crash: the same key starts nothing twice. */
  readonly key: string;
  readonly dryRun?: boolean;
}

export class Remediation {
  readonly #p: RemediationPorts;
  readonly #running = new Map<TenantId, number>();
  readonly #abort = new AbortController();
  readonly #work = new Set<Promise<unknown>>();

  constructor(ports: RemediationPorts) {
    this.#p = ports;
  }

  /** Runs that a crash cut off: what they did is not known, so they failed, and people are told. */
  async start(): Promise<void> {
    for (const tenant of await this.#p.documents.tenants()) {
      const page = await this.#runs(tenant).list({ where: { open: 1 } });
      for (const { body } of page.items) {
        const run = await this.#step(
          tenant,
          body,
          'interrupted',
          'Vigie ended during this run: what was done is in this log',
        );
        await this.#account(tenant, run);
        await this.#tell(tenant, run);
      }
    }
  }

  async list(tenant: TenantId): Promise<readonly PlaybookView[]> {
    const page = await this.#playbooks(tenant).list();
    return page.items.map(({ body }) => this.#view(body));
  }

  async put(tenant: TenantId, raw: unknown): Promise<PlaybookView> {
    const playbook = checked(raw);
    for (const a of [...playbook.act, ...playbook.roll_back]) this.#allowed(tenant, a);
    const collection = this.#playbooks(tenant);
    const old = await collection.get(playbook.name);
    if (!old && (await collection.count()) >= PLAYBOOKS_PER_TENANT_MAX)
      throw new VigieError('quota', `at most ${PLAYBOOKS_PER_TENANT_MAX} playbooks per tenant`);
    const digest = digestOf(raw);
    const same = old?.body.digest === digest;
    const state = old ? old.body : NEW_STATE;
    // what somebody armed is what they read: a change needs a new look
    const body: StoredPlaybook = { ...state, raw, digest, ...(same ? {} : { armedBy: '', armedAtMs: 0 }) };
    await collection.put(playbook.name, body, old ? old.version : 'absent');
    return this.#view(body);
  }

  remove(tenant: TenantId, name: string): Promise<boolean> {
    return this.#playbooks(tenant).delete(name);
  }

  /** `armed`: may run by itself. Arming also closes the breaker: a person has looked. */
  async arm(tenant: TenantId, name: string, armed: boolean, actor: string): Promise<PlaybookView> {
    const nowMs = this.#p.clock.now();
    await this.#p.audit(tenant, actor, armed ? 'playbook.arm' : 'playbook.disarm', name, { armed });
    return this.#view(
      await this.#change(tenant, name, (s) => ({
        ...s,
        armedBy: armed ? actor : '',
        armedAtMs: armed ? nowMs : 0,
        ...(armed ? { failuresInRow: 0, openedAtMs: 0 } : {}),
      })),
    );
  }

  async runs(tenant: TenantId, limit = 100): Promise<readonly PlaybookRun[]> {
    const page = await this.#runs(tenant).list({ orderBy: { field: 'startedAtMs', direction: 'desc' }, limit });
    return page.items.map((d) => d.body);
  }

  /**
   * Starts the first armed playbook that fits and may run; answers at once, the run goes on and reports. `only` names
   * one, on a person's word: it need not be armed then, but every other limit holds.
   */
  async offer(
    tenant: TenantId,
    request: RunRequest,
    only?: string,
  ): Promise<{ started: number; proposed: number; words: string }> {
    if (!this.#p.enabled && only === undefined)
      return { started: 0, proposed: 0, words: 'automatic remediation is switched off' };
    const words: string[] = [];
    let proposed = 0;
    for (const view of await this.list(tenant)) {
      const { playbook } = view;
      if (only !== undefined && playbook.name !== only) continue;
      if (!signalFor(playbook, request.alerts)) continue;
      const state = only === undefined ? view : { ...view, armedBy: view.armedBy || request.actor };
      const why = objection(playbook, state, this.#p.clock.now());
      if (why !== undefined) {
        proposed++;
        words.push(`${playbook.name} fits, but: ${why}`);
        continue;
      }
      if ((this.#running.get(tenant) ?? 0) >= RUNS_AT_ONCE_MAX) {
        words.push(`${playbook.name} waits: another run is under way`);
        continue;
      }
      const started = await this.#begin(tenant, playbook, request);
      words.push(
        started
          ? `${playbook.name} started${request.dryRun ? ' as a dry run' : ''}`
          : `${playbook.name} was started already`,
      );
      return { started: 1, proposed, words: words.join('; ') };
    }
    return { started: 0, proposed, words: words.join('; ') || 'no playbook fits' };
  }

  /** Runs one now and waits for its end: for drills and the command line. */
  async runNow(tenant: TenantId, name: string, request: RunRequest): Promise<PlaybookRun> {
    const stored = await this.#playbooks(tenant).get(name);
    if (!stored) throw new VigieError('not_found', `no playbook ${JSON.stringify(name.slice(0, 100))}`);
    const playbook = checked(stored.body.raw);
    if (!request.dryRun) {
      const why = objection(playbook, stored.body, this.#p.clock.now());
      if (why !== undefined) throw new VigieError('conflict', `${name} does not run: ${why}`);
    }
    const run = await this.#create(tenant, playbook, request);
    if (!run) throw new VigieError('conflict', `a run with the key ${request.key} exists already`);
    return this.#transact(tenant, playbook, run, request);
  }

  async #begin(tenant: TenantId, playbook: Playbook, request: RunRequest): Promise<boolean> {
    const run = await this.#create(tenant, playbook, request);
    if (!run) return false;
    const work = this.#transact(tenant, playbook, run, request)
      .then((end) => this.#tell(tenant, end))
      .catch((error) =>
        this.#p.logger.error('a playbook run could not be recorded', { tenant, run: run.id, error: messageOf(error) }),
      )
      .finally(() => this.#work.delete(work));
    this.#work.add(work);
    return true;
  }

  /** Undefined when this key has run before. */
  async #create(tenant: TenantId, playbook: Playbook, request: RunRequest): Promise<PlaybookRun | undefined> {
    const id = createHash('sha256')
      .update(JSON.stringify([request.key, playbook.name]))
      .digest('hex')
      .slice(0, 32);
    const run: PlaybookRun = {
      id,
      playbook: playbook.name,
      incident: request.incident,
      actor: request.actor,
      dryRun: request.dryRun ?? false,
      state: 'checking',
      open: 1,
      startedAtMs: this.#p.clock.now(),
      log: [],
    };
    try {
      await this.#runs(tenant).put(id, run, 'absent');
    } catch (error) {
      if (error instanceof VigieError && error.code === 'conflict') return undefined;
      throw error;
    }
    return run;
  }

  async #transact(tenant: TenantId, playbook: Playbook, begun: PlaybookRun, request: RunRequest): Promise<PlaybookRun> {
    this.#running.set(tenant, (this.#running.get(tenant) ?? 0) + 1);
    let run = begun;
    const step = async (event: RunEvent, text: string): Promise<void> => {
      run = await this.#step(tenant, run, event, text);
    };
    const failure: RunEvent = playbook.roll_back.length > 0 ? 'fail_undoable' : 'fail';
    const undo: (() => Promise<string>)[] = [];
    const tooLong = new AbortController();
    const timer = this.#p.clock.setTimer(
      () => tooLong.abort(new VigieError('query_timeout', `no run takes longer than ${RUN_MS_MAX / 1000} s`)),
      RUN_MS_MAX,
    );
    const signal = AbortSignal.any([this.#abort.signal, tooLong.signal]);
    try {
      const against = await this.#preCheck(tenant, playbook, request);
      if (against !== undefined) await step('fail', against);
      else if (request.dryRun) {
        const plans = await Promise.all(playbook.act.map((a) => this.#p.performer.plan(a)));
        await step('dry_run', plans.join('; '));
      } else {
        await this.#p.audit(tenant, request.actor, 'playbook.run', playbook.name, {
          incident: request.incident,
          act: playbook.act,
        });
        await this.#change(tenant, playbook.name, (s) => began(s, this.#p.clock.now()));
        await step('pass', 'pre-check passed');
        const fault = await this.#act(tenant, playbook, run, undo, signal, (r) => (run = r));
        const undoable: RunEvent = undo.length > 0 ? 'fail_undoable' : failure;
        if (fault !== undefined) await step(undoable, fault);
        else {
          await step('pass', 'done; verifying');
          const healthy = await this.#verify(tenant, playbook, request, signal);
          await step(
            healthy ? 'pass' : undoable,
            healthy ? 'verified: the signal recovered' : 'the signal did not recover',
          );
        }
        if (run.state === 'rolling_back') await this.#rollBack(tenant, playbook, undo, signal, step);
      }
    } catch (error) {
      await step('interrupted', messageOf(error));
    } finally {
      timer.cancel();
      this.#running.set(tenant, (this.#running.get(tenant) ?? 1) - 1);
    }
    await this.#account(tenant, run);
    return run;
  }

  async #preCheck(tenant: TenantId, playbook: Playbook, request: RunRequest): Promise<string | undefined> {
    for (const a of [...playbook.act, ...playbook.roll_back]) this.#allowed(tenant, a);
    const alert = signalFor(playbook, request.alerts);
    if (!alert) return 'no firing alert fits';
    const now = await this.#p.signal(tenant, alert.fingerprint);
    if (now !== 'firing')
      return now === 'unknown'
        ? 'the alert has no data: nothing is repaired on a guess'
        : 'the alert recovered by itself';
    if (!playbook.pre_check) return undefined;
    const answer = await this.#p.query(tenant, playbook.pre_check.expr);
    return answer === 'yes' ? undefined : `pre-check: ${answer === 'no' ? 'not so' : 'could not be asked'}`;
  }

  /** What went wrong; undefined when all was done. */
  async #act(
    tenant: TenantId,
    playbook: Playbook,
    run: PlaybookRun,
    undo: (() => Promise<string>)[],
    signal: AbortSignal,
    onLog: (run: PlaybookRun) => void,
  ): Promise<string | undefined> {
    let now = run;
    for (const action of playbook.act) {
      // written before it is done: after a crash the log says what may have happened
      now = await this.#log(tenant, now, `now: ${describeAction(action)}`);
      onLog(now);
      let done: Done;
      try {
        done = await this.#p.performer.perform(action, signal);
      } catch (error) {
        return `${describeAction(action)}: ${messageOf(error)}`;
      }
      if (done.undo) undo.unshift(done.undo);
      now = await this.#log(tenant, now, done.words);
      onLog(now);
    }
    return undefined;
  }

  async #verify(tenant: TenantId, playbook: Playbook, request: RunRequest, signal: AbortSignal): Promise<boolean> {
    const alert = signalFor(playbook, request.alerts)!;
    const { clock } = this.#p;
    const endMs = clock.monotonicMs() + playbook.verify.within;
    for (;;) {
      const { expr } = playbook.verify;
      const good =
        expr === undefined
          ? (await this.#p.signal(tenant, alert.fingerprint)) === 'resolved'
          : (await this.#p.query(tenant, expr)) === 'yes';
      if (good) return true;
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) return false;
      await sleep(clock, Math.min(playbook.verify.every, leftMs), signal);
    }
  }

  async #rollBack(
    tenant: TenantId,
    playbook: Playbook,
    undo: readonly (() => Promise<string>)[],
    signal: AbortSignal,
    step: (event: RunEvent, text: string) => Promise<void>,
  ): Promise<void> {
    const words: string[] = [];
    try {
      for (const u of undo) words.push(await u());
      for (const action of playbook.roll_back) words.push((await this.#p.performer.perform(action, signal)).words);
    } catch (error) {
      await step(
        'fail',
        `the roll-back failed: ${messageOf(error)}${words.length > 0 ? ` (before: ${words.join('; ')})` : ''}`,
      );
      return;
    }
    await this.#p.audit(tenant, 'vigie', 'playbook.roll_back', playbook.name, { words });
    await step('pass', `rolled back: ${words.join('; ')}`);
  }

  async #step(tenant: TenantId, run: PlaybookRun, event: RunEvent, text: string): Promise<PlaybookRun> {
    const to = RUN[run.state][event];
    if (to === 'ignore') return run;
    const over = isOver(to);
    return this.#log(
      tenant,
      { ...run, state: to, open: over ? 0 : 1, ...(over ? { endedAtMs: this.#p.clock.now() } : {}) },
      `${to}: ${text}`,
    );
  }

  async #log(tenant: TenantId, run: PlaybookRun, text: string): Promise<PlaybookRun> {
    const line = { atMs: this.#p.clock.now(), text: text.slice(0, 2_000) };
    const next = { ...run, log: [...run.log, line].slice(-LOG_LINES_MAX) };
    await this.#runs(tenant).put(run.id, next);
    return next;
  }

  /** Counts towards the breaker; what was only planned or not needed does not. */
  async #account(tenant: TenantId, run: PlaybookRun): Promise<void> {
    if (run.state !== 'helped' && !isFailure(run.state)) return;
    const nowMs = this.#p.clock.now();
    await this.#p.audit(tenant, run.actor, 'playbook.end', run.playbook, { incident: run.incident, state: run.state });
    await this.#change(tenant, run.playbook, (s) => ended(checked(s.raw), s, run.state === 'helped', nowMs)).catch(
      (error) => {
        if (!(error instanceof VigieError && error.code === 'not_found')) throw error;
      },
    );
  }

  async #tell(tenant: TenantId, run: PlaybookRun): Promise<void> {
    if (run.incident === '') return;
    const last = run.log.at(-1)?.text ?? run.state;
    await this.#p
      .report(tenant, run.incident, `playbook ${run.playbook}: ${last}`)
      .catch((error) =>
        this.#p.logger.warn('a run was not reported to its incident', { tenant, run: run.id, error: messageOf(error) }),
      );
  }

  #allowed(tenant: TenantId, action: Action): void {
    const why = (this.#p.forbids ?? onlyPlatform)(tenant, action);
    if (why !== undefined) throw new VigieError('forbidden', why);
  }

  #view(stored: StoredPlaybook): PlaybookView {
    const { raw, digest: _d, ...state } = stored;
    const playbook = checked(raw);
    return {
      ...state,
      playbook,
      plan: playbook.act.map(describeAction),
      undo: playbook.roll_back.map(describeAction),
      objection: objection(playbook, state, this.#p.clock.now()) ?? '',
    };
  }

  async #change(tenant: TenantId, name: string, to: (s: StoredPlaybook) => PlaybookState): Promise<StoredPlaybook> {
    for (let attempt = 1; ; attempt++) {
      const stored = await this.#playbooks(tenant).get(name);
      if (!stored) throw new VigieError('not_found', `no playbook ${JSON.stringify(name.slice(0, 100))}`);
      try {
        return (await this.#playbooks(tenant).put(name, { ...stored.body, ...to(stored.body) }, stored.version)).body;
      } catch (error) {
        if (!(error instanceof VigieError && error.code === 'conflict') || attempt >= 5) throw error;
      }
    }
  }

  #playbooks(tenant: TenantId) {
    return this.#p.documents.collection<StoredPlaybook>(tenant, PLAYBOOKS);
  }

  #runs(tenant: TenantId) {
    return this.#p.documents.collection<PlaybookRun>(tenant, RUNS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new VigieError('unavailable', 'Vigie is shutting down'));
    await Promise.allSettled([...this.#work]);
  }
}

function checked(raw: unknown): Playbook {
  const result = playbookSchema.safeParse(raw);
  if (result.success) return result.data;
  throw new VigieError(
    'bad_data',
    result.error.issues
      .map((i) => `playbook${i.path.length > 0 ? `.${i.path.map(String).join('.')}` : ''}: ${i.message}`)
      .join('; '),
  );
}

const digestOf = (raw: unknown): string => createHash('sha256').update(JSON.stringify(raw)).digest('hex');
