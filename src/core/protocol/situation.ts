// What a member sees, boiled down to the two words that the rules are written in: its part in the
// cluster and the ground it stands on. Pure: plain data in, plain data out.
import { isElecting, isFenced, mayTakeLease } from "../record-changes.ts";
import type { ClusterRecord } from "../record.ts";

/** What the record makes of this member. */
export type Part =
  /** The record is not known: the store has not answered since the agent began. */
  | "unknown"
  /** The lease is this member's. */
  | "leader"
  /** The lease is free, and this member is the one named to take it. */
  | "heir"
  /** Another member leads. */
  | "follower"
  /** Another member leads, or is named to, and is proven unable to take writes. */
  | "bereaved"
  /** Nobody leads, and the best standby may take the lease. */
  | "candidate"
  /** Nobody leads, and it is for another to take the lease. */
  | "waiting"
  /** A person has fenced it. */
  | "fenced"
  /** A person has fenced it, and the lease is still its own, or it is named to take it. */
  | "fenced-leader"
  /** The record has no such member: it was removed. */
  | "removed";

/** What there is on disk and running. */
export type Ground =
  | "nothing"
  /** A copy was begun and not finished: it must never be started (lesson 27). */
  | "half-made"
  /** The data directory is of another system, or unreadable: hands off. */
  | "foreign"
  | "stopped"
  /** It was writable and ended without a shutdown: its WAL may have what nobody else has. */
  | "crashed"
  /**
   * PostgreSQL lives but does not take connections yet: recovery may take long and is never cut
   * short (lesson 53).
   */
  | "starting"
  /**
   * Up, in recovery, and to be promoted, which cannot be taken back: started without readers, with
   * lower settings than its WAL was written with; or asked to become the primary, under a lease
   * that is not its own any more.
   */
  | "closed"
  | "standby"
  | "primary"
  /** Its postmaster was stopped by a signal: nobody can connect, and it hears no request. */
  | "held"
  | "stopping";

export const PARTS = [
  "unknown",
  "leader",
  "heir",
  "follower",
  "bereaved",
  "candidate",
  "waiting",
  "fenced",
  "fenced-leader",
  "removed",
] as const satisfies readonly Part[];
export const GROUNDS = [
  "nothing",
  "half-made",
  "foreign",
  "stopped",
  "crashed",
  "starting",
  "closed",
  "standby",
  "primary",
  "held",
  "stopping",
] as const satisfies readonly Ground[];

/**
 * @param of.leaderIsGone whether the member that leads, or is named to, is proven unable to take
 * writes
 */
export function partOf(
  record: ClusterRecord | null,
  of: { readonly self: string; readonly leaderIsGone: boolean },
): Part {
  const { self, leaderIsGone } = of;
  if (record === null) return "unknown";
  if (!(self in record.members)) return "removed";
  if (isFenced(record, self))
    return (record.leader?.member ?? record.heir) === self ? "fenced-leader" : "fenced";
  if (record.leader?.member === self) return "leader";
  if (mayTakeLease(record, self)) return "heir";
  if (isElecting(record)) return "candidate";
  if (leaderIsGone && !record.paused && record.systemId !== null) return "bereaved";
  return record.leader === null ? "waiting" : "follower";
}
