/** The worker thread: fits forecasts and replays back-tests, one request at a time, so that the event loop never waits. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../lib/errors.ts';
import { backtest } from './backtest.ts';
import { fitOne } from './fit.ts';
import type { BacktestRequest, FitRequest } from './fit-protocol.ts';

export type WorkerRequest =
  | { readonly id: number; readonly forecast: readonly FitRequest[] }
  | { readonly id: number; readonly backtest: BacktestRequest };
export type WorkerAnswer =
  | { readonly id: number; readonly result: unknown; readonly cpuMs: number }
  | { readonly id: number; readonly error: string };

parentPort?.on('message', (request: WorkerRequest) => {
  const startMs = performance.now();
  let answer: WorkerAnswer;
  try {
    const result = 'forecast' in request ? request.forecast.map(fitOne) : backtest(request.backtest);
    answer = { id: request.id, result, cpuMs: performance.now() - startMs };
  } catch (error) {
    answer = { id: request.id, error: messageOf(error) };
  }
  parentPort?.postMessage(answer);
});
