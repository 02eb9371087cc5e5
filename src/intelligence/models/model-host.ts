/**
 * Models of users, run by ONNX Runtime in a process of their own (model-child.ts): started at the first question, ended
 * when one call takes too long or its memory grows too far, and started anew at the next. The library is an add-on that
 * the operator installs; without it a detector with a model says what to install.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Clock, Timer } from '../../lib/clock.ts';
import { messageOf, VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { ChildAnswer, ChildRequest, ModelInfo } from './model-child.ts';

/** The release that the tests run. */
export const ONNXRUNTIME_VERSION = '1.30.0';
export const MODEL_BYTES_MAX = 200 * 1024 * 1024;
/** Questions under way and waiting. */
export const CALLS_MAX = 256;
const CALL_MS_MAX = 20_000;
/** Resident memory of the process, looked at every second. */
const MEMORY_BYTES_MAX = 2 * 1024 ** 3;
const LOOK_MS = 1_000;
const PAGE_BYTES = 4_096;
const FILE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}\.onnx$/;

export interface ModelRun {
  readonly file: string;
  readonly info: ModelInfo;
  readonly input: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly values: Float64Array;
  readonly output: string;
}

export interface ModelPort {
  /** Throws `bad_config` for what is wrong with the file, `unsupported` without the library, `unavailable`. */
  info(tenant: TenantId, file: string): Promise<ModelInfo>;
  run(tenant: TenantId, run: ModelRun): Promise<Float64Array>;
}

interface Waiting {
  readonly resolve: (result: ModelInfo | Float64Array) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
}

export interface ModelHostOptions {
  /** Folder that holds a tenant's models; undefined when the operator has set none up. */
  readonly folderOf: (tenant: TenantId) => string | undefined;
  /** Where the package onnxruntime-node is; undefined: as Node finds it. */
  readonly runtime?: string | undefined;
  readonly clock: Clock;
  readonly callMsMax?: number;
  readonly memoryBytesMax?: number;
}

export class ModelHost implements ModelPort {
  readonly #o: ModelHostOptions;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #look: Timer | undefined;
  #id = 0;
  #closed = false;

  constructor(options: ModelHostOptions) {
    this.#o = options;
  }

  async info(tenant: TenantId, file: string): Promise<ModelInfo> {
    return (await this.#ask({ op: 'info', file: this.#fileOf(tenant, file) }, file)) as ModelInfo;
  }

  async run(tenant: TenantId, run: ModelRun): Promise<Float64Array> {
    const { file, info, ...rest } = run;
    const request = { op: 'run' as const, file: this.#fileOf(tenant, file), sha256: info.sha256, ...rest };
    return (await this.#ask(request, file)) as Float64Array;
  }

  /** Within the tenant's folder, by a name without any path. */
  #fileOf(tenant: TenantId, file: string): string {
    const folder = this.#o.folderOf(tenant);
    if (folder === undefined)
      throw new VigieError(
        'bad_config',
        'models are looked for in <config_dir>/tenants/<tenant>/models: set config_dir',
      );
    if (!FILE_NAME.test(file))
      throw new VigieError(
        'bad_config',
        `model.file: got ${JSON.stringify(file.slice(0, 120))}, want a name such as load.onnx`,
      );
    const full = path.join(folder, file);
    const found = statSync(full, { throwIfNoEntry: false });
    if (!found?.isFile()) throw new VigieError('bad_config', `no model ${file} in ${folder}`);
    if (found.size > MODEL_BYTES_MAX)
      throw new VigieError('bad_config', `${file} has ${found.size} bytes; models may have ${MODEL_BYTES_MAX}`);
    return full;
  }

  #ask(request: DistributiveOmit<ChildRequest, 'id'>, name: string): Promise<ModelInfo | Float64Array> {
    if (this.#closed) return Promise.reject(new VigieError('unavailable', 'models are shut down'));
    if (this.#waiting.size >= CALLS_MAX)
      return Promise.reject(new VigieError('unavailable', `${CALLS_MAX} calls of models wait already`));
    return new Promise((resolve, reject) => {
      let child: ChildProcess;
      try {
        child = this.#started();
      } catch (error) {
        reject(error);
        return;
      }
      const id = ++this.#id;
      const limitMs = this.#o.callMsMax ?? CALL_MS_MAX;
      const timer = this.#o.clock.setTimer(
        () => this.#end(`the model ${name} gave no answer within ${limitMs / 1000} s`),
        limitMs,
      );
      this.#waiting.set(id, { resolve, reject, timer });
      child.send({ ...request, id } as ChildRequest, (error) => {
        if (error) this.#end(`the process of models could not be asked: ${messageOf(error)}`);
      });
    });
  }

  #started(): ChildProcess {
    if (this.#child) return this.#child;
    const child = fork(
      path.join(import.meta.dirname, `model-child${path.extname(import.meta.filename)}`),
      [this.#library()],
      {
        serialization: 'advanced',
        // nothing of the server's environment is a model's business
        env: {},
        execArgv: [],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      },
    );
    child.on('message', (answer: ChildAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      if (!waiting) return;
      this.#waiting.delete(answer.id);
      waiting.timer.cancel();
      if ('error' in answer) waiting.reject(new VigieError('bad_config', `model: ${answer.error.slice(0, 500)}`));
      else waiting.resolve(answer.result);
    });
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.#end(`the process of models ended (${signal ?? code})`);
    });
    child.unref();
    child.channel?.unref();
    this.#child = child;
    this.#watch(child);
    return child;
  }

  /** What ONNX Runtime takes is not V8's, so no flag of Node bounds it. */
  #watch(child: ChildProcess): void {
    this.#look = this.#o.clock.setTimer(() => {
      if (this.#child !== child) return;
      const bytes = residentBytes(child.pid);
      const max = this.#o.memoryBytesMax ?? MEMORY_BYTES_MAX;
      if (bytes > max)
        this.#end(`models took ${Math.round(bytes / 2 ** 20)} MiB; ${Math.round(max / 2 ** 20)} are allowed`);
      else this.#watch(child);
    }, LOOK_MS);
  }

  #library(): string {
    const wanted = this.#o.runtime ?? 'onnxruntime-node';
    try {
      return createRequire(import.meta.url).resolve(wanted);
    } catch (cause) {
      throw new VigieError(
        'unsupported',
        `models need ONNX Runtime, which is not installed: npm install --ignore-scripts onnxruntime-node@${ONNXRUNTIME_VERSION} in a folder of its own, and name <folder>/node_modules/onnxruntime-node by the setting onnxruntime`,
        { cause },
      );
    }
  }

  #end(why: string): void {
    const child = this.#child;
    this.#child = undefined;
    this.#look?.cancel();
    child?.removeAllListeners();
    child?.on('error', () => {});
    child?.kill('SIGKILL');
    for (const [id, w] of this.#waiting) {
      this.#waiting.delete(id);
      w.timer.cancel();
      w.reject(new VigieError('unavailable', why));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#end('models are shut down');
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function residentBytes(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  } catch {
    return 0;
  }
}
