// What a failover by hand would lose: read from the old primary's disk, or told from what it had
// last said of itself, in bytes and in transactions.
import { estimateTransactions, lossOnDisk } from "../agent/loss-on-disk.ts";
import { memberPaths } from "../agent/member-paths.ts";
import type { MemberAnswer } from "../core/cluster-status.ts";
import { lagOf } from "../core/protocol/lag.ts";
import { lastKnownPosition, type ClusterRecord } from "../core/record.ts";
import type { Candidate } from "./candidates.ts";
import type { LocalCluster } from "./cluster.ts";
import { keepsPromise } from "./kept-promise.ts";
import type { SavedFromDisk } from "./save-from-disk.ts";

export interface Loss {
  /** Null when nothing tells. */
  readonly lossBytes: number | null;
  /** Committed in them. Null when nothing tells. */
  readonly lossTransactions: number | null;
  /**
   * Whether it is exact: read from the dead primary's WAL, on a history that the candidate is
   * proven to share.
   */
  readonly isExact: boolean;
  /** Why it is not. */
  readonly doubt: string | null;
  /**
   * Synchronous replication was in force, and the candidate is certain to have whatever was
   * acknowledged by it. Commits that asked for less are not meant.
   */
  readonly keepsPromise: boolean;
  /** Of the old primary's WAL, brought over from its disk. */
  readonly savedBytes: number;
  /** Why not everything was. */
  readonly trouble: string | null;
}

type Written = Omit<Loss, "keepsPromise">;

const NOTHING: Written = {
  lossBytes: 0,
  lossTransactions: 0,
  isExact: true,
  doubt: null,
  savedBytes: 0,
  trouble: null,
};

interface Succession {
  readonly record: ClusterRecord;
  readonly from: string | null;
  readonly to: Candidate;
  readonly candidates: readonly Candidate[];
}

export async function estimateLoss(
  cluster: LocalCluster,
  of: Succession & { answers: ReadonlyMap<string, MemberAnswer> },
): Promise<Loss> {
  const [written, isKept] = await Promise.all([
    estimateWritten(cluster, of),
    keepsPromise(cluster, of),
  ]);
  return { ...written, keepsPromise: isKept };
}

/** Of the old primary's WAL, acknowledged or not. */
async function estimateWritten(cluster: LocalCluster, of: Succession): Promise<Written> {
  const { from, to } = of;
  if (from === null) return unknownLoss("nobody has led yet");
  if (from === to.name) return NOTHING;
  const { root } = cluster.paths;
  const { data: dataDir } = memberPaths(root, to.name);
  const lost = await lossOnDisk(memberPaths(root, from), { dataDir, ...to });
  if (lost === "unreadable") return lossFromRenewals({ ...of, dataDir });
  if (lost === null)
    return unknownLoss(`it is not proven that ${to.name} shares the history of ${from}`);
  return { ...NOTHING, lossBytes: lost.bytes, lossTransactions: lost.transactions };
}

/** What the old primary had last said of itself, where its disk tells nothing. */
async function lossFromRenewals(
  of: Omit<Succession, "from"> & { dataDir: string },
): Promise<Written> {
  const { record, to, candidates, dataDir } = of;
  const doubt = "the old primary's disk cannot be read";
  const others = candidates.filter(({ name }) => name !== to.name);
  const lossBytes = lagOf(to, { last: lastKnownPosition(record), forks: record.forks, others });
  if (lossBytes === null) return unknownLoss(doubt);
  const lossTransactions = await estimateTransactions(dataDir, lossBytes);
  return { ...NOTHING, lossBytes, lossTransactions, isExact: false, doubt };
}

function unknownLoss(doubt: string): Written {
  return { ...NOTHING, lossBytes: null, lossTransactions: null, isExact: false, doubt };
}

/**
 * What is lost unless it is saved can be: the disk is readable, and what is on it goes on from what
 * the candidate has.
 */
export function canBeSaved({ lossBytes, isExact }: Loss): boolean {
  return isExact && lossBytes !== null && lossBytes > 0;
}

/**
 * After the candidate has saved what it could get; where it cannot tell what is left, the disks
 * were read.
 */
export function lossAfter(saved: SavedFromDisk, onDisk: Loss): Loss {
  const { savedBytes, lostBytes: lossBytes, lostTransactions: lossTransactions, trouble } = saved;
  if (lossBytes === null) return { ...onDisk, savedBytes, trouble };
  const { keepsPromise: isKept } = onDisk;
  return { ...NOTHING, lossBytes, lossTransactions, savedBytes, trouble, keepsPromise: isKept };
}

/** What is not known to be nothing is a loss; what was never acknowledged is none. */
export function losesSomething({ lossBytes, isExact, keepsPromise: isKept }: Loss): boolean {
  return !isKept && (lossBytes !== 0 || !isExact);
}

/** Part of a sentence. */
export function describeLoss(loss: Loss, of: { from: string | null }): string {
  const written = describeWritten(loss, of);
  const { lossBytes, isExact, keepsPromise: isKept } = loss;
  return isKept && (lossBytes !== 0 || !isExact)
    ? `no commit is lost that synchronous replication has acknowledged; of what was written beyond that, ${written}`
    : written;
}

function describeWritten(loss: Loss, of: { from: string | null }): string {
  const { lossBytes, lossTransactions, isExact, doubt, savedBytes, trouble } = loss;
  const old = of.from ?? "the old primary";
  if (lossBytes === null)
    return `what is lost cannot be told: ${doubt ?? "nothing tells"}${because(trouble)}`;
  const transactions = describeTransactions(lossTransactions, isExact);
  if (!isExact)
    return `at least ${lossBytes} bytes are lost, ${transactions}: ${doubt ?? "nothing tells more"}`;
  if (lossBytes > 0)
    return `${lossBytes} bytes of the old primary's WAL are lost, ${transactions}${because(trouble)}`;
  return savedBytes > 0
    ? `nothing is lost: ${savedBytes} bytes of WAL were saved from the disk of ${old}`
    : `nothing is lost: it has all WAL of ${old}`;
}

/** Part of a sentence, before it is done. */
export function describeSaving(loss: Loss, of: { from: string | null }): string {
  const { lossBytes, lossTransactions, isExact } = loss;
  const transactions = describeTransactions(lossTransactions, isExact);
  return `${lossBytes ?? 0} bytes of WAL that it lacks, ${transactions}, are saved from the disk of ${of.from ?? "the old primary"} first`;
}

function because(trouble: string | null): string {
  return trouble === null ? "" : ` (${trouble})`;
}

function describeTransactions(count: number | null, isExact: boolean): string {
  if (count === null) return "with an unknown number of transactions";
  const noun = `committed transaction${count === 1 ? "" : "s"}`;
  return `with ${isExact ? "" : "about "}${count} ${noun}`;
}
