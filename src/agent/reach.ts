// How far a standby has come: the end of its WAL, and the timeline that this end is on.
import { greatestLsn, parseLsnOrNull, type Lsn } from "../core/lsn.ts";
import type { MemberMemory } from "./memory.ts";
import type { Position } from "./probe.ts";

export interface WalReach {
  readonly lsn: Lsn | null;
  readonly timeline: number | null;
}

/**
 * Once its walreceiver is gone a server does not tell its timeline. The one that it was last proven
 * to follow counts only from where that begins: who was pointed at a new primary and received
 * nothing yet is still on the timeline before.
 */
export function reachOf(
  position: Pick<Position, "flushLsn" | "replayLsn" | "timeline">,
  memory: Pick<MemberMemory, "timelineAt">,
): WalReach {
  const lsn = greatestLsn(parseLsnOrNull(position.flushLsn), parseLsnOrNull(position.replayLsn));
  return { lsn, timeline: position.timeline ?? (lsn === null ? null : memory.timelineAt(lsn)) };
}
