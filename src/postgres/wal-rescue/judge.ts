// Whether a dead server's WAL may be given to a standby: only where it certainly is the rest of
// the standby's own. Reads, and changes nothing.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../core/errors.ts";
import { formatLsn, type Lsn } from "../../core/lsn.ts";
import { relationTo } from "../../core/timeline.ts";
import { readMarker } from "../base-backup/marker.ts";
import { readControlData } from "../control-data.ts";
import { findServerProcesses } from "../processes.ts";
import { findWalEnd, readTimelineHistory } from "../wal-end.ts";
import { type Refusal, type RescueOutcome, type RescueRequest, refused } from "./outcome.ts";
import { type RescueRange, segmentBefore } from "./plan.ts";
import { firstDifference } from "./same-wal.ts";

export interface Needed {
  readonly kind: "needed";
  readonly range: RescueRange;
  /** Of the cluster. */
  readonly systemId: string;
  /** The timeline of the WAL before the standby's position. */
  readonly knownTimeline: number;
}

/** @throws UnderstudyError DATA_UNREADABLE. */
export async function judgeRescue(request: RescueRequest): Promise<Needed | RescueOutcome> {
  const { deadDataDir, standbyDataDir, position, signal, fetched } = request;
  const unusable =
    refusalOfLive(deadDataDir) ?? (await refusalOfHalfMade(deadDataDir, standbyDataDir));
  if (unusable !== null) return unusable;
  const dead = await readControlData(deadDataDir);
  const { systemId } = await readControlData(standbyDataDir);
  if (dead.systemId !== systemId)
    return refused(
      "other-system",
      `${deadDataDir} is another cluster's: its system identifier is ${dead.systemId}, the standby's ${systemId}`,
    );
  const found = fetched ?? (await findWalEnd(deadDataDir, { near: position, signal }));
  const { endLsn, timeline } = found;
  const history = await readTimelineHistory(deadDataDir, timeline);
  const range = { history, endLsn, position, segmentBytes: dead.walSegmentBytes };
  const knownTimeline = await timelineBefore(standbyDataDir, range);
  if (knownTimeline === null)
    return refused(
      "different-wal",
      `${standbyDataDir} has no WAL before ${formatLsn(position)} to compare`,
    );
  const unfit =
    refusalOfTimelines(range, knownTimeline) ??
    (fetched === undefined ? await refusalOfDifference(request, range) : null);
  if (unfit !== null) return unfit;
  // It may even be ahead, by the beginning of a record whose rest was never written.
  if (position >= endLsn) return { kind: "nothing-missing", endLsn, timeline };
  return { kind: "needed", range, systemId, knownTimeline };
}

/**
 * By the same look as the fence's before it. Also asked after the copying: a copy of a server that
 * runs again is stale.
 */
export function refusalOfLive(deadDataDir: string): Refusal | null {
  const found = findServerProcesses(deadDataDir).map(({ pid }) => pid);
  if (found.length === 0) return null;
  return refused(
    "alive",
    `the server in ${deadDataDir} may still commit: processes of it live (${found.slice(0, 5).join(", ")}${found.length > 5 ? ", …" : ""})`,
  );
}

export async function refusalOfHalfMade(...dataDirs: readonly string[]): Promise<Refusal | null> {
  for (const dataDir of dataDirs)
    if ((await readMarker(dataDir)) !== null)
      return refused("half-made", `${dataDir} is half made, so its WAL proves nothing`);
  return null;
}

/**
 * Where a standby has the last byte before a position; null where it has not.
 */
export async function ownSegmentBefore(
  dataDir: string,
  range: Omit<RescueRange, "endLsn">,
): Promise<string | null> {
  const timeline = await timelineBefore(dataDir, range);
  if (timeline === null) return null;
  const name =
    timeline.toString(16).toUpperCase().padStart(8, "0") + segmentBefore(range).name.slice(8);
  return join(dataDir, "pg_wal", name);
}

/**
 * The newest that has a file for the WAL before the position; null when none has. A server does not
 * tell it once its walreceiver is gone, and its pg_control lags.
 */
async function timelineBefore(
  dataDir: string,
  range: Omit<RescueRange, "endLsn">,
): Promise<number | null> {
  const place = segmentBefore(range).name.slice(8);
  const timelines = (await readdir(join(dataDir, "pg_wal")))
    .filter((name) => /^[0-9A-F]{24}$/.test(name) && name.slice(8) === place)
    .map((name) => Number.parseInt(name.slice(0, 8), 16));
  return timelines.length === 0 ? null : Math.max(...timelines);
}

function refusalOfTimelines(range: RescueRange, knownTimeline: number): Refusal | null {
  const { history, position, endLsn } = range;
  // On one timeline nobody diverges by being ahead; whether it is the same one, the bytes tell.
  if (knownTimeline === history.timeline) return null;
  const member = { timeline: knownTimeline, endLsn: position };
  const relation = relationTo({ history, writeLsn: endLsn }, member);
  if (relation.kind === "behind") return null;
  return refused(
    "timelines",
    relation.kind === "diverged"
      ? `the standby has WAL of timeline ${knownTimeline} up to ${formatLsn(position)}, and the dead server left that timeline at ${formatLsn(relation.switchPoint)}`
      : `the standby is on timeline ${knownTimeline}, and the dead server ended on timeline ${history.timeline}, which does not come from it`,
  );
}

/**
 * Compares the segment that holds the last bytes that both have. Its timeline's number proves
 * nothing: two members may have begun one of the same number.
 */
async function refusalOfDifference(
  request: RescueRequest,
  range: RescueRange,
): Promise<Refusal | null> {
  const { deadDataDir, standbyDataDir } = request;
  const shared: Lsn = range.position < range.endLsn ? range.position : range.endLsn;
  const upToShared = { ...range, position: shared };
  const { name, start } = segmentBefore(upToShared);
  const theirs = join(deadDataDir, "pg_wal", name);
  // Where the position begins a segment, nothing of the standby's is replaced; and what follows has
  // to fit by the back link of its first record.
  if (Number(shared) % range.segmentBytes === 0 && !(await isThere(theirs))) return null;
  const own = await ownSegmentBefore(standbyDataDir, upToShared);
  const unknown = `whether ${standbyDataDir} and ${deadDataDir} have the same WAL before ${formatLsn(shared)} cannot be seen`;
  if (own === null) return refused("different-wal", `${unknown}: the standby's is gone`);
  if (!(await isThere(theirs))) return refused("missing", `${unknown}: ${theirs} is not there`);
  const at = await firstDifference({ one: own, other: theirs }, Number(shared) - start);
  if (at === null) return null;
  return refused(
    "different-wal",
    `${own} and ${theirs} differ at byte ${at}, before ${formatLsn(shared)}`,
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return false;
    throw cause;
  }
}
