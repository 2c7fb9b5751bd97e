// Every change that anyone may make to the record, as pure functions: old record in, new record
// out, or null when the change is not allowed in that state. The caller writes the result by
// compare-and-set, so that of two who change at once one is told to look again.
import type { Fork } from "./fork.ts";
import { isSameSign, signsOf, type LeaderSigns } from "./leader-signs.ts";
import type { Order } from "./protocol/orders.ts";
import type { RuleName } from "./protocol/rules.ts";
import { isSameSchedule, type Scheduled } from "./protocol/schedule.ts";
import { afterTakeover, isSameGuarantee, withRenewed, type Guarantee } from "./protocol/quorum.ts";
import {
  lastKnownPosition,
  lastLeader,
  withHistory,
  type ClusterRecord,
  type RecordMember,
} from "./record.ts";

interface Position {
  readonly lsn: string | null;
  readonly timeline: number | null;
}

/** What is written into the history with a change of hands; `at` is wall clock, for people only. */
interface ChangeNote {
  readonly at: string;
  readonly reason: string;
}

/** Who ends a lead and under which rule, and for how long nobody could write by then. */
export interface Ending {
  readonly by: string;
  readonly rule: RuleName | Order;
  readonly downMs: number | null;
  /** Of its agent's run, where that was proven to be over. */
  readonly session?: string;
}

/** May this member take the lease without being asked by a person? Its term then rises. */
export function mayTakeLease(record: ClusterRecord, member: string): boolean {
  return (
    record.leader === null &&
    record.heir === member &&
    member in record.members &&
    !isFenced(record, member)
  );
}

/**
 * The lease changes hands: the term rises (invariant 3). Null when it is not free for this member.
 */
export function takeLease(
  record: ClusterRecord,
  taker: { member: string; position: Position } & ChangeNote,
): ClusterRecord | null {
  return mayTakeLease(record, taker.member) ? withNewLeader(record, taker) : null;
}

/** May members stand for election? A person's pause and a person's choice go before. */
export function isElecting(record: ClusterRecord): boolean {
  return record.electing && record.leader === null && record.heir === null && !record.paused;
}

/**
 * The one that leads, or is named to, is proven unable to take writes: its lease is free, and the
 * standbys choose among themselves. Null when the record is another by now, or a person has paused
 * the cluster. A leader that was stopped on request has named itself meanwhile, and is gone as
 * well: so who saw it lead and who sees it named are not the same.
 */
export function openElection(
  record: ClusterRecord,
  gone: {
    leader: string | null;
    heir: string | null;
    term: number;
    ending?: Ending;
    /**
     * Where the proof is that it was silent, or the end of one run: of the record that it rests on.
     */
    proof?: LeaderSigns;
  },
): ClusterRecord | null {
  if (gone.proof !== undefined && !isSameSign(gone.proof, signsOf(record))) return null;
  if (record.paused || record.systemId === null || record.term !== gone.term) return null;
  if ((record.leader?.member ?? null) !== gone.leader || record.heir !== gone.heir) return null;
  if (isElecting(record)) return null;
  return { ...record, ...ended(record, gone.ending), heir: null, electing: true, switchover: null };
}

/** Nobody leads any more; how that came about and what was last known of it is kept. */
function ended(
  record: ClusterRecord,
  ending: Ending | undefined,
): Pick<ClusterRecord, "leader" | "ended" | "lastKnown"> {
  const { leader } = record;
  const lastKnown = lastKnownPosition(record);
  if (leader === null) return { leader, ended: record.ended, lastKnown };
  const { member } = leader;
  const told = ending ?? { by: member, rule: "stop-on-request", downMs: null };
  return { leader: null, ended: { member, ...told }, lastKnown };
}

