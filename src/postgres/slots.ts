// The replication slots of a running server (manual, 54.20 "pg_replication_slots"), in the same
// words for 10 to 18, and how a member asks for its own on another one.
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { parseLsnOrNull, type Lsn } from "../core/lsn.ts";
import { quoteName } from "./base-backup/command.ts";
import { connect, type ConnectOptions } from "./connect.ts";

/** Whoever answers SQL: an agent's session. */
export interface SqlAnswerer {
  query<Row extends Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>;
}

export interface ReplicationSlot {
  readonly name: string;
  readonly kind: "physical" | "logical";
  /** Somebody streams through it. */
  readonly active: boolean;
  /** From where it holds WAL; null: it holds none. */
  readonly restartLsn: Lsn | null;
  /** The server gave up what it stood for: its WAL was removed, or (logical) its rows. */
  readonly lost: boolean;
  /** Logical, 17 and newer: it is carried over to standbys. */
  readonly failover: boolean;
  /** On a standby: it is such a copy, kept up to date by the server itself. */
  readonly synced: boolean;
}

interface Row extends Record<string, unknown> {
  readonly name: string;
  readonly kind: "physical" | "logical";
  readonly active: boolean;
  readonly restartLsn: string | null;
  readonly more: Readonly<Record<string, unknown>>;
}

/** All but those that end with their connection. */
export async function readSlots(server: SqlAnswerer): Promise<ReplicationSlot[]> {
  const rows = await server.query<Row>(`
SELECT slot_name::text AS name, slot_type AS kind, active,
       restart_lsn::text AS "restartLsn", to_jsonb(s) AS more
  FROM pg_replication_slots AS s WHERE NOT temporary ORDER BY slot_name`);
  return rows.map(({ name, kind, active, restartLsn, more }) => ({
    name,
    kind,
    active,
    restartLsn: parseLsnOrNull(restartLsn),
    lost: isLost(more),
    failover: more["failover"] === true,
    synced: more["synced"] === true,
  }));
}

/** The columns came with 13, 16 and 17; where there is none the server gives up no slot. */
function isLost(more: Readonly<Record<string, unknown>>): boolean {
  const reason = more["invalidation_reason"] ?? null;
  return more["wal_status"] === "lost" || more["conflicting"] === true || reason !== null;
}

/** SQLSTATE. */
const DUPLICATE_OBJECT = "42710";

/**
 * Makes a member's own slot on another member where there is none; one that is there is left as it
 * is.
 * @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED.
 */
export async function requestSlot(
  target: Omit<ConnectOptions, "replication">,
  slot: string,
): Promise<void> {
  const client = await connect({ ...target, replication: true });
  try {
    await client.query(`CREATE_REPLICATION_SLOT ${quoteName(slot)} PHYSICAL RESERVE_WAL`);
  } catch (cause) {
    if (codeOf(cause) === DUPLICATE_OBJECT) return;
    throw new UnderstudyError("SQL_FAILED", `cannot make the slot ${slot}: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    await client.end().catch(() => {});
  }
}
