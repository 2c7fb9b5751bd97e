// What a server that is down has of WAL, told to a member that cannot read its disk: where it ends,
// by what it can be seen to be the rest of the other's own, and its bytes. Reads, and changes
// nothing.
import { createHash } from "node:crypto";
import { open, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import { formatLsn, type Lsn } from "../../core/lsn.ts";
import { historyFileName } from "../../core/timeline.ts";
import { CONTROL_FILE, readControlData } from "../control-data.ts";
import { findWalEnd, readTimelineHistory } from "../wal-end.ts";
import { segmentBefore, segmentsToRescue } from "./plan.ts";

/** As JSON carries it. */
export interface ToldWal {
  readonly endLsn: string;
  readonly timeline: number;
  /** pg_control, base64. */
  readonly control: string;
  /** By file name, those of that timeline and of all that pg_control does not know yet. */
  readonly histories: Readonly<Record<string, string>>;
  /**
   * Of the WAL that both have, as far as it is in the segment of its last byte; null where that
   * segment is not there.
   */
  readonly digest: string | null;
  /** Base64: what follows the position in its segment, or the beginning of that. */
  readonly wal: string;
}

export interface WalPiece {
  /** Of the segment. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/** Sent at once, at most: what a standby lacks is nearly always less. */
export const PIECE_BYTES = 4 * 1024 * 1024;

const CHUNK_BYTES = 1024 * 1024;
const SEGMENT_NAME = /^[0-9A-F]{24}$/;

/**
 * @param of.position which the other has come to
 * @throws UnderstudyError DATA_UNREADABLE. That no process of the server lives is for the caller to
 * see to.
 */
export async function tellWal(
  dataDir: string,
  of: { readonly position: Lsn; readonly signal: AbortSignal },
): Promise<ToldWal> {
  const { position, signal } = of;
  const { walSegmentBytes: segmentBytes } = await readControlData(dataDir);
  const { endLsn, timeline } = await findWalEnd(dataDir, { near: position, signal });
  const history = await readTimelineHistory(dataDir, timeline);
  const shared = position < endLsn ? position : endLsn;
  const before = segmentBefore({ history, position: shared, segmentBytes });
  const [first] = segmentsToRescue({ history, endLsn, position, segmentBytes });
  const piece = first && firstPiece(first, { position, endLsn, segmentBytes });
  return {
    endLsn: formatLsn(endLsn),
    timeline,
    control: (await readFile(join(dataDir, CONTROL_FILE))).toString("base64"),
    histories: await historiesFrom(dataDir, timeline),
    digest: await digestOf(join(dataDir, "pg_wal", before.name), Number(shared) - before.start),
    wal: piece === undefined ? "" : (await readWalPiece(dataDir, piece)).toString("base64"),
  };
}

/** @throws UnderstudyError DATA_UNREADABLE where not all of it is there. */
export async function readWalPiece(
  dataDir: string,
  { name, offset, length }: WalPiece,
): Promise<Buffer> {
  const path = join(dataDir, "pg_wal", name);
  const unreadable = (why: string, cause?: unknown) =>
    new UnderstudyError("DATA_UNREADABLE", `cannot read WAL of ${path}: ${why}`, { cause });
  if (!SEGMENT_NAME.test(name)) throw unreadable("that is no segment");
  await using file = await open(path, "r").catch((cause: unknown) => {
    throw unreadable(codeOf(cause) === "ENOENT" ? "it is not there" : String(cause), cause);
  });
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  if (bytesRead < length) throw unreadable(`it has not ${length} bytes from ${offset} on`);
  return buffer;
}

/** Of the first bytes of a file; null where there are not so many. */
export async function digestOf(path: string, bytes: number): Promise<string | null> {
  const hash = createHash("sha256");
  try {
    await using file = await open(path, "r");
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let offset = 0; offset < bytes;) {
      const length = Math.min(CHUNK_BYTES, bytes - offset);
      const { bytesRead } = await file.read(chunk, 0, length, offset);
      if (bytesRead === 0) return null;
      hash.update(chunk.subarray(0, bytesRead));
      offset += bytesRead;
    }
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw cause;
  }
  return hash.digest("base64");
}

function firstPiece(
  segment: { readonly name: string; readonly start: number },
  of: { position: Lsn; endLsn: Lsn; segmentBytes: number },
): WalPiece {
  const { position, endLsn, segmentBytes } = of;
  const offset = Number(position) - segment.start;
  const wanted = Math.min(segmentBytes, Number(endLsn) - segment.start);
  return { name: segment.name, offset, length: Math.min(PIECE_BYTES, wanted - offset) };
}

/**
 * A server that follows needs each that it does not know, and the newest tells of all before it.
 */
async function historiesFrom(dataDir: string, timeline: number): Promise<Record<string, string>> {
  const names = (await readdir(join(dataDir, "pg_wal"))).filter(
    (name) => /^[0-9A-F]{8}\.history$/.test(name) && name <= historyFileName(timeline),
  );
  const newest = names.toSorted().slice(-HISTORIES);
  const texts = newest.map(async (name) => [
    name,
    await readFile(join(dataDir, "pg_wal", name), "utf8"),
  ]);
  return Object.fromEntries(await Promise.all(texts)) as Record<string, string>;
}

/** A member that is more timelines behind has other things to do than to lead. */
const HISTORIES = 3;
