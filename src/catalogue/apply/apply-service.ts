/**
 * Diff and apply in the running process: a job a time per tenant, each in a worker thread of its own. A dry run comes
 * first; what is confirmed is that dry run, and a catalogue that was changed since is refused. What a job shows lives
 * in memory; that it ran and how it ended is kept, so that one that died with the process shows as interrupted.
 * Deliberately not here: who may do what (the routes), how systems are spoken to (apply-job.ts).
 */
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../lib/clock.ts';
import { isVigieError, messageOf, VigieError } from '../../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../../store/documents.ts';
import type { CatalogueConfig, Environment, SectionsForRender, SystemName } from '../config.ts';
import type { PackOverride } from '../pack.ts';
import type { FileChange } from '../tree-diff.ts';
import type { ApplyEvent, ApplyJobInput, JobScope } from './apply-job.ts';
import { addressedSystems, type SystemAddresses } from './connections.ts';
import type { ApplyReport, ApplyStep } from './system.ts';

const JOBS: CollectionSpec = { name: 'catalogue_jobs', indexed: ['startedAtMs'] };
/** Jobs that are kept per tenant. */
export const JOBS_KEPT_MAX = 50;
/** Jobs of all tenants at a time: each has a thread. Systems are brought in line by one at a time. */
export const JOBS_RUNNING_MAX = 2;
/** Jobs whose files and steps are in memory, of all tenants. */
const JOBS_SHOWN_MAX = 50;
/** A job is stopped after this; the next one goes on where it was. */
export const JOB_MS_MAX = 30 * 60_000;
/** A dry run older than this is not confirmed any more. */
export const PLAN_MS_MAX = 30 * 60_000;
/** Files and steps that a job lists; beyond that they are counted. */
export const LISTED_MAX = 1_000;
/** Characters of all differences of a job. */
const DIFF_CHARS_MAX = 1_000_000;
/** How often a running job's document says that it lives, and when one that does not is given up. */
const HEARTBEAT_MS = 10_000;
const SILENT_MS_MAX = 60_000;

export type JobState = 'running' | 'done' | 'failed' | 'canceled' | 'interrupted';

/** What is kept of a job. */
export interface JobSummary {
  readonly id: string;
  readonly mode: ApplyJobInput['mode'];
  readonly scope: JobScope['kind'];
  readonly by: string;
  readonly state: JobState;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly filesRendered: number;
  readonly filesChanged: number;
  readonly stepsTotal: number;
  readonly systems: readonly {
    readonly system: string;
    readonly address: string;
    readonly report: Readonly<ApplyReport>;
    readonly said?: string;
  }[];
  readonly error?: { readonly code: string; readonly message: string };
  /** Of an apply: the dry run that was confirmed. */
  readonly plan?: string;
}
export interface JobDetail extends JobSummary {
  readonly files: readonly FileChange[];
  readonly steps: readonly { readonly system: string; readonly action: ApplyStep['action']; readonly id: string }[];
  readonly problems: readonly { readonly where: string; readonly message: string }[];
}

export interface RunningWorker {
  readonly done: Promise<void>;
  cancel(): void;
}
export interface ApplyServiceInput {
  readonly config: () => CatalogueConfig;
  readonly sections: () => SectionsForRender;
  readonly environment: () => Environment;
  readonly folders: () => readonly string[];
  readonly output: () => string;
  /** Reads the files of secrets, so it may throw `bad_config`. */
  readonly addresses: () => SystemAddresses;
  readonly own: (tenant: TenantId) => Promise<Readonly<Record<string, PackOverride>>>;
  /** Whose changes count for the operators' part. */
  readonly operators: () => TenantId;
  readonly documents: DocumentStore;
  readonly clock: Clock;
  readonly run: (input: ApplyJobInput, tell: (event: ApplyEvent) => void) => RunningWorker;
}

export interface StartInput {
  /** Whose part, and in whose list the job stands; jobs of the operators' part stand in the platform's. */
  readonly tenant: TenantId;
  readonly scope: JobScope['kind'];
  readonly mode: 'files' | 'plan';
  readonly targets?: readonly SystemName[] | undefined;
  readonly by: string;
}
export type OnEnd = (job: JobSummary) => Promise<void>;

interface Job {
  readonly owner: TenantId;
  readonly input: ApplyJobInput;
  detail: Mutable<JobDetail>;
  digest: string | undefined;
  diffChars: number;
  worker: RunningWorker | undefined;
  beatAtMs: number;
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

export class ApplyService {
  readonly #i: ApplyServiceInput;
  /** In order of start. */
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Promise<void>>();

  constructor(input: ApplyServiceInput) {
    this.#i = input;
  }

