// The exact end of the WAL of a stopped server, read from its pg_wal with nothing started
// (postgres-facts, 2): it tells whether a former primary has diverged, and how much a dead one
// held.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError } from "../core/errors.ts";
import { formatLsn, lsnFromBigInt, type Lsn } from "../core/lsn.ts";
import {
  FIRST_TIMELINE,
  historyFileName,
  parseTimelineHistory,
  type TimelineHistory,
} from "../core/timeline.ts";
import { readControlData, type ControlData } from "./control-data.ts";
import { WalFiles, unreadable, type Fork } from "./wal-files.ts";
import { WalScanner } from "./wal-scanner.ts";
import { lateStart, type Start } from "./wal-start.ts";

export interface WalEnd {
  /** Behind the last whole record: what the server's own recovery would reach. */
  readonly endLsn: Lsn;
  /** On which that record lies. pg_control may still name an earlier one. */
  readonly timeline: number;
  /** Its start. */
  readonly lastRecordLsn: Lsn;
  /** Why it ends there, for logs: "nothing is written there". */
  readonly reason: string;
  /**
   * The start of a record that was begun there, fills its segment and goes on in one that is not
   * there; else null (see dropBegunRecord).
   */
  readonly begunLsn: Lsn | null;
  readonly commits: CommitCount;
}

/** Transactions that were committed in a piece of WAL. */
export interface CommitCount {
  readonly count: number;
  /** In so many bytes. */
  readonly bytes: number;
  /** False where what was asked for begins before the checkpoint that reading begins at. */
  readonly isWhole: boolean;
}

/**
 * Reads the newest segments to the end, some hundred megabytes a second, in a megabyte of memory;
 * where commits are counted from `countCommitsFrom` on, or the newest checkpoint is older than a
 * timeline, all from that checkpoint. Forks are followed where the directory's own WAL goes on
 * along them: a history file alone may have been fetched by a member that never got there, or that
 * has diverged. A clean stop needs one record.
 * @param options.near a position that is likely to be close to the end: reading begins just before
 * it, and does not see what is missing before that (see lateStart)
 * @throws UnderstudyError DATA_UNREADABLE when the checkpoint's record is missing or damaged, or
 * when WAL ends before what the data files need. Whoever calls makes sure that no process of the
 * server lives.
 */
export async function findWalEnd(
  dataDir: string,
  options: { signal?: AbortSignal; countCommitsFrom?: Lsn; near?: Lsn } = {},
): Promise<WalEnd> {
  const { signal, near, countCommitsFrom } = options;
  const control = await readControlData(dataDir);
  const forks = await readForks(dataDir, control.timeline);
  await using files = new WalFiles(dataDir, control, forks);
  const checkpoint = Number(control.checkpointLsn);
  // The page of the checkpoint may have been begun on the timeline before it.
  const first: Start = { position: checkpoint, ownFrom: checkpoint + 1 };
  const countFrom = Number(countCommitsFrom ?? 0n);
  const read = async (start: Start): Promise<Reading> => {
    let scanner = scannerAt(start, { control, countFrom });
    let reason: string | null = null;
    while (reason === null) {
      signal?.throwIfAborted();
      const branch = await followedBranch(scanner, forks, files);
      if (branch !== null) scanner = branch;
      reason = await scanOn(scanner, forks, files);
    }
    return { scanner, reason, from: start.position };
  };
  const mayBeginLate = countCommitsFrom === undefined && forks.length === 0;
  const late = mayBeginLate ? await lateStart(files, { control, near: near ?? null }) : null;
  const short = late === null ? null : await read(late);
  // Where there is no whole record from there on, the end of the one before it is still to be seen.
  const reading = short === null || short.scanner.lastRecord === null ? await read(first) : short;
  return resultOf({ ...reading, control, dataDir, countFrom });
}

/** Null where that WAL cannot be read: the server's own recovery then says why. */
export async function findWalEndOrNull(
  dataDir: string,
  options: { signal?: AbortSignal },
): Promise<WalEnd | null> {
  try {
    return await findWalEnd(dataDir, options);
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "DATA_UNREADABLE") return null;
    throw thrown;
  }
}

interface Reading {
  readonly scanner: WalScanner;
  /** Why it ended. */
  readonly reason: string;
  /** Where it began. */
  readonly from: number;
}

/**
 * The history of a timeline as the directory has it. Timeline 1 has none.
 * @throws UnderstudyError DATA_UNREADABLE (`details.code` "ENOENT" when there is no such file).
 */
