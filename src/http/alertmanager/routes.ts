/**
 * Alertmanager's API v2, so that amtool and every other client of it works. Decodes, calls alerting, encodes; it
 * decides nothing about alerts.
 */

import { type Alert, compareAlerts, compareLabelSets, isResolved } from '../../alerting/alert.ts';
import { matchesAll, parseMatchers } from '../../alerting/matchers.ts';
import { type SilenceRecord, silenceState } from '../../alerting/silences.ts';
import type { AlertView, TenantAlerting } from '../../alerting/tenant-alerting.ts';
import { isVigieError, VigieError } from '../../lib/errors.ts';
import type { PostableAlert } from '../../model/alert.ts';
import { Labels } from '../../model/labels.ts';
import type { CompiledMatcher, Matcher } from '../../model/matcher.ts';
import type { TenantId } from '../../model/tenant.ts';
import { compileRe2 } from '../../regex/re2.ts';
import { type HttpAnswer, type HttpRequest, INGEST, RESPONDER, type Route, VIEWER } from '../route.ts';
import { redactConfig } from './redact-config.ts';

/** Largest batch of alerts, in bytes and in number. */
export const ALERTS_BYTES_MAX = 32 * 1024 * 1024;
export const ALERTS_PER_POST_MAX = 50_000;
const FILTERS_MAX = 100;

export interface AlertmanagerPorts {
  readonly alerting: (tenant: TenantId) => Promise<TenantAlerting>;
  readonly version: string;
  readonly startedAtMs: number;
  readonly now: () => number;
  /** Told of alerts that clients posted and alerting took. */
  readonly onPosted?: (tenant: TenantId, alerts: readonly PostableAlert[]) => void;
}

export function alertmanagerRoutes(ports: AlertmanagerPorts): Route[] {
  const route = (
    method: Route['method'],
    path: string,
    access: Route['access'],
    handle: (request: HttpRequest, alerting: TenantAlerting) => Promise<HttpAnswer> | HttpAnswer,
    bodyBytesMax?: number,
  ): Route => ({
    method,
    path: `/api/v2${path}`,
    family: 'alertmanager',
    access,
    ...(bodyBytesMax ? { bodyBytesMax } : {}),
    handle: async (request) => handle(request, await ports.alerting(request.context.tenant)),
  });
  return [
    route('GET', '/status', VIEWER, (_request, alerting) => status(ports, alerting)),
    route('GET', '/receivers', VIEWER, (request, alerting) => {
      const filters = receiverFilters(request.query, alerting);
      const found = [...alerting.config.receivers.values()].filter((r) => passes(r.name, filters));
      return { json: found.map(({ name, labels }) => ({ labels, name })) };
    }),
    route('GET', '/alerts', VIEWER, (request, alerting) => listAlerts(request, alerting, ports.now())),
    route(
      'POST',
      '/alerts',
      INGEST,
      (request, alerting) => postAlerts(request, alerting, ports.onPosted),
      ALERTS_BYTES_MAX,
    ),
    route('GET', '/alerts/groups', VIEWER, (request, alerting) => listGroups(request, alerting, ports.now())),
    route('GET', '/silences', VIEWER, (request, alerting) => listSilences(request, alerting, ports.now())),
    route('POST', '/silences', RESPONDER, postSilence),
    route('GET', '/silence/:id', VIEWER, (request, alerting) => {
      const id = request.params['id'] ?? '';
      if (!UUID.test(id)) return noUuid(id);
      const found = alerting.silences.get(id);
      return found ? { json: silenceJson(found, ports.now()) } : { status: 404 };
    }),
    route('DELETE', '/silence/:id', RESPONDER, async (request, alerting) => {
      const id = request.params['id'] ?? '';
      if (!UUID.test(id)) return noUuid(id);
      try {
        await alerting.expireSilence(id);
      } catch (error) {
        if (isVigieError(error, 'not_found')) return { status: 404 };
        // as the original: expiring what has expired is a fault of the caller, told with 500
        if (isVigieError(error, 'conflict')) return { status: 500, json: error.message };
        throw error;
      }
      return { status: 200 };
    }),
  ];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** As the original answers: the path is wrong, which is not the same as a silence that is gone. */
const noUuid = (id: string): HttpAnswer => ({
  status: 422,
  json: { code: 601, message: `silenceID in path must be of type uuid: ${JSON.stringify(id.slice(0, 100))}` },
});

const iso = (ms: number): string => new Date(ms).toISOString();

function status(ports: AlertmanagerPorts, alerting: TenantAlerting): HttpAnswer {
  return {
    json: {
      cluster: { peers: [], status: 'disabled' },
      config: { original: redactConfig(alerting.config.original) },
      uptime: iso(ports.startedAtMs),
      versionInfo: { branch: '', buildDate: '', buildUser: '', goVersion: '', revision: '', version: ports.version },
    },
  };
}

interface Written {
  readonly receivers: readonly string[];
  /** The whole object when nothing suppresses the alert, and where its status stands in it. */
  readonly text: string;
  readonly statusStart: number;
  readonly statusEnd: number;
}

/** An alert's JSON does not change while the alert and its way stay as they are: a listing copies it. */
const written = new WeakMap<Alert, Written>();
const UNSUPPRESSED = '{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}';

function write(a: Alert, receivers: readonly string[]): Written {
  const url = a.generatorURL === '' ? '' : `"generatorURL":${JSON.stringify(a.generatorURL)},`;
  const names = receivers.map((name) => `{"name":${JSON.stringify(name)}}`).join(',');
  const head = `{"annotations":${JSON.stringify(a.annotations)},"endsAt":"${iso(a.endsAtMs)}","fingerprint":"${a.fingerprint}","receivers":[${names}],"startsAt":"${iso(a.startsAtMs)}","status":`;
  const tail = `,"updatedAt":"${iso(a.updatedAtMs)}",${url}"labels":${JSON.stringify(a.labels)}}`;
  const text = [head, UNSUPPRESSED, tail].join('');
  return { receivers, text, statusStart: head.length, statusEnd: head.length + UNSUPPRESSED.length };
}

function alertJson(view: AlertView, mutedBy: readonly string[] = []): string {
  let w = written.get(view.alert);
  if (w?.receivers !== view.receivers) {
    w = write(view.alert, view.receivers);
    written.set(view.alert, w);
  }
  if (view.silencedBy.length === 0 && view.inhibitedBy.length === 0 && mutedBy.length === 0) return w.text;
  const status = JSON.stringify({
    inhibitedBy: view.inhibitedBy,
    mutedBy,
    silencedBy: view.silencedBy,
    state: 'suppressed',
  });
  return w.text.slice(0, w.statusStart) + status + w.text.slice(w.statusEnd);
}

const jsonText = (body: string): HttpAnswer => ({
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(body),
});

interface AlertFilter {
  readonly matchers: readonly CompiledMatcher[];
  /** An alert needs one receiver that passes each, a group needs a receiver that passes all. */
  readonly receiver: readonly ((name: string) => boolean)[];
  keeps(view: AlertView): boolean;
}

function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === '') return true;
  if (!['true', 'false', '1', '0', 't', 'f'].includes(text.toLowerCase()))
    throw new VigieError('bad_data', `${name} in query must be of type boolean: ${JSON.stringify(text)}`);
  return ['true', '1', 't'].includes(text.toLowerCase());
}

