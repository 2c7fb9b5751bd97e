// How far a candidate is behind what is known to have been written: what the last leader said of
// itself with its renewals, and what other members have. For `maximumLag`, and for telling a loss
// where the old primary's disk tells nothing. Pure.
import type { Fork } from "../fork.ts";
import { lsnDistance, parseLsn, type Lsn } from "../lsn.ts";
import type { ClusterRecord } from "../record.ts";
import { termOfTimeline, type Reach } from "./election.ts";

/** What is known of WAL that a candidate may lack. */
export interface KnownWal {
  /** Where a leader was last known to take writes: see lastKnownPosition. */
  readonly last: ClusterRecord["lastKnown"];
  /** Of the record. */
  readonly forks: readonly Fork[];
  /** Of other members, who may lead or not. */
  readonly others: readonly Reach[];
}

/**
 * Bytes, at least: the last leader may have gone on since it was heard of. Null where that cannot
 * be told: nothing is known, or the candidate is on another line of history.
 */
export function lagOf(candidate: Reach, known: KnownWal): number | null {
  const { timelineTerm } = candidate;
  const others = known.others.filter((other) => other.timelineTerm >= timelineTerm);
  if (others.some((other) => other.timelineTerm > timelineTerm)) return null;
  const { last } = known;
  if (last === null || last.timeline !== candidate.timeline) return null;
  if (termOfTimeline(last.timeline, known.forks) !== timelineTerm) return null;
  const to = others.reduce<Lsn>(
    (furthest, { lsn }) => (lsn > furthest ? lsn : furthest),
    parseLsn(last.lsn),
  );
  return lsnDistance({ from: candidate.lsn, to });
}
