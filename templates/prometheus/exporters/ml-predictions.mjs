/**
 * Models, from the log of their predictions: one JSON object a line, with
 *   {"tenant_id", "model", "version", "duration_seconds", "prediction", "actual"?, "training_duration_seconds"?}
 * `actual` may come later, in a line with the same `id` and no prediction. Accuracy is over the last --window pairs.
 *
 *   node ml-predictions.mjs --file predictions.jsonl --listen 127.0.0.1:9411
 */
import { flags, follow, Registry, serve } from './exposition.mjs';

const WAITING_MAX = 100_000;

export function mlMetrics({ window = 1_000, registry = new Registry() } = {}) {
  const own = ['tenant_id', 'model', 'version'];
  const predictions = registry.counter('ml_predictions_total', 'Predictions made.', own);
  const duration = registry.histogram('ml_inference_duration_seconds', 'Time of one prediction.', [
    'tenant_id',
    'model',
  ]);
  const accuracy = registry.gauge(
    'ml_model_accuracy',
    'Share of right predictions among the last pairs with a known outcome.',
    own,
  );
  const pairs = registry.counter('ml_labelled_predictions_total', 'Predictions whose outcome is known.', own);
  const training = registry.gauge('ml_training_duration_seconds', 'Time of the last training.', ['tenant_id', 'model']);
  const bad = registry.counter('ml_log_lines_refused_total', 'Lines that are not a prediction.');
  bad.inc({}, 0);
  const outcomes = new Map();
  const waiting = new Map();

  const judge = (labels, right) => {
    const key = own.map((n) => labels[n]).join('\u0000');
    const ring = outcomes.get(key) ?? { at: 0, values: [], right: 0 };
    outcomes.set(key, ring);
    if (ring.values.length === window) ring.right -= ring.values[ring.at];
    ring.values[ring.at] = right ? 1 : 0;
    ring.right += right ? 1 : 0;
    ring.at = (ring.at + 1) % window;
    accuracy.set(labels, ring.right / ring.values.length);
    pairs.inc(labels);
  };

  return {
    registry,
    line(text) {
      let e;
      try {
        e = JSON.parse(text);
        if (typeof e !== 'object' || e === null || (typeof e.model !== 'string' && e.id === undefined))
          throw new Error();
      } catch {
        return bad.inc();
      }
      const labels = { tenant_id: e.tenant_id ?? '', model: e.model ?? '', version: e.version ?? '' };
      if (typeof e.training_duration_seconds === 'number') training.set(labels, e.training_duration_seconds);
      if (e.prediction !== undefined) {
        predictions.inc(labels);
        if (typeof e.duration_seconds === 'number' && e.duration_seconds >= 0)
          duration.observe(labels, e.duration_seconds);
        if (e.actual !== undefined) judge(labels, e.prediction === e.actual);
        else if (e.id !== undefined) {
          waiting.set(e.id, { labels, prediction: e.prediction });
          // the oldest waits no longer
          if (waiting.size > WAITING_MAX) waiting.delete(waiting.keys().next().value);
        }
      } else if (e.actual !== undefined && waiting.has(e.id)) {
        const made = waiting.get(e.id);
        waiting.delete(e.id);
        judge(made.labels, made.prediction === e.actual);
      }
    },
  };
}

if (import.meta.main) {
  const f = flags({ file: 'predictions.jsonl', listen: '127.0.0.1:9411', window: '1000' });
  const metrics = mlMetrics({ window: Number(f.window) });
  const tail = await follow(f.file, metrics.line, { fromStart: true });
  serve({ listen: f.listen, registry: metrics.registry, collect: tail.poll });
}