export async function readTimelineHistory(
  dataDir: string,
  timeline: number,
): Promise<TimelineHistory> {
  if (timeline === FIRST_TIMELINE.timeline) return FIRST_TIMELINE;
  const path = join(dataDir, "pg_wal", historyFileName(timeline));
  try {
    return parseTimelineHistory({ timeline, text: await readFile(path, "utf8") });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function scannerAt(start: Start, of: { control: ControlData; countFrom: number }): WalScanner {
  const { control, countFrom } = of;
  return new WalScanner(
    {
      systemId: control.systemId,
      segmentBytes: control.walSegmentBytes,
      pageBytes: control.walBlockBytes,
    },
    { ...start, timeline: control.timeline, previous: null, countFrom },
  );
}

/** Reads until a place where other timelines may go on (null), or to the end (why). */
async function scanOn(
  scanner: WalScanner,
  forks: readonly Fork[],
  files: WalFiles,
): Promise<string | null> {
  const places = new Set(
    forks.filter((fork) => fork.from === scanner.timeline).map((fork) => fork.at),
  );
  for (;;) {
    const page = await files.page(scanner.nextPage, scanner.timeline);
    if (page === null) return "there is no further page";
    const step = scanner.take(page, (end) => places.has(end));
    if (step.kind === "pause") return null;
    if (step.kind === "end") return step.reason;
  }
}

/** The newest timeline that goes on with a whole record where the scanner stands. */
async function followedBranch(
  scanner: WalScanner,
  forks: readonly Fork[],
  files: WalFiles,
): Promise<WalScanner | null> {
  const here = forks.filter((fork) => fork.from === scanner.timeline && fork.at === scanner.end);
  for (const fork of here.toSorted((one, other) => other.to - one.to)) {
    const branch = scanner.branch(fork.to);
    if (await hasRecord(branch, files)) return scanner.branch(fork.to);
  }
  return null;
}

async function hasRecord(branch: WalScanner, files: WalFiles): Promise<boolean> {
  for (;;) {
    const page = await files.page(branch.nextPage, branch.timeline);
    const step = page === null ? null : branch.take(page, () => true);
    if (step === null || step.kind === "end") return false;
    if (step.kind === "pause") return true;
  }
}

function resultOf(
  of: Reading & {
    readonly control: ControlData;
    readonly dataDir: string;
    readonly countFrom: number;
  },
): WalEnd {
  const { scanner, control, dataDir, reason, countFrom, from } = of;
  const [last, begun] = [scanner.lastRecord, scanner.cutAtSegment];
  const endLsn = lsnFromBigInt(BigInt(scanner.end));
  if (last === null)
    throw walError(
      `cannot read the WAL of ${dataDir} from its checkpoint at ${formatLsn(control.checkpointLsn)}` +
        ` on timeline ${control.timeline}: ${reason}`,
    );
  if (endLsn < control.minRecoveryLsn)
    throw walError(
      `the WAL of ${dataDir} ends at ${formatLsn(endLsn)} (${reason}), ` +
        `before ${formatLsn(control.minRecoveryLsn)}, which its data files need`,
    );
  return {
    endLsn,
    timeline: scanner.timeline,
    lastRecordLsn: lsnFromBigInt(BigInt(last)),
    reason,
    begunLsn: begun === null ? null : lsnFromBigInt(BigInt(begun)),
    commits: {
      count: scanner.commits,
      bytes: Math.max(0, scanner.end - Math.max(countFrom, from)),
      isWhole: countFrom >= from,
    },
  };
}

/** Every fork that the directory's history files of later timelines name. */
async function readForks(dataDir: string, timeline: number): Promise<readonly Fork[]> {
  const names = await readdir(join(dataDir, "pg_wal")).catch((cause: unknown) => {
    throw unreadable(join(dataDir, "pg_wal"), cause);
  });
  const later = names
    .flatMap((name) => (/^[0-9A-F]{8}\.history$/.test(name) ? [Number.parseInt(name, 16)] : []))
    .filter((other) => other > timeline);
  const forks = new Map<string, Fork>();
  for (const other of later) {
    const { ancestors } = await readTimelineHistory(dataDir, other);
    for (const [index, ancestor] of ancestors.entries()) {
      const to = ancestors[index + 1]?.timeline ?? other;
      const fork = { from: ancestor.timeline, at: Number(ancestor.switchPoint), to };
      forks.set(`${fork.from} ${fork.at} ${fork.to}`, fork);
    }
  }
  return [...forks.values()];
}

function walError(message: string): UnderstudyError {
  return new UnderstudyError("DATA_UNREADABLE", message, { details: { code: null } });
}
