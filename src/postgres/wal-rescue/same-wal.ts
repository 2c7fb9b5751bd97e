// Looks at segment files of two servers before one is put in the other's place: whether a file is
// the whole segment that its name says, and whether both have the same WAL up to a position.
import { type FileHandle, open } from "node:fs/promises";
import { codeOf } from "../../core/errors.ts";
import { parsePageHeader } from "../wal-page.ts";

const CHUNK_BYTES = 1024 * 1024;
const LONG_HEADER_BYTES = 40;

/**
 * Why a file is not the whole segment that begins at `start`: pg_wal also holds files that were
 * renamed for later use and still have their old content. Null when it is.
 */
export async function segmentProblem(segment: {
  path: string;
  start: number;
  segmentBytes: number;
  systemId: string;
}): Promise<string | null> {
  await using file = await openIfThere(segment.path);
  if (file === null) return "is not there";
  const { size } = await file.stat();
  if (size !== segment.segmentBytes) return `has ${size} bytes instead of ${segment.segmentBytes}`;
  const { buffer } = await file.read(Buffer.alloc(LONG_HEADER_BYTES), 0, LONG_HEADER_BYTES, 0);
  const header = parsePageHeader(buffer);
  if (header.segment === null || header.address !== segment.start) return "holds other WAL";
  if (header.segment.systemId !== segment.systemId) return "holds another cluster's WAL";
  return null;
}

/** Where in them two files differ first, of their first bytes; null when these are the same. */
export async function firstDifference(
  files: { readonly one: string; readonly other: string },
  bytes: number,
): Promise<number | null> {
  await using one = await open(files.one, "r");
  await using other = await open(files.other, "r");
  const [left, right] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
  for (let offset = 0; offset < bytes; offset += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, bytes - offset);
    const [mine, theirs] = await Promise.all([
      one.read(left, 0, length, offset),
      other.read(right, 0, length, offset),
    ]);
    const same = left.compare(right, 0, length, 0, length) === 0;
    if (same && mine.bytesRead === length && theirs.bytesRead === length) continue;
    const at = left.subarray(0, length).findIndex((byte, index) => byte !== right[index]);
    return offset + (at < 0 ? Math.min(mine.bytesRead, theirs.bytesRead) : at);
  }
  return null;
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw cause;
  }
}
