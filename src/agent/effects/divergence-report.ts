// What is written beside WAL that the cluster does not have: whose it is, where it parted from the
// cluster, and which transactions it holds. For the person who wants to know what was lost.
import { formatLsn, type Lsn } from "../../core/lsn.ts";
import {
  readTransactions,
  type ReadTransactions,
} from "../../postgres/rewind/read-transactions.ts";
import type { Leader, Member } from "../member.ts";

export interface DivergenceReport {
  readonly member: string;
  /** Wall clock, RFC 3339 UTC. */
  readonly keptAt: string;
  /** The present primary, its term and its timeline. */
  readonly primary: string;
  readonly term: number;
  readonly primaryTimeline: number;
  /** On which the member's WAL ends. */
  readonly timeline: number;
  /** The term that began that timeline; null where it is not known. */
  readonly forkTerm: number | null;
  /** Up to here the WAL is in the primary's history, too. */
  readonly switchPoint: string;
  readonly endLsn: string;
  /** Between the two. */
  readonly bytes: number;
  /** Null where the installation has no pg_waldump. */
  readonly transactions: ReadTransactions | null;
}

export interface Divergence {
  readonly leader: Leader;
  readonly timeline: number;
  readonly switchPoint: Lsn;
  readonly endLsn: Lsn;
  readonly bytes: number;
}

/** @throws nothing but the signal's reason. */
export async function reportOnDivergence(
  member: Member,
  divergence: Divergence & { readonly walDir: string },
  signal: AbortSignal,
): Promise<DivergenceReport> {
  const { leader, timeline, switchPoint, endLsn, bytes, walDir } = divergence;
  const range = { walDir, timeline, from: switchPoint, to: endLsn };
  return {
    member: member.name,
    keptAt: new Date().toISOString(),
    primary: leader.name,
    term: leader.term,
    primaryTimeline: leader.timeline,
    timeline,
    forkTerm: member.memory.forks.find((fork) => fork.timeline === timeline)?.term ?? null,
    switchPoint: formatLsn(switchPoint),
    endLsn: formatLsn(endLsn),
    bytes,
    transactions: await readTransactions(member.file().installation, range, signal),
  };
}

/** Part of a sentence: "12 committed transactions, the last at …". */
export function describeTransactions({ transactions }: DivergenceReport): string {
  if (transactions === null) return "its transactions were not counted: there is no pg_waldump";
  const { commits, lastCommit, incomplete } = transactions;
  const count = `${incomplete === null ? "" : "at least "}${commits} committed transactions`;
  return lastCommit === null ? count : `${count}, the last of ${lastCommit.at}`;
}