function matchersOf(query: URLSearchParams, name: 'filter' | 'receiver_matchers'): CompiledMatcher[] {
  const all = query.getAll(name);
  if (all.length > FILTERS_MAX) throw new VigieError('bad_data', `more than ${FILTERS_MAX} of ${name}`);
  return all.flatMap(parseMatchers);
}

/** What a query asks of receivers: by name, and by labels. */
function receiverFilters(query: URLSearchParams, alerting: TenantAlerting): ((name: string) => boolean)[] {
  const pattern = query.get('receiver');
  const re = pattern ? compileRe2(pattern, { anchored: true }) : undefined;
  const matchers = matchersOf(query, 'receiver_matchers');
  const labels = (name: string): Labels => alerting.config.receivers.get(name)?.labels ?? Labels.EMPTY;
  return [
    ...(re ? [(name: string) => re.test(name)] : []),
    ...(matchers.length > 0 ? [(name: string) => matchesAll(matchers, labels(name))] : []),
  ];
}
const passes = (name: string, filters: AlertFilter['receiver']): boolean => filters.every((keeps) => keeps(name));

function alertFilter(query: URLSearchParams, alerting: TenantAlerting): AlertFilter {
  const active = flag(query, 'active');
  const silenced = flag(query, 'silenced');
  const inhibited = flag(query, 'inhibited');
  flag(query, 'unprocessed');
  return {
    matchers: matchersOf(query, 'filter'),
    receiver: receiverFilters(query, alerting),
    keeps(view) {
      if (!silenced && view.silencedBy.length > 0) return false;
      if (!inhibited && view.inhibitedBy.length > 0) return false;
      return active || view.silencedBy.length > 0 || view.inhibitedBy.length > 0;
    },
  };
}

