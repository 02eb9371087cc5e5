/**
 * Hands fits and back-tests to one worker thread: forecasts go before back-tests, the queue is bounded, a worker that
 * dies or hangs is replaced and its request fails alone. Started at the first request.
 */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../lib/clock.ts';
import { invariant, messageOf, VigieError } from '../lib/errors.ts';
import type { BacktestReport, BacktestRequest, FitPort, FitRequest, FitResult } from './fit-protocol.ts';
import type { WorkerAnswer, WorkerRequest } from './fit-worker.ts';

/** Requests that may wait. */
export const QUEUE_MAX = 200;
/** Series of one forecast request; more are cut into several, so that others get their turn. */
const BATCH_SERIES = 16;
const FORECAST_MS_MAX = 60_000;
const BACKTEST_MS_MAX = 300_000;

interface Waiting {
  readonly request: WorkerRequest;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly limitMs: number;
}

export class FitPool implements FitPort {
  readonly #clock: Clock;
  readonly #forecasts: Waiting[] = [];
  readonly #backtests: Waiting[] = [];
  #worker: Worker | undefined;
  #running: Waiting | undefined;
  #timer: Timer | undefined;
  #id = 0;
  #closed = false;
  /** Milliseconds the worker has worked, for the cost that is shown. */
  busyMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async forecast(requests: readonly FitRequest[]): Promise<readonly FitResult[]> {
    const parts: Promise<readonly FitResult[]>[] = [];
    for (let from = 0; from < requests.length; from += BATCH_SERIES) {
      const part = requests.slice(from, from + BATCH_SERIES);
      parts.push(this.#enqueue(this.#forecasts, { id: ++this.#id, forecast: part }, FORECAST_MS_MAX));
    }
    return (await Promise.all(parts)).flat();
  }

  backtest(request: BacktestRequest): Promise<BacktestReport> {
    return this.#enqueue(this.#backtests, { id: ++this.#id, backtest: request }, BACKTEST_MS_MAX);
  }

  get queued(): number {
    return this.#forecasts.length + this.#backtests.length + (this.#running ? 1 : 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    const error = new VigieError('canceled', 'the fitting worker is being stopped');
    for (const w of [this.#running, ...this.#forecasts, ...this.#backtests]) w?.reject(error);
    this.#running = undefined;
    this.#forecasts.length = 0;
    this.#backtests.length = 0;
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #enqueue<T>(queue: Waiting[], request: WorkerRequest, limitMs: number): Promise<T> {
    if (this.#closed) return Promise.reject(new VigieError('canceled', 'the fitting worker is stopped'));
    if (queue.length >= QUEUE_MAX)
      return Promise.reject(
        new VigieError('unavailable', `${queue.length} fits are waiting, at most ${QUEUE_MAX} may; raise "every"`),
      );
    return new Promise<T>((resolve, reject) => {
      queue.push({ request, resolve: resolve as (r: unknown) => void, reject, limitMs });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running || this.#closed) return;
    const waiting = this.#forecasts.shift() ?? this.#backtests.shift();
    if (!waiting) return;
    this.#running = waiting;
    try {
      this.#worker ??= this.#start();
      this.#timer = this.#clock.setTimer(() => this.#hung(waiting), waiting.limitMs);
      this.#worker.postMessage(waiting.request);
    } catch (error) {
      this.#settle((w) => w.reject(error));
    }
  }

  #start(): Worker {
    const worker = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './fit-worker.ts' : './fit-worker.js', import.meta.url),
    );
    worker.unref();
    worker.on('message', (answer: WorkerAnswer) => {
      if (worker !== this.#worker) return;
      invariant(answer.id === this.#running?.request.id, `answer ${answer.id} of the fit worker, want the running one`);
      if ('cpuMs' in answer) this.busyMs += answer.cpuMs;
      this.#settle((w) =>
        'error' in answer
          ? w.reject(new VigieError('execution', `fit failed: ${answer.error}`))
          : w.resolve(answer.result),
      );
    });
    const gone = (why: string): void => {
      if (worker !== this.#worker) return;
      this.#worker = undefined;
      this.#settle((w) => w.reject(new VigieError('internal', `the fitting worker ended: ${why}`)));
    };
    worker.on('error', (error) => gone(messageOf(error)));
    worker.on('exit', (code) => gone(`exit code ${code}`));
    return worker;
  }

  #hung(waiting: Waiting): void {
    if (this.#running !== waiting) return;
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    this.#settle((w) =>
      w.reject(new VigieError('query_timeout', `a fit took longer than ${waiting.limitMs} ms and was stopped`)),
    );
  }

  #settle(how: (waiting: Waiting) => void): void {
    this.#timer?.cancel();
    const waiting = this.#running;
    this.#running = undefined;
    if (waiting) how(waiting);
    this.#next();
  }
}

/** The same without a thread: for commands that do nothing else, and for tests in virtual time. */
export const fitHere = (
  fitOne: (request: FitRequest) => FitResult,
  backtest: (request: BacktestRequest) => BacktestReport,
): FitPort => ({
  forecast: async (requests) => requests.map(fitOne),
  backtest: async (request) => backtest(request),
  [Symbol.asyncDispose]: async () => {},
});
