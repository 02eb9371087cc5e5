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

/** Everything that waits, in one transaction; a failing statement undoes itself alone. */
function flush(): void {
  scheduled = false;
  const batch = queue;
  queue = [];
  if (batch.length === 0) return;
  let answers: StatementAnswer[];
  const writes = batch.some((m) => !/^\s*select/i.test(m.sql ?? ''));
  try {
    if (writes) db.exec('BEGIN IMMEDIATE');
    answers = batch.map(run);
    if (writes) db.exec('COMMIT');
  } catch (error) {
    try {
      db.exec('ROLLBACK');
    } catch {
      // nothing was open
    }
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
        port.postMessage(run(message));
        return;
      case 'begin':
        db.exec('BEGIN IMMEDIATE');
        inTransaction = true;
        break;
      case 'commit':
        db.exec('COMMIT');
        inTransaction = false;
        break;
      case 'rollback':
        inTransaction = false;
        db.exec('ROLLBACK');
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
