// The beginning of a record at the end of a stopped server's WAL, the rest of which would be in the
// next segment: what a server leaves that died because its disk was full, as it is in the middle of
// a record that a new segment is wanted, or a standby that its primary left in the middle of one.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../core/errors.ts";
import type { Lsn } from "../core/lsn.ts";
import { readControlData } from "./control-data.ts";
import { findWalEndOrNull, type WalEnd } from "./wal-end.ts";
import { segmentFileName } from "./wal-page.ts";

/**
 * Has WAL end with its last whole record. A standby that finds the beginning of another one asks
 * for the segment in which the rest would be. Where its primary has left the timeline at that very
 * place there is no such rest: the standby waits until the primary has come to that segment, is
 * sent it from there on, has nothing of what the primary wrote before it, and confirms it all the
 * same. Without that beginning it asks for the segment that it lies in, and is sent everything, the
 * rest of the record as well where there is one.
 *
 * Takes nothing that anybody has: a record that is not whole was neither replayed nor acknowledged.
 * A second call changes nothing; one that was cut off has the same effect.
 *
 * @param options.end what findWalEnd has just told, where whoever calls has asked it.
 * @returns where the record began; null: there is none, or this WAL cannot be read, of which the
 * server's own recovery then says why.
 * @throws the system's error, or the signal's reason. Whoever calls makes sure that no process of
 * the server lives.
 */
export async function dropBegunRecord(
  dataDir: string,
  options: { signal?: AbortSignal; end?: Pick<WalEnd, "timeline" | "begunLsn"> } = {},
): Promise<Lsn | null> {
  const end = options.end ?? (await findWalEndOrNull(dataDir, options));
  if (end === null || end.begunLsn === null) return null;
  const { walSegmentBytes: segmentBytes, walBlockBytes: pageBytes } =
    await readControlData(dataDir);
  const position = Number(end.begunLsn);
  const name = segmentFileName({ timeline: end.timeline, position, segmentBytes });
  // A record that says it has no length is none: zeros up to the end of its page end all reading.
  const bytes = pageBytes - (position % pageBytes);
  try {
    await using file = await open(join(dataDir, "pg_wal", name), "r+");
    await file.write(Buffer.alloc(bytes), 0, bytes, position % segmentBytes);
    await file.datasync();
  } catch (thrown) {
    // It lies in the file of an earlier timeline, before the first record of this one.
    if (codeOf(thrown) === "ENOENT") return null;
    throw thrown;
  }
  return end.begunLsn;
}
