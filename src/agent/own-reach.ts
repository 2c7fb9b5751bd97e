// How far this member has come, whether its server is up or not.
import { parseLsn } from "../core/lsn.ts";
import { readControlData } from "../postgres/control-data.ts";
import { reachedTimeline } from "../postgres/reached-timeline.ts";
import { findWalEnd } from "../postgres/wal-end.ts";
import type { Member } from "./member.ts";
import type { Position } from "./probe.ts";
import { reachOf, type WalReach } from "./reach.ts";

type Standby = Pick<Member, "memory" | "paths">;

/**
 * Asked of its server; where that lets nobody in, its disk tells: one that recovers writes no WAL.
 */
export async function ownReach(
  member: Standby & Pick<Member, "positions">,
): Promise<WalReach & { readonly kind: "up" | "down" }> {
  const position = await member.positions.read().catch(() => null);
  if (position !== null) return { kind: "up", ...(await reachAt(member, position)) };
  const end = await findWalEnd(member.paths.data).catch(() => null);
  return { kind: "down", lsn: end?.endLsn ?? null, timeline: end?.timeline ?? null };
}

/**
 * As reachOf; but where its server does not tell, its pg_wal goes before its memory. PostgreSQL may
 * have come onto a timeline of which the agent has not heard yet, and a standby that was proven to
 * follow the new primary may have gone on with the old one's WAL before it was told to.
 */
export async function reachAt(
  { memory, paths }: Standby,
  position: Pick<Position, "flushLsn" | "replayLsn" | "timeline">,
): Promise<WalReach> {
  const reach = reachOf(position, memory);
  const { lsn } = reach;
  if (position.timeline !== null || lsn === null) return reach;
  const known = memory.followed?.before ?? (await checkpointTimeline(paths.data));
  if (known === null) return reach;
  const timeline = await reachedTimeline(paths.data, { lsn, known }).catch(() => null);
  return { lsn, timeline: timeline ?? reach.timeline };
}

/** Of one that has followed nobody, or whose memory is lost. */
async function checkpointTimeline(dataDir: string): Promise<number | null> {
  return readControlData(dataDir).then(
    ({ timeline }) => timeline,
    () => null,
  );
}

/**
 * Whether it went on with the timeline before, beyond where the one that it was proven to follow
 * begins: the proof is void. PostgreSQL then asks its upstream in vain, for ever.
 */
export async function hasStrayed(
  member: Standby,
  position: Pick<Position, "flushLsn" | "replayLsn" | "timeline">,
): Promise<boolean> {
  const { followed } = member.memory;
  if (followed === null || followed.before === followed.timeline) return false;
  // Who is let onto another timeline has not. On the one before its walreceiver may live on, and be
  // told again and again that this has ended.
  if (position.timeline !== null && position.timeline !== followed.before) return false;
  const { lsn, timeline } = await reachAt(member, position);
  return timeline === followed.before && lsn !== null && lsn > parseLsn(followed.switchPoint);
}
