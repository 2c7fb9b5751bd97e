// What is lost when a member leads in place of a dead one whose disk can be reached: read from that
// disk, with nothing started.
import type { Fork } from "../core/fork.ts";
import type { Lsn } from "../core/lsn.ts";
import { lossOf } from "../core/protocol/wal-loss.ts";
import type { TimelineHistory } from "../core/timeline.ts";
import { findWalEnd, readTimelineHistory } from "../postgres/wal-end.ts";
import type { MemberPaths } from "./member-paths.ts";
import { MemberMemory } from "./memory.ts";

/** How far a member has come that may lead, and through which timelines. */
export interface Successor {
  readonly dataDir: string;
  readonly lsn: Lsn;
  readonly timeline: number | null;
  readonly forks: readonly Fork[];
}

/**
 * Bytes of the dead member's WAL that the other has not: null where it is not proven that they
 * share a history, "unreadable" where the disk does not tell.
 */
export async function lossOnDisk(
  dead: Pick<MemberPaths, "data" | "memory">,
  successor: Successor,
): Promise<number | null | "unreadable"> {
  const end = await findWalEnd(dead.data).catch(() => null);
  if (end === null) return "unreadable";
  const { dataDir, lsn: endLsn, timeline, forks } = successor;
  if (timeline === null) return null;
  const { forks: deadForks } = await MemberMemory.load(dead.memory);
  return lossOf(
    { ...end, forks: deadForks, history: await historyIn(dead.data, end.timeline) },
    { endLsn, timeline, forks, history: await historyIn(dataDir, timeline) },
  );
}

function historyIn(dataDir: string, timeline: number): Promise<TimelineHistory | null> {
  return readTimelineHistory(dataDir, timeline).catch(() => null);
}
