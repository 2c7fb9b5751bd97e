// How far this member has come, whether its server is up or not.
import { reachedTimeline } from "../postgres/reached-timeline.ts";
import { findWalEnd } from "../postgres/wal-end.ts";
import type { Member } from "./member.ts";
import type { Position } from "./probe.ts";
import { reachOf, type WalReach } from "./reach.ts";

type Standby = Pick<Member, "memory" | "paths">;

/** Asked of its server; where that is not up, its disk tells. */
export async function ownReach(
  member: Standby & Pick<Member, "positions">,
): Promise<WalReach & { readonly kind: "up" | "down" }> {
  const position = await member.positions.read().catch(() => null);
  if (position !== null) return { kind: "up", ...(await reachAt(member, position)) };
  const end = await findWalEnd(member.paths.data).catch(() => null);
  return { kind: "down", lsn: end?.endLsn ?? null, timeline: end?.timeline ?? null };
}

/**
 * As reachOf; where neither the server nor the memory tells, as after a restart of the primary that
 * this member's agent has not seen yet, its pg_wal does. One that is taken to be on the timeline
 * before lacks all that was written since, by its ballot.
 */
export async function reachAt(
  { memory, paths }: Standby,
  position: Pick<Position, "flushLsn" | "replayLsn" | "timeline">,
): Promise<WalReach> {
  const reach = reachOf(position, memory);
  const { lsn, timeline: known } = reach;
  if (position.timeline !== null || lsn === null || known === null) return reach;
  const timeline = await reachedTimeline(paths.data, { lsn, known }).catch(() => known);
  return { lsn, timeline };
}
