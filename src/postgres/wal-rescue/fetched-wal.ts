// A part of a dead server's directory, made of what its agent tells (told-wal.ts): as much of it as
// a rescue reads. Of WAL that is what the standby lacks; what comes before that in its segment is
// the standby's own, which both have.
import { mkdir, open, rm, writeFile, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UnderstudyError } from "../../core/errors.ts";
import { formatLsn, parseLsn, type Lsn } from "../../core/lsn.ts";
import type { TimelineHistory } from "../../core/timeline.ts";
import { requireSpace } from "../base-backup/disk-space.ts";
import { CONTROL_FILE, readControlData } from "../control-data.ts";
import { readTimelineHistory } from "../wal-end.ts";
import { ownSegmentBefore } from "./judge.ts";
import type { WalPlace } from "./outcome.ts";
import { segmentsToRescue, type PlannedSegment } from "./plan.ts";
import { digestOf, PIECE_BYTES, type ToldWal, type WalPiece } from "./told-wal.ts";

export interface FetchedFrom {
  /** What is made. */
  readonly dataDir: string;
  readonly standbyDataDir: string;
  /** What the standby has, as the dead server's agent was told. */
  readonly position: Lsn;
}

/** Begins it: what there is but for WAL. It is nobody's but this rescue's, so nothing is synced. */
export async function beginFetched(told: ToldWal, { dataDir }: FetchedFrom): Promise<WalPlace> {
  await rm(dataDir, { recursive: true, force: true });
  const wal = join(dataDir, "pg_wal");
  for (const directory of [dirname(join(dataDir, CONTROL_FILE)), wal])
    await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(dataDir, CONTROL_FILE), Buffer.from(told.control, "base64"));
  for (const [name, text] of Object.entries(told.histories)) {
    if (!/^[0-9A-F]{8}\.history$/.test(name)) throw unfit(`it names a history ${name}`);
    await writeFile(join(wal, name), text);
  }
  return { endLsn: parseLsn(told.endLsn), timeline: told.timeline };
}

/**
 * Brings the WAL that the standby lacks. Nothing is brought where it has all.
 * @param by.read what its agent reads of its disk
 * @throws UnderstudyError DATA_UNREADABLE where what both should have is not the same; DISK_FULL;
 * what `read` throws.
 */
export async function fetchWal(
  told: ToldWal,
  by: FetchedFrom & { readonly read: (piece: WalPiece) => Promise<Buffer> },
): Promise<void> {
  const { dataDir, standbyDataDir, position, read } = by;
  const { walSegmentBytes: segmentBytes } = await readControlData(dataDir);
  const endLsn = parseLsn(told.endLsn);
  const history = await readTimelineHistory(dataDir, told.timeline);
  const shared = position < endLsn ? position : endLsn;
  const own = await sharedWal(told, { history, position: shared, segmentBytes, standbyDataDir });
  const segments = segmentsToRescue({ history, endLsn, position, segmentBytes });
  const bytes = segments.length * segmentBytes;
  await requireSpace([{ path: dataDir, bytes, what: "WAL" }]);
  let first: Buffer | null = Buffer.from(told.wal, "base64");
  for (const segment of segments) {
    await using file = await open(join(dataDir, "pg_wal", segment.name), "wx", 0o600);
    const from = Math.max(0, Number(position) - segment.start);
    const wanted = Math.min(segmentBytes, Number(endLsn) - segment.start);
    if (from > 0) await copyOwn(own, { file, bytes: from });
    await write(first, { file, segment, from, wanted, read });
    first = null;
    await file.truncate(segmentBytes);
  }
}

/**
 * The standby's own file with the last of what both have; null where a segment begins there, so
 * that nothing of the standby's is replaced and what follows has to fit by its first back link.
 */
async function sharedWal(
  told: ToldWal,
  of: { history: TimelineHistory; position: Lsn; segmentBytes: number; standbyDataDir: string },
): Promise<string | null> {
  const { position, segmentBytes, standbyDataDir } = of;
  const inSegment = Number(position) % segmentBytes;
  if (inSegment === 0 && told.digest === null) return null;
  const own = await ownSegmentBefore(standbyDataDir, of);
  const bytes = inSegment === 0 ? segmentBytes : inSegment;
  const digest = own === null ? null : await digestOf(own, bytes);
  if (digest === null || digest !== told.digest)
    throw unfit(`it is not the same as the standby's before ${formatLsn(position)}`);
  return own;
}

async function copyOwn(own: string | null, to: { file: FileHandle; bytes: number }): Promise<void> {
  if (own === null) throw unfit("the standby's own is gone");
  await using source = await open(own, "r");
  for (let offset = 0; offset < to.bytes; offset += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, to.bytes - offset);
    const { buffer, bytesRead } = await source.read(Buffer.alloc(length), 0, length, offset);
    if (bytesRead < length) throw unfit("the standby's own is shorter");
    await to.file.write(buffer, 0, length, offset);
  }
}

async function write(
  begun: Buffer | null,
  of: {
    file: FileHandle;
    segment: PlannedSegment;
    from: number;
    wanted: number;
    read: (piece: WalPiece) => Promise<Buffer>;
  },
): Promise<void> {
  const { file, segment, from, wanted, read } = of;
  let offset = from;
  for (let piece = begun; offset < wanted; piece = null) {
    const length = Math.min(PIECE_BYTES, wanted - offset);
    const bytes = piece ?? (await read({ name: segment.name, offset, length }));
    if (bytes.length === 0 || offset + bytes.length > wanted)
      throw unfit("it is of another length");
    await file.write(bytes, 0, bytes.length, offset);
    offset += bytes.length;
  }
}

function unfit(why: string): UnderstudyError {
  return new UnderstudyError("DATA_UNREADABLE", `the WAL that was told of is of no use: ${why}`);
}
