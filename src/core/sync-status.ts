// What the status says of synchronous replication: what is wanted, what is promised, and what a
// person should know of the difference. Pure.
import type { MemberStatus } from "./member-status.ts";
import { describeQuorum, type Quorum } from "./protocol/quorum.ts";
import type { ClusterRecord } from "./record.ts";

export interface SyncStatus {
  readonly mode: "off" | "on";
  readonly required: number;
  readonly whenUnavailable: "block" | "degrade";
  /** Every acknowledged commit is on so many of these members; null: nothing is promised. */
  readonly guarantee: Quorum | null;
}

export function syncStatusOf({ sync }: ClusterRecord): SyncStatus {
  const { mode, required, whenUnavailable, guarantee } = sync;
  return {
    mode,
    required: Math.max(1, required),
    whenUnavailable,
    guarantee: guarantee && { required: guarantee.required, members: guarantee.members },
  };
}

/**
 * Whether less is promised than is wanted: nothing is, or it was lowered while standbys are away.
 */
export function promisesLess({ sync }: ClusterRecord): boolean {
  if (sync.mode === "off") return false;
  return (sync.guarantee?.required ?? 0) < Math.max(1, sync.required);
}

/** @param primary what it has answered; null where there is none */
export function syncWarnings(record: ClusterRecord, primary: MemberStatus | null): string[] {
  const { mode, required, guarantee } = syncStatusOf(record);
  if (mode === "off") return offWarnings(record);
  if (primary === null) return [];
  const streams = primary.replication.filter(({ state }) => state === "streaming");
  if (guarantee === null)
    return [
      `commits wait for no standby although synchronous replication is on: it is in force when ${required === 1 ? "a standby has" : `${required} standbys have`} caught up`,
    ];
  const away = guarantee.members.filter((name) => {
    return !streams.some(({ applicationName }) => applicationName === name);
  });
  if (guarantee.members.length - away.length < guarantee.required)
    return [
      `writes wait: each commit is to be on ${describeQuorum(guarantee)}, and ${away.join(", ")} ${away.length === 1 ? "does" : "do"} not stream. Bring it back: understudy up`,
    ];
  if (guarantee.required < required)
    return [
      `commits wait for ${guarantee.required} of the ${required} standbys that are wanted: the others do not stream, or have not caught up`,
    ];
  return [];
}

function offWarnings(record: ClusterRecord): string[] {
  if (Object.keys(record.members).length < 2) return [];
  return [
    "synchronous replication is off: what was committed last is lost if the primary's disk is; understudy config set sync=on",
  ];
}
