// What the settings of one member are computed from: plain data, gathered by the agent.
import type { Major } from "../../core/spec.ts";
import type { ControlData } from "../control-data.ts";
import type { TlsFiles } from "../tls.ts";

/**
 * Settings that a standby needs at least as high as its primary's; pg_control and WAL carry the
 * primary's values (manual, 26.4.3; lesson 30). max_wal_senders counts from 12.
 */
export const STANDBY_SENSITIVE = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
] as const;
export type StandbySensitive = (typeof STANDBY_SENSITIVE)[number];

/** What a server does by itself where nothing is rendered (manual, chapter 19). */
export const STANDBY_SENSITIVE_DEFAULTS: Readonly<Record<StandbySensitive, number>> = {
  max_connections: 100,
  max_worker_processes: 8,
  max_wal_senders: 10,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

/** The member that a standby streams from. */
export interface Upstream {
  /** Its certificate is of this name, where members have any. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface SettingsContext {
  readonly major: Major;
  readonly platform: NodeJS.Platform;
  readonly member: { readonly name: string; readonly host: string; readonly port: number };
  /** All members, this one included. */
  readonly memberCount: number;
  /** Absolute. */
  readonly dataDir: string;
  /**
   * Absolute: where postgresql.conf, pg_hba.conf, pg_ident.conf and the passfile are; outside
   * dataDir.
   */
  readonly settingsDir: string;
  /** Absolute: where the server's logging collector writes; outside dataDir. */
  readonly logDir: string;
  /**
   * Absolute: where a rescue puts WAL for this member; outside dataDir. It need not exist. Null:
   * nothing is ever put there, as other members' disks are elsewhere.
   */
  readonly spoolDir: string | null;
  /** Size of the file system that holds dataDir, in bytes. */
  readonly diskBytes: number;
  /** Libraries for shared_preload_libraries, in order. */
  readonly preload: readonly string[];
  /** Null as long as there is no member to follow: the server then waits in standby mode. */
  readonly upstream: Upstream | null;
  readonly replicationUser: string;
  /**
   * What this member's pg_control holds for the standby-sensitive settings; none is rendered lower
   * (lesson 30). Null where there is no data yet, or where a lower value is really meant.
   */
  readonly controlMinimums: Readonly<Partial<Record<StandbySensitive, number>>> | null;
  /** How long a standby holds back what it has received; 0 where nothing is said. */
  readonly applyDelayMs?: number;
  /**
   * 17 and newer: the server copies the logical slots of the primary that it streams from, which
   * takes an ordinary connection beside the stream. Not where nothing is said.
   */
  readonly copiesLogicalSlots?: boolean;
  /** 17 and newer, on a primary: physical slots behind which no logical subscriber gets ahead. */
  readonly synchronizedSlots?: readonly string[];
  /** Null, as where nothing is said: there is no TLS of ours. */
  readonly tls?: TlsFiles | null;
  /** Default "": commits wait for no standby. */
  readonly synchronousStandbyNames?: string;
}

/** The standby-sensitive values that a data directory asks for. */
export function controlMinimumsOf(
  control: Pick<
    ControlData,
    | "maxConnections"
    | "maxWorkerProcesses"
    | "maxWalSenders"
    | "maxPreparedTransactions"
    | "maxLocksPerTransaction"
  >,
): Partial<Record<StandbySensitive, number>> {
  return {
    max_connections: control.maxConnections,
    max_worker_processes: control.maxWorkerProcesses,
    ...(control.maxWalSenders === null ? {} : { max_wal_senders: control.maxWalSenders }),
    max_prepared_transactions: control.maxPreparedTransactions,
    max_locks_per_transaction: control.maxLocksPerTransaction,
  };
}

/** What a server copies logical slots through, and the rewind role logs in to: there in each. */
export const MAINTENANCE_DATABASE = "postgres";
