/**
 * /vigie/v1: notifications (why was I told, why was I not), dead letters, receivers and their tests, previews of
 * silences, routes and templates. What Alertmanager's own API covers stays there.
 */
import { type Alert, isResolved } from '../../alerting/alert.ts';
import type { AlertingService } from '../../alerting/alerting-service.ts';
import type { Decision, HistoryQuery, Verdict } from '../../alerting/history.ts';
import { matchesAll, parseMatchers, printMatcher } from '../../alerting/matchers.ts';
import { templateData } from '../../alerting/notify/template-data.ts';
import type { Integration } from '../../alerting/receiver-config.ts';
import { groupLabelsOf, type Route as RoutingRoute } from '../../alerting/routes.ts';
import type { TenantAlerting } from '../../alerting/tenant-alerting.ts';
import { VigieError } from '../../lib/errors.ts';
import { Labels } from '../../model/labels.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { parseBody } from '../body.ts';
import {
  type NotificationsAnswer,
  type ReceiversAnswer,
  type ReceiverTestAnswer,
  receiverTestInput,
} from '../contract/alerting.ts';
import {
  type AlertingStatusAnswer,
  type DeadLettersAnswer,
  type DecisionsAnswer,
  type ResendAnswer,
  type RouteNode,
  type RouteTestAnswer,
  routeTestInput,
  type SilencePreviewAnswer,
  silencePreviewInput,
  type TemplatePreviewAnswer,
  templatePreviewInput,
  VERDICTS,
} from '../contract/routing.ts';
import { EDITOR, type HttpAnswer, type HttpRequest, RESPONDER, type Route, VIEWER } from '../route.ts';

/** Alerts shown by a preview. */
export const PREVIEW_ALERTS_MAX = 200;
const DECISIONS_MAX = 1_000;
const FILTERS_MAX = 100;

export interface AlertingRoutePorts {
  readonly alerting: (tenant: TenantId) => Promise<TenantAlerting>;
  readonly service: Pick<AlertingService, 'problem'>;
  readonly audit: AuditChange;
  readonly externalURL: string;
  readonly nowMs: () => number;
}

export function alertingRoutes(ports: AlertingRoutePorts): Route[] {
  const route = (
    method: Route['method'],
    path: string,
    access: Route['access'],
    summary: string,
    handle: (request: HttpRequest, alerting: TenantAlerting) => Promise<HttpAnswer> | HttpAnswer,
    input?: Route['input'],
  ): Route => ({
    method,
    path: `/vigie/v1${path}`,
    family: 'vigie',
    access,
    summary,
    ...(input ? { input } : {}),
    handle: async (request) => handle(request, await ports.alerting(request.context.tenant)),
  });
  return [
    route('GET', '/notifications', VIEWER, 'What was sent, or could not be, newest first', listNotifications),
    route(
      'GET',
      '/notifications/decisions',
      VIEWER,
      'Why somebody was told, or not, newest first',
      (request, alerting) => {
        const answer: DecisionsAnswer = { decisions: alerting.history.search(historyQuery(request.query, alerting)) };
        return { json: answer };
      },
    ),
    route('GET', '/notifications/dead-letters', VIEWER, 'What could not be delivered', (_request, alerting) => {
      const answer: DeadLettersAnswer = {
        deadLetters: alerting.history.letters().map(({ alerts, routeId: _route, ...letter }) => ({
          ...letter,
          alerts: alerts.length,
        })),
      };
      return { json: answer };
    }),
    route(
      'POST',
      '/notifications/dead-letters/:id/resend',
      RESPONDER,
      'Send one again, now',
      async (request, alerting) => {
        const id = request.params['id'] ?? '';
        const letter = alerting.history.letter(id);
        if (!letter) throw new VigieError('not_found', `no dead letter ${JSON.stringify(id.slice(0, 60))}`);
        await ports.audit(
          request.context,
          'notification.resend',
          `${letter.receiver}/${letter.integration}`,
          undefined,
          { id },
        );
        const { ok, attempts, error } = await alerting.resend(id, request.signal);
        const answer: ResendAnswer = { ok, attempts, error };
        return { json: answer };
      },
    ),
    route('GET', '/receivers', VIEWER, 'Receivers and what they send through', (_request, alerting) => {
      const answer: ReceiversAnswer = {
        receivers: [...alerting.config.receivers.values()].map(({ name, integrations }) => ({
          name,
          integrations: integrations.map((i) => ({ kind: i.channel.kind, index: i.index, detail: detailOf(i) })),
        })),
      };
      return { json: answer };
    }),
    route(
      'POST',
      '/receivers/:name/test',
      EDITOR,
      'Send a test alert through every integration of a receiver',
      async (request, alerting) => {
        const name = request.params['name'] ?? '';
        const input = parseBody(request, receiverTestInput);
        if (!alerting.config.receivers.has(name))
          throw new VigieError('not_found', `no receiver ${JSON.stringify(name.slice(0, 100))}`);
        await ports.audit(request.context, 'receiver.test', name, undefined, { labels: input.labels });
        const results = await alerting.testReceiver(
          name,
          Labels.from(input.labels),
          Labels.from(input.annotations),
          request.signal,
        );
        const answer: ReceiverTestAnswer = {
          results: results.map(({ kind, index, delivery, durationMs }) => ({
            kind,
            index,
            ok: delivery.ok,
            durationMs,
            error: delivery.ok ? '' : delivery.error,
          })),
        };
        return { json: answer };
      },
      receiverTestInput,
    ),
    route(
      'POST',
      '/silences/preview',
      VIEWER,
      'Which alerts a silence would mute',
      previewSilence,
      silencePreviewInput,
    ),
    route('GET', '/routes', VIEWER, 'The route tree', (_request, alerting) => {
      const groups = new Map<string, number>();
      for (const g of alerting.groups()) groups.set(g.route.id, (groups.get(g.route.id) ?? 0) + 1);
      return { json: { route: routeNode(alerting.config.route, alerting, groups) } };
    }),
    route(
      'POST',
      '/routes/test',
      VIEWER,
      'Who would get an alert with these labels',
      (request, alerting) => testRoute(request, alerting, ports.nowMs()),
      routeTestInput,
    ),
    route(
      'POST',
      '/templates/preview',
      // running a template costs as much as a notification: for those who write them
      EDITOR,
      'A template as a notification would expand it',
      (request, alerting) => previewTemplate(request, alerting, ports),
      templatePreviewInput,
    ),
    route('GET', '/alerting/status', VIEWER, 'Does the routing configuration load?', (request, alerting) => {
      const answer: AlertingStatusAnswer = {
        problem: ports.service.problem(request.context.tenant) ?? '',
        receivers: alerting.config.receivers.size,
        alerts: alerting.current().length,
        deadLetters: alerting.history.letters().length,
      };
      return { json: answer };
    }),
  ];
}