/** The winner of an election takes the lease. Null when the election is over, or was never open. */
export function takeElectedLease(
  record: ClusterRecord,
  winner: { member: string; term: number; position: Position } & ChangeNote,
): ClusterRecord | null {
  const tags = record.members[winner.member]?.tags;
  if (!isElecting(record) || record.term !== winner.term) return null;
  if (isFenced(record, winner.member)) return null;
  return tags === undefined || tags.nofailover === true ? null : withNewLeader(record, winner);
}

function withNewLeader(
  record: ClusterRecord,
  taker: { member: string; position: Position } & ChangeNote,
): ClusterRecord {
  const term = record.term + 1;
  // In the same write: from its first commit on another set must hold.
  const from = record.history.at(-1)?.member ?? null;
  const guarantee = afterTakeover(record.sync.guarantee, { from, to: taker.member });
  return {
    ...record,
    term,
    sync: { ...record.sync, guarantee },
    leader: { member: taker.member, renewals: 0, ...taker.position },
    heir: null,
    electing: false,
    // Asked for with another primary in mind; one that merely starts again is the same.
    scheduled: from === taker.member ? record.scheduled : null,
    history: withHistory(record.history, {
      term,
      member: taker.member,
      ...taker.position,
      at: taker.at,
      reason: taker.reason,
    }),
  };
}

/** One renewal. Null when the lease is no longer this member's, in this term. */
export function renewLease(
  record: ClusterRecord,
  holder: { member: string; term: number; position: Position },
): ClusterRecord | null {
  if (!holdsLease(record, holder)) return null;
  const renewals = (record.leader?.renewals ?? 0) + 1;
  const { lsn, timeline } = holder.position;
  // A timeline is only named once its fork is: whoever sees it begins to follow.
  const isAnnounced = record.forks.some(
    (fork) => fork.timeline === timeline && fork.term === record.term,
  );
  const leader = { member: holder.member, renewals, lsn, timeline: isAnnounced ? timeline : null };
  // Its server may be gone: what it told before is what is known of it.
  const tells = lsn !== null && leader.timeline !== null;
  return { ...record, leader, lastKnown: tells ? null : lastKnownPosition(record) };
}

/**
 * The leader is writable: others may follow it from now on. Ends the switchover that made it the
 * leader. Null when the lease is no longer this member's, in this term.
 */
export function announcePrimary(
  record: ClusterRecord,
  primary: { member: string; term: number; position: Position; forks: readonly Fork[] },
): ClusterRecord | null {
  const isEnd = record.switchover?.to === primary.member;
  const switchover = isEnd ? null : record.switchover;
  return renewLease({ ...record, forks: [...primary.forks], switchover }, primary);
}

export function holdsLease(
  record: ClusterRecord,
  holder: { member: string; term: number },
): boolean {
  return record.leader?.member === holder.member && record.term === holder.term;
}

/**
 * Gives the lease away, naming who may take it next: itself when the cluster stops, the successor
 * at a switchover, nobody when its data is gone.
 */
export function releaseLease(
  record: ClusterRecord,
  holder: { member: string; term: number; heir: string | null; ending?: Ending },
): ClusterRecord | null {
  if (!holdsLease(record, holder)) return null;
  // One that has taken the lease has ended the switchover to it: it may have acknowledged commits.
  const isOwn = record.switchover?.from === holder.member;
  const switchover = isOwn ? record.switchover : null;
  return { ...record, ...ended(record, holder.ending), heir: holder.heir, switchover };
}

/**
 * Announces a switchover, so that everyone sees what is under way. Null when one is, or when it
 * cannot be.
 * @param plan.scheduled what it is the time for: who was told meanwhile that it is cancelled, or
 *   another in its place, is to be right
 */
export function beginSwitchover(
  record: ClusterRecord,
  plan: { from: string; to: string; term: number; scheduled?: Scheduled },
): ClusterRecord | null {
  const { scheduled } = plan;
  if (scheduled !== undefined && !isSameSchedule(record.scheduled, scheduled)) return null;
  if (record.switchover !== null || plan.from === plan.to || !(plan.to in record.members))
    return null;
  if (!holdsLease(record, { member: plan.from, term: plan.term })) return null;
  if (isFenced(record, plan.to)) return null;
  return { ...record, switchover: { from: plan.from, to: plan.to } };
}

