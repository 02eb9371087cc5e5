/**
 * Business figures from events: CloudEvents or plain objects by POST /events (one, or an array), or lines of a file.
 *   signup, conversion {plan}, payment {amount, currency: "EUR"}, feedback {sentiment}, cost {kind, amount}
 * The tenant is `tenant_id` of the event (or `subject` of a CloudEvent). Refunds are a counter of their own: a counter
 * never goes back.
 *
 *   node business-events.mjs --listen 127.0.0.1:9412 --file events.jsonl
 */
import { flags, follow, Registry, serve } from './exposition.mjs';

const BODY_BYTES_MAX = 1 << 20;

export function businessMetrics({ registry = new Registry() } = {}) {
  const tenant = ['tenant_id'];
  const signups = registry.counter('signups_total', 'Accounts opened.', ['tenant_id', 'plan']);
  const conversions = registry.counter('conversions_total', 'Trials that became paying.', ['tenant_id', 'plan']);
  const revenue = registry.counter('revenue_euros_total', 'Payments received, in EUR.', tenant);
  const refunds = registry.counter('refunds_euros_total', 'Payments given back, in EUR.', tenant);
  const feedback = registry.counter('feedback_total', 'Answered feedback.', ['tenant_id', 'sentiment']);
  const infrastructure = registry.counter('infrastructure_cost_euros_total', 'Cost of infrastructure, in EUR.', tenant);
  const models = registry.counter('llm_cost_euros_total', 'Cost of language models, in EUR.', [
    'tenant_id',
    'provider',
    'model',
  ]);
  const refused = registry.counter('business_events_refused_total', 'Events that could not be read, by reason.', [
    'reason',
  ]);
  const SENTIMENTS = new Set(['positive', 'neutral', 'negative']);
  const amountOf = (d) => (typeof d.amount === 'number' && Number.isFinite(d.amount) ? d.amount : undefined);

  function event(e) {
    if (typeof e !== 'object' || e === null) return refused.inc({ reason: 'shape' });
    const d = { ...e, ...(typeof e.data === 'object' ? e.data : {}) };
    const labels = { ...d, tenant_id: d.tenant_id ?? e.subject ?? '', plan: d.plan ?? '' };
    const amount = amountOf(d);
    switch (
      String(e.type ?? '')
        .split('.')
        .at(-1)
    ) {
      case 'signup':
        return signups.inc(labels);
      case 'conversion':
        return conversions.inc(labels);
      case 'payment':
        if (amount === undefined) return refused.inc({ reason: 'amount' });
        if ((d.currency ?? 'EUR') !== 'EUR') return refused.inc({ reason: 'currency' });
        return amount >= 0 ? revenue.inc(labels, amount) : refunds.inc(labels, -amount);
      case 'feedback':
        return SENTIMENTS.has(d.sentiment) ? feedback.inc(labels) : refused.inc({ reason: 'sentiment' });
      case 'cost':
        if (amount === undefined || amount < 0) return refused.inc({ reason: 'amount' });
        return d.kind === 'model' ? models.inc(labels, amount) : infrastructure.inc(labels, amount);
      default:
        return refused.inc({ reason: 'type' });
    }
  }
  return {
    registry,
    event,
    line(text) {
      try {
        event(JSON.parse(text));
      } catch {
        refused.inc({ reason: 'json' });
      }
    },
  };
}

if (import.meta.main) {
  const f = flags({ listen: '127.0.0.1:9412', file: '' });
  const metrics = businessMetrics();
  const tail = f.file ? await follow(f.file, metrics.line, { fromStart: true }) : undefined;
  serve({
    listen: f.listen,
    registry: metrics.registry,
    collect: tail?.poll,
    routes: {
      '/events': async (request, response) => {
        if (request.method !== 'POST') return response.writeHead(405).end();
        const chunks = [];
        let bytes = 0;
        for await (const chunk of request) {
          bytes += chunk.length;
          if (bytes > BODY_BYTES_MAX) return response.writeHead(413).end();
          chunks.push(chunk);
        }
        try {
          const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
          for (const e of Array.isArray(body) ? body : [body]) metrics.event(e);
          response.writeHead(202).end();
        } catch {
          response.writeHead(400).end('want JSON\n');
        }
      },
    },
  });
}
