/** Answers of the intelligence API in their real shapes, with made-up numbers, for the console's tests only. */
import type {
  BacktestAnswer,
  DetectorAnswer,
  DetectorItem,
  ForecastsAnswer,
  PredictionsAnswer,
  RecordAnswer,
  UnusualAnswer,
} from '../../../src/http/contract/intelligence.ts';

const NOW = (): number => Math.floor(Date.now() / 300_000) * 300_000;
const record: RecordAnswer = {
  days: 12,
  announced: 9,
  hits: 7,
  falseAlerts: 1,
  misses: 1,
  unjudged: 1,
  precision: 0.875,
  recall: 0.875,
  leadSeconds: 5_400,
  coverage95: 0.951,
  alertsPerSeriesWeek: 0.2,
  muted: false,
  mutedWhy: '',
};
const backtest: BacktestAnswer = {
  atMs: 1.7e12,
  passed: true,
  why: '',
  series: 4,
  seriesSkipped: 0,
  weeks: 8,
  announced: 3,
  hits: 2,
  falseAlerts: 1,
  events: 2,
  misses: 0,
  precision: 0.667,
  recall: 1,
  leadSeconds: 4_800,
  falseAlertsPerWeek: 0.125,
  coverage95: 0.94,
  mase: 0.7,
  forecasts: 800,
  judged: true,
};
const detector = (over: Partial<DetectorItem>): DetectorItem => ({
  name: 'disk-exhaustion',
  kind: 'forecast',
  description: 'Free share of each file system.',
  expr: 'node_filesystem_avail_bytes / node_filesystem_size_bytes',
  stepMs: 300_000,
  labels: {},
  sensitivity: 0.25,
  budgetFactor: 1,
  phase: 'running',
  error: '',
  lastEvaluationMs: NOW(),
  series: { ready: 3, warming_up: 1, not_enough_data: 0, silent: 0 },
  seriesMax: 500,
  dropped: 0,
  armed: true,
  unarmedWhy: '',
  evaluationMs: 2.4,
  coreShare: 0.00001,
  record,
  backtest,
  ...over,
});
const DETECTORS: readonly DetectorItem[] = [
  detector({}),
  detector({
    name: 'error-anomaly',
    kind: 'anomaly',
    armed: false,
    unarmedWhy: 'muted by its record: 4 of its last 5 announcements were wrong',
    budgetFactor: 0.7,
    record: { ...record, muted: true, mutedWhy: '4 of its last 5 announcements were wrong', coverage95: null },
    backtest: null,
  }),
];

export function intelligenceAnswer(route: string): unknown {
  const at = NOW();
  if (route === '/vigie/v1/detectors') return { detectors: DETECTORS };
  if (route === '/vigie/v1/forecasts') {
    const mean = Array.from({ length: 72 }, (_, h) => 0.4 - h * 0.005);
    return {
      forecasts: [
        {
          detector: 'disk-exhaustion',
          description: 'Free share of each file system.',
          expr: 'node_load1',
          labels: { __name__: 'node_load1', instance: '10.0.0.1:9100', job: 'node' },
          state: 'ready',
          value: 0.4,
          fitAtMs: at,
          stepMs: 300_000,
          horizonMs: 21_600_000,
          mean,
          lower: mean.map((m, h) => m - 0.02 - h * 0.001),
          upper: mean.map((m, h) => m + 0.02 + h * 0.001),
          threshold: { below: 0.03 },
          crossProbability: 0.81,
          secondsToThreshold: 21_000,
          armed: true,
        },
        {
          detector: 'memory-exhaustion',
          description: '',
          expr: 'node_load5',
          labels: { instance: '10.0.0.2:9100' },
          state: 'warming_up',
          value: 0.6,
          fitAtMs: null,
          stepMs: 300_000,
          horizonMs: 14_400_000,
          mean: [],
          lower: [],
          upper: [],
          threshold: { below: 0.05 },
          crossProbability: null,
          secondsToThreshold: null,
          armed: false,
        },
      ],
    } satisfies ForecastsAnswer;
  }
  if (route === '/vigie/v1/predictions')
    return {
      predictions: (['hit', 'false', 'miss', 'pending', 'unjudged'] as const).map((status, i) => ({
        id: `p${i}`,
        detector: 'disk-exhaustion',
        kind: 'crossing',
        labels: { mountpoint: '/' },
        madeAtMs: at - i * 3.6e6,
        deadlineMs: at,
        status,
        probability: 0.8,
        threshold: 0.03,
        leadMs: 5.4e6,
      })),
    } satisfies PredictionsAnswer;
  if (route === '/vigie/v1/unusual')
    return {
      series: [
        {
          labels: { __name__: 'http_requests_total', service: 'api', status: '500' },
          score: 0.92,
          deviations: 14,
          kind: 'higher',
          counter: true,
          value: 12.4,
          usual: 0.3,
        },
        {
          labels: { __name__: 'node_load1', instance: 'a' },
          score: 0.4,
          deviations: -5,
          kind: 'stuck',
          counter: false,
          value: 1,
          usual: 1.4,
        },
      ],
      seriesSeen: 20_140,
      seriesLeftOut: 0,
      tookMs: 412,
    } satisfies UnusualAnswer;
  const named = /^\/vigie\/v1\/detectors\/([^/]+)$/.exec(route);
  if (named)
    return {
      ...(DETECTORS.find((d) => d.name === decodeURIComponent(named[1]!)) ?? DETECTORS[0]!),
      topSeries: [
        {
          labels: { mountpoint: '/' },
          state: 'ready',
          score: 0.81,
          value: 0.4,
          points: 2_016,
          lastAtMs: at,
          expected: 0.42,
          lower: 0.4,
          upper: 0.44,
        },
      ],
      byDay: [{ day: '2026-01-02', announced: 1, hits: 1, falseAlerts: 0, misses: 0, unjudged: 0 }],
      feedback: [],
    } satisfies DetectorAnswer;
  if (/^\/vigie\/v1\/detectors\/[^/]+\/backtest$/.test(route)) return backtest;
  if (route === '/vigie/v1/feedback')
    return { id: 'f1', detector: 'disk-exhaustion', verdict: 'useful', atMs: at, by: 'dana', budgetFactor: 1.2 };
  return undefined;
}
