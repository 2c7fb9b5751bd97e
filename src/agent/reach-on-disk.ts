// How far a member has come that cannot be asked, from its disk, with nothing started.
import { termOfTimeline, type Reach } from "../core/protocol/election.ts";
import type { Lsn } from "../core/lsn.ts";
import { readMarker } from "../postgres/base-backup/marker.ts";
import { inspectDataDirectory } from "../postgres/data-directory.ts";
import { findWalEnd } from "../postgres/wal-end.ts";
import { MemberMemory } from "./memory.ts";
import type { MemberPaths } from "./member-paths.ts";

/** How far the one who asks has come itself. */
export interface Near {
  readonly lsn: Lsn;
  /** Of that position. */
  readonly timeline: number;
}

/**
 * A machine that failed may have left a hole in the last two segments, and a reading that begins
 * behind one does not see it. On the timeline of the one who asks that is no harm: what is missing
 * before `near` that one has itself, and all behind it was read. Elsewhere all that is not known to
 * be whole is read.
 * @param of.near not far from its end, most likely
 * @returns null where nothing proves what it has: no data, half-made data, a copy that never became
 * consistent, another system's, or WAL that cannot be read.
 */
export async function reachOnDisk(
  disk: Pick<MemberPaths, "data" | "memory">,
  of: { name: string; systemId: string | null; near: Near | null },
): Promise<Reach | null> {
  try {
    if ((await readMarker(disk.data)) !== null) return null;
    const data = await inspectDataDirectory(disk.data);
    if (data.kind !== "data" || data.control === null || data.hasBackupLabel) return null;
    if (data.control.systemId !== of.systemId || data.control.backupStartLsn > 0n) return null;
    const near = of.near?.timeline === data.control.timeline ? { near: of.near.lsn } : {};
    const { timeline, endLsn: lsn } = await findWalEnd(disk.data, near);
    const { forks } = await MemberMemory.load(disk.memory);
    return { name: of.name, timeline, lsn, timelineTerm: termOfTimeline(timeline, forks) };
  } catch {
    return null;
  }
}
