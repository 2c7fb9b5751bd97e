// Whether a member's disk has room for what PostgreSQL writes next: without it a primary lives and
// answers, and takes no writes.
import { statfs } from "node:fs/promises";
import { join } from "node:path";

/** One WAL segment of the usual size: the next one must be there as a whole. */
const LEAST_BYTES = 16 * 1024 * 1024;

/** A clause about the data's or the WAL's file system; null while there is room, or no telling. */
export async function whyNoRoom(dataDir: string): Promise<string | null> {
  for (const path of [dataDir, join(dataDir, "pg_wal")]) {
    const space = await statfs(path).catch(() => null);
    if (space === null) continue;
    const free = space.bavail * space.bsize;
    if (free < LEAST_BYTES)
      return `its disk is full: ${Math.floor(free / 1024 / 1024)} MiB are free for ${path}, and PostgreSQL takes no writes without room`;
  }
  return null;
}