function listNotifications(request: HttpRequest, alerting: TenantAlerting): HttpAnswer {
  const query = historyQuery(request.query, alerting);
  const wanted = (verdict: 'sent' | 'failed'): readonly Decision[] => alerting.history.search({ ...query, verdict });
  const found = [...wanted('sent'), ...wanted('failed')].sort((a, b) => b.atMs - a.atMs).slice(0, query.limit);
  const answer: NotificationsAnswer = {
    notifications: found.map((d) => ({
      atMs: d.atMs,
      receiver: d.receiver,
      integration: d.integration,
      groupKey: d.groupKey,
      state: d.verdict === 'sent' ? 'sent' : 'failed',
      attempts: d.attempts,
      firing: d.firing,
      resolved: d.resolved,
      error: d.verdict === 'sent' ? '' : d.reason,
    })),
  };
  return { json: answer };
}

/** Times are milliseconds. Throws `bad_data`. */
function historyQuery(query: URLSearchParams, alerting: TenantAlerting): HistoryQuery & { readonly limit: number } {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isFinite(value))
      throw new VigieError('bad_data', `${name}: want a number, got ${JSON.stringify(text.slice(0, 40))}`);
    return value;
  };
  const verdict = query.get('verdict');
  if (verdict !== null && !(VERDICTS as readonly string[]).includes(verdict))
    throw new VigieError(
      'bad_data',
      `verdict: want one of ${VERDICTS.join(', ')}, got ${JSON.stringify(verdict.slice(0, 40))}`,
    );
  const [startMs, endMs] = [number('start'), number('end')];
  const filters = query.getAll('filter');
  if (filters.length > FILTERS_MAX)
    throw new VigieError('bad_data', `filter: at most ${FILTERS_MAX}, got ${filters.length}`);
  const [fingerprint, receiver] = [query.get('fingerprint'), query.get('receiver')];
  return {
    limit: Math.max(1, Math.min(DECISIONS_MAX, Math.trunc(number('limit') ?? 100))),
    ...(fingerprint === null ? {} : { fingerprint }),
    ...(filters.length === 0 ? {} : { keeps: alerting.decidedOn(filters.flatMap(parseMatchers)) }),
    ...(receiver === null ? {} : { receiver }),
    ...(verdict === null ? {} : { verdict: verdict as Verdict }),
    ...(startMs === undefined ? {} : { startMs }),
    ...(endMs === undefined ? {} : { endMs }),
  };
}

