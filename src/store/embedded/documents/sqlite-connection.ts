/** The main thread's end of the SQLite worker, and a Kysely dialect over it. */
import { Worker } from 'node:worker_threads';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { VigieError } from '../../../lib/errors.ts';
import type { StatementAnswer, StatementMessage } from './sqlite-worker.ts';

/** Statements under way at a time; more wait at the caller. */
const PENDING_MAX = 10_000;

export class SqliteConnection {
  readonly #worker: Worker;
  readonly #pending = new Map<
    number,
    { resolve: (rows: readonly Record<string, unknown>[]) => void; reject: (error: unknown) => void }
  >();
  #id = 0;
  #failed: unknown;
  /** Tail of the chain of interactive transactions; plain statements wait for it too. */
  #gate: Promise<void> = Promise.resolve();
  #gateOpen = true;

  constructor(file: string) {
    this.#worker = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js', import.meta.url),
      { workerData: { file } },
    );
    this.#worker.unref();
    this.#worker.on('message', (answer: StatementAnswer) => {
      const waiting = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if (this.#pending.size === 0) this.#worker.unref();
      if (answer.error === undefined) waiting?.resolve(answer.rows ?? []);
      else waiting?.reject(new VigieError('storage', `document store: ${answer.error}`));
    });
    const fail = (error: unknown): void => {
      this.#failed ??= error;
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
    };
    this.#worker.on('error', (error) =>
      fail(new VigieError('storage', `document store: ${(error as Error).message}`, { cause: error })),
    );
    this.#worker.on('exit', () => fail(new VigieError('storage', 'the document store is closed')));
  }

  send(
    kind: StatementMessage['kind'],
    sql?: string,
    parameters?: readonly unknown[],
  ): Promise<readonly Record<string, unknown>[]> {
    if (this.#failed) return Promise.reject(this.#failed);
    if (this.#pending.size >= PENDING_MAX)
      return Promise.reject(new VigieError('unavailable', `the document store has ${PENDING_MAX} statements waiting`));
    return new Promise((resolve, reject) => {
      const id = ++this.#id;
      this.#worker.ref();
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({
        id,
        kind,
        ...(sql === undefined ? {} : { sql }),
        ...(parameters === undefined ? {} : { parameters }),
      } as StatementMessage);
    });
  }

  /** A statement outside of transactions: waits while one is open. */
  async run(sql: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    if (!this.#gateOpen) await this.#gate;
    return this.send('run', sql, parameters);
  }

  /** Exclusive use until the returned function is called. */
  async lock(): Promise<() => void> {
    const before = this.#gate;
    let open!: () => void;
    const mine = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate = before.then(() => mine);
    const gate = this.#gate;
    this.#gateOpen = false;
    await before;
    return () => {
      if (this.#gate === gate) this.#gateOpen = true;
      open();
    };
  }

  async close(): Promise<void> {
    await this.#gate;
    if (!this.#failed) await this.send('close').catch(() => {});
    await this.#worker.terminate();
  }
}

class Connection implements DatabaseConnection {
  readonly sqlite: SqliteConnection;
  unlock: (() => void) | undefined;

  constructor(sqlite: SqliteConnection) {
    this.sqlite = sqlite;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const rows = this.unlock
      ? await this.sqlite.send('run', query.sql, query.parameters)
      : await this.sqlite.run(query.sql, query.parameters);
    return { rows: rows as R[] };
  }

  // biome-ignore lint/correctness/useYield: streaming is not used; pages are
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('BUG: streaming is not used');
  }
}

export function sqliteDialect(sqlite: SqliteConnection): Dialect {
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => new Connection(sqlite),
    releaseConnection: async () => {},
    async beginTransaction(connection) {
      const c = connection as Connection;
      c.unlock = await sqlite.lock();
      try {
        await sqlite.send('begin');
      } catch (error) {
        c.unlock();
        c.unlock = undefined;
        throw error;
      }
    },
    commitTransaction: (connection) => end(connection as Connection, 'commit'),
    // after a failed commit nothing is open any more, and the file may be another's already
    rollbackTransaction: async (connection) => {
      if ((connection as Connection).unlock) await end(connection as Connection, 'rollback');
    },
    destroy: () => sqlite.close(),
  };
  const end = async (connection: Connection, kind: 'commit' | 'rollback'): Promise<void> => {
    try {
      await sqlite.send(kind);
    } finally {
      connection.unlock?.();
      connection.unlock = undefined;
    }
  };
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}
