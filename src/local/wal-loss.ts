// What a failover loses: how much of a dead primary's WAL a candidate has not. Exact only where
// both are proven to be on one history, by the terms that began its timelines; timelines of one
// number that two leaders began are two (lesson 19).
import { isSameFork, type Fork } from "../core/fork.ts";
import { lsnDistance, type Lsn } from "../core/lsn.ts";
import type { TimelineHistory } from "../core/timeline.ts";

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

/**
 * The term that began the timeline a member is on; 0 for the first, which is everybody's. Where it
 * is not known, that of the newest timeline before it: a standby follows its primary's restart to a
 * new timeline by itself, perhaps before the primary could name it.
 */
export function termOfTimeline(timeline: number | null, forks: readonly Fork[]): number {
  if (timeline === null || timeline === 1) return 0;
  return forks.findLast((fork) => fork.timeline <= timeline)?.term ?? 0;
}

/** How far a member has come. */
export interface Reach {
  readonly name: string;
  readonly timeline: number | null;
  readonly timelineTerm: number;
  readonly lsn: Lsn;
}

/**
 * For sorting, the furthest first: the newest term that began a timeline, then that timeline's
 * number, then the position. A timeline with a higher number may be of an older leader than
 * another's.
 */
export function compareReach(one: Reach, other: Reach): number {
  return (
    other.timelineTerm - one.timelineTerm ||
    (other.timeline ?? 0) - (one.timeline ?? 0) ||
    (one.lsn === other.lsn ? one.name.localeCompare(other.name) : one.lsn > other.lsn ? -1 : 1)
  );
}
