/** Our own API, by the types of its contract. */
import type {
  AuditAnswer,
  AuditVerifyAnswer,
  KeyCreatedAnswer,
  KeyInput,
  KeysAnswer,
  TenantInput,
  TenantsAnswer,
  UserInput,
  UsersAnswer,
} from '../../../src/http/contract/administration.ts';
import type {
  AlertHistoryAnswer,
  NotificationsAnswer,
  ReceiversAnswer,
  ReceiverTestAnswer,
  RulePreviewAnswer,
  RulePreviewInput,
} from '../../../src/http/contract/alerting.ts';
import type {
  DashboardAnswer,
  DashboardItem,
  DashboardSaveInput,
  DashboardsAnswer,
  DashboardVersionsAnswer,
  Preferences,
  SavedQueriesAnswer,
  SavedQueryInput,
  SnapshotAnswer,
  SnapshotInput,
} from '../../../src/http/contract/dashboards.ts';
import type { DemoAnswer } from '../../../src/http/contract/demo.ts';
import type { EventsAnswer } from '../../../src/http/contract/events.ts';
import type { CardinalityAnswer, QueryLogAnswer, ServiceDiscoveryAnswer } from '../../../src/http/contract/insight.ts';
import type { FirstRunAnswer, OverviewAnswer } from '../../../src/http/contract/overview.ts';
import type { SessionAnswer, SignInInput } from '../../../src/http/contract/session.ts';
import { request } from './client.ts';

const BASE = '/vigie/v1';
const id = encodeURIComponent;
const put = <T>(tenant: string, path: string, json: unknown): Promise<T> =>
  request(tenant, `${BASE}${path}`, { method: 'PUT', json });
const post = <T>(tenant: string, path: string, json: unknown): Promise<T> =>
  request(tenant, `${BASE}${path}`, { method: 'POST', json });
const get = <T>(tenant: string, path: string): Promise<T> => request(tenant, `${BASE}${path}`);
const remove = (tenant: string, path: string): Promise<void> => request(tenant, `${BASE}${path}`, { method: 'DELETE' });

export const session = (): Promise<SessionAnswer> => get('', '/session');
export const signIn = (input: SignInInput): Promise<SessionAnswer> => post('', '/session', input);
export const signOut = (): Promise<void> => remove('', '/session');

export const overview = (t: string): Promise<OverviewAnswer> => get(t, '/overview');
export const firstRun = (t: string): Promise<FirstRunAnswer> => get(t, '/first-run');
export const demo = (): Promise<DemoAnswer> => get('', '/demo');
export const switchDemo = (enabled: boolean): Promise<DemoAnswer> => put('', '/demo', { enabled });

export const dashboards = (t: string): Promise<DashboardsAnswer> => get(t, '/dashboards');
export const dashboard = (t: string, uid: string, version?: number): Promise<DashboardAnswer> =>
  get(t, `/dashboards/${id(uid)}${version ? `?version=${version}` : ''}`);
export const saveDashboard = (t: string, uid: string, input: DashboardSaveInput): Promise<DashboardItem> =>
  put(t, `/dashboards/${id(uid)}`, input);
export const dashboardVersions = (t: string, uid: string): Promise<DashboardVersionsAnswer> =>
  get(t, `/dashboards/${id(uid)}/versions`);
export const saveSnapshot = (t: string, input: SnapshotInput): Promise<Omit<SnapshotAnswer, 'dashboard' | 'data'>> =>
  post(t, '/snapshots', input);
export const snapshot = (t: string, key: string): Promise<SnapshotAnswer> => get(t, `/snapshots/${id(key)}`);

export const savedQueries = (t: string): Promise<SavedQueriesAnswer> => get(t, '/saved-queries');
export const saveQuery = (t: string, key: string, input: SavedQueryInput): Promise<unknown> =>
  put(t, `/saved-queries/${id(key)}`, input);
export const preferences = (): Promise<Preferences> => get('', '/preferences');
export const savePreferences = (input: Preferences): Promise<Preferences> => put('', '/preferences', input);

export const rulePreview = (t: string, input: RulePreviewInput): Promise<RulePreviewAnswer> =>
  post(t, '/rules/preview', input);
export const saveRuleFile = (t: string, name: string, yaml: string): Promise<unknown> =>
  put(t, `/rules/files/${id(name)}`, { yaml });
export const alertHistory = (
  t: string,
  limit: number,
  span?: { readonly startMs: number; readonly endMs: number },
): Promise<AlertHistoryAnswer> =>
  get(t, `/alerts/history?limit=${limit}${span ? `&start=${span.startMs / 1_000}&end=${span.endMs / 1_000}` : ''}`);
export const events = (
  t: string,
  type: string,
  span: { readonly startMs: number; readonly endMs: number },
): Promise<EventsAnswer> =>
  get(t, `/events?type=${id(type)}&from=${span.startMs / 1_000}&to=${span.endMs / 1_000}&limit=200`);
export const notifications = (t: string): Promise<NotificationsAnswer> => get(t, '/notifications?limit=200');
export const receivers = (t: string): Promise<ReceiversAnswer> => get(t, '/receivers');
export const testReceiver = (t: string, name: string): Promise<ReceiverTestAnswer> =>
  post(t, `/receivers/${id(name)}/test`, {});

export const queryLog = (t: string): Promise<QueryLogAnswer> => get(t, '/query-log?limit=500');
export const cardinality = (t: string): Promise<CardinalityAnswer> => get(t, '/cardinality?limit=20');
export const serviceDiscovery = (t: string): Promise<ServiceDiscoveryAnswer> => get(t, '/service-discovery');

export const tenants = (t: string): Promise<TenantsAnswer> => get(t, '/tenants');
export const saveTenant = (t: string, key: string, input: TenantInput): Promise<unknown> =>
  put(t, `/tenants/${id(key)}`, input);
export const keys = (t: string): Promise<KeysAnswer> => get(t, '/keys');
export const createKey = (t: string, input: KeyInput): Promise<KeyCreatedAnswer> => post(t, '/keys', input);
export const revokeKey = (t: string, key: string): Promise<void> => remove(t, `/keys/${id(key)}`);
export const users = (t: string): Promise<UsersAnswer> => get(t, '/users');
export const saveUser = (t: string, name: string, input: UserInput): Promise<unknown> =>
  put(t, `/users/${id(name)}`, input);
export const audit = (t: string, before?: number): Promise<AuditAnswer> =>
  get(t, `/audit?limit=100${before ? `&before=${before}` : ''}`);
export const verifyAudit = (t: string): Promise<AuditVerifyAnswer> => post(t, '/audit/verify', {});
