/** Detectors, forecasts, predictions, feedback and the unusual, by the types of the contract. */
import type {
  BacktestAnswer,
  DetectorAnswer,
  DetectorsAnswer,
  FeedbackChangedAnswer,
  ForecastsAnswer,
  PredictionsAnswer,
  UnusualAnswer,
} from '../../../src/http/contract/intelligence.ts';
import { request } from './client.ts';

const BASE = '/vigie/v1';
const id = encodeURIComponent;

export const detectors = (t: string): Promise<DetectorsAnswer> => request(t, `${BASE}/detectors`);
export const detector = (t: string, name: string): Promise<DetectorAnswer> =>
  request(t, `${BASE}/detectors/${id(name)}`);
export const runBacktest = (t: string, name: string): Promise<BacktestAnswer> =>
  request(t, `${BASE}/detectors/${id(name)}/backtest`, { method: 'POST', json: {} });
export const forecasts = (t: string): Promise<ForecastsAnswer> => request(t, `${BASE}/forecasts?limit=200`);
export const predictions = (t: string, detectorName?: string): Promise<PredictionsAnswer> =>
  request(t, `${BASE}/predictions?limit=200${detectorName ? `&detector=${id(detectorName)}` : ''}`);
export const giveFeedback = (
  t: string,
  input: { readonly detector: string; readonly verdict: 'useful' | 'noise'; readonly prediction?: string },
): Promise<FeedbackChangedAnswer> => request(t, `${BASE}/feedback`, { method: 'POST', json: input });
export const withdrawFeedback = (t: string, feedback: string): Promise<FeedbackChangedAnswer> =>
  request(t, `${BASE}/feedback/${id(feedback)}`, { method: 'DELETE' });
export const unusual = (t: string): Promise<UnusualAnswer> => request(t, `${BASE}/unusual?limit=100`);
