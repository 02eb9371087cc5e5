/** /vigie/v1/detectors, /forecasts, /predictions, /feedback and /unusual. */
import type { DetectorView, IntelligenceService } from '../../intelligence/intelligence-service.ts';
import type { PredictionStatus } from '../../intelligence/predictions.ts';
import { VigieError } from '../../lib/errors.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import {
  type BacktestAnswer,
  backtestInput,
  type DetectorAnswer,
  type DetectorItem,
  type DetectorsAnswer,
  type FeedbackAnswer,
  type FeedbackChangedAnswer,
  type ForecastsAnswer,
  feedbackInput,
  type PredictionsAnswer,
  type RecordAnswer,
  type UnusualAnswer,
} from '../contract/intelligence.ts';
import { EDITOR, RESPONDER, type Route, VIEWER } from '../route.ts';

export interface IntelligenceRoutePorts {
  readonly intelligence: IntelligenceService;
  /** Every change leaves an entry before it is acknowledged. */
  readonly audit: AuditChange;
}

const SERIES_SHOWN = 100;
const STATUSES: readonly PredictionStatus[] = ['pending', 'hit', 'false', 'miss', 'unjudged'];

export function intelligenceRoutes(ports: IntelligenceRoutePorts): Route[] {
  const { intelligence, audit } = ports;
  const base = { family: 'vigie' } as const;
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/detectors',
      access: VIEWER,
      summary: 'Detectors and forecasts with state, record and back-test',
      handle: (request) => ({
        json: { detectors: intelligence.list(request.context.tenant).map(item) } satisfies DetectorsAnswer,
      }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/detectors/:name',
      access: VIEWER,
      summary: 'One detector with its most unusual series and its record by day',
      handle: async (request) => {
        const { tenant } = request.context;
        const name = request.params['name']!;
        const detail = intelligence.detail(tenant, name, SERIES_SHOWN);
        return {
          json: {
            ...item(detail),
            topSeries: detail.series.map((s) => ({
              labels: s.labels.toObject(),
              state: s.state,
              score: s.score,
              value: finite(s.value),
              points: s.points,
              lastAtMs: finite(s.lastAtMs),
              expected: finite(s.expected),
              lower: finite(s.lower),
              upper: finite(s.upper),
            })),
            byDay: detail.days.map(({ day, announced, hits, falseAlerts, misses, unjudged }) => ({
              day,
              announced,
              hits,
              falseAlerts,
              misses,
              unjudged,
            })),
            feedback: await intelligence.feedback(tenant, name),
          } satisfies DetectorAnswer,
        };
      },
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/detectors/:name/backtest',
      access: EDITOR,
      summary: 'Replay a detector over stored history; the result decides whether it may alert',
      input: backtestInput,
      handle: async (request) => {
        const { seconds } = parseBody(request, backtestInput);
        const name = request.params['name']!;
        const { tenant } = request.context;
        // refuses an unknown detector before anything is recorded
        const before = intelligence.detail(tenant, name, 0).backtest;
        await audit(request.context, 'detector.backtest', name, before && { passed: before.passed }, { seconds });
        const result = await intelligence.backtest(tenant, name, seconds === undefined ? undefined : seconds * 1000);
        return { json: backtestAnswer(result) };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/forecasts',
      access: VIEWER,
      summary: 'Current forecasts, likeliest crossings first',
      handle: (request) => {
        const detector = request.query.get('detector');
        const forecasts = intelligence.forecasts(request.context.tenant, {
          limit: whole(request.query, 'limit', 50, 500),
          ...(detector === null ? {} : { detector }),
        });
        return {
          json: {
            forecasts: forecasts.map(({ config, fit, labels, ...f }) => {
              const band = fit?.intervals.find((i) => i.level === 0.95);
              const points = fit?.pointsToThreshold;
              return {
                detector: config.name,
                description: config.description,
                expr: config.expr,
                labels: labels.toObject(),
                state: f.state,
                value: finite(f.value),
                fitAtMs: finite(f.fitAtMs),
                stepMs: f.stepMs,
                horizonMs: config.horizon,
                mean: fit ? Array.from(fit.mean) : [],
                lower: band ? Array.from(band.lower) : [],
                upper: band ? Array.from(band.upper) : [],
                threshold: threshold(config.threshold),
                crossProbability: fit?.crossProbability ?? null,
                secondsToThreshold:
                  points === undefined || !Number.isFinite(points) ? null : (points * f.stepMs) / 1000,
                armed: f.armed,
              };
            }),
          } satisfies ForecastsAnswer,
        };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/predictions',
      access: VIEWER,
      summary: 'What was announced and what became of it, newest first',
      handle: async (request) => {
        const detector = request.query.get('detector');
        const status = request.query.get('status');
        const after = request.query.get('after');
        if (status !== null && !(STATUSES as readonly string[]).includes(status))
          throw new VigieError('bad_data', `status: want one of ${STATUSES.join(', ')}, got ${quoted(status)}`);
        return {
          json: (await intelligence.predictions(request.context.tenant, {
            limit: whole(request.query, 'limit', 100, 1_000),
            ...(detector === null ? {} : { detector }),
            ...(status === null ? {} : { status: status as PredictionStatus }),
            ...(after === null ? {} : { after }),
          })) satisfies PredictionsAnswer,
        };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/feedback',
      access: VIEWER,
      summary: 'Verdicts of people on detectors, newest first',
      handle: async (request) => ({
        json: {
          feedback: await intelligence.feedback(request.context.tenant, request.query.get('detector') ?? undefined),
        } satisfies FeedbackAnswer,
      }),
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/feedback',
      access: RESPONDER,
      summary: 'Say that an alert was useful or noise; moves the budget of its detector',
      input: feedbackInput,
      handle: async (request) => {
        const input = parseBody(request, feedbackInput);
        const { tenant, principal } = request.context;
        const before = intelligence.detail(tenant, input.detector, 0).status.budgetFactor;
        await audit(request.context, 'detector.feedback', input.detector, { budgetFactor: before }, input);
        const answer = await intelligence.addFeedback(tenant, {
          detector: input.detector,
          verdict: input.verdict,
          by: principal.name,
          ...(input.prediction === undefined ? {} : { prediction: input.prediction }),
          ...(input.comment === undefined ? {} : { comment: input.comment }),
        });
        return { status: 201, json: answer satisfies FeedbackChangedAnswer };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/feedback/:id',
      access: RESPONDER,
      summary: 'Take a verdict back; the budget is as if it had not been given',
      handle: async (request) => {
        const id = request.params['id']!;
        const { tenant } = request.context;
        const before = (await intelligence.feedback(tenant)).find((f) => f.id === id);
        await audit(request.context, 'detector.feedback.withdraw', before?.detector ?? id, before, undefined);
        const { budgetFactor, ...entry } = await intelligence.removeFeedback(tenant, id);
        return { json: { ...entry, id, budgetFactor } satisfies FeedbackChangedAnswer };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/unusual',
      access: VIEWER,
      summary: 'What is unusual right now, over all series',
      handle: async (request) => {
        const answer = await intelligence.unusual(request.context.tenant, whole(request.query, 'limit', 50, 500));
        return {
          json: {
            ...answer,
            series: answer.series.map((s) => ({ ...s, labels: s.labels.toObject() })),
          } satisfies UnusualAnswer,
        };
      },
    },
  ];
}

function item(view: DetectorView): DetectorItem {
  const { config, status, record, backtest } = view;
  return {
    name: config.name,
    kind: config.kind,
    description: config.description,
    expr: config.expr,
    stepMs: config.step,
    labels: config.labels,
    sensitivity: 'sensitivity' in config ? config.sensitivity : null,
    budgetFactor: status.budgetFactor,
    phase: status.phase,
    error: status.error,
    lastEvaluationMs: finite(status.lastEvaluationMs),
    series: status.series,
    seriesMax: config.series_max,
    dropped: status.dropped,
    armed: status.armed,
    unarmedWhy: status.unarmedWhy,
    evaluationMs: status.evaluationMs,
    coreShare: status.coreShare,
    record: recordAnswer(record),
    backtest: backtest ? backtestAnswer(backtest) : null,
  };
}

function recordAnswer(r: DetectorView['record']): RecordAnswer {
  const { days, announced, hits, falseAlerts, misses, unjudged, muted, mutedWhy } = r;
  return {
    days,
    announced,
    hits,
    falseAlerts,
    misses,
    unjudged,
    precision: finite(r.precision),
    recall: finite(r.recall),
    leadSeconds: finite(r.leadSeconds),
    coverage95: finite(r.coverage95),
    alertsPerSeriesWeek: finite(r.alertsPerSeriesWeek),
    muted,
    mutedWhy,
  };
}

function backtestAnswer(b: NonNullable<DetectorView['backtest']>): BacktestAnswer {
  const r = b.report;
  return {
    atMs: b.atMs,
    passed: b.passed,
    why: b.why,
    series: r.series,
    seriesSkipped: r.seriesSkipped,
    weeks: r.weeks,
    announced: r.announced,
    hits: r.hits,
    falseAlerts: r.falseAlerts,
    events: r.events,
    misses: r.misses,
    precision: finite(r.precision),
    recall: finite(r.recall),
    leadSeconds: finite(r.leadSeconds),
    falseAlertsPerWeek: finite(r.falseAlertsPerWeek),
    coverage95: finite(r.coverage95),
    mase: finite(r.mase),
    forecasts: r.forecasts,
    judged: r.judged,
  };
}

function threshold(t: { above?: number | undefined; below?: number | undefined } | undefined) {
  if (!t) return null;
  return t.above !== undefined ? { above: t.above } : { below: t.below! };
}

function finite(x: number | undefined): number | null {
  return x !== undefined && Number.isFinite(x) ? x : null;
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 40));

function whole(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name);
  if (text === null || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 1)
    throw new VigieError('bad_data', `${name}: want a number of at least 1, got ${quoted(text)}`);
  return Math.min(max, Math.trunc(value));
}
