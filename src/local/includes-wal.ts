// Whether one member has all the WAL of another, by the WAL on their disks. Which term began a
// timeline is only known to a member whose agent could see it: a standby may have followed a new
// primary over another member while its agent could ask neither the store nor that primary.
import type { Lsn } from "../core/lsn.ts";
import { isBeginningOf, relationTo } from "../core/timeline.ts";
import { readControlData } from "../postgres/control-data.ts";
import { haveSameWal } from "../postgres/shared-wal.ts";
import { readTimelineHistory } from "../postgres/wal-end.ts";

export interface WalOnDisk {
  readonly dataDir: string;
  /** On which its WAL ends. */
  readonly timeline: number | null;
  /** Up to where it is flushed. */
  readonly lsn: Lsn;
}

/** False also where that cannot be seen: a segment is gone, or a file cannot be read. */
export async function includesWal(one: WalOnDisk, other: WalOnDisk): Promise<boolean> {
  return compare(one, other).catch(() => false);
}

async function compare(one: WalOnDisk, other: WalOnDisk): Promise<boolean> {
  if (one.timeline === null || other.timeline === null) return false;
  const history = await readTimelineHistory(one.dataDir, one.timeline);
  const theirs = await readTimelineHistory(other.dataDir, other.timeline);
  if (!isBeginningOf(theirs, history)) return false;
  const end = { timeline: other.timeline, endLsn: other.lsn };
  if (relationTo({ history, writeLsn: one.lsn }, end).kind !== "behind") return false;
  const begins = theirs.ancestors.at(-1)?.switchPoint;
  // The first one, which initdb made, is the same everywhere.
  if (begins === undefined) return true;
  if (other.lsn <= begins) return false;
  const { walSegmentBytes: segmentBytes } = await readControlData(other.dataDir);
  return haveSameWal(
    { one: one.dataDir, other: other.dataDir },
    { timeline: other.timeline, from: begins, to: other.lsn, segmentBytes },
  );
}
