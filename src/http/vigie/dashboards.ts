/** /vigie/v1/dashboards, /snapshots, /saved-queries and /preferences. */
import type { DashboardStore } from '../../dashboards/dashboard-store.ts';
import { VigieError } from '../../lib/errors.ts';
import type { AuditChange } from '../../tenancy/context.ts';
import { checked, parseBody } from '../body.ts';
import {
  DASHBOARD_BYTES_MAX,
  dashboardSaveInput,
  preferencesInput,
  savedQueryId,
  savedQueryInput,
  snapshotInput,
} from '../contract/dashboards.ts';
import { EDITOR, type Route, VIEWER } from '../route.ts';

export interface DashboardRoutePorts {
  readonly dashboards: DashboardStore;
  readonly audit: AuditChange;
}

const SNAPSHOT_BYTES_MAX = 4 * 1024 * 1024;
const base = { family: 'vigie' } as const;

export function dashboardRoutes({ dashboards, audit }: DashboardRoutePorts): Route[] {
  const uidOf = (request: { params: Readonly<Record<string, string>> }): string =>
    checked(savedQueryId, request.params['uid'], 'uid');
  return [
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/dashboards',
      access: VIEWER,
      summary: 'Dashboards of the tenant and the catalogue',
      handle: async (request) => {
        const list = await dashboards.list(request.context.tenant);
        return { json: { dashboards: list, folders: [...new Set(list.map((d) => d.folder))].sort() } };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/dashboards/:uid',
      access: VIEWER,
      summary: 'A dashboard, or one of its versions',
      handle: async (request) => {
        const version = request.query.get('version');
        if (version !== null && !/^\d{1,9}$/.test(version))
          throw new VigieError('bad_data', `version: want a number, got ${JSON.stringify(version.slice(0, 20))}`);
        return {
          json: await dashboards.get(
            request.context.tenant,
            uidOf(request),
            version === null ? undefined : Number(version),
          ),
        };
      },
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/dashboards/:uid',
      access: EDITOR,
      summary: 'Create a dashboard or save a new version',
      bodyBytesMax: DASHBOARD_BYTES_MAX,
      handle: async (request) => {
        const { tenant, principal } = request.context;
        const uid = uidOf(request);
        const input = parseBody(request, dashboardSaveInput);
        await audit(
          request.context,
          'dashboard.save',
          uid,
          { version: input.baseVersion },
          { title: input.dashboard.title, message: input.message },
        );
        return { json: await dashboards.save(tenant, uid, { ...input, by: principal.name }) };
      },
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/dashboards/:uid',
      access: EDITOR,
      summary: 'Remove a dashboard with its versions',
      handle: async (request) => {
        const uid = uidOf(request);
        await audit(request.context, 'dashboard.delete', uid, undefined, undefined);
        if (!(await dashboards.remove(request.context.tenant, uid)))
          throw new VigieError('not_found', `no dashboard ${uid} of this tenant`);
        return { status: 204 };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/dashboards/:uid/versions',
      access: VIEWER,
      summary: 'Versions of a dashboard',
      handle: async (request) => ({
        json: { versions: await dashboards.versions(request.context.tenant, uidOf(request)) },
      }),
    },
    {
      ...base,
      method: 'POST',
      path: '/vigie/v1/snapshots',
      access: EDITOR,
      summary: 'Keep a dashboard with the data it showed',
      bodyBytesMax: SNAPSHOT_BYTES_MAX,
      handle: async (request) => {
        const input = parseBody(request, snapshotInput);
        const {
          dashboard: _dashboard,
          data: _data,
          ...rest
        } = await dashboards.addSnapshot(request.context.tenant, { ...input, by: request.context.principal.name });
        return { status: 201, json: rest };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/snapshots/:id',
      access: VIEWER,
      summary: 'A snapshot',
      handle: async (request) => ({ json: await dashboards.snapshot(request.context.tenant, request.params['id']!) }),
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/saved-queries',
      access: VIEWER,
      summary: 'Saved queries',
      handle: async (request) => ({ json: { queries: await dashboards.savedQueries(request.context.tenant) } }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/saved-queries/:uid',
      access: EDITOR,
      summary: 'Save a query',
      input: savedQueryInput,
      handle: async (request) => ({
        json: await dashboards.saveQuery(request.context.tenant, {
          ...parseBody(request, savedQueryInput),
          id: uidOf(request),
          by: request.context.principal.name,
        }),
      }),
    },
    {
      ...base,
      method: 'DELETE',
      path: '/vigie/v1/saved-queries/:uid',
      access: EDITOR,
      summary: 'Remove a saved query',
      handle: async (request) => {
        if (!(await dashboards.removeQuery(request.context.tenant, uidOf(request))))
          throw new VigieError('not_found', 'no such saved query');
        return { status: 204 };
      },
    },
    {
      ...base,
      method: 'GET',
      path: '/vigie/v1/preferences',
      access: VIEWER,
      summary: "The person's preferences",
      handle: async (request) => ({ json: await dashboards.preferences(request.context.principal.id) }),
    },
    {
      ...base,
      method: 'PUT',
      path: '/vigie/v1/preferences',
      access: VIEWER,
      summary: 'Change preferences',
      input: preferencesInput,
      handle: async (request) => ({
        json: await dashboards.setPreferences(request.context.principal.id, parseBody(request, preferencesInput)),
      }),
    },
  ];
}
