/** Incidents, on-call and rehearsal of our own API, by the types of its contract. */

import type {
  IncidentActionInput,
  IncidentAnswer,
  IncidentInput,
  IncidentStatistics,
  IncidentsAnswer,
} from '../../../src/http/contract/incidents.ts';
import type {
  ContactsAnswer,
  DocumentInput,
  DrillRun,
  DrillsAnswer,
  MaintenanceAnswer,
  OnCallAnswer,
  PoliciesAnswer,
  SchedulesAnswer,
  ShiftsAnswer,
} from '../../../src/http/contract/on-call.ts';
import type { CoverageResponse, RehearsalAnswer, RehearsalInput } from '../../../src/http/contract/rehearsal.ts';
import type { PlaybookRun, PlaybookRunsAnswer, PlaybooksAnswer } from '../../../src/http/contract/remediation.ts';
import type {
  StakeholderList,
  StakeholderListInput,
  StakeholderPreview,
  StakeholdersAnswer,
} from '../../../src/http/contract/stakeholders.ts';
import type {
  PublicStatus,
  StakeholderUpdate,
  StatusPage,
  StatusPageAnswer,
  StatusPageInput,
} from '../../../src/http/contract/status-page.ts';
import { request, tenantPath } from './client.ts';

const BASE = '/vigie/v1';
const id = encodeURIComponent;

export const incidents = (t: string, live: boolean): Promise<IncidentsAnswer> =>
  request(t, `${BASE}/incidents?limit=300${live ? '&live=true' : ''}`);
export const incident = (t: string, key: string): Promise<IncidentAnswer> => request(t, `${BASE}/incidents/${id(key)}`);
export const actOn = (t: string, key: string, json: IncidentActionInput): Promise<IncidentAnswer> =>
  request(t, `${BASE}/incidents/${id(key)}/actions`, { method: 'POST', json });
export const addNote = (t: string, key: string, text: string): Promise<IncidentAnswer> =>
  request(t, `${BASE}/incidents/${id(key)}/notes`, { method: 'POST', json: { text } });
export const openIncident = (t: string, json: IncidentInput): Promise<IncidentAnswer> =>
  request(t, `${BASE}/incidents`, { method: 'POST', json });
export const incidentStatistics = (t: string): Promise<IncidentStatistics> => request(t, `${BASE}/incident-statistics`);
export const postMortemPath = (t: string, key: string): string =>
  tenantPath(t, `${BASE}/incidents/${id(key)}/post-mortem`);

export const onCall = (t: string): Promise<OnCallAnswer> => request(t, `${BASE}/on-call`);
export const schedules = (t: string): Promise<SchedulesAnswer> => request(t, `${BASE}/on-call/schedules`);
export const shifts = (t: string, name: string, fromMs: number, toMs: number): Promise<ShiftsAnswer> =>
  request(t, `${BASE}/on-call/schedules/${id(name)}/shifts?from=${fromMs / 1000}&to=${toMs / 1000}`);
export const calendarPath = (t: string, name: string): string =>
  tenantPath(t, `${BASE}/on-call/schedules/${id(name)}/calendar.ics`);
export const takeShift = (
  t: string,
  name: string,
  json: { readonly user: string; readonly from: number; readonly to: number; readonly reason: string },
): Promise<unknown> => request(t, `${BASE}/on-call/schedules/${id(name)}/overrides`, { method: 'POST', json });
export const policies = (t: string): Promise<PoliciesAnswer> => request(t, `${BASE}/on-call/policies`);
export const contacts = (t: string): Promise<ContactsAnswer> => request(t, `${BASE}/on-call/contacts`);
export type DocumentKind = 'schedules' | 'policies' | 'contacts' | 'drills' | 'playbooks';
export const saveDocument = (t: string, kind: DocumentKind, json: DocumentInput): Promise<unknown> =>
  request(t, kind === 'playbooks' ? `${BASE}/playbooks` : `${BASE}/on-call/${kind}`, { method: 'PUT', json });
export const maintenance = (t: string): Promise<MaintenanceAnswer> => request(t, `${BASE}/maintenance`);
export const coverage = (t: string): Promise<CoverageResponse> => request(t, `${BASE}/on-call/coverage`);
export const rehearse = (t: string, json: RehearsalInput): Promise<RehearsalAnswer> =>
  request(t, `${BASE}/rehearsals`, { method: 'POST', json });

export const drills = (t: string): Promise<DrillsAnswer> => request(t, `${BASE}/on-call/drills`);
export const holdDrill = (t: string, name: string): Promise<DrillRun> =>
  request(t, `${BASE}/on-call/drills/${id(name)}/runs`, { method: 'POST' });

export const playbooks = (t: string): Promise<PlaybooksAnswer> => request(t, `${BASE}/playbooks`);
export const armPlaybook = (t: string, name: string, armed: boolean): Promise<unknown> =>
  request(t, `${BASE}/playbooks/${id(name)}/arm`, { method: 'POST', json: { armed } });
export const runPlaybook = (t: string, name: string, key: string, dryRun: boolean): Promise<PlaybookRun> =>
  request(t, `${BASE}/playbooks/${id(name)}/runs`, { method: 'POST', json: { incident: key, dryRun } });
export const playbookRuns = (t: string): Promise<PlaybookRunsAnswer> => request(t, `${BASE}/playbook-runs`);

export const statusPage = (t: string): Promise<StatusPageAnswer> => request(t, `${BASE}/status-page`);
export const saveStatusPage = (t: string, json: StatusPageInput): Promise<StatusPage> =>
  request(t, `${BASE}/status-page`, { method: 'PUT', json });
export const publicStatusPath = (slug: string): string => `${BASE}/public/status/${id(slug)}`;
export const publicStatus = (slug: string): Promise<PublicStatus> =>
  request('', `${publicStatusPath(slug)}/summary.json`);
export const postUpdate = (
  t: string,
  key: string,
  json: Pick<StakeholderUpdate, 'status' | 'title' | 'text'>,
): Promise<StakeholderUpdate> => request(t, `${BASE}/incidents/${id(key)}/updates`, { method: 'POST', json });

export const stakeholders = (t: string): Promise<StakeholdersAnswer> => request(t, `${BASE}/stakeholders`);
export const saveStakeholders = (t: string, document: StakeholderListInput): Promise<StakeholderList> =>
  request(t, `${BASE}/stakeholders`, { method: 'PUT', json: { document } });
export const removeStakeholders = (t: string, name: string): Promise<unknown> =>
  request(t, `${BASE}/stakeholders/${id(name)}`, { method: 'DELETE' });
export const previewStakeholders = (t: string, name: string, incident?: string): Promise<StakeholderPreview> =>
  request(t, `${BASE}/stakeholders/${id(name)}/preview`, { method: 'POST', json: incident ? { incident } : {} });
export const testStakeholders = (t: string, name: string, email: string): Promise<unknown> =>
  request(t, `${BASE}/stakeholders/${id(name)}/test`, { method: 'POST', json: { email } });
export const bringBack = (t: string, name: string, email: string): Promise<unknown> =>
  request(t, `${BASE}/stakeholders/${id(name)}/left/${id(email)}`, { method: 'DELETE' });