/** A time is named for a switchover, in place of any other. Null when nobody leads. */
export function scheduleSwitchover(
  record: ClusterRecord,
  scheduled: NonNullable<ClusterRecord["scheduled"]>,
): ClusterRecord | null {
  const { to } = scheduled;
  if (record.leader === null || to === record.leader.member) return null;
  if (to !== null && (!(to in record.members) || isFenced(record, to))) return null;
  return { ...record, scheduled };
}

/** Null when none is scheduled. */
export function cancelScheduled(record: ClusterRecord): ClusterRecord | null {
  return record.scheduled === null ? null : { ...record, scheduled: null };
}

/** Withdraws a switchover that has not handed the lease over. */
export function withdrawSwitchover(record: ClusterRecord): ClusterRecord | null {
  if (record.switchover === null || record.leader?.member !== record.switchover.from) return null;
  return { ...record, switchover: null };
}

/**
 * The successor did not take the lease that was handed to it: the old primary takes it back. Null
 * once it was taken: the successor may have acknowledged commits before it gave it up again.
 */
export function reclaimHandover(record: ClusterRecord, member: string): ClusterRecord | null {
  if (record.leader !== null || record.switchover?.from !== member) return null;
  if (record.heir !== record.switchover.to) return null;
  if (record.history.at(-1)?.member !== member) return null;
  return { ...record, heir: member, switchover: null };
}

/**
 * A person takes the lease from a leader that is lost, before anyone else may have it: with no
 * heir, nobody takes it until one is named. Null when the record is another by now.
 */
export function revokeLease(
  record: ClusterRecord,
  of: { deadLeader: string | null; term: number; ending?: Ending },
): ClusterRecord | null {
  if (record.term !== of.term || (record.leader?.member ?? null) !== of.deadLeader) return null;
  return { ...record, ...ended(record, of.ending), heir: null, electing: false, switchover: null };
}

/**
 * A person names a new primary after the old one is proven dead: only then may the lease be taken
 * from it.
 */
export function appointHeir(
  record: ClusterRecord,
  appointment: { member: string; deadLeader: string | null; term: number },
): ClusterRecord | null {
  if (record.term !== appointment.term || !(appointment.member in record.members)) return null;
  if (isFenced(record, appointment.member)) return null;
  if ((record.leader?.member ?? null) !== appointment.deadLeader) return null;
  const heir = appointment.member;
  return { ...record, ...ended(record, undefined), heir, electing: false, switchover: null };
}

/**
 * Who leads, or is named to, cannot or must not any more, and its server takes no writes: the
 * standbys choose among themselves, once no pause keeps them from it. Null when another leads.
 */
export function resignLease(
  record: ClusterRecord,
  of: { member: string; term: number; ending?: Ending },
): ClusterRecord | null {
  if (record.term !== of.term || (record.leader?.member ?? record.heir) !== of.member) return null;
  const electing = record.systemId !== null;
  return { ...record, ...ended(record, of.ending), heir: null, electing, switchover: null };
}

/** Whether a person has said that this member's server must not run. */
export function isFenced(record: ClusterRecord, member: string): boolean {
  return record.fenced.includes(member);
}

/** Null when it is fenced already, and when there is no such member. */
export function fenceMember(record: ClusterRecord, name: string): ClusterRecord | null {
  if (!(name in record.members) || isFenced(record, name)) return null;
  return { ...record, fenced: [...record.fenced, name] };
}

/**
 * Who led last, and was not succeeded, is named to lead again: without that nobody would be. Null
 * when it is not fenced.
 */
