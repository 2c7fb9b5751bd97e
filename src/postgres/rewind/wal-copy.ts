// Copies the part of a member's WAL that the cluster does not have out of its data directory, with
// what is needed to read it. Copied, not linked: pg_rewind writes over segments in place.
import { constants } from "node:fs";
import { copyFile, mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import type { Lsn } from "../../core/lsn.ts";
import { FIRST_TIMELINE, historyFileName } from "../../core/timeline.ts";
import { syncDirectory } from "../sync-directory.ts";
import { segmentFileName } from "../wal-page.ts";

export interface WalPart {
  readonly dataDir: string;
  readonly timeline: number;
  readonly from: Lsn;
  readonly to: Lsn;
  readonly segmentBytes: number;
}

/** The segments that hold a part of WAL, oldest first. */
export function segmentsOf(part: Omit<WalPart, "dataDir">): string[] {
  const { timeline, segmentBytes } = part;
  const first = Number(part.from) - (Number(part.from) % segmentBytes);
  const names: string[] = [];
  // Where the part ends on a segment's border, the next segment holds nothing of it.
  for (let position = first; position < Number(part.to); position += segmentBytes)
    names.push(segmentFileName({ timeline, position, segmentBytes }));
  return names;
}

/**
 * Copies those segments, the timeline's history file and pg_control into `target`, which is made;
 * all of it is on disk when this returns. The server must be stopped.
 * @returns the files' names. @throws UnderstudyError DISK_FULL or DATA_UNREADABLE.
 */
export async function copyWal(part: WalPart, target: string): Promise<string[]> {
  const { dataDir, timeline } = part;
  const segments = segmentsOf(part);
  const history = timeline === FIRST_TIMELINE.timeline ? [] : [historyFileName(timeline)];
  await mkdir(target, { recursive: true, mode: 0o700 });
  for (const name of [...segments, ...history])
    await copyDurably(join(dataDir, "pg_wal", name), join(target, name));
  await copyDurably(join(dataDir, "global", "pg_control"), join(target, "pg_control"));
  await syncDirectory(target);
  return [...segments, ...history, "pg_control"];
}

/** The first of those segments that is not there: recycled, or never written; null when all are. */
export async function missingSegment(part: WalPart): Promise<string | null> {
  const present = new Set(await readdir(join(part.dataDir, "pg_wal")));
  return segmentsOf(part).find((name) => !present.has(name)) ?? null;
}

/** Bytes of the segments together, without reading them. */
export function walBytesOf(part: Omit<WalPart, "dataDir">): number {
  return segmentsOf(part).length * part.segmentBytes;
}

async function copyDurably(from: string, to: string): Promise<void> {
  try {
    // Where the file system can, both share their blocks until one is written.
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await using file = await open(to, "r+");
    await file.sync();
    const [source, copy] = await Promise.all([stat(from), file.stat()]);
    if (source.size !== copy.size)
      throw new Error(`${copy.size} of ${source.size} bytes were copied`);
  } catch (cause) {
    const full = codeOf(cause) === "ENOSPC" || codeOf(cause) === "EDQUOT";
    throw new UnderstudyError(
      full ? "DISK_FULL" : "DATA_UNREADABLE",
      `cannot keep ${from} in ${to}: ${messageOf(cause)}`,
      { cause, details: { path: from, code: codeOf(cause) ?? null } },
    );
  }
}
