/**
 * Documents in PostgreSQL. A restart of the server is survived: statements that fail because the connection broke are
 * tried again for a while; every write is one statement guarded by its version or idempotent by its key.
 */
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { type Clock, sleep } from '../../../lib/clock.ts';
import { isVigieError, messageOf, VigieError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { TenantId } from '../../../model/tenant.ts';
import type {
  Collection,
  CollectionSpec,
  DocumentStore,
  DocumentTransaction,
  Json,
  StoredDocument,
} from '../../documents.ts';
import { type DocumentsDatabase, type Flavour, migrate, pendingMigrations } from '../../sql/migrations.ts';
import { sqlCollection, sqlExport, sqlTenants } from '../../sql/sql-collection.ts';

const FLAVOUR: Flavour = { text: 'text collate "C"', integer: 'bigint' };
const CONNECTIONS_MAX = 10;
/** A broken connection is retried this often, with growing pauses: about 30 s together. */
const TRIES_MAX = 12;
const PAUSE_MS_MAX = 5_000;
const MIGRATION_LOCK = 7_154_903;

/** Connection lost, server starting up or shutting down, serialisation failure, deadlock. */
const RETRIED = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
  '08000',
  '08003',
  '08006',
  '40001',
  '40P01',
]);

export interface PostgresDocumentsOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PostgresDocuments implements DocumentStore {
  readonly #db: Kysely<DocumentsDatabase>;
  readonly #clock: Clock;
  readonly #logger: Logger;

  private constructor(db: Kysely<DocumentsDatabase>, options: PostgresDocumentsOptions) {
    this.#db = db;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  static async open(options: PostgresDocumentsOptions): Promise<PostgresDocuments> {
    const pool = new pg.Pool({
      connectionString: options.url,
      max: CONNECTIONS_MAX,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    pool.on('error', (error) =>
      options.logger.warn('an idle PostgreSQL connection ended', { error: messageOf(error) }),
    );
    // a connection that breaks while in use tells its statement; the event itself must not end the process
    pool.on('connect', (client) => client.on('error', () => {}));
    const db = new Kysely<DocumentsDatabase>({ dialect: new PostgresDialect({ pool }) });
    const store = new PostgresDocuments(db, options);
    try {
      await store.#retried(async () => {
        // several replicas may start at once; one migrates, the others wait
        await db.connection().execute(async (connection) => {
          await pgLock(connection, 'pg_advisory_lock');
          try {
            await migrate(connection, FLAVOUR, await pendingMigrations(connection, FLAVOUR));
          } finally {
            await pgLock(connection, 'pg_advisory_unlock');
          }
        });
      });
    } catch (cause) {
      await db.destroy();
      if (isVigieError(cause)) throw cause;
      throw new VigieError('unavailable', `PostgreSQL cannot be used: ${messageOf(cause)}`, { cause });
    }
    return store;
  }

  collection<T>(tenant: TenantId, spec: CollectionSpec): Collection<T> {
    const plain = sqlCollection<T>(this.#db, () => this.#clock.now(), tenant, spec);
    return {
      get: (id) => this.#retried(() => plain.get(id)),
      list: (options) => this.#retried(() => plain.list(options)),
      count: (where) => this.#retried(() => plain.count(where)),
      delete: (id, expect) => this.#retried(() => plain.delete(id, expect)),
      put: async (id, body, expect) => {
        let tries = 0;
        return this.#retried(async () => {
          tries++;
          try {
            return await plain.put(id, body, expect);
          } catch (error) {
            // a try whose answer was lost may have been committed: then what is stored is what we wanted
            if (tries > 1 && isVigieError(error, 'conflict')) {
              const stored = await plain.get(id);
              if (
                stored &&
                JSON.stringify(stored.body) === JSON.stringify(body) &&
                stored.version === (typeof expect === 'number' ? expect + 1 : 1)
              )
                return stored;
            }
            throw error;
          }
        });
      },
    };
  }

  transaction<R>(work: (tx: DocumentTransaction) => Promise<R>): Promise<R> {
    return this.#retried(() =>
      this.#db
        .transaction()
        .setIsolationLevel('serializable')
        .execute((tx) =>
          work({ collection: (tenant, spec) => sqlCollection(tx, () => this.#clock.now(), tenant, spec) }),
        ),
    );
  }

  tenants(): Promise<readonly TenantId[]> {
    return this.#retried(() => sqlTenants(this.#db));
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    await this.#retried(() => this.#db.deleteFrom('documents').where('tenant', '=', tenant).execute());
  }

  exportTenant(tenant: TenantId): AsyncIterable<{ collection: string; document: StoredDocument<Json> }> {
    return sqlExport(this.#db, tenant);
  }

  async snapshot(): Promise<void> {
    throw new VigieError('unsupported', 'documents live in PostgreSQL: take their snapshot with pg_dump');
  }

  async ping(): Promise<void> {
    try {
      await this.#db.selectFrom('vigie_migrations').select('sequence').limit(1).execute();
    } catch (cause) {
      throw new VigieError('unavailable', `PostgreSQL does not answer: ${messageOf(cause)}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.destroy();
  }

  async #retried<R>(work: () => Promise<R>): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isRetried(error))
          throw isVigieError(error)
            ? error
            : new VigieError('storage', `PostgreSQL: ${messageOf(error)}`, { cause: error });
        if (attempt >= TRIES_MAX)
          throw new VigieError(
            'unavailable',
            `PostgreSQL does not answer after ${attempt} tries: ${messageOf(error)}`,
            { cause: error },
          );
        if (attempt === 1) this.#logger.warn('PostgreSQL does not answer; trying again', { error: messageOf(error) });
        await sleep(this.#clock, Math.min(PAUSE_MS_MAX, 50 * 2 ** attempt));
      }
    }
  }
}

async function pgLock(
  connection: Kysely<DocumentsDatabase>,
  name: 'pg_advisory_lock' | 'pg_advisory_unlock',
): Promise<void> {
  await sql`select ${sql.raw(name)}(${MIGRATION_LOCK})`.execute(connection);
}

function isRetried(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return (
    (typeof code === 'string' && RETRIED.has(code)) ||
    /Connection terminated|connection error and is not queryable|Client was closed|timeout exceeded when trying to connect|the database system is/.test(
      messageOf(error),
    )
  );
}
