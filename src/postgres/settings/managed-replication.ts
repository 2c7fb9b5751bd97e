// The managed settings that streaming, promotion, rejoin and the safety of data rest on.
import { slotNameOf } from "../../core/name.ts";
import type { SettingsContext } from "./context.ts";
import type { ManagedSetting } from "./managed-setting.ts";
import { renderPrimaryConninfo } from "./primary-conninfo.ts";
import { renderRestoreCommand } from "./restore-command.ts";
import { slotCapBytes } from "./slot-cap.ts";

const MIB = 1024 ** 2;

/**
 * Senders and slots: two for each member (its stream, and a base backup or a reclone of it) and
 * four for people and tools, in steps of 20, because raising them asks for a restart and adding a
 * standby should not.
 */
function connectionsForReplication(context: SettingsContext): string {
  return `${Math.ceil((2 * context.memberCount + 4) / 20) * 20}`;
}

function isDelayed({ applyDelayMs = 0 }: SettingsContext): boolean {
  return applyDelayMs > 0;
}

const RECOVERY_TARGET_WHY =
  "a standby that stops at a target would never follow its primary; restoring to a point in time is another task";

export const REPLICATION_SETTINGS: readonly ManagedSetting[] = [
  {
    name: "wal_level",
    value: () => "replica",
    user: ["replica", "logical"],
    why: "standbys cannot follow without the WAL that it writes",
  },
  {
    name: "hot_standby",
    value: () => "on",
    user: "refused",
    why: "standbys answer reads and are asked for their state",
  },
  {
    name: "wal_log_hints",
    value: () => "on",
    user: "refused",
    why: "pg_rewind needs it to bring a former primary back without a full copy",
  },
  {
    name: "fsync",
    value: () => "on",
    user: "refused",
    why: "without it a crash of the machine destroys the data of the member",
  },
  {
    name: "full_page_writes",
    value: () => "on",
    user: "refused",
    why: "without it a crash of the machine leaves torn pages, and pg_rewind and base backups rest on it",
  },
  {
    name: "max_wal_senders",
    value: connectionsForReplication,
    user: "at-least",
    why: "every member needs a sender for its stream and one for a base backup",
  },
  {
    name: "max_replication_slots",
    value: connectionsForReplication,
    user: "at-least",
    why: "every member keeps a slot for every other one",
  },
  {
    name: "max_slot_wal_keep_size",
    from: 13,
    value: (context) => `${slotCapBytes(context) / MIB}MB`,
    user: "free",
    why: "a standby that is gone must not fill the disk with WAL",
  },
  {
    name: "wal_keep_segments",
    to: 12,
    value: () => "8",
    user: "free",
    why: "a member without a slot still finds the newest WAL",
  },
  {
    name: "wal_keep_size",
    from: 13,
    value: () => "128MB",
    user: "free",
    why: "a member without a slot still finds the newest WAL",
  },
  {
    // With the default of 5 s a promotion can be slept over for as long, when its request arrives
    // as the walreceiver ends (postgres-facts 7). Where there is nobody to follow there is none,
    // and each look costs two shells, for restore_command: 2 % of a core at 100 ms, 0.6 % at this.
    name: "wal_retrieve_retry_interval",
    value: (context) => (context.upstream === null ? "300ms" : "100ms"),
    user: "refused",
    why: "a promotion would otherwise be slept over for up to five seconds",
  },
  {
    name: "wal_sender_timeout",
    value: () => "10s",
    user: "free",
    why: "a stream to a vanished standby must end in seconds",
  },
  {
    name: "wal_receiver_timeout",
    value: () => "10s",
    user: "free",
    why: "a stream from a vanished primary must end in seconds",
  },
  {
    name: "wal_receiver_status_interval",
    value: () => "1s",
    user: "free",
    why: "the primary shows what a standby has replayed, however idle it is",
  },
  {
    // Reads on standbys are the point of having them; with feedback their conflicts become rare
    // (lesson 46). The price, bloat while a standby is away, ends where the slot's cap is reached.
    name: "hot_standby_feedback",
    // What a delayed standby still sees would keep the primary from vacuuming for as long.
    value: (context) => (isDelayed(context) ? "off" : "on"),
    user: "free",
    why: "reads on a standby are otherwise cancelled when the primary vacuums",
  },
  {
    // A conflicting read holds replay, and so a promotion, for as long as this (postgres-facts 7).
    name: "max_standby_streaming_delay",
    value: () => "5s",
    user: "free",
    why: "a conflicting read would hold up replay and promotion for longer",
  },
  {
    name: "max_standby_archive_delay",
    value: () => "5s",
    user: "free",
    why: "a conflicting read would hold up replay and promotion for longer",
  },
  {
    name: "synchronous_standby_names",
    value: (context) => context.synchronousStandbyNames ?? "",
    user: "refused",
    why: "the members that a commit waits for are part of the cluster's record: use understudy config set sync=on",
  },
  {
    // By itself it would take clients again before standbys have confirmed what it had (lesson 16):
    // so it ends instead, and is succeeded or started anew.
    name: "restart_after_crash",
    value: (context) => ((context.synchronousStandbyNames ?? "") === "" ? null : "off"),
    user: "refused",
    why: "with synchronous replication a primary that has crashed must not take clients before its standbys have confirmed what it has",
  },
  {
    name: "primary_conninfo",
    from: 12,
    value: (context) =>
      context.upstream === null ? "" : renderPrimaryConninfo(context, context.upstream),
    user: "refused",
    why: "it names the member that this one follows, which changes with the primary",
  },
  {
    name: "primary_slot_name",
    from: 12,
    value: (context) => (context.upstream === null ? "" : slotNameOf(context.member.name)),
    user: "refused",
    why: "each member streams through a slot of its own",
  },
  {
    name: "recovery_target_timeline",
    from: 12,
    value: () => "latest",
    user: "refused",
    why: "a standby must follow the timeline of each new primary",
  },
  {
    name: "restore_command",
    from: 12,
    // A promotion looks for histories and WAL by it, with a shell for each: where it is in vain for
    // ever nobody can write meanwhile, and a request may be slept over (postgres-facts, 7).
    value: ({ spoolDir }) => (spoolDir === null ? null : renderRestoreCommand(spoolDir)),
    user: "refused",
    why: "it fetches what a dead primary's disk still held, and whatever it fetches replaces a standby's own WAL",
  },
  ...[
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
  ].map((name): ManagedSetting => ({
    name,
    from: 12,
    value: () => null,
    user: "refused",
    why: RECOVERY_TARGET_WHY,
  })),
  {
    name: "sync_replication_slots",
    from: 17,
    value: (context) => (context.copiesLogicalSlots === true ? "on" : "off"),
    user: "refused",
    why: "logical slots with failover = true are carried over to every standby that can have them",
  },
  {
    name: "synchronized_standby_slots",
    from: 17,
    value: (context) => (context.synchronizedSlots ?? []).join(","),
    user: "refused",
    why: "no logical subscriber may get ahead of a standby that may become the primary",
  },
  {
    name: "recovery_min_apply_delay",
    from: 12,
    value: (context) => (isDelayed(context) ? `${context.applyDelayMs}ms` : null),
    user: "refused",
    why: "every member would be behind by it, the next primary included: use understudy member set NAME delay=1h",
  },
  {
    name: "recovery_end_command",
    from: 12,
    value: () => null,
    user: "refused",
    why: "a promotion would wait for it",
  },
  {
    name: "promote_trigger_file",
    from: 12,
    to: 15,
    value: () => null,
    user: "refused",
    why: "a member is only promoted by the holder of the lease",
  },
];
