// History files of timelines on which a data directory has no WAL: what a promotion has left that
// was killed before its first record, or what was fetched from a primary that is lost since.
// PostgreSQL heads for the newest that it finds: it then asks its upstream for WAL that nobody has,
// for ever, or ends at once; and promoted, it names that timeline as its parent (all three seen on
// 15).
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { historyFileName, isBeginningOf, type TimelineHistory } from "../core/timeline.ts";
import { readControlData } from "./control-data.ts";
import { inspectDataDirectory } from "./data-directory.ts";
import { syncDirectory } from "./sync-directory.ts";
import { findWalEndOrNull, readTimelineHistory } from "./wal-end.ts";

/**
 * Of a stopped server, before it starts: what it needs of them its upstream gives it again.
 * @returns the timelines whose history was removed.
 */
export async function removeUnreachedHistories(
  dataDir: string,
  options: { signal?: AbortSignal } = {},
): Promise<readonly number[]> {
  const data = await inspectDataDirectory(dataDir);
  // A copy that was never started has its source's histories, and no end of WAL yet.
  if (data.kind !== "data" || data.hasBackupLabel) return [];
  const { timeline } = await readControlData(dataDir);
  // pg_control lags, so the WAL itself is only read where there is something to find.
  if ((await historiesBeyond(dataDir, timeline)).length === 0) return [];
  const end = await findWalEndOrNull(dataDir, options);
  if (end === null) return [];
  const unreached = await historiesBeyond(dataDir, end.timeline);
  const walDir = join(dataDir, "pg_wal");
  for (const each of unreached) await rm(join(walDir, historyFileName(each)), { force: true });
  if (unreached.length > 0) await syncDirectory(walDir);
  return unreached;
}

/**
 * Whether a running standby heads for a timeline that is not in this upstream's history: it would
 * not find its way, and has to start again.
 * @param of.timeline on which its WAL ends
 */
export async function headsElsewhere(
  dataDir: string,
  of: { timeline: number; upstream: TimelineHistory },
): Promise<boolean> {
  for (const timeline of await historiesBeyond(dataDir, of.timeline)) {
    const history = await readTimelineHistory(dataDir, timeline);
    if (!isBeginningOf(history, of.upstream)) return true;
  }
  return false;
}

/**
 * Whether a running standby heads for a timeline of which it has received nothing: promoted now, it
 * would write a history that is not true.
 * @param timeline on which its WAL ends
 */
export async function headsBeyondItsWal(dataDir: string, timeline: number): Promise<boolean> {
  const files = await readdir(join(dataDir, "pg_wal"));
  const begun = new Set(
    files.filter((name) => /^[0-9A-F]{24}$/.test(name)).map((name) => name.slice(0, 8)),
  );
  return timelinesIn(files).some(
    (other) => other > timeline && !begun.has(historyFileName(other).slice(0, 8)),
  );
}

async function historiesBeyond(dataDir: string, timeline: number): Promise<number[]> {
  const files = await readdir(join(dataDir, "pg_wal"));
  return timelinesIn(files).filter((other) => other > timeline);
}

function timelinesIn(files: readonly string[]): number[] {
  return files
    .filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
    .map((name) => Number.parseInt(name, 16));
}
