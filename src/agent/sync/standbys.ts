// What a primary sees of the standbys that commits may wait for.
import type { QueryResultRow } from "pg";
import { parseLsnOrNull, type Lsn } from "../../core/lsn.ts";
import { slotNameOf } from "../../core/name.ts";
import type { Session } from "../session.ts";

export interface StandbyStream {
  readonly name: string;
  /** Of its walsender. */
  readonly pid: number;
  /** What is certainly on its disk. */
  readonly flushLsn: Lsn | null;
  readonly lagBytes: number | null;
  /** 0 where its walsender goes by a setting in which it is not named. */
  readonly priority: number;
  /** Whether it streams through the member's own slot, which only one can at a time. */
  readonly ownsSlot: boolean;
}

interface Row extends QueryResultRow {
  readonly name: string;
  readonly pid: number;
  readonly flushLsn: string | null;
  readonly lagBytes: number | null;
  readonly priority: number;
  readonly slot: string | null;
}

const STREAMS = `
SELECT r.application_name AS name, r.pid, r.flush_lsn::text AS "flushLsn",
       pg_wal_lsn_diff(pg_current_wal_flush_lsn(), r.flush_lsn)::float8 AS "lagBytes",
       r.sync_priority AS priority, s.slot_name::text AS slot
  FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
 WHERE r.state = 'streaming'`;

/** @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED. */
export async function readStreams(session: Pick<Session, "query">): Promise<StandbyStream[]> {
  const rows = await session.query<Row>(STREAMS);
  return rows.map(({ name, pid, flushLsn, lagBytes, priority, slot }) => ({
    name,
    pid,
    flushLsn: parseLsnOrNull(flushLsn),
    lagBytes,
    priority,
    ownsSlot: slot === slotNameOf(name),
  }));
}