export function unfenceMember(record: ClusterRecord, name: string): ClusterRecord | null {
  if (!isFenced(record, name)) return null;
  const isNobodys = record.leader === null && record.heir === null && !record.electing;
  const heir = isNobodys && lastLeader(record) === name ? name : record.heir;
  return { ...record, heir, fenced: record.fenced.filter((each) => each !== name) };
}

/** The choice of a person came to nothing: the standbys go on choosing. Null when it was made. */
export function reopenElection(record: ClusterRecord, of: { term: number }): ClusterRecord | null {
  if (record.term !== of.term || record.leader !== null || record.heir !== null) return null;
  return { ...record, electing: true };
}

/** The first member has made the data: from now on every data directory must be of this system. */
export function setSystemId(record: ClusterRecord, systemId: string): ClusterRecord | null {
  return record.systemId === null ? { ...record, systemId } : null;
}

/** Nothing fails over by itself any more, or does again. Null when that is so already. */
export function setPaused(record: ClusterRecord, paused: boolean): ClusterRecord | null {
  return record.paused === paused ? null : { ...record, paused };
}

/**
 * What synchronous replication promises from now on. Null when the lease is no longer this
 * member's, in this term, or when the record is not the one any more that it was made from.
 */
export function setGuarantee(
  record: ClusterRecord,
  of: {
    member: string;
    term: number;
    before: Pick<ClusterRecord["sync"], "guarantee" | "copies">;
    next: Guarantee | null;
  },
): ClusterRecord | null {
  if (!holdsLease(record, of)) return null;
  const { guarantee, copies } = record.sync;
  // A member that copies the leader anew may have been among those that were seen to have all.
  if (!isSameGuarantee(guarantee, of.before.guarantee) || copies !== of.before.copies) return null;
  return { ...record, sync: { ...record.sync, guarantee: of.next } };
}

/**
 * A member begins to copy the leader, so what it has confirmed before may not be on it any more.
 * Null where nobody counts on members.
 */
export function beginCopy(record: ClusterRecord, member: string): ClusterRecord | null {
  const { mode, guarantee, copies } = record.sync;
  if (mode === "off" && guarantee === null) return null;
  const renewed = withRenewed(guarantee, member);
  return { ...record, sync: { ...record.sync, guarantee: renewed, copies: copies + 1 } };
}

/** The specification has changed. */
export function bumpGeneration(record: ClusterRecord): ClusterRecord {
  return { ...record, generation: record.generation + 1 };
}

export function addMember(
  record: ClusterRecord,
  added: { name: string; member: RecordMember },
): ClusterRecord | null {
  if (added.name in record.members) return null;
  const members = { ...record.members, [added.name]: added.member };
  return { ...record, members, generation: record.generation + 1 };
}

/** An agent listens elsewhere now. People never name this port, so it may move. */
export function moveApi(
  record: ClusterRecord,
  moved: { name: string; apiPort: number },
): ClusterRecord | null {
  const member = record.members[moved.name];
  if (member === undefined) return null;
  const members = { ...record.members, [moved.name]: { ...member, apiPort: moved.apiPort } };
  return { ...record, members };
}

/**
 * Null for the leader and the heir: they must hand over first. Whoever was to stream from it
 * streams from the primary.
 */
export function removeMember(record: ClusterRecord, name: string): ClusterRecord | null {
  if (!(name in record.members)) return null;
  if (record.leader?.member === name || record.heir === name) return null;
  const members = Object.fromEntries(
    Object.entries(record.members)
      .filter(([member]) => member !== name)
      .map(([member, entry]) => [member, withoutUpstream(entry, name)]),
  );
  const fenced = record.fenced.filter((each) => each !== name);
  const scheduled = record.scheduled?.to === name ? null : record.scheduled;
  return { ...record, members, fenced, scheduled, generation: record.generation + 1 };
}

function withoutUpstream(member: RecordMember, gone: string): RecordMember {
  return member.tags.from === gone ? { ...member, tags: { ...member.tags, from: null } } : member;
}
