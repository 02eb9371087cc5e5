/** A collection of documents as SQL; every statement names tenant and collection. Shared by SQLite and PostgreSQL. */
import { type Kysely, sql } from 'kysely';
import { invariant, VigieError } from '../../lib/errors.ts';
import type { TenantId } from '../../model/tenant.ts';
import type { Collection, CollectionSpec, Json, ListOptions, Page, StoredDocument } from '../documents.ts';
import { type DocumentsDatabase, type DocumentsTable, INDEX_COLUMNS } from './migrations.ts';
import { orderKey } from './order-key.ts';

export const PAGE_MAX = 1_000;
/** One document's JSON text. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;
const ID_LENGTH_MAX = 512;

type Row = Pick<DocumentsTable, 'tenant' | 'id' | 'version' | 'body' | 'created_at' | 'updated_at'>;

export function sqlCollection<T>(
  db: Kysely<DocumentsDatabase>,
  now: () => number,
  tenant: TenantId,
  spec: CollectionSpec,
): Collection<T> {
  const indexed = spec.indexed ?? [];
  invariant(
    /^[a-z_]+$/.test(spec.name) && indexed.length <= INDEX_COLUMNS.length,
    `collection ${spec.name}: bad name or more than ${INDEX_COLUMNS.length} indexed fields`,
  );
  const column = (field: string): (typeof INDEX_COLUMNS)[number] => {
    const i = indexed.indexOf(field);
    if (i < 0) throw new VigieError('bad_data', `field ${field} of ${spec.name} is not indexed`);
    return INDEX_COLUMNS[i]!;
  };
  const mine = () => db.selectFrom('documents').where('tenant', '=', tenant).where('collection', '=', spec.name);
  const filtered = (options: ListOptions) => {
    let query = mine();
    for (const [field, value] of Object.entries(options.where ?? {}))
      query = query.where(column(field), '=', orderKey(value) ?? 'never');
    for (const [field, { from, to }] of Object.entries(options.range ?? {})) {
      if (from !== undefined) query = query.where(column(field), '>=', orderKey(from) ?? 'never');
      if (to !== undefined) query = query.where(column(field), '<', orderKey(to) ?? '');
      // a range over numbers must not take in texts, nor the other way round
      const kind = orderKey(from ?? to)?.[0];
      if (kind !== undefined) query = query.where(column(field), 'like', `${kind}%`);
    }
    return query;
  };
  return {
    async get(id) {
      const row = await mine()
        .where('id', '=', id)
        .select(['tenant', 'id', 'version', 'body', 'created_at', 'updated_at'])
        .executeTakeFirst();
      return row && toDocument<T>(row);
    },

    async list(options: ListOptions = {}): Promise<Page<T>> {
      const limit = Math.max(1, Math.min(options.limit ?? PAGE_MAX, PAGE_MAX));
      const by = options.orderBy;
      const direction = by?.direction ?? 'asc';
      const key = by ? sql<string>`coalesce(${sql.ref(column(by.field))}, '')` : sql<string>`''`;
      let query = filtered(options).select([
        'tenant',
        'id',
        'version',
        'body',
        'created_at',
        'updated_at',
        key.as('order_key'),
      ]);
      if (options.after !== undefined) {
        const [afterKey, afterId] = readCursor(options.after);
        const compare = sql.raw(direction === 'asc' ? '>' : '<');
        query = query.where(sql<boolean>`(${key}, id) ${compare} (${afterKey}, ${afterId})`);
      }
      const ordered = by ? query.orderBy(key, direction) : query;
      const rows = await ordered
        .orderBy('id', direction)
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      const page = items.map((row) => toDocument<T>(row));
      return rows.length > limit && last
        ? { items: page, next: writeCursor(last.order_key, last.id) }
        : { items: page };
    },

    async count(where = {}) {
      const row = await filtered({ where }).select(sql<number>`count(*)`.as('n')).executeTakeFirstOrThrow();
      return Number(row.n);
    },

    async put(id, body, expect) {
      if (id === '' || id.length > ID_LENGTH_MAX || id.includes('\u0000'))
        throw new VigieError('bad_data', `document id: want 1 to ${ID_LENGTH_MAX} characters without NUL`);
      const text = JSON.stringify(body);
      if (Buffer.byteLength(text) > BODY_BYTES_MAX)
        throw new VigieError('too_large', `a document of ${spec.name} has more than ${BODY_BYTES_MAX} bytes`);
      if (hasNul(text))
        throw new VigieError('bad_data', `a document of ${spec.name} contains NUL, which PostgreSQL cannot keep`);
      const at = now();
      const keys = Object.fromEntries(
        INDEX_COLUMNS.map((k, i) => [
          k,
          indexed[i] === undefined ? null : orderKey((body as Record<string, unknown>)[indexed[i]]),
        ]),
      ) as Pick<DocumentsTable, (typeof INDEX_COLUMNS)[number]>;
      const changed = { body: text, updated_at: at, ...keys };
      const returning = ['tenant', 'id', 'version', 'body', 'created_at', 'updated_at'] as const;
      let row: Row | undefined;
      if (typeof expect === 'number') {
        row = await db
          .updateTable('documents')
          .set({ ...changed, version: expect + 1 })
          .where('tenant', '=', tenant)
          .where('collection', '=', spec.name)
          .where('id', '=', id)
          .where('version', '=', expect)
          .returning(returning)
          .executeTakeFirst();
      } else {
        const insert = db
          .insertInto('documents')
          .values({ tenant, collection: spec.name, id, version: 1, created_at: at, ...changed });
        row = await insert
          .onConflict((c) =>
            expect === 'absent'
              ? c.columns(['tenant', 'collection', 'id']).doNothing()
              : c
                  .columns(['tenant', 'collection', 'id'])
                  .doUpdateSet({ ...changed, version: sql`documents.version + 1` as never }),
          )
          .returning(returning)
          .executeTakeFirst();
      }
      if (row) return toDocument<T>(row);
      const existing = await this.get(id);
      throw new VigieError(
        'conflict',
        expect === 'absent'
          ? `${spec.name} ${JSON.stringify(id)} exists already`
          : `${spec.name} ${JSON.stringify(id)} has version ${existing?.version ?? 'none'}, expected ${expect}`,
      );
    },

    async delete(id, expect) {
      let query = db
        .deleteFrom('documents')
        .where('tenant', '=', tenant)
        .where('collection', '=', spec.name)
        .where('id', '=', id);
      if (expect !== undefined) query = query.where('version', '=', expect);
      const gone = await query.returning('id').executeTakeFirst();
      if (gone) return true;
      if (expect === undefined) return false;
      const existing = await this.get(id);
      if (!existing) return false;
      throw new VigieError(
        'conflict',
        `${spec.name} ${JSON.stringify(id)} has version ${existing.version}, expected ${expect}`,
      );
    },
  };
}

/** Whether JSON text stands for a string with U+0000: an escape after an even number of backslashes. */
export function hasNul(json: string): boolean {
  for (let at = json.indexOf('\\u0000'); at >= 0; at = json.indexOf('\\u0000', at + 1)) {
    let first = at;
    while (json[first - 1] === '\\') first--;
    if ((at - first) % 2 === 0) return true;
  }
  return false;
}

