// How far a member has come that cannot be asked, from its disk: as src/agent/reach-on-disk.ts.
import { termOfTimeline, type Reach } from "../../../src/core/protocol/election.ts";
import type { Disk } from "./disk.ts";
import { endOf, toLsn } from "./wal.ts";

/** Null where nothing proves what it has. */
export function reachOnDisk(
  { data, marker, memory }: Disk,
  of: { name: string; systemId: string | null },
): Reach | null {
  if (marker || data === null || data.freshCopy !== null) return null;
  if (data.systemId !== of.systemId) return null;
  const { timeline, lsn } = endOf(data);
  const timelineTerm = termOfTimeline(timeline, memory?.forks ?? []);
  return { name: of.name, timeline, lsn: toLsn(lsn), timelineTerm };
}