/** Where an integration sends, without anything secret: webhook addresses hold tokens, so only their host is shown. */
function detailOf({ channel, config }: Integration): string {
  const parts: string[] = [];
  for (const [name, field] of Object.entries(channel.fields)) {
    const value = config[name];
    if (typeof value !== 'string' || value === '' || value.includes('{{')) continue;
    if (field.kind === 'url' || field.kind === 'secretUrl' || field.kind === 'secretTemplateUrl') {
      if (URL.canParse(value)) parts.push(new URL(value).host);
    } else if (field.kind !== 'secret' && (name === 'to' || name === 'channel' || name === 'room_id'))
      parts.push(value);
  }
  return [...new Set(parts)].join(', ');
}

function previewSilence(request: HttpRequest, alerting: TenantAlerting): HttpAnswer {
  const matchers = parseBody(request, silencePreviewInput).matchers.flatMap(parseMatchers);
  if (matchers.length === 0 || matchers.every((m) => m.matches('')))
    throw new VigieError('bad_data', 'invalid silence: at least one matcher must not match the empty string');
  const muted = alerting.silencePreview((labels) => matchesAll(matchers, labels));
  const answer: SilencePreviewAnswer = {
    total: muted.length,
    alerts: muted.slice(0, PREVIEW_ALERTS_MAX).map((alert) => {
      const { receivers, silencedBy } = alerting.view(alert);
      return { fingerprint: alert.fingerprint, labels: alert.labels.toObject(), receivers, silencedBy };
    }),
  };
  return { json: answer };
}

function routeNode(route: RoutingRoute, alerting: TenantAlerting, groups: ReadonlyMap<string, number>): RouteNode {
  return {
    id: route.id,
    receiver: route.receiver,
    matchers: route.matchers.map(printMatcher),
    continue: route.continue,
    groupBy: route.groupByAll ? ['...'] : [...route.groupBy],
    groupWaitMs: route.groupWaitMs,
    groupIntervalMs: route.groupIntervalMs,
    repeatIntervalMs: route.repeatIntervalMs,
    muteTimeIntervals: route.muteTimeIntervals,
    activeTimeIntervals: route.activeTimeIntervals,
    mutedBy: alerting.mutedByTime(route),
    groups: groups.get(route.id) ?? 0,
    routes: route.routes.map((r) => routeNode(r, alerting, groups)),
  };
}

function testRoute(request: HttpRequest, alerting: TenantAlerting, nowMs: number): HttpAnswer {
  const labels = Labels.from(parseBody(request, routeTestInput).labels);
  if (labels.size === 0) throw new VigieError('bad_data', 'labels: at least one label is needed');
  const view = alerting.view(madeUp(labels, Labels.EMPTY, nowMs, false));
  const answer: RouteTestAnswer = {
    routes: alerting.routeTest(labels).map(({ receiver, route }) => ({
      id: route.id,
      receiver,
      groupLabels: groupLabelsOf(route, labels).toObject(),
      groupWaitMs: route.groupWaitMs,
      mutedBy: alerting.mutedByTime(route),
    })),
    silencedBy: view.silencedBy,
    inhibitedBy: view.inhibitedBy,
  };
  return { json: answer };
}

function previewTemplate(request: HttpRequest, alerting: TenantAlerting, ports: AlertingRoutePorts): HttpAnswer {
  const input = parseBody(request, templatePreviewInput);
  const nowMs = ports.nowMs();
  let alerts: Alert[] = input.alerts.map((a) =>
    madeUp(Labels.from(a.labels), Labels.from(a.annotations), nowMs, a.status === 'resolved'),
  );
  if (alerts.length === 0) alerts = alerting.current((a) => !isResolved(a, nowMs)).slice(0, PREVIEW_ALERTS_MAX);
  if (alerts.length === 0)
    alerts = [
      madeUp(Labels.from({ alertname: 'TestAlert' }), Labels.from({ summary: 'a made-up alert' }), nowMs, false),
    ];
  const data = templateData(alerts, {
    receiver: input.receiver,
    groupLabels: Labels.from({ alertname: alerts[0]!.labels.get('alertname') }),
    externalURL: ports.externalURL,
    nowMs,
    notificationReason: 'first notification',
  });
  const { templates } = alerting.config;
  const answer: TemplatePreviewAnswer = {
    text: input.kind === 'html' ? templates.html(input.template, data) : templates.text(input.template, data),
  };
  return { json: answer };
}

const madeUp = (labels: Labels, annotations: Labels, nowMs: number, resolved: boolean): Alert => ({
  fingerprint: labels.fingerprint(),
  labels,
  annotations,
  startsAtMs: resolved ? nowMs - 60_000 : nowMs,
  endsAtMs: resolved ? nowMs - 1 : nowMs + 300_000,
  updatedAtMs: nowMs,
  timeout: false,
  generatorURL: '',
});