  /** Which systems a job would ask; empty: rendering to the folder is all. */
  systems(): readonly SystemName[] {
    const wanted = this.#i.config().apply.targets;
    return addressedSystems(this.#i.addresses()).filter((s) => wanted === undefined || wanted.includes(s));
  }
  get output(): string {
    return this.#i.output();
  }

  /** Starts a comparison with the last render, or with the live systems too. Throws `conflict`, `unavailable`, `bad_config`. */
  async start(wanted: StartInput): Promise<JobDetail> {
    const targets = wanted.targets;
    const known = this.systems();
    for (const t of targets ?? [])
      if (!known.includes(t))
        throw new VigieError('bad_data', `targets: ${t} has no address; known are ${known.join(', ') || 'none'}`);
    const scope: JobScope =
      wanted.scope === 'tenant' ? { kind: 'tenant', tenant: wanted.tenant } : { kind: wanted.scope };
    return this.#begin(ownerOf(wanted.scope, wanted.tenant), wanted.by, { mode: wanted.mode, scope, targets });
  }

  /** Does what a finished dry run showed. `onEnd` is called once, also after a failure. */
  async confirm(owner: TenantId, planId: string, by: string, onEnd: OnEnd): Promise<JobDetail> {
    const plan = this.#jobs.get(planId);
    if (plan?.owner !== owner) throw new VigieError('not_found', `no dry run ${planId.slice(0, 80)}`);
    if (plan.detail.mode !== 'plan' || plan.detail.state !== 'done' || plan.digest === undefined)
      throw new VigieError('conflict', `job ${planId} is no finished dry run`);
    if (this.#i.clock.now() - plan.detail.startedAtMs > PLAN_MS_MAX)
      throw new VigieError('conflict', `the dry run is older than ${PLAN_MS_MAX / 60_000} minutes; make another one`);
    for (const job of this.#jobs.values())
      if (job.detail.mode === 'apply' && job.detail.state === 'running')
        throw new VigieError('unavailable', 'the systems are being brought in line by another job; try again shortly');
    const { scope, targets } = plan.input;
    return this.#begin(owner, by, { mode: 'apply', scope, targets, digest: plan.digest }, planId, onEnd);
  }

  /** Newest first. */
  async list(owner: TenantId): Promise<readonly JobSummary[]> {
    const { items } = await this.#stored(owner).list({
      orderBy: { field: 'startedAtMs', direction: 'desc' },
      limit: JOBS_KEPT_MAX,
    });
    return items.map((d) => this.#asSeen(owner, d.body, d.updatedAtMs));
  }

  async get(owner: TenantId, id: string): Promise<JobDetail> {
    const job = this.#jobs.get(id);
    if (job?.owner === owner) return { ...job.detail };
    const stored = await this.#stored(owner).get(id);
    if (!stored) throw new VigieError('not_found', `no job ${id.slice(0, 80)}`);
    return { ...this.#asSeen(owner, stored.body, stored.updatedAtMs), files: [], steps: [], problems: [] };
  }

  /** What was put until then stays, and stands in the ledger. */
  cancel(owner: TenantId, id: string): void {
    const job = this.#jobs.get(id);
    if (job?.owner !== owner) throw new VigieError('not_found', `no running job ${id.slice(0, 80)}`);
    if (job.detail.state !== 'running') return;
    job.detail.state = 'canceled';
    job.worker?.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const job of this.#jobs.values()) {
      if (job.detail.state !== 'running') continue;
      job.detail.state = 'interrupted';
      job.worker?.cancel();
    }
    await Promise.allSettled(this.#running);
  }

  async #begin(
    owner: TenantId,
    by: string,
    of: Pick<ApplyJobInput, 'mode' | 'scope' | 'targets'> & { readonly digest?: string },
    plan?: string,
    onEnd?: OnEnd,
  ): Promise<JobDetail> {
    const running = [...this.#jobs.values()].filter((j) => j.detail.state === 'running');
    if (running.some((j) => j.owner === owner)) throw new VigieError('conflict', 'a job of this tenant is under way');
    if (running.length >= JOBS_RUNNING_MAX)
      throw new VigieError('unavailable', `${running.length} jobs are under way; try again shortly`);
    const startedAtMs = this.#i.clock.now();
    const job: Job = {
      owner,
      input: {
        ...of,
        config: this.#i.config(),
        sections: this.#i.sections(),
        environment: this.#i.environment(),
        folders: this.#i.folders(),
        own: [],
        output: this.#i.output(),
        addresses: this.#i.addresses(),
      },
      detail: {
        id: randomUUID(),
        mode: of.mode,
        scope: of.scope.kind,
        by,
        state: 'running',
        startedAtMs,
        stage: 'start',
        done: 0,
        total: 1,
        filesRendered: 0,
        filesChanged: 0,
        stepsTotal: 0,
        systems: [],
        files: [],
        steps: [],
        problems: [],
        ...(plan === undefined ? {} : { plan }),
      },
      digest: undefined,
      diffChars: 0,
      worker: undefined,
      beatAtMs: startedAtMs,
    };
    // taken before anything is awaited, so that two requests cannot both start
    this.#jobs.set(job.detail.id, job);
    this.#forget();
    const work = this.#work(job, onEnd).finally(() => this.#running.delete(work));
    this.#running.add(work);
    return { ...job.detail };
  }

  async #work(job: Job, onEnd: OnEnd | undefined): Promise<void> {
    let timer: Timer | undefined;
    try {
      await this.#keep(job);
      const input = { ...job.input, own: await this.#ownOf(job.input) };
      // canceled while the changes were read
      if (job.detail.state === 'running') {
        job.worker = this.#i.run(input, (event) => this.#hear(job, event));
        timer = this.#i.clock.setTimer(() => {
          job.detail.error = { code: 'unavailable', message: `stopped after ${JOB_MS_MAX / 60_000} minutes` };
          job.worker?.cancel();
        }, JOB_MS_MAX);
        await job.worker.done;
      }
      if (job.detail.state === 'running') job.detail.state = job.detail.error ? 'failed' : 'done';
    } catch (error) {
      if (job.detail.state === 'running') {
        job.detail.state = 'failed';
        job.detail.error ??= { code: isVigieError(error) ? error.code : 'internal', message: messageOf(error) };
      }
    } finally {
      timer?.cancel();
      job.detail.endedAtMs = this.#i.clock.now();
    }
    await this.#keep(job).catch(() => undefined);
    await this.#trim(job.owner).catch(() => undefined);
    await onEnd?.(summaryOf(job.detail)).catch(() => undefined);
  }

  #hear(job: Job, event: ApplyEvent): void {
    const { detail } = job;
    switch (event.kind) {
      case 'progress':
        detail.stage = event.stage;
        detail.done = event.done;
        detail.total = event.total;
        this.#beat(job);
        return;
      case 'file': {
        detail.filesChanged++;
        if (detail.files.length >= LISTED_MAX) return;
        const { diff, ...change } = event.change;
        const shown = diff !== undefined && job.diffChars + diff.length <= DIFF_CHARS_MAX;
        if (shown) job.diffChars += diff.length;
        detail.files.push(shown ? event.change : change);
        return;
      }
      case 'step':
        detail.stepsTotal++;
        if (detail.steps.length < LISTED_MAX) detail.steps.push({ system: event.system, ...event.step });
        return;
      case 'system': {
        const { kind: _kind, ...of } = event;
        detail.systems.push(of);
        return;
      }
      case 'problem':
        if (detail.problems.length < LISTED_MAX) detail.problems.push({ where: event.where, message: event.message });
        return;
      case 'end':
        job.digest = event.digest;
        detail.filesRendered = event.files;
    }
  }

