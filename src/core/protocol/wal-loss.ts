// What a failover loses: how much of a dead primary's WAL a candidate has not. Exact only where
// both are proven to be on one history, by the terms that began its timelines; timelines of one
// number that two leaders began are two (lesson 19).
import { isSameFork, type Fork } from "../fork.ts";
import { lsnDistance, type Lsn } from "../lsn.ts";
import type { TimelineHistory } from "../timeline.ts";

/** One member's WAL: how far it goes, and through which timelines. */
export interface WalPath {
  readonly endLsn: Lsn;
  /**
   * Of its last record; its ancestors tell where they were left. Null where the history file cannot
   * be read.
   */
  readonly history: TimelineHistory | null;
  readonly timeline: number;
  readonly forks: readonly Fork[];
}

/**
 * Bytes of the dead primary's WAL that the candidate has not. Null where nothing proves that they
 * share a history: what is lost is not known then, and may be everything since they parted.
 */
export function lossOf(dead: WalPath, candidate: WalPath): number | null {
  const shared = sharedEnd(dead, candidate);
  return shared === null ? null : lsnDistance({ from: shared, to: dead.endLsn });
}

/** Up to where the two are the same. */
function sharedEnd(dead: WalPath, candidate: WalPath): Lsn | null {
  if (dead.timeline === candidate.timeline)
    return areSame(dead.timeline, { dead, candidate })
      ? lesser(dead.endLsn, candidate.endLsn)
      : null;
  const leftByDead = switchPointOf(dead, candidate.timeline);
  if (leftByDead !== null)
    return areSame(candidate.timeline, { dead, candidate })
      ? lesser(candidate.endLsn, leftByDead)
      : null;
  const leftByCandidate = switchPointOf(candidate, dead.timeline);
  if (leftByCandidate !== null && areSame(dead.timeline, { dead, candidate }))
    return lesser(dead.endLsn, leftByCandidate);
  return null;
}

function areSame(timeline: number, of: { dead: WalPath; candidate: WalPath }): boolean {
  return isSameFork(timeline, { member: of.candidate.forks, primary: of.dead.forks });
}

/** Where that path left the timeline, or null when it never was on it. */
function switchPointOf({ history }: WalPath, timeline: number): Lsn | null {
  return history?.ancestors.find((ancestor) => ancestor.timeline === timeline)?.switchPoint ?? null;
}

function lesser(one: Lsn, other: Lsn): Lsn {
  return one < other ? one : other;
}
