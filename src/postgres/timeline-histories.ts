// Histories of timelines in pg_wal: PostgreSQL makes one with each promotion and never removes any,
// each longer than the one before it. The newest tells all that the older ones do.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * A standby asks its primary for each history between its own timeline and the present one, so one
 * that is further behind than this is copied anew.
 */
export const KEPT_HISTORIES = 100;

/**
 * Removes all but the newest, also under a running server: it looks for newer ones, and reads that
 * of the timeline it is on (postgres: findNewestTimeLine, readTimeLineHistory). What still waits to
 * be archived stays.
 * @returns how many were removed.
 */
export async function pruneTimelineHistories(
  dataDir: string,
  keep: number = KEPT_HISTORIES,
): Promise<number> {
  const wal = join(dataDir, "pg_wal");
  const status = join(wal, "archive_status");
  const old = (await readdir(wal))
    .filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
    .toSorted()
    .slice(0, -keep);
  if (old.length === 0) return 0;
  const waiting = new Set(await readdir(status).catch(() => []));
  let removed = 0;
  for (const name of old) {
    if (waiting.has(`${name}.ready`)) continue;
    await rm(join(wal, name), { force: true });
    await rm(join(status, `${name}.done`), { force: true });
    removed += 1;
  }
  return removed;
}