  #beat(job: Job): void {
    const now = this.#i.clock.now();
    if (now - job.beatAtMs < HEARTBEAT_MS) return;
    job.beatAtMs = now;
    void this.#keep(job).catch(() => undefined);
  }

  async #ownOf(input: ApplyJobInput): Promise<ApplyJobInput['own']> {
    const { scope } = input;
    if (scope.kind === 'tenant') return [[scope.tenant, await this.#i.own(scope.tenant as TenantId)]];
    const own: (readonly [string | undefined, Readonly<Record<string, PackOverride>>])[] = [
      [undefined, await this.#i.own(this.#i.operators())],
    ];
    if (scope.kind === 'all')
      for (const tenant of Object.keys(input.config.tenants)) own.push([tenant, await this.#i.own(tenant as TenantId)]);
    return own.filter(([, changes]) => Object.keys(changes).length > 0);
  }

  #asSeen(owner: TenantId, stored: JobSummary, updatedAtMs: number): JobSummary {
    const here = this.#jobs.get(stored.id);
    if (here?.owner === owner) return summaryOf(here.detail);
    const silent = this.#i.clock.now() - updatedAtMs > SILENT_MS_MAX;
    return stored.state === 'running' && silent ? { ...stored, state: 'interrupted' } : stored;
  }

  async #keep(job: Job): Promise<void> {
    await this.#stored(job.owner).put(job.detail.id, summaryOf(job.detail));
  }
  async #trim(owner: TenantId): Promise<void> {
    const { items } = await this.#stored(owner).list({ orderBy: { field: 'startedAtMs', direction: 'desc' } });
    for (const old of items.slice(JOBS_KEPT_MAX)) await this.#stored(owner).delete(old.id);
  }
  #forget(): void {
    for (const [id, job] of this.#jobs) {
      if (this.#jobs.size <= JOBS_SHOWN_MAX) return;
      if (job.detail.state !== 'running') this.#jobs.delete(id);
    }
  }
  #stored(owner: TenantId) {
    return this.#i.documents.collection<JobSummary>(owner, JOBS);
  }
}

/** The operators' jobs show every tenant's files: they stand in the platform's list, whoever's page they were started from. */
export function ownerOf(scope: JobScope['kind'], tenant: TenantId): TenantId {
  return scope === 'tenant' ? tenant : PLATFORM_TENANT;
}

function summaryOf(detail: JobDetail): JobSummary {
  const { files: _files, steps: _steps, problems: _problems, ...summary } = detail;
  return { ...summary, systems: [...summary.systems] };
}
