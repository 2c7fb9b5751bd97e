// What a member does about copies of WAL that promotions leave behind: pure arithmetic. Each one
// copies the segment in which it happens to its new timeline, and PostgreSQL removes a segment only
// when a checkpoint finds its NUMBER behind everything that is still needed, of all timelines at
// once. On a cluster that writes little and fails over often nothing would ever be removed.
import type { Lsn } from "../lsn.ts";

/**
 * So many files of one number are left behind. Seldom enough: the rest of the segment that is left
 * is sent to every standby, though it is empty.
 */
export const CROWDED = 4;

export interface CopiesQuestion {
  /** What is in pg_wal; what is no segment of WAL is passed over. */
  readonly names: readonly string[];
  /** Of these what waits to be archived: no checkpoint removes it. */
  readonly unarchived: ReadonlySet<string>;
  readonly isPrimary: boolean;
  /** The end of this member's WAL. */
  readonly endLsn: Lsn;
  /** Of its newest checkpoint or restart point. */
  readonly redoLsn: Lsn;
  /** From where slots of any kind hold WAL; null: none does. */
  readonly heldFrom: Lsn | null;
  /** Before the present one, whoever needs them (wal_keep_segments, wal_keep_size). */
  readonly keptSegments: number;
  readonly segmentBytes: number;
}

export interface CopiesPlan {
  /** WAL goes on with the next segment. */
  readonly leavesSegment: boolean;
  /** A checkpoint, on a standby a restart point, would remove copies, or let slots move on. */
  readonly checkpoints: boolean;
}

/** Asks for nothing twice: what is done as it says leaves less than it asks for. */
export function planForCopies(question: CopiesQuestion): CopiesPlan {
  const { isPrimary, endLsn, redoLsn, heldFrom, keptSegments, segmentBytes } = question;
  const present = segmentAt(endLsn, segmentBytes);
  const unkept = Math.max(0, present - keptSegments);
  const unheld = heldFrom === null ? unkept : Math.min(unkept, segmentAt(heldFrom, segmentBytes));
  const isRemovable = copiesBefore(question, unheld) >= CROWDED;
  // Where slots cannot be advanced they are made anew at the newest restart point. That costs
  // little on a standby, which has no more of them than its primary has checkpoints.
  const waitsForRestartPoint =
    !isPrimary &&
    segmentAt(redoLsn, segmentBytes) < present &&
    copiesBefore(question, unkept) >= CROWDED;
  return {
    leavesSegment: isPrimary && filesOf(question, present) >= CROWDED,
    checkpoints: isRemovable || waitsForRestartPoint,
  };
}

/** How many files of WAL there are beside the newest of each number. */
export function countCopies(names: readonly string[]): number {
  const places = names.filter(isSegment).map((name) => name.slice(8));
  return places.length - new Set(places).size;
}

function copiesBefore(question: CopiesQuestion, limit: number): number {
  const { names, unarchived, segmentBytes } = question;
  return countCopies(
    names.filter(
      (name) =>
        isSegment(name) && !unarchived.has(name) && segmentNumber(name, segmentBytes) < limit,
    ),
  );
}

function filesOf({ names, segmentBytes }: CopiesQuestion, number: number): number {
  return names.filter((name) => isSegment(name) && segmentNumber(name, segmentBytes) === number)
    .length;
}

/** Eight digits of the timeline, then sixteen of the number, in two halves. */
function isSegment(name: string): boolean {
  return /^[0-9A-F]{24}$/.test(name);
}

function segmentNumber(name: string, segmentBytes: number): number {
  const perLog = 2 ** 32 / segmentBytes;
  return Number.parseInt(name.slice(8, 16), 16) * perLog + Number.parseInt(name.slice(16), 16);
}

function segmentAt(lsn: Lsn, segmentBytes: number): number {
  return Number(lsn / BigInt(segmentBytes));
}
