/**
 * The thread that owns the SQLite file: a synced commit can take tens of milliseconds and must not stall the main
 * thread. Statements that arrive while a commit is under way share the next one (group commit); each is answered after
 * its commit. An interactive transaction has the file to itself.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

export interface StatementMessage {
  readonly id: number;
  readonly kind: 'run' | 'begin' | 'commit' | 'rollback' | 'backup' | 'close';
  readonly sql?: string;
  readonly parameters?: readonly (string | number | null)[];
}
export interface StatementAnswer {
  readonly id: number;
  readonly rows?: readonly Record<string, unknown>[];
  readonly error?: string;
}

/** Prepared statements kept. */
const STATEMENTS_MAX = 200;

const port = parentPort!;
const db = new DatabaseSync((workerData as { file: string }).file);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000; PRAGMA foreign_keys = ON');
const prepared = new Map<string, StatementSync>();
let queue: StatementMessage[] = [];
let inTransaction = false;
let scheduled = false;

function statement(sql: string): StatementSync {
  let s = prepared.get(sql);
  if (!s) {
    s = db.prepare(sql);
    if (prepared.size >= STATEMENTS_MAX) prepared.delete(prepared.keys().next().value!);
    prepared.set(sql, s);
  }
  return s;
}

function run(message: StatementMessage): StatementAnswer {
  try {
    return {
      id: message.id,
      rows: statement(message.sql!).all(...((message.parameters ?? []) as (string | number | null)[])),
    };
  } catch (error) {
    return { id: message.id, error: (error as Error).message };
  }
}

function undo(): void {
  try {
    if (db.isTransaction) db.exec('ROLLBACK');
  } catch {
    // the file cannot be read or written; the next BEGIN says so
  }
}

/** Everything that waits, in one transaction; a failing statement undoes itself alone. */
function flush(): void {
  scheduled = false;
  const batch = queue;
  queue = [];
  if (batch.length === 0) return;
  let answers: StatementAnswer[] = [];
  const writes = batch.some((m) => !/^\s*select/i.test(m.sql ?? ''));
  try {
    if (writes) db.exec('BEGIN IMMEDIATE');
    for (const message of batch) {
      const answer = run(message);
      // a full disk makes SQLite undo the whole transaction: what ran before is gone, what follows must not run alone
      if (answer.error !== undefined && writes && !db.isTransaction) throw new Error(answer.error);
      answers.push(answer);
    }
    if (writes) db.exec('COMMIT');
  } catch (error) {
    undo();
    answers = batch.map((m) => ({ id: m.id, error: (error as Error).message }));
  }
  for (const answer of answers) port.postMessage(answer);
}

port.on('message', (message: StatementMessage) => {
  if (message.kind === 'run' && !inTransaction) {
    queue.push(message);
    if (!scheduled) {
      scheduled = true;
      setImmediate(flush);
    }
    return;
  }
  flush();
  try {
    switch (message.kind) {
      case 'run':
        port.postMessage(
          db.isTransaction
            ? run(message)
            : { id: message.id, error: 'the transaction was undone by the error before this statement' },
        );
        return;
      case 'begin':
        db.exec('BEGIN IMMEDIATE');
        inTransaction = true;
        break;
      case 'commit':
        inTransaction = false;
        try {
          db.exec('COMMIT');
        } catch (error) {
          // not left open: what comes next would join it, and be undone with it
          undo();
          throw error;
        }
        break;
      case 'rollback':
        inTransaction = false;
        undo();
        break;
      case 'backup':
        statement('VACUUM INTO ?').run(message.parameters![0] as string);
        break;
      case 'close':
        db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        db.close();
        port.postMessage({ id: message.id, rows: [] });
        port.close();
        return;
    }
    port.postMessage({ id: message.id, rows: [] });
  } catch (error) {
    port.postMessage({ id: message.id, error: (error as Error).message });
  }
});
