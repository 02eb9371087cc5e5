/**
 * Dashboards, snapshots, saved queries and personal preferences of a tenant, as documents. A dashboard is Grafana's
 * JSON, kept as it came, with its versions; those of the catalogue are read-only and come through a port.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { VigieError } from '../lib/errors.ts';
import { PLATFORM_TENANT, type TenantId } from '../model/tenant.ts';
import type { CollectionSpec, DocumentStore } from '../store/documents.ts';

export const DASHBOARDS: CollectionSpec = { name: 'dashboards' };
export const DASHBOARD_VERSIONS: CollectionSpec = { name: 'dashboard_versions', indexed: ['uid', 'version'] };
export const SNAPSHOTS: CollectionSpec = { name: 'dashboard_snapshots', indexed: ['expiresAtMs'] };
export const SAVED_QUERIES: CollectionSpec = { name: 'saved_queries' };
export const PREFERENCES: CollectionSpec = { name: 'preferences' };

export const DASHBOARDS_MAX = 2_000;
export const VERSIONS_MAX = 100;
export const SNAPSHOTS_MAX = 500;
export const SAVED_QUERIES_MAX = 1_000;
const DASHBOARD_BYTES_MAX = 3 * 1024 * 1024;
const SNAPSHOT_MS_DEFAULT = 90 * 86_400_000;

export type DashboardJson = Readonly<Record<string, unknown>>;

export interface StoredDashboard {
  readonly uid: string;
  readonly title: string;
  readonly folder: string;
  readonly tags: readonly string[];
  readonly version: number;
  readonly updatedAtMs: number;
  readonly updatedBy: string;
  readonly message: string;
  readonly dashboard: DashboardJson;
}

export interface CatalogueDashboard {
  readonly uid: string;
  readonly folder: string;
  readonly dashboard: DashboardJson;
}

export interface DashboardItem extends Omit<StoredDashboard, 'dashboard' | 'message'> {
  readonly source: 'catalogue' | 'own';
  readonly editable: boolean;
}

export interface SavedQuery {
  readonly id: string;
  readonly name: string;
  readonly expr: string;
  readonly description: string;
  readonly by: string;
  readonly atMs: number;
}

export interface Snapshot {
  readonly id: string;
  readonly title: string;
  readonly atMs: number;
  readonly by: string;
  readonly expiresAtMs: number;
  readonly dashboard: DashboardJson;
  readonly data: Readonly<Record<string, unknown>>;
}

export class DashboardStore {
  readonly #documents: DocumentStore;
  readonly #clock: Clock;
  readonly #catalogue: (tenant: TenantId) => readonly CatalogueDashboard[];

  constructor(documents: DocumentStore, clock: Clock, catalogue: (tenant: TenantId) => readonly CatalogueDashboard[]) {
    this.#documents = documents;
    this.#clock = clock;
    this.#catalogue = catalogue;
  }

  async list(tenant: TenantId): Promise<readonly DashboardItem[]> {
    const own = (await this.#own(tenant).list()).items.map(({ body }): DashboardItem => {
      const { dashboard: _d, message: _m, ...item } = body;
      return { ...item, source: 'own', editable: true };
    });
    const taken = new Set(own.map((d) => d.uid));
    const shipped = this.#catalogue(tenant)
      .filter((d) => !taken.has(d.uid))
      .map((d) => catalogueItem(d));
    return [...shipped, ...own].sort((a, b) =>
      a.folder === b.folder ? (a.title < b.title ? -1 : 1) : a.folder < b.folder ? -1 : 1,
    );
  }

  /** Own dashboards hide shipped ones of the same uid. Throws `not_found`. */
  async get(
    tenant: TenantId,
    uid: string,
    version?: number,
  ): Promise<DashboardItem & { readonly dashboard: DashboardJson }> {
    const own = await this.#own(tenant).get(uid);
    if (own) {
      const wanted =
        version === undefined || version === own.body.version
          ? own.body
          : (await this.#versions(tenant).get(versionId(uid, version)))?.body;
      if (!wanted) throw new VigieError('not_found', `dashboard ${uid} has no version ${version}`);
      const { message: _m, ...rest } = wanted;
      return { ...rest, source: 'own', editable: true };
    }
    const shipped = this.#catalogue(tenant).find((d) => d.uid === uid);
    if (!shipped) throw new VigieError('not_found', `no dashboard ${JSON.stringify(uid.slice(0, 80))}`);
    return { ...catalogueItem(shipped), dashboard: shipped.dashboard };
  }

  /** A new version; `baseVersion` 0 creates. Throws `conflict` when somebody saved meanwhile. */
  async save(
    tenant: TenantId,
    uid: string,
    input: { dashboard: DashboardJson; folder: string; message: string; baseVersion: number; by: string },
  ): Promise<DashboardItem> {
    const size = Buffer.byteLength(JSON.stringify(input.dashboard));
    if (size > DASHBOARD_BYTES_MAX)
      throw new VigieError('too_large', `the dashboard has ${size} bytes, at most ${DASHBOARD_BYTES_MAX} are taken`);
    const existing = await this.#own(tenant).get(uid);
    const current = existing?.body.version ?? 0;
    if (input.baseVersion !== current)
      throw new VigieError(
        'conflict',
        `dashboard ${uid} has version ${current}, the change rests on ${input.baseVersion}`,
        { details: { version: current } },
      );
    if (!existing && (await this.#own(tenant).count()) >= DASHBOARDS_MAX)
      throw new VigieError('quota', `at most ${DASHBOARDS_MAX} dashboards per tenant`);
    const tags = Array.isArray(input.dashboard['tags'])
      ? input.dashboard['tags'].filter((t): t is string => typeof t === 'string')
      : [];
    const body: StoredDashboard = {
      uid,
      title: String(input.dashboard['title']),
      folder: input.folder,
      tags,
      version: current + 1,
      updatedAtMs: this.#clock.now(),
      updatedBy: input.by,
      message: input.message,
      dashboard: { ...input.dashboard, uid, version: current + 1 },
    };
    await this.#documents.transaction(async (tx) => {
      await tx.collection<StoredDashboard>(tenant, DASHBOARD_VERSIONS).put(versionId(uid, body.version), body);
      await tx.collection<StoredDashboard>(tenant, DASHBOARDS).put(uid, body, existing ? existing.version : 'absent');
    });
    if (body.version > VERSIONS_MAX) await this.#versions(tenant).delete(versionId(uid, body.version - VERSIONS_MAX));
    const { dashboard: _d, message: _m, ...item } = body;
    return { ...item, source: 'own', editable: true };
  }

  async versions(
    tenant: TenantId,
    uid: string,
  ): Promise<readonly { version: number; atMs: number; by: string; message: string }[]> {
    const page = await this.#versions(tenant).list({
      where: { uid },
      orderBy: { field: 'version', direction: 'desc' },
      limit: VERSIONS_MAX,
    });
    return page.items.map(({ body }) => ({
      version: body.version,
      atMs: body.updatedAtMs,
      by: body.updatedBy,
      message: body.message,
    }));
  }

  async remove(tenant: TenantId, uid: string): Promise<boolean> {
    for (const v of await this.versions(tenant, uid)) await this.#versions(tenant).delete(versionId(uid, v.version));
    return this.#own(tenant).delete(uid);
  }

  async addSnapshot(
    tenant: TenantId,
    input: {
      title: string;
      dashboard: DashboardJson;
      data: Readonly<Record<string, unknown>>;
      expiresInMs?: number | undefined;
      by: string;
    },
  ): Promise<Snapshot> {
    const snapshots = this.#documents.collection<Snapshot>(tenant, SNAPSHOTS);
    const now = this.#clock.now();
    for (const d of (await snapshots.list({ range: { expiresAtMs: { to: now } } })).items) await snapshots.delete(d.id);
    if ((await snapshots.count()) >= SNAPSHOTS_MAX)
      throw new VigieError('quota', `at most ${SNAPSHOTS_MAX} snapshots per tenant`);
    const { expiresInMs, ...rest } = input;
    const snapshot: Snapshot = {
      ...rest,
      id: randomBytes(12).toString('base64url'),
      atMs: now,
      expiresAtMs: now + (expiresInMs ?? SNAPSHOT_MS_DEFAULT),
    };
    await snapshots.put(snapshot.id, snapshot, 'absent');
    return snapshot;
  }

  async snapshot(tenant: TenantId, id: string): Promise<Snapshot> {
    const found = (await this.#documents.collection<Snapshot>(tenant, SNAPSHOTS).get(id))?.body;
    if (!found || found.expiresAtMs <= this.#clock.now())
      throw new VigieError('not_found', 'no such snapshot, or it has expired');
    return found;
  }

  async savedQueries(tenant: TenantId): Promise<readonly SavedQuery[]> {
    return (await this.#documents.collection<SavedQuery>(tenant, SAVED_QUERIES).list()).items.map((d) => d.body);
  }

  async saveQuery(tenant: TenantId, query: Omit<SavedQuery, 'atMs'>): Promise<SavedQuery> {
    const queries = this.#documents.collection<SavedQuery>(tenant, SAVED_QUERIES);
    if (!(await queries.get(query.id)) && (await queries.count()) >= SAVED_QUERIES_MAX)
      throw new VigieError('quota', `at most ${SAVED_QUERIES_MAX} saved queries per tenant`);
    return (await queries.put(query.id, { ...query, atMs: this.#clock.now() })).body;
  }

  removeQuery(tenant: TenantId, id: string): Promise<boolean> {
    return this.#documents.collection(tenant, SAVED_QUERIES).delete(id);
  }

  /** Of a person, whatever tenant they look at. */
  async preferences(person: string): Promise<Readonly<Record<string, unknown>>> {
    return (
      (await this.#documents.collection<Record<string, unknown>>(PLATFORM_TENANT, PREFERENCES).get(person))?.body ?? {}
    );
  }

  async setPreferences(
    person: string,
    change: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const merged = { ...(await this.preferences(person)), ...change };
    await this.#documents.collection<Record<string, unknown>>(PLATFORM_TENANT, PREFERENCES).put(person, merged);
    return merged;
  }

  #own(tenant: TenantId) {
    return this.#documents.collection<StoredDashboard>(tenant, DASHBOARDS);
  }

  #versions(tenant: TenantId) {
    return this.#documents.collection<StoredDashboard>(tenant, DASHBOARD_VERSIONS);
  }
}

const versionId = (uid: string, version: number): string => `${uid}/${String(version).padStart(8, '0')}`;

function catalogueItem(d: CatalogueDashboard): DashboardItem {
  const tags = Array.isArray(d.dashboard['tags'])
    ? d.dashboard['tags'].filter((t): t is string => typeof t === 'string')
    : [];
  return {
    uid: d.uid,
    title: String(d.dashboard['title'] ?? d.uid),
    folder: d.folder,
    tags,
    version: 1,
    updatedAtMs: 0,
    updatedBy: 'catalogue',
    source: 'catalogue',
    editable: false,
  };
}
