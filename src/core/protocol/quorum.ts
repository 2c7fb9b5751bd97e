// Which members hold every acknowledged commit: claims of the form "at least so many of these", how
// they follow from each other, and what a failover may conclude from the members that it has seen.
// Pure. The proofs are in docs/protocol.md, "Synchronous replication".
import { compareReach, type Ballot, type Reach } from "./election.ts";

/**
 * Of PostgreSQL: what an acknowledgement waits for, `ANY required (members)`. Of the record: how
 * many of which members are certain to have every commit that was acknowledged. The leader is never
 * among them, it has all anyway.
 */
export interface Quorum {
  readonly required: number;
  /** In the order of their names. */
  readonly members: readonly string[];
}

/** As the record keeps it. */
export interface Guarantee extends Quorum {
  /**
   * Of the members: whose data is a newer copy, or none. What such a member once confirmed it may
   * not have any more, so it counts as one that is not seen, until it has caught up with a leader.
   */
  readonly renewed: readonly string[];
}

/** Commits wait for nobody, and nobody is certain to have them. */
export const NOBODY: Quorum = { required: 0, members: [] };

/** Cannot be met: no commit is acknowledged. */
export const CLOSED: Quorum = { required: 1, members: [] };

export function quorumOf(required: number, members: Iterable<string>): Quorum {
  const names = [...new Set(members)].sort();
  return required === 0 ? NOBODY : { required, members: names };
}

export function isSameQuorum(one: Quorum, other: Quorum): boolean {
  return one.required === other.required && one.members.join() === other.members.join();
}

export function isSameGuarantee(one: Guarantee | null, other: Guarantee | null): boolean {
  if (one === null || other === null) return one === other;
  return isSameQuorum(one, other) && one.renewed.join() === other.renewed.join();
}

/**
 * Whether everything that is on `one.required` of `one.members`, whichever these are, is then also
 * on `other.required` of `other.members`. What can never be met implies everything.
 */
export function implies(one: Quorum, other: Quorum): boolean {
  if (one.required > one.members.length) return true;
  const outside = one.members.filter((name) => !other.members.includes(name)).length;
  return Math.max(0, one.required - outside) >= other.required;
}

/**
 * The guarantee when the lease goes from one member to another. The former leader has every commit
 * that it acknowledged, so it can stand in the set for the one that leads now: as much as before is
 * certain, and at once.
 */
export function afterTakeover(
  guarantee: Guarantee | null,
  of: { from: string | null; to: string },
): Guarantee | null {
  const { from, to } = of;
  if (guarantee === null || !guarantee.members.includes(to)) return guarantee;
  const others = guarantee.members.filter((name) => name !== to);
  const isSwapped = from !== null && from !== to;
  const required = isSwapped ? guarantee.required : guarantee.required - 1;
  if (required === 0) return null;
  const renewed = guarantee.renewed.filter((name) => name !== to && name !== from);
  return { ...quorumOf(required, isSwapped ? [...others, from] : others), renewed };
}

/**
 * A member begins to copy the leader: what it had confirmed before is not certain to be on it.
 * @returns the same where that changes nothing.
 */
export function withRenewed(guarantee: Guarantee | null, member: string): Guarantee | null {
  if (guarantee === null || !guarantee.members.includes(member)) return guarantee;
  if (guarantee.renewed.includes(member)) return guarantee;
  return { ...guarantee, renewed: [...guarantee.renewed, member].sort() };
}

/** What keeps a standby from leading although it has come furthest of those that could. */
export interface Doubt {
  /** Members that may have what nobody who was seen has. */
  readonly unseen: readonly string[];
  /** A member that was seen to have more, and cannot lead itself. */
  readonly ahead: string | null;
}

/**
 * Why it is not certain that this candidate has every acknowledged commit; null where it is.
 * Whatever was acknowledged is on `required` of the members: where fewer than that are unseen, one
 * of the seen has it, and so has whoever has come as far as the furthest of them.
 * @param of.ballots of the others; the candidate's own, as it was before it got more, does no harm
 */
export function doubtOf(
  guarantee: Guarantee | null,
  of: { candidate: Reach; ballots: readonly Ballot[] },
): Doubt | null {
  if (guarantee === null || guarantee.required === 0) return null;
  const { candidate, ballots } = of;
  const { required, members } = guarantee;
  const seen = [candidate, ...ballots.flatMap(seenIn)].filter(({ name }) =>
    isVouchedFor(guarantee, name),
  );
  const unseen = members.filter((member) => !seen.some(({ name }) => name === member));
  const ahead = seen.toSorted(compareReach).find((each) => hasMore(each, candidate)) ?? null;
  if (unseen.length < required && ahead === null) return null;
  return { unseen: unseen.length < required ? [] : unseen, ahead: ahead?.name ?? null };
}

/**
 * Members that are not up and whose disks have more than the candidate: it can fetch that from
 * there before it leads. The furthest first. Without a guarantee whoever has more counts: it may
 * have been acknowledged.
 */
export function aheadOnDisk(
  guarantee: Guarantee | null,
  of: { candidate: Reach; ballots: readonly Ballot[] },
): readonly string[] {
  return of.ballots
    .flatMap((ballot) => ("onDisk" in ballot && ballot.onDisk ? [ballot.onDisk] : []))
    .filter(({ name }) => guarantee === null || isVouchedFor(guarantee, name))
    .filter((each) => hasMore(each, of.candidate))
    .sort(compareReach)
    .map(({ name }) => name);
}

function isVouchedFor({ members, renewed }: Guarantee, name: string): boolean {
  return members.includes(name) && !renewed.includes(name);
}

function seenIn(ballot: Ballot): readonly Reach[] {
  if ("lsn" in ballot) return [ballot];
  return ballot.onDisk === undefined ? [] : [ballot.onDisk];
}

function hasMore(one: Reach, other: Reach): boolean {
  return compareReach({ ...one, name: "" }, { ...other, name: "" }) < 0;
}

/** "demo-2", "demo-2 and demo-3", "1 of demo-2, demo-3"; for people. */
export function describeQuorum(quorum: Quorum | null | undefined): string {
  if (quorum === null || quorum === undefined || quorum.required === 0) return "no standby";
  const { required, members } = quorum;
  if (members.length === 0) return "a standby";
  if (required === members.length) return members.join(" and ");
  return `${required} of ${members.join(", ")}`;
}

/** One clause for people: "demo-3 is not seen and may have acknowledged commits". */
export function describeDoubt({ unseen, ahead }: Doubt, guarantee: Quorum): string {
  const parts: string[] = [];
  if (unseen.length > 0)
    parts.push(
      `each acknowledged commit is on ${describeQuorum(guarantee)}, and ${unseen.join(", ")} cannot be seen`,
    );
  if (ahead !== null) parts.push(`${ahead} has more and cannot lead now`);
  return parts.join("; ");
}
