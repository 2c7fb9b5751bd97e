// The exact end of the WAL of a stopped server, read from its pg_wal with nothing started
// (postgres-facts, 2): it tells whether a former primary has diverged, and how much a dead one
// held.
import { type FileHandle, open, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { formatLsn, lsnFromBigInt, type Lsn } from "../core/lsn.ts";
import {
  FIRST_TIMELINE,
  historyFileName,
  parseTimelineHistory,
  type TimelineHistory,
} from "../core/timeline.ts";
import { readControlData, type ControlData } from "./control-data.ts";
import { segmentFileName } from "./wal-page.ts";
import { WalScanner } from "./wal-scanner.ts";

export interface WalEnd {
  /** Behind the last whole record: what the server's own recovery would reach. */
  readonly endLsn: Lsn;
  /** On which that record lies. pg_control may still name an earlier one. */
  readonly timeline: number;
  /** Its start. */
  readonly lastRecordLsn: Lsn;
  /** Why it ends there, for logs: "nothing is written there". */
  readonly reason: string;
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

/** Where a timeline left its parent. */
interface Fork {
  readonly from: number;
  readonly at: number;
  readonly to: number;
}

/**
 * Reads from the newest checkpoint to the end, some hundred megabytes a second, in a megabyte of
 * memory. Forks are followed where the directory's own WAL goes on along them: a history file alone
 * may have been fetched by a member that never got there, or that has diverged. A clean stop needs
 * one record. Commits are counted from `countCommitsFrom` on, or from the checkpoint.
 * @throws UnderstudyError DATA_UNREADABLE when the checkpoint's record is missing or damaged, or
 * when WAL ends before what the data files need. Whoever calls makes sure that no process of the
 * server lives.
 */
export async function findWalEnd(
  dataDir: string,
  options: { signal?: AbortSignal; countCommitsFrom?: Lsn } = {},
): Promise<WalEnd> {
  const control = await readControlData(dataDir);
  const forks = await readForks(dataDir, control.timeline);
  await using files = new WalFiles(dataDir, control, forks);
  const countFrom = options.countCommitsFrom ?? (0n as Lsn);
  let scanner = startOf(control, countFrom);
  let reason: string | null = null;
  while (reason === null) {
    options.signal?.throwIfAborted();
    const branch = await followedBranch(scanner, forks, files);
    if (branch !== null) scanner = branch;
    reason = await scanOn(scanner, forks, files);
  }
  return resultOf({ scanner, control, dataDir, reason, countFrom });
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

function startOf(control: ControlData, countFrom: Lsn): WalScanner {
  const position = Number(control.checkpointLsn);
  return new WalScanner(
    {
      systemId: control.systemId,
      segmentBytes: control.walSegmentBytes,
      pageBytes: control.walBlockBytes,
    },
    {
      position,
      timeline: control.timeline,
      previous: null,
      // The page of the checkpoint may have been begun on the timeline before it.
      ownFrom: position + 1,
      countFrom: Number(countFrom),
    },
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

function resultOf(of: {
  scanner: WalScanner;
  control: ControlData;
  dataDir: string;
  reason: string;
  countFrom: Lsn;
}): WalEnd {
  const { scanner, control, dataDir, reason, countFrom } = of;
  const last = scanner.lastRecord;
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
    commits: {
      count: scanner.commits,
      bytes: Math.max(0, scanner.end - Math.max(Number(countFrom), Number(control.checkpointLsn))),
      isWhole: countFrom >= control.checkpointLsn,
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

const CHUNK_BYTES = 1024 * 1024;

/** Pages of pg_wal's files: one file open, one chunk in memory. */
class WalFiles {
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #pageBytes: number;
  readonly #forks: readonly Fork[];
  readonly #buffer = Buffer.alloc(CHUNK_BYTES);
  #file: { readonly key: string; readonly handle: FileHandle | null } | null = null;
  #chunk: { readonly key: string; readonly bytes: Uint8Array } | null = null;

  constructor(dataDir: string, control: ControlData, forks: readonly Fork[]) {
    this.#dir = join(dataDir, "pg_wal");
    this.#segmentBytes = control.walSegmentBytes;
    this.#pageBytes = control.walBlockBytes;
    this.#forks = forks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.handle?.close();
    this.#file = null;
  }

  /** Null where there is no file, or it is too short. Valid until the next call. */
  async page(position: number, timeline: number): Promise<Uint8Array | null> {
    const inSegment = position % this.#segmentBytes;
    const chunkStart = inSegment - (inSegment % CHUNK_BYTES);
    const bytes = await this.#read({ position, timeline, chunkStart });
    const offset = inSegment - chunkStart;
    const page = bytes?.subarray(offset, offset + this.#pageBytes);
    return page?.length === this.#pageBytes ? page : null;
  }

  async #read(at: {
    position: number;
    timeline: number;
    chunkStart: number;
  }): Promise<Uint8Array | null> {
    const segment = Math.floor(at.position / this.#segmentBytes);
    const fileKey = `${at.timeline} ${segment}`;
    const key = `${fileKey} ${at.chunkStart}`;
    if (this.#chunk?.key === key) return this.#chunk.bytes;
    const handle = await this.#open({ ...at, key: fileKey });
    if (handle === null) return null;
    const length = Math.min(CHUNK_BYTES, this.#segmentBytes - at.chunkStart);
    const { bytesRead } = await handle.read(this.#buffer, 0, length, at.chunkStart);
    this.#chunk = { key, bytes: this.#buffer.subarray(0, bytesRead) };
    return this.#chunk.bytes;
  }

  async #open(at: { position: number; timeline: number; key: string }): Promise<FileHandle | null> {
    if (this.#file?.key === at.key) return this.#file.handle;
    await this.#file?.handle?.close();
    this.#file = null;
    for (const timeline of this.#holdersOf(at)) {
      const handle = await openIfThere(
        join(this.#dir, segmentFileName({ ...at, timeline, segmentBytes: this.#segmentBytes })),
      );
      this.#file = { key: at.key, handle };
      if (handle !== null) return handle;
    }
    return null;
  }

  /**
   * The timeline's own file, else that of a timeline which left it in this very segment: a
   * promotion copies what was there so far, and renames the original to ".partial" where WAL is
   * archived.
   */
  #holdersOf(at: { position: number; timeline: number }): number[] {
    const segmentOf = (position: number) => Math.floor(position / this.#segmentBytes);
    const children = this.#forks.filter(
      (fork) =>
        fork.from === at.timeline &&
        fork.at > at.position &&
        segmentOf(fork.at) === segmentOf(at.position),
    );
    return [
      at.timeline,
      ...children.flatMap((fork) => this.#holdersOf({ position: at.position, timeline: fork.to })),
    ];
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw unreadable(path, cause);
  }
}

function walError(message: string): UnderstudyError {
  return new UnderstudyError("DATA_UNREADABLE", message, { details: { code: null } });
}

function unreadable(path: string, cause: unknown): UnderstudyError {
  return new UnderstudyError("DATA_UNREADABLE", `cannot read ${path}: ${messageOf(cause)}`, {
    cause,
    details: { path, code: codeOf(cause) ?? null },
  });
}