function listAlerts(request: HttpRequest, alerting: TenantAlerting, nowMs: number): HttpAnswer {
  const filter = alertFilter(request.query, alerting);
  const { matchers } = filter;
  const out: string[] = [];
  for (const alert of alerting.current(
    matchers.length > 0 ? (a) => matchesAll(matchers, a.labels) : undefined,
    nowMs,
  )) {
    const view = alerting.view(alert, nowMs);
    if (!filter.receiver.every((keeps) => view.receivers.some(keeps))) continue;
    if (filter.keeps(view)) out.push(alertJson(view));
  }
  return jsonText(`[${out.join(',')}]`);
}

/** In groups, receivers are told by name, and only those asked for. The same list as long as nothing changes. */
function namedInGroups(receivers: readonly string[], filters: AlertFilter['receiver']): readonly string[] {
  if (receivers.length === 1) return receivers;
  return receivers.filter((name) => passes(name, filters)).sort();
}

function listGroups(request: HttpRequest, alerting: TenantAlerting, nowMs: number): HttpAnswer {
  const filter = alertFilter(request.query, alerting);
  const muted = flag(request.query, 'muted');
  const out: { alerts: string[]; labels: Labels; receiver: { name: string } }[] = [];
  for (const group of alerting.groups()) {
    if (!passes(group.route.receiver, filter.receiver)) continue;
    const mutedBy = alerting.mutedByTime(group.route);
    if (!muted && mutedBy.length > 0) continue;
    const alerts = [...group.alerts.values()]
      .filter((a: Alert) => !isResolved(a, nowMs) && matchesAll(filter.matchers, a.labels))
      .sort(compareAlerts)
      .map((a) => alerting.view(a, nowMs))
      .filter((v) => filter.keeps(v))
      .map((v) => ({ ...v, receivers: namedInGroups(v.receivers, filter.receiver) }));
    if (alerts.length > 0)
      out.push({
        alerts: alerts.map((v) => alertJson(v, mutedBy)),
        labels: group.labels,
        receiver: { name: group.route.receiver },
      });
  }
  out.sort((a, b) => compareLabelSets(a.labels, b.labels) || (a.receiver.name < b.receiver.name ? -1 : 1));
  const groups = out.map(
    (g) =>
      `{"alerts":[${g.alerts.join(',')}],"labels":${JSON.stringify(g.labels)},"receiver":${JSON.stringify(g.receiver)}}`,
  );
  return jsonText(`[${groups.join(',')}]`);
}

function readJson(request: HttpRequest): unknown {
  try {
    return JSON.parse(request.body.toString('utf8'));
  } catch (cause) {
    throw new VigieError('bad_data', `parsing body failed: ${(cause as Error).message}`, { cause });
  }
}

function timeOf(value: unknown, where: string): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const ms = typeof value === 'string' ? parsedTime(value) : Number.NaN;
  if (Number.isNaN(ms)) throw new VigieError('bad_data', `${where} must be a date-time: ${JSON.stringify(value)}`);
  // Go's zero time means "not set"
  return ms <= -62_135_596_800_000 ? undefined : ms;
}

/** The alerts of one request mostly begin and end together: the last text is not parsed again. */
const lastTime = { text: '', ms: Number.NaN };
function parsedTime(text: string): number {
  if (text !== lastTime.text) {
    lastTime.ms = Date.parse(text);
    lastTime.text = text;
  }
  return lastTime.ms;
}

function labelsOf(value: unknown, where: string): Labels {
  if (value === undefined || value === null) return Labels.EMPTY;
  if (typeof value !== 'object' || Array.isArray(value)) throw new VigieError('bad_data', `${where} must be an object`);
  const record = value as Record<string, string>;
  for (const name of Object.keys(record))
    if (typeof record[name] !== 'string') throw new VigieError('bad_data', `${where}.${name} must be a string`);
  return Labels.from(record);
}

