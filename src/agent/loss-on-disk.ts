// What is lost when a member leads in place of a dead one whose disk can be reached: read from that
// disk, with nothing started.
import type { Fork } from "../core/fork.ts";
import { lsnFromBigInt, type Lsn } from "../core/lsn.ts";
import { lossOf } from "../core/protocol/wal-loss.ts";
import type { TimelineHistory } from "../core/timeline.ts";
import { findWalEnd, readTimelineHistory } from "../postgres/wal-end.ts";
import type { WalPlace } from "../postgres/wal-rescue/outcome.ts";
import type { MemberPaths } from "./member-paths.ts";
import { MemberMemory } from "./memory.ts";

/** How far a member has come that may lead, and through which timelines. */
export interface Successor {
  readonly dataDir: string;
  readonly lsn: Lsn;
  readonly timeline: number | null;
  readonly forks: readonly Fork[];
}

export interface DiskLoss {
  readonly bytes: number;
  /** Committed in them; null where not all of them could be read. */
  readonly transactions: number | null;
}

/** An estimate takes no longer than this: it is asked for while nobody can write. */
const ESTIMATE_LIMIT_MS = 2_000;

/**
 * What the dead member's WAL has and the other has not: null where it is not proven that they share
 * a history, "unreadable" where the disk does not tell.
 * @param known where its WAL ends, where not all of that is there
 */
export async function lossOnDisk(
  dead: Pick<MemberPaths, "data" | "memory">,
  successor: Successor,
  known?: WalPlace,
): Promise<DiskLoss | null | "unreadable"> {
  const { dataDir, lsn: endLsn, timeline, forks } = successor;
  const end = known ?? (await findWalEnd(dead.data, { near: endLsn }).catch(() => null));
  if (end === null) return "unreadable";
  if (timeline === null) return null;
  const { forks: deadForks } = await MemberMemory.load(dead.memory);
  const bytes = lossOf(
    { ...end, forks: deadForks, history: await historyIn(dead.data, end.timeline) },
    { endLsn, timeline, forks, history: await historyIn(dataDir, timeline) },
  );
  if (bytes === null) return null;
  const from = lsnFromBigInt(end.endLsn - BigInt(bytes));
  return { bytes, transactions: bytes === 0 ? 0 : await commitsFrom(dead.data, from) };
}

async function commitsFrom(dataDir: string, from: Lsn): Promise<number | null> {
  const counted = await findWalEnd(dataDir, { countCommitsFrom: from }).catch(() => null);
  return counted?.commits.isWhole === true ? counted.commits.count : null;
}

/**
 * How many transactions so many bytes of WAL are likely to hold, by what the newest WAL of a member
 * holds. Null where that cannot be told soon.
 */
export async function estimateTransactions(dataDir: string, bytes: number): Promise<number | null> {
  // Reading takes a while, in which nobody leads.
  if (bytes === 0) return 0;
  const signal = AbortSignal.timeout(ESTIMATE_LIMIT_MS);
  const found = await findWalEnd(dataDir, { signal }).catch(() => null);
  if (found === null || found.commits.bytes === 0) return null;
  return Math.round((bytes * found.commits.count) / found.commits.bytes);
}

function historyIn(dataDir: string, timeline: number): Promise<TimelineHistory | null> {
  return readTimelineHistory(dataDir, timeline).catch(() => null);
}
