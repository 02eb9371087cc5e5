/** A file that may not grow: SQLite then undoes whole transactions by itself, and what was acknowledged must not be among it. */
import path from 'node:path';
import { Kysely } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/support/peers.ts';
import { SqliteConnection, sqliteDialect } from './sqlite-connection.ts';

const BIG = 'x'.repeat(3_000);
interface Tables {
  t: { k: number; v: string };
}

describe('a full document file', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let sqlite: SqliteConnection;
  let db: Kysely<Tables>;
  beforeEach(async () => {
    folder = temporaryFolder();
    sqlite = new SqliteConnection(path.join(folder.path, 'd.sqlite'));
    db = new Kysely<Tables>({ dialect: sqliteDialect(sqlite) });
    await sqlite.run('create table t (k integer primary key, v text)', []);
    await sqlite.run('pragma max_page_count = 30', []);
  });
  afterEach(async () => {
    await db.destroy();
    folder[Symbol.dispose]();
  });
  const keys = async (): Promise<Set<number>> =>
    new Set((await db.selectFrom('t').select('k').execute()).map((r) => r.k));

  it('keeps what it acknowledged of statements that share a commit, and names the reason of the others', async () => {
    const acknowledged: number[] = [];
    const refused: string[] = [];
    for (let round = 0; round < 6; round++)
      await Promise.all(
        Array.from({ length: 12 }, async (_, i) => {
          const k = round * 12 + i;
          try {
            await db
              .insertInto('t')
              .values({ k, v: i % 4 === 0 ? 'small' : BIG })
              .execute();
            acknowledged.push(k);
          } catch (error) {
            refused.push((error as Error).message);
          }
        }),
      );
    expect(acknowledged.length).toBeGreaterThan(10);
    expect(refused.length).toBeGreaterThan(10);
    for (const message of refused) expect(message).toMatch(/full/);
    // exactly those: nothing refused crept in behind a transaction that was undone
    expect([...(await keys())].sort((a, b) => a - b)).toEqual(acknowledged.sort((a, b) => a - b));
  });

  it('keeps nothing of an interactive transaction that met it, even when its error is swallowed', async () => {
    await db.insertInto('t').values({ k: 1_000, v: 'before' }).execute();
    const attempt = (swallow: boolean): Promise<unknown> =>
      db.transaction().execute(async (tx) => {
        for (let k = 0; k < 100; k++) {
          const insert = tx.insertInto('t').values({ k, v: BIG }).execute();
          await (swallow ? insert.catch(() => {}) : insert);
        }
      });
    await expect(attempt(false)).rejects.toThrow(/full/);
    expect(await keys()).toEqual(new Set([1_000]));
    await expect(attempt(true)).rejects.toThrow();
    expect(await keys()).toEqual(new Set([1_000]));
    // and it goes on
    await sqlite.run('pragma max_page_count = 10000', []);
    await db.transaction().execute(async (tx) => {
      await tx.insertInto('t').values({ k: 1_001, v: BIG }).execute();
    });
    expect(await keys()).toEqual(new Set([1_000, 1_001]));
  });
});