async function postAlerts(
  request: HttpRequest,
  alerting: TenantAlerting,
  onPosted: AlertmanagerPorts['onPosted'],
): Promise<HttpAnswer> {
  const body = readJson(request);
  if (!Array.isArray(body)) throw new VigieError('bad_data', 'parsing alerts body failed: expected a list');
  if (body.length > ALERTS_PER_POST_MAX)
    throw new VigieError('too_large', `${body.length} alerts in one request, at most ${ALERTS_PER_POST_MAX} are taken`);
  const alerts: PostableAlert[] = body.map((item: unknown, i) => {
    const a = (item ?? {}) as Record<string, unknown>;
    const startsAtMs = timeOf(a['startsAt'], `${i}.startsAt`);
    const endsAtMs = timeOf(a['endsAt'], `${i}.endsAt`);
    if (a['labels'] === undefined) throw new VigieError('bad_data', `${i}.labels in body is required`);
    return {
      labels: labelsOf(a['labels'], `${i}.labels`),
      annotations: labelsOf(a['annotations'], `${i}.annotations`),
      ...(startsAtMs === undefined ? {} : { startsAtMs }),
      ...(endsAtMs === undefined ? {} : { endsAtMs }),
      generatorURL: typeof a['generatorURL'] === 'string' ? a['generatorURL'] : '',
    };
  });
  const { problems } = await alerting.accept(alerts);
  onPosted?.(request.context.tenant, alerts);
  if (problems.length > 0) throw new VigieError('bad_data', problems.slice(0, 20).join('; '));
  return { status: 200 };
}

function silenceJson(s: SilenceRecord, nowMs: number): Record<string, unknown> {
  return {
    id: s.id,
    status: { state: silenceState(s, nowMs) },
    updatedAt: iso(s.updatedAtMs),
    comment: s.comment,
    createdBy: s.createdBy,
    endsAt: iso(s.endsAtMs),
    ...(s.annotations ? { annotations: s.annotations } : {}),
    matchers: s.matchers.map((m) => ({
      isEqual: m.op === '=' || m.op === '=~',
      isRegex: m.op === '=~' || m.op === '!~',
      name: m.name,
      value: m.value,
    })),
    startsAt: iso(s.startsAtMs),
  };
}

/** Active first (the soonest end first), then pending (the soonest start first), then expired (the latest end first). */
function listSilences(request: HttpRequest, alerting: TenantAlerting, nowMs: number): HttpAnswer {
  const wanted = matchersOf(request.query, 'filter');
  const byMatchers = (s: SilenceRecord): boolean =>
    wanted.every((w) => s.matchers.some((m) => m.name === w.name && w.matches(m.value)));
  const rank = { active: 0, pending: 1, expired: 2 } as const;
  const found = alerting.silences.all().filter(byMatchers);
  found.sort((a, b) => {
    const [x, y] = [silenceState(a, nowMs), silenceState(b, nowMs)];
    if (x !== y) return rank[x] - rank[y];
    if (x === 'pending') return a.startsAtMs - b.startsAtMs;
    return x === 'active' ? a.endsAtMs - b.endsAtMs : b.endsAtMs - a.endsAtMs;
  });
  return { json: found.map((s) => silenceJson(s, nowMs)) };
}

async function postSilence(request: HttpRequest, alerting: TenantAlerting): Promise<HttpAnswer> {
  const body = readJson(request) as Record<string, unknown> | null;
  if (!body || typeof body !== 'object') throw new VigieError('bad_data', 'parsing body failed: expected an object');
  const startsAtMs = timeOf(body['startsAt'], 'startsAt');
  const endsAtMs = timeOf(body['endsAt'], 'endsAt');
  for (const key of ['comment', 'createdBy'])
    if (typeof body[key] !== 'string') throw new VigieError('bad_data', `${key} in body is required`);
  if (!Array.isArray(body['matchers']) || startsAtMs === undefined || endsAtMs === undefined)
    throw new VigieError('bad_data', 'matchers, startsAt and endsAt in body are required');
  const matchers = body['matchers'].map((item: unknown): Matcher => {
    const m = (item ?? {}) as Record<string, unknown>;
    if (typeof m['name'] !== 'string' || typeof m['value'] !== 'string' || typeof m['isRegex'] !== 'boolean')
      throw new VigieError('bad_data', 'each matcher needs name, value and isRegex');
    const equal = m['isEqual'] !== false;
    return { name: m['name'], value: m['value'], op: m['isRegex'] ? (equal ? '=~' : '!~') : equal ? '=' : '!=' };
  });
  const id = typeof body['id'] === 'string' && body['id'] !== '' ? body['id'] : undefined;
  const annotations = labelsOf(body['annotations'], 'annotations');
  try {
    const silenceID = await alerting.setSilence({
      ...(id ? { id } : {}),
      matchers,
      startsAtMs,
      endsAtMs,
      comment: String(body['comment']),
      createdBy: String(body['createdBy']),
      ...(annotations.size > 0 ? { annotations: annotations.toObject() } : {}),
    });
    return { json: { silenceID } };
  } catch (error) {
    if (isVigieError(error, 'not_found')) return { status: 404, json: error.message };
    throw error;
  }
}
