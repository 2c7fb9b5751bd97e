// On which timeline the WAL of a running standby ends, by the files in its pg_wal: PostgreSQL
// follows its upstream onto another timeline by itself, and tells of which only as long as its
// walreceiver lives.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Lsn } from "../core/lsn.ts";
import { readControlData } from "./control-data.ts";
import { segmentFileName } from "./wal-page.ts";
import { readTimelineHistory } from "./wal-end.ts";

const HISTORY_FILE = /^([0-9A-F]{8})\.history$/;
/**
 * What was fetched by restore_command, before it has its own name. A segment that is there already
 * is removed first (postgres: KeepFileRestoredFromArchive), and at the end of the WAL the newest
 * one is fetched again and again.
 */
const BEING_RESTORED = "RECOVERYXLOG";
const RESTORE_LIMIT_MS = 500;
const RESTORE_POLL_MS = 5;

/**
 * The newest timeline that leads on from a known one, was begun before `lsn`, and has a file of the
 * segment in which the WAL ends; else the known one. A history alone proves nothing: it is fetched
 * before the WAL is. Null where there is no file of that segment, or it cannot be seen.
 * @param of.lsn the end of its WAL @param of.known on which that was once, at least
 * @throws UnderstudyError DATA_UNREADABLE
 */
export async function reachedTimeline(
  dataDir: string,
  of: { readonly lsn: Lsn; readonly known: number },
): Promise<number | null> {
  const { lsn, known } = of;
  const files = await settledFiles(join(dataDir, "pg_wal"));
  if (files === null) return null;
  const newer = [...files]
    .flatMap((name) => HISTORY_FILE.exec(name)?.[1] ?? [])
    .map((hex) => Number.parseInt(hex, 16))
    .filter((timeline) => timeline > known)
    .toSorted((one, other) => other - one);
  const { walSegmentBytes: segmentBytes } = await readControlData(dataDir);
  // The last byte that is there, not the first that is not.
  const position = Math.max(0, Number(lsn) - 1);
  const hasFile = (timeline: number) =>
    files.has(segmentFileName({ timeline, position, segmentBytes }));
  for (const timeline of newer) {
    if (!hasFile(timeline)) continue;
    const { ancestors } = await readTimelineHistory(dataDir, timeline);
    const begun = ancestors.at(-1)?.switchPoint;
    const leadsOn = ancestors.some((ancestor) => ancestor.timeline === known);
    if (leadsOn && begun !== undefined && begun < lsn) return timeline;
  }
  return hasFile(known) ? known : null;
}

/**
 * Looks until the same is there twice and nothing is being restored: one look goes from name to
 * name, and may come too late to the old one and too early to the new. Null where it does not end.
 */
async function settledFiles(walDir: string): Promise<ReadonlySet<string> | null> {
  const deadline = performance.now() + RESTORE_LIMIT_MS;
  let before = new Set<string>();
  for (;;) {
    const files = new Set(await readdir(walDir));
    const isSame = files.size === before.size && files.isSubsetOf(before);
    if (isSame && !files.has(BEING_RESTORED)) return files;
    if (performance.now() > deadline) return null;
    if (before.size > 0) await delay(RESTORE_POLL_MS);
    before = files;
  }
}