export function toDocument<T>(row: Row): StoredDocument<T> {
  return {
    tenant: row.tenant as TenantId,
    id: row.id,
    version: Number(row.version),
    body: JSON.parse(row.body) as T,
    createdAtMs: Number(row.created_at),
    updatedAtMs: Number(row.updated_at),
  };
}

/** Every tenant with at least one document, sorted. */
export async function sqlTenants(db: Kysely<DocumentsDatabase>): Promise<readonly TenantId[]> {
  const rows = await db.selectFrom('documents').select('tenant').distinct().orderBy('tenant').execute();
  return rows.map((r) => r.tenant as TenantId);
}

/** All documents of a tenant in pages, in a stable order. */
export async function* sqlExport(
  db: Kysely<DocumentsDatabase>,
  tenant: TenantId,
): AsyncIterable<{ collection: string; document: StoredDocument<Json> }> {
  let after: readonly [string, string] | undefined;
  for (;;) {
    let query = db
      .selectFrom('documents')
      .where('tenant', '=', tenant)
      .select(['tenant', 'collection', 'id', 'version', 'body', 'created_at', 'updated_at']);
    if (after) query = query.where(sql<boolean>`(collection, id) > (${after[0]}, ${after[1]})`);
    const rows = await query.orderBy('collection').orderBy('id').limit(PAGE_MAX).execute();
    for (const row of rows) yield { collection: row.collection, document: toDocument<Json>(row) };
    const last = rows.at(-1);
    if (!last || rows.length < PAGE_MAX) return;
    after = [last.collection, last.id];
  }
}

const writeCursor = (key: string, id: string): string => Buffer.from(JSON.stringify([key, id])).toString('base64url');

function readCursor(text: string): readonly [string, string] {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    if (Array.isArray(value) && value.length === 2 && value.every((v) => typeof v === 'string'))
      return value as [string, string];
  } catch {
    // falls through to the error below
  }
  throw new VigieError('bad_data', 'the page cursor is not one that this server gave');
}
