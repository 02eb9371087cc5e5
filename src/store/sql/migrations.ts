/** The one schema both databases run. Migrations are numbered without gaps, named, and never changed once released. */
import { type Kysely, sql } from 'kysely';
import { invariant, VigieError } from '../../lib/errors.ts';

export interface DocumentsTable {
  tenant: string;
  collection: string;
  id: string;
  version: number;
  body: string;
  created_at: number;
  updated_at: number;
  k1: string | null;
  k2: string | null;
  k3: string | null;
  k4: string | null;
  k5: string | null;
  k6: string | null;
}
export interface MigrationsTable {
  sequence: number;
  name: string;
}
export interface DocumentsDatabase {
  documents: DocumentsTable;
  vigie_migrations: MigrationsTable;
}

export const INDEX_COLUMNS = ['k1', 'k2', 'k3', 'k4', 'k5', 'k6'] as const;

export interface Flavour {
  /** Text compared by bytes. */
  readonly text: 'text' | 'text collate "C"';
  readonly integer: 'integer' | 'bigint';
}

export interface Migration {
  readonly sequence: number;
  readonly name: string;
  up(db: Kysely<DocumentsDatabase>, flavour: Flavour): Promise<void>;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    sequence: 1,
    name: 'documents',
    async up(db, { text, integer }) {
      const t = sql.raw(text);
      const n = sql.raw(integer);
      await sql`create table documents (tenant ${t} not null, collection ${t} not null, id ${t} not null, version ${n} not null, body ${t} not null, created_at ${n} not null, updated_at ${n} not null, k1 ${t}, k2 ${t}, k3 ${t}, k4 ${t}, k5 ${t}, k6 ${t}, primary key (tenant, collection, id))`.execute(
        db,
      );
      for (const k of INDEX_COLUMNS) {
        await sql`create index ${sql.raw(`documents_${k}`)} on documents (tenant, collection, ${sql.raw(k)}, id) where ${sql.raw(k)} is not null`.execute(
          db,
        );
      }
    },
  },
];

for (const [i, m] of MIGRATIONS.entries())
  invariant(m.sequence === i + 1, `migration ${m.name} has sequence ${m.sequence}, want ${i + 1}`);

/** Migrations that a database still lacks. Throws `format_newer` when it has ones this program does not know. */
export async function pendingMigrations(
  db: Kysely<DocumentsDatabase>,
  flavour: Flavour,
): Promise<readonly Migration[]> {
  await sql`create table if not exists vigie_migrations (sequence ${sql.raw(flavour.integer)} primary key, name ${sql.raw(flavour.text)} not null)`.execute(
    db,
  );
  const done = await db.selectFrom('vigie_migrations').selectAll().orderBy('sequence').execute();
  for (const row of done) {
    const known = MIGRATIONS[Number(row.sequence) - 1];
    if (!known || known.name !== row.name) {
      throw new VigieError(
        'format_newer',
        `the document store was migrated by a newer Vigie: migration ${row.sequence} ${JSON.stringify(row.name)} is unknown here`,
      );
    }
  }
  return MIGRATIONS.slice(done.length);
}

/** Runs what is pending, each migration in a transaction of its own. */
export async function migrate(
  db: Kysely<DocumentsDatabase>,
  flavour: Flavour,
  pending: readonly Migration[],
): Promise<void> {
  for (const m of pending) {
    await db.transaction().execute(async (tx) => {
      await m.up(tx, flavour);
      await tx.insertInto('vigie_migrations').values({ sequence: m.sequence, name: m.name }).execute();
    });
  }
}
