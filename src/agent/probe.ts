// What an agent asks its own server: small enough to be asked each second, the same text on 10 to
// 18.
import { assert } from "../core/errors.ts";
import type { ReplicationPeer } from "../core/member-status.ts";
import type { Session } from "./session.ts";

export interface Position {
  readonly inRecovery: boolean;
  /**
   * Of a primary: its write position. Of a standby: what it has. Received alone begins at a
   * segment's start with each stream.
   */
  readonly writeLsn: string | null;
  readonly flushLsn: string | null;
  /** Null on a primary, and on a standby that has streamed nothing yet. */
  readonly receiveLsn: string | null;
  readonly replayLsn: string | null;
  /** Of a primary, its own; of a standby, that of its walreceiver. */
  readonly timeline: number | null;
  /** Null when it cannot be known: the upstream may have more. */
  readonly replayLagSeconds: number | null;
  /** Changes whenever the server was started or has read its settings. */
  readonly settingsAsOf: string;
  /** The walreceiver's own word; it proves nothing about divergence (postgres-facts, "rejoin"). */
  readonly receiver: string | null;
}

/**
 * A walreceiver that begins where everything was replayed before shows a segment's start until more
 * arrives: what has been received is then behind what has been replayed.
 */
const POSITION = `
SELECT r AS "inRecovery",
       CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
            ELSE pg_current_wal_lsn() END::text AS "writeLsn",
       CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
            ELSE pg_current_wal_flush_lsn() END::text AS "flushLsn",
       CASE WHEN r THEN pg_last_wal_receive_lsn() END::text AS "receiveLsn",
       CASE WHEN r THEN pg_last_wal_replay_lsn() END::text AS "replayLsn",
       CASE WHEN r THEN (SELECT received_tli FROM pg_stat_wal_receiver)
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS "timeline",
       (SELECT status FROM pg_stat_wal_receiver) AS "receiver",
       pg_postmaster_start_time() || ' ' || pg_conf_load_time() AS "settingsAsOf",
       CASE WHEN NOT r THEN NULL
            WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN
              CASE WHEN (SELECT status FROM pg_stat_wal_receiver) = 'streaming' THEN 0 END
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
       END::float8 AS "replayLagSeconds"
  FROM (SELECT pg_is_in_recovery() AS r) AS recovery`;

/**
 * Reads the position and remembers the last one, for renewals and for balancers that ask each
 * second.
 */
export class PositionProbe {
  readonly #session: Session;
  #latest: Position | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Null when the server has not been asked, or is known to have ended since. */
  get latest(): Position | null {
    return this.#latest;
  }

  /** @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED. */
  async read(): Promise<Position> {
    const [row] = await this.#session.query<Position & Record<string, unknown>>(POSITION);
    assert(row !== undefined, "a query that always has a row had one");
    this.#latest = row;
    return row;
  }

  forget(): void {
    this.#latest = null;
  }
}

/**
 * Less work than a position, for who asks again and again.
 * @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED.
 */
export async function readInRecovery(session: Session): Promise<boolean> {
  const [row] = await session.query<{ inRecovery: boolean }>(
    `SELECT pg_is_in_recovery() AS "inRecovery"`,
  );
  assert(row !== undefined, "a query that always has a row had one");
  return row.inRecovery;
}

/** What streams from this server, a row each. */
export function readReplication(session: Pick<Session, "query">): Promise<ReplicationPeer[]> {
  return session.query<ReplicationPeer & Record<string, unknown>>(`
SELECT application_name AS "applicationName", state,
       sent_lsn::text AS "sentLsn", write_lsn::text AS "writeLsn",
       flush_lsn::text AS "flushLsn", replay_lsn::text AS "replayLsn", sync_state AS "sync"
  FROM pg_stat_replication WHERE state <> 'backup' ORDER BY application_name`);
}

/**
 * Names of settings whose new value waits for a restart, and of ours that ALTER SYSTEM overrides.
 * PostgreSQL goes on calling a setting pending that was never in its files when it started, came in
 * and went out again (measured on 15): it runs with its default and no file says otherwise, so
 * nothing waits. The files are only read where anything is called so. Nor does a leader wait that
 * was started with lower values, and took no readers until it was promoted (effects/start.ts).
 */
export async function readSettingTrouble(
  session: Session,
): Promise<{ pendingRestart: string[]; overridden: string[] }> {
  const rows = await session.query<{ name: string; pending: boolean }>(`
SELECT name, pending_restart AS pending FROM pg_settings AS setting
 WHERE (pending_restart AND NOT (source = 'command line' AND name = 'hot_standby')
        AND NOT (source = 'default' AND NOT EXISTS (
          SELECT FROM pg_file_settings AS line WHERE lower(line.name) = lower(setting.name))))
    OR sourcefile LIKE '%postgresql.auto.conf' ORDER BY name`);
  return {
    pendingRestart: rows.filter((row) => row.pending).map((row) => row.name),
    overridden: rows.filter((row) => !row.pending).map((row) => row.name),
  };
}
