// The one table of what differs between PostgreSQL's major versions. Everybody asks it, so that a
// comparison of majors stands nowhere else; what is only about one setting stands in
// settings/managed.ts.
import type { Major } from "../core/spec.ts";

export interface MajorFacts {
  /**
   * Where standby mode and its settings live: recovery.conf up to 11 (manual of 12, appendix E,
   * "Migration").
   */
  readonly recoveryFile: "recovery.conf" | "standby.signal";
  /**
   * primary_conninfo and primary_slot_name follow a reload; before, only a restart (20.6.3;
   * postgres-facts 8).
   */
  readonly reloadablePrimaryConninfo: boolean;
  /** restore_command follows a reload; before, only a restart (20.5.5). */
  readonly reloadableRestoreCommand: boolean;
  /** How WAL is kept beyond the slots: a number of segments, or a size (20.6.1). */
  readonly walKeep: "wal_keep_segments" | "wal_keep_size";
  /** max_slot_wal_keep_size, and wal_status in pg_replication_slots, exist (20.6.1). */
  readonly slotCap: boolean;
  /** pg_replication_slot_advance() exists (9.28.6). */
  readonly hasSlotAdvance: boolean;
  /** pg_promote() exists; the file `promote` and SIGUSR1 work on all (postgres-facts 7). */
  readonly hasPgPromote: boolean;
  /** pg_nextoid() exists: a number for a new object, which is taken by that. */
  readonly hasNextOid: boolean;
  /** CREATE DATABASE can be told how to copy (STRATEGY). */
  readonly databaseStrategy: boolean;
  /** READ_REPLICATION_SLOT exists (55.4). */
  readonly hasReadReplicationSlot: boolean;
  /**
   * Logical slots made with failover = true are carried over to standbys (sync_replication_slots,
   * synchronized_standby_slots; 47.2.3).
   */
  readonly logicalFailoverSlots: boolean;
  /** initdb makes checksums without being asked, and knows --no-data-checksums. */
  readonly checksumsDefault: boolean;
  /** password_encryption is scram-sha-256 by default. */
  readonly scramDefault: boolean;
  /**
   * initdb knows the builtin locale provider, whose C.UTF-8 needs no locale of the system (23.1.4).
   */
  readonly builtinLocaleProvider: boolean;
  /** The server reports in_hot_standby to its clients (55.2.7). */
  readonly reportsInHotStandby: boolean;
  /** How all files are made durable before recovery can be chosen (20.14). */
  readonly recoveryInitSyncMethod: boolean;
  /** A base backup carries a manifest (55.4, MANIFEST). */
  readonly backupManifest: boolean;
  /**
   * A promotion ends a paused replay by itself; before, it waits for pg_wal_replay_resume()
   * (postgres-facts 7).
   */
  readonly promotesWhenReplayIsPaused: boolean;
  /** max_wal_senders counts within max_connections instead of beside it. */
  readonly walSendersWithinConnections: boolean;
  /** libpq, and so primary_conninfo, knows tcp_user_timeout and gssencmode (34.1.2). */
  readonly conninfoBoundsData: boolean;
  /** libpq knows require_auth (34.1.2). */
  readonly requiresAuth: boolean;
  /**
   * pg_rewind: recovers a crashed target by itself (13), and works from a standby as its source
   * (14).
   */
  readonly rewind: {
    readonly recoversTarget: boolean;
    readonly fromStandby: boolean;
    readonly needsSuperuser: boolean;
  };
}

const TEN: MajorFacts = {
  recoveryFile: "recovery.conf",
  reloadablePrimaryConninfo: false,
  reloadableRestoreCommand: false,
  walKeep: "wal_keep_segments",
  slotCap: false,
  hasSlotAdvance: false,
  hasPgPromote: false,
  hasNextOid: false,
  databaseStrategy: false,
  hasReadReplicationSlot: false,
  logicalFailoverSlots: false,
  checksumsDefault: false,
  scramDefault: false,
  builtinLocaleProvider: false,
  reportsInHotStandby: false,
  recoveryInitSyncMethod: false,
  backupManifest: false,
  promotesWhenReplayIsPaused: false,
  walSendersWithinConnections: true,
  conninfoBoundsData: false,
  requiresAuth: false,
  rewind: { recoversTarget: false, fromStandby: false, needsSuperuser: true },
};

const ELEVEN: MajorFacts = {
  ...TEN,
  hasSlotAdvance: true,
  rewind: { ...TEN.rewind, needsSuperuser: false },
};

const TWELVE: MajorFacts = {
  ...ELEVEN,
  recoveryFile: "standby.signal",
  hasPgPromote: true,
  hasNextOid: true,
  walSendersWithinConnections: false,
  conninfoBoundsData: true,
};

const THIRTEEN: MajorFacts = {
  ...TWELVE,
  reloadablePrimaryConninfo: true,
  walKeep: "wal_keep_size",
  slotCap: true,
  backupManifest: true,
  promotesWhenReplayIsPaused: true,
  rewind: { ...TWELVE.rewind, recoversTarget: true },
};

const FOURTEEN: MajorFacts = {
  ...THIRTEEN,
  reloadableRestoreCommand: true,
  scramDefault: true,
  reportsInHotStandby: true,
  recoveryInitSyncMethod: true,
  rewind: { ...THIRTEEN.rewind, fromStandby: true },
};

const FIFTEEN: MajorFacts = {
  ...FOURTEEN,
  databaseStrategy: true,
  hasReadReplicationSlot: true,
};

const SIXTEEN: MajorFacts = { ...FIFTEEN, requiresAuth: true };

const SEVENTEEN: MajorFacts = {
  ...SIXTEEN,
  logicalFailoverSlots: true,
  builtinLocaleProvider: true,
};

const MAJORS: Readonly<Record<Major, MajorFacts>> = {
  10: TEN,
  11: ELEVEN,
  12: TWELVE,
  13: THIRTEEN,
  14: FOURTEEN,
  15: FIFTEEN,
  16: SIXTEEN,
  17: SEVENTEEN,
  18: { ...SEVENTEEN, checksumsDefault: true },
};

export function factsOf(major: Major): MajorFacts {
  return MAJORS[major];
}
