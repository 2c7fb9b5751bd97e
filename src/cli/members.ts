// Choosing a member out of a status.
import type { ClusterMember, ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";

/** @throws UnderstudyError MEMBER_NOT_FOUND naming those that there are. */
export function memberNamed(status: ClusterStatus, name: string): ClusterMember {
  const found = status.members.find((member) => member.name === name);
  if (found !== undefined) return found;
  throw new UnderstudyError(
    "MEMBER_NOT_FOUND",
    `the cluster ${status.cluster} has no member ${JSON.stringify(name)}`,
    { hint: `Its members: ${status.members.map((member) => member.name).join(", ")}.` },
  );
}

/** @throws UnderstudyError CLUSTER_NOT_RUNNING or NO_PRIMARY. */
export function primaryOf(status: ClusterStatus): ClusterMember {
  if (status.members.every((member) => member.state === "unreachable"))
    throw new UnderstudyError("CLUSTER_NOT_RUNNING", `${status.cluster} is not running`);
  const found = status.members.find((member) => member.name === status.primary);
  if (found !== undefined) return found;
  throw new UnderstudyError("NO_PRIMARY", `${status.cluster} has no primary now`);
}

/**
 * Where a read goes: of the streaming standbys that take reads the one that has replayed most, the
 * first by name among equals; the primary where there is none, and then `fallback` is true.
 */
export function readerOf(status: ClusterStatus): { member: ClusterMember; fallback: boolean } {
  let best: ClusterMember | null = null;
  for (const member of status.members)
    if (
      member.state === "streaming" &&
      member.takesReads &&
      lagOf(member) < (best === null ? Infinity : lagOf(best))
    )
      best = member;
  return best === null
    ? { member: primaryOf(status), fallback: true }
    : { member: best, fallback: false };
}

function lagOf(member: ClusterMember): number {
  return member.replayLagBytes ?? Number.MAX_SAFE_INTEGER;
}
