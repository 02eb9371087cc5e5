/** Documents in one SQLite file, owned by a worker thread; WAL mode, every commit synced. */
import { copyFileSync, existsSync } from 'node:fs';
import { Kysely } from 'kysely';
import type { Clock } from '../../../lib/clock.ts';
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
import { SqliteConnection, sqliteDialect } from './sqlite-connection.ts';

const FLAVOUR: Flavour = { text: 'text', integer: 'integer' };

export class EmbeddedDocuments implements DocumentStore {
  readonly #db: Kysely<DocumentsDatabase>;
  readonly #sqlite: SqliteConnection;
  readonly #clock: Clock;

  private constructor(db: Kysely<DocumentsDatabase>, sqlite: SqliteConnection, clock: Clock) {
    this.#db = db;
    this.#sqlite = sqlite;
    this.#clock = clock;
  }

  /** Opens or creates the file and migrates it, after a copy when it holds an older format. Throws `format_newer` or `storage`. */
  static async open(options: { readonly file: string; readonly clock: Clock }): Promise<EmbeddedDocuments> {
    const existed = existsSync(options.file);
    const sqlite = new SqliteConnection(options.file);
    const db = new Kysely<DocumentsDatabase>({ dialect: sqliteDialect(sqlite) });
    try {
      const pending = await pendingMigrations(db, FLAVOUR);
      if (existed && pending.length > 0 && pending[0]!.sequence > 1) {
        copyFileSync(options.file, `${options.file}.before-${pending[0]!.sequence}-${pending[0]!.name}`);
      }
      await migrate(db, FLAVOUR, pending);
    } catch (error) {
      await sqlite.close();
      throw error;
    }
    return new EmbeddedDocuments(db, sqlite, options.clock);
  }

  collection<T>(tenant: TenantId, spec: CollectionSpec): Collection<T> {
    return sqlCollection<T>(this.#db, () => this.#clock.now(), tenant, spec);
  }

  transaction<R>(work: (tx: DocumentTransaction) => Promise<R>): Promise<R> {
    return this.#db
      .transaction()
      .execute((tx) =>
        work({ collection: (tenant, spec) => sqlCollection(tx, () => this.#clock.now(), tenant, spec) }),
      );
  }

  tenants(): Promise<readonly TenantId[]> {
    return sqlTenants(this.#db);
  }

  async deleteTenant(tenant: TenantId): Promise<void> {
    await this.#db.deleteFrom('documents').where('tenant', '=', tenant).execute();
  }

  exportTenant(tenant: TenantId): AsyncIterable<{ collection: string; document: StoredDocument<Json> }> {
    return sqlExport(this.#db, tenant);
  }

  async snapshot(file: string): Promise<void> {
    await this.#sqlite.send('backup', undefined, [file]);
  }

  async ping(): Promise<void> {
    await this.#sqlite.run('select 1', []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sqlite.close();
  }
}
