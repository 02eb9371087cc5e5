/**
 * Statistics of a PostgreSQL server with the names of postgres_exporter, so that the same rules and dashboards serve
 * both, and statements from pg_stat_statements where it is installed. Reads only views that `pg_monitor` may read.
 *
 *   DATABASE_URL=postgres://monitor@db/postgres node postgresql.mjs --listen 127.0.0.1:9187
 *
 * Needs the package `pg`. One connection, held; a server that does not answer is `pg_up 0` and nothing else, never zeros.
 */
import { flags, Registry, serve } from './exposition.mjs';

const STATEMENTS_MAX = 50;
const COUNTERS = [
  ['xact_commit', 'Transactions committed'],
  ['xact_rollback', 'Transactions rolled back'],
  ['blks_read', 'Blocks read from disk'],
  ['blks_hit', 'Blocks found in memory'],
  ['tup_returned', 'Rows read by scans'],
  ['tup_fetched', 'Rows fetched'],
  ['tup_inserted', 'Rows inserted'],
  ['tup_updated', 'Rows updated'],
  ['tup_deleted', 'Rows deleted'],
  ['conflicts', 'Queries cancelled for recovery'],
  ['temp_files', 'Temporary files'],
  ['temp_bytes', 'Bytes in temporary files'],
  ['deadlocks', 'Deadlocks'],
];

export function postgresMetrics(query, registry = new Registry()) {
  const g = (name, help, labels) => registry.gauge(name, help, labels);
  const up = g('pg_up', 'Did the last question get an answer.');
  const database = COUNTERS.map(([column, help]) => [
    column,
    registry.counter(`pg_stat_database_${column}`, `${help}.`, ['datid', 'datname']),
  ]);
  const backends = g('pg_stat_database_numbackends', 'Sessions.', ['datid', 'datname']);
  const size = g('pg_database_size_bytes', 'Size on disk.', ['datname']);
  const activity = g('pg_stat_activity_count', 'Sessions by state.', ['datname', 'state']);
  const oldest = g('pg_stat_activity_max_tx_duration', 'Age of the oldest transaction in seconds.', [
    'datname',
    'state',
  ]);
  const connections = g('pg_settings_max_connections', 'max_connections.');
  const locks = g('pg_locks_count', 'Locks by mode.', ['datname', 'mode']);
  const lag = g('pg_replication_lag_seconds', 'How far a replica is behind; 0 on a primary.');
  const replica = g('pg_replication_is_replica', 'Is it a replica.');
  const statements = registry.counter('pg_stat_statements_seconds_total', 'Time in statements.', [
    'queryid',
    'datname',
  ]);
  const calls = registry.counter('pg_stat_statements_calls_total', 'Calls of statements.', ['queryid', 'datname']);
  const all = registry.families.filter((f) => f !== up);
  let hasStatements;

  return {
    registry,
    async collect() {
      try {
        // first the questions, then the answers: a failure half way leaves nothing half
        const [db, sizes, act, settings, lock, repl] = [
          await query(
            `SELECT datid::text, datname, numbackends, ${COUNTERS.map(([c]) => c).join(', ')} FROM pg_stat_database WHERE datname IS NOT NULL`,
          ),
          await query(
            "SELECT datname, pg_database_size(oid) AS size FROM pg_database WHERE datallowconn AND has_database_privilege(oid, 'CONNECT')",
          ),
          await query(`SELECT d.datname, s.state, COALESCE(a.count, 0) AS count, COALESCE(a.oldest, 0) AS oldest
            FROM pg_database d
            CROSS JOIN unnest(ARRAY['active','idle','idle in transaction','idle in transaction (aborted)','fastpath function call','disabled']) AS s(state)
            LEFT JOIN (SELECT datname, state, count(*) AS count, MAX(EXTRACT(EPOCH FROM now() - xact_start))::float AS oldest
              FROM pg_stat_activity GROUP BY datname, state) a ON a.datname = d.datname AND a.state = s.state`),
          await query("SELECT setting::float AS value FROM pg_settings WHERE name = 'max_connections'"),
          await query(`SELECT d.datname, lower(m.mode) AS mode, COALESCE(l.count, 0) AS count FROM pg_database d
            CROSS JOIN unnest(ARRAY['accesssharelock','rowsharelock','rowexclusivelock','shareupdateexclusivelock','sharelock','sharerowexclusivelock','exclusivelock','accessexclusivelock','sireadlock']) AS m(mode)
            LEFT JOIN (SELECT database, lower(mode) AS mode, count(*) AS count FROM pg_locks WHERE database IS NOT NULL GROUP BY database, lower(mode)) l
              ON l.database = d.oid AND l.mode = m.mode`),
          await query(`SELECT pg_is_in_recovery() AS replica, CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE GREATEST(0, EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp())) END::float AS lag`),
        ];
        hasStatements ??= (await query("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")).length > 0;
        const top = hasStatements
          ? await query(`SELECT s.queryid::text, d.datname, s.total_exec_time / 1000 AS seconds, s.calls FROM pg_stat_statements s
              JOIN pg_database d ON d.oid = s.dbid WHERE s.queryid IS NOT NULL ORDER BY s.total_exec_time DESC LIMIT ${STATEMENTS_MAX}`)
          : [];
        for (const f of all) f.clear();
        for (const row of db) {
          for (const [column, family] of database) family.set(row, Number(row[column]));
          backends.set(row, Number(row.numbackends));
        }
        for (const row of sizes) size.set(row, Number(row.size));
        for (const row of act) {
          activity.set(row, Number(row.count));
          oldest.set(row, Number(row.oldest));
        }
        connections.set({}, settings[0].value);
        for (const row of lock) locks.set(row, Number(row.count));
        lag.set({}, repl[0].lag);
        replica.set({}, repl[0].replica ? 1 : 0);
        for (const row of top) {
          statements.set(row, Number(row.seconds));
          calls.set(row, Number(row.calls));
        }
        up.set({}, 1);
      } catch (error) {
        console.error(error.message);
        for (const f of all) f.clear();
        up.set({}, 0);
      }
    },
  };
}

if (import.meta.main) {
  const f = flags({ listen: '127.0.0.1:9187', url: process.env.DATABASE_URL ?? 'postgres://localhost/postgres' });
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: f.url,
    max: 1,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 5_000,
    application_name: 'vigie-exporter',
  });
  pool.on('error', (e) => console.error(e.message));
  const metrics = postgresMetrics(async (sql) => (await pool.query(sql)).rows);
  serve({ listen: f.listen, registry: metrics.registry, collect: metrics.collect });
}
