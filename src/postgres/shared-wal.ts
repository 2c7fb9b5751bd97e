// Whether two servers have the same WAL on one timeline, byte by byte. Neither its number nor its
// history tells: two members may each have begun one of the same number at the same position
// (lesson 19).
import { join } from "node:path";
import { codeOf } from "../core/errors.ts";
import type { Lsn } from "../core/lsn.ts";
import { segmentFileName } from "./wal-page.ts";
import { firstDifference } from "./wal-rescue/same-wal.ts";

/**
 * Compares the segments from the one that holds `from` up to the byte before `to`. What either of
 * them has of it must be flushed; servers may run.
 * @returns false where they differ, and where that cannot be seen because a segment is gone.
 */
export async function haveSameWal(
  dataDirs: { readonly one: string; readonly other: string },
  range: {
    readonly timeline: number;
    readonly from: Lsn;
    readonly to: Lsn;
    readonly segmentBytes: number;
  },
): Promise<boolean> {
  const { timeline, from, to, segmentBytes } = range;
  const first = Number(from) - (Number(from) % segmentBytes);
  for (let position = first; position < Number(to); position += segmentBytes) {
    const name = segmentFileName({ timeline, position, segmentBytes });
    const files = {
      one: join(dataDirs.one, "pg_wal", name),
      other: join(dataDirs.other, "pg_wal", name),
    };
    const bytes = Math.min(segmentBytes, Number(to) - position);
    if (!(await beginAlike(files, bytes))) return false;
  }
  return true;
}

async function beginAlike(files: { one: string; other: string }, bytes: number): Promise<boolean> {
  try {
    return (await firstDifference(files, bytes)) === null;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return false;
    throw thrown;
  }
}
