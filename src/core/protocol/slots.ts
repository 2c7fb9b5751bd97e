// What a member does about the slots that it keeps for the others: pure arithmetic. Every member
// keeps one for every other, so that whoever leads next still has the WAL that each of them needs
// (lesson 33), and none holds more than the disk has room for (lesson 31). Only slots that bear
// our prefix are ever looked at.
import { isKnownToDiffer, type Fork } from "../fork.ts";
import type { Lsn } from "../lsn.ts";
import type { TimelineHistory } from "../timeline.ts";
import { termOfTimeline } from "./election.ts";

/** A physical slot of ours on this member's server. */
export interface KeptSlot {
  readonly name: string;
  /** Somebody streams through it. */
  readonly active: boolean;
  /** From where it holds WAL; null: it holds none. */
  readonly restartLsn: Lsn | null;
  /** The server gave up holding its WAL (13 and newer). */
  readonly lost: boolean;
}

/** Another member, for which this one keeps a slot. */
export interface SlotOwner {
  readonly member: string;
  /** Its slot's name. */
  readonly slot: string;
  /** Whether its agent answers now. */
  readonly answers: boolean;
  /**
   * From where it would need WAL to follow this member, by its own agent's word: never beyond what
   * it has flushed. Null where that is not known, or is of another timeline.
   */
  readonly needsFrom: Lsn | null;
  /** See isOnOtherTimeline and wentBeyond. */
  readonly isAlien: boolean;
}

export interface SlotQuestion {
  readonly slots: readonly KeptSlot[];
  readonly owners: readonly SlotOwner[];
  /** The end of this member's WAL. */
  readonly endLsn: Lsn;
  /** Of its newest checkpoint or restart point: from there a slot that is made now holds WAL. */
  readonly redoLsn: Lsn;
  readonly segmentBytes: number;
  /** pg_replication_slot_advance() exists. */
  readonly canAdvance: boolean;
  /** What a slot may hold; Infinity where the server sees to that (max_slot_wal_keep_size). */
  readonly capBytes: number;
  /** Of the disk. */
  readonly freeBytes: number;
}

export type DropReason =
  /** Its member was removed from the cluster, or it is this one's own name. */
  | "nobody's"
  /** The server has invalidated it. */
  | "lost"
  /** It holds more than a slot may. */
  | "cap"
  /** It holds more than the disk has left. */
  | "room";

export type SlotStep =
  | { readonly kind: "create"; readonly slot: string; readonly member: string }
  /** Lets go of WAL that its member does not need any more. */
  | { readonly kind: "advance"; readonly slot: string; readonly to: Lsn }
  /** The same where there is no advancing: dropped and made anew. */
  | { readonly kind: "renew"; readonly slot: string; readonly member: string }
  | {
      readonly kind: "drop";
      readonly slot: string;
      readonly member: string | null;
      readonly why: DropReason;
      /** Somebody streams through it, slower than WAL is written: that stream is ended first. */
      readonly active: boolean;
      readonly heldBytes: number;
    };

/** What another member's agent says of its WAL. */
export interface NeedOfOwner {
  readonly timeline: number | null;
  readonly timelineTerm: number;
  /** See MemberStatus. */
  readonly needsFrom: Lsn | null;
}

/** How this member's WAL leads on. */
export interface OwnWay {
  /** On which its WAL ends. */
  readonly timeline: number | null;
  /** What it was last proven to lead into, and where that left the timeline before. */
  readonly followed: {
    readonly timeline: number;
    readonly before: number;
    readonly switchPoint: Lsn;
  } | null;
  readonly forks: readonly Fork[];
}

/**
 * From where another member would need WAL of this one; null where that cannot be told. Positions
 * compare on one timeline, and across the switch that this member's WAL was proven to lead through:
 * right after a failover one of the two is on either side of it, and where failovers come in a row,
 * always.
 */
export function neededOf(owner: NeedOfOwner, own: OwnWay): Lsn | null {
  const { timeline, needsFrom } = owner;
  const { followed, forks } = own;
  if (timeline === null || needsFrom === null) return null;
  if (timeline === own.timeline) return needsFrom;
  // Another one may have begun a timeline of the same number (lesson 19).
  if (followed === null || owner.timelineTerm !== termOfTimeline(timeline, forks)) return null;
  const { before, switchPoint } = followed;
  if (own.timeline === before && timeline === followed.timeline) return needsFrom;
  if (own.timeline !== followed.timeline || timeline !== before) return null;
  // Beyond the switch point what it has is not this member's.
  return needsFrom < switchPoint ? needsFrom : switchPoint;
}

/**
 * Whether its WAL is on a timeline that has the number of one of this member's and was begun by
 * another leader. PostgreSQL cannot tell the two apart (lesson 19): given a slot it would stream
 * from here, and mix them. So did one that was cut off from the store, when the old primary that it
 * still pointed at came back with the new one's data (found by the simulation).
 */
export function isOnOtherTimeline(
  { timeline, timelineTerm }: Pick<NeedOfOwner, "timeline" | "timelineTerm">,
  forks: readonly Fork[],
): boolean {
  if (timeline === null) return false;
  return isKnownToDiffer(timeline, { member: [{ timeline, term: timelineTerm }], primary: forks });
}

/**
 * Whether it went on with a timeline beyond where this member's WAL left that one. PostgreSQL
 * refuses to stream to it only until it starts anew, which it does by itself when one of its
 * processes crashes: then it heads for the newest history that it was given, takes its position for
 * one in that, and given a slot it would stream from here, and mix the two. So did one that could
 * not reach the new primary, when the old one that it still pointed at came back with that one's
 * data (found by the simulation).
 * @param owner.endLsn of what it has @param history of the timeline that this member is on
 */
export function wentBeyond(
  owner: { readonly timeline: number | null; readonly endLsn: Lsn | null },
  history: TimelineHistory,
): boolean {
  const left = history.ancestors.find(({ timeline }) => timeline === owner.timeline);
  return left !== undefined && owner.endLsn !== null && owner.endLsn > left.switchPoint;
}

/** In the order in which they are to be done; done as they say, no step is asked for twice. */
export function planSlots(question: SlotQuestion): readonly SlotStep[] {
  const { slots, owners } = question;
  const strangers = slots.filter(
    ({ name, active }) => !active && !owners.some(({ slot }) => slot === name),
  );
  return [
    ...strangers.map((slot) => dropping(question, { slot, member: null, why: "nobody's" })),
    ...owners.flatMap((owner) => {
      const slot = slots.find(({ name }) => name === owner.slot);
      return slot === undefined ? creation(owner) : stepsFor(question, { slot, owner });
    }),
  ];
}

/** How much WAL a slot keeps this member from removing. */
export function heldBytes(slot: KeptSlot, endLsn: Lsn): number {
  const { restartLsn } = slot;
  return restartLsn === null || restartLsn >= endLsn ? 0 : Number(endLsn - restartLsn);
}

/**
 * A member that does not answer gets no slot: it would hold WAL for one that may never come back.
 * What it needs when it does is then looked for on every member.
 */
function creation({ slot, member, answers, isAlien }: SlotOwner): SlotStep[] {
  return answers && !isAlien ? [{ kind: "create", slot, member }] : [];
}

interface Kept {
  readonly slot: KeptSlot;
  readonly owner: SlotOwner;
}

function stepsFor(question: SlotQuestion, { slot, owner }: Kept): SlotStep[] {
  const why = reasonToDrop(question, slot);
  // What was given up for want of room is not held again before a checkpoint has removed it.
  if (why !== null)
    return [
      dropping(question, { slot, member: owner.member, why }),
      ...(why === "lost" ? creation(owner) : []),
    ];
  const { needsFrom, member } = owner;
  // Where an alien's WAL ends says nothing of what it needs of this member's.
  if (slot.active || owner.isAlien) return [];
  // It was never used, and made without reserving anything.
  if (slot.restartLsn === null) return owner.answers ? [renewal(slot, member)] : [];
  if (needsFrom === null) return [];
  const { endLsn, redoLsn, canAdvance } = question;
  const to = needsFrom < endLsn ? needsFrom : endLsn;
  if (canAdvance)
    return freesWal(question, { from: slot.restartLsn, to }) ? [advance(slot, to)] : [];
  const isCovered = redoLsn <= to && freesWal(question, { from: slot.restartLsn, to: redoLsn });
  return isCovered ? [renewal(slot, member)] : [];
}

function reasonToDrop(question: SlotQuestion, slot: KeptSlot): DropReason | null {
  const { capBytes, freeBytes, endLsn, redoLsn } = question;
  if (slot.lost) return slot.active ? null : "lost";
  // WAL after the redo position is there in any case.
  const freed = heldBytes(slot, redoLsn);
  if (freed > 0 && heldBytes(slot, endLsn) > capBytes) return "cap";
  // Each byte more that an absent member's slot holds is one less that is free.
  if (!slot.active && freed > freeBytes) return "room";
  return null;
}

function dropping(
  { endLsn }: SlotQuestion,
  of: { slot: KeptSlot; member: string | null; why: DropReason },
): SlotStep {
  const { slot, member, why } = of;
  const { name, active } = slot;
  return { kind: "drop", slot: name, member, why, active, heldBytes: heldBytes(slot, endLsn) };
}

function advance({ name }: KeptSlot, to: Lsn): SlotStep {
  return { kind: "advance", slot: name, to };
}

function renewal({ name }: KeptSlot, member: string): SlotStep {
  return { kind: "renew", slot: name, member };
}

/** WAL is removed by whole segments, and each change of a slot is written to disk. */
function freesWal({ segmentBytes }: SlotQuestion, span: { from: Lsn; to: Lsn }): boolean {
  return segmentOf(span.to, segmentBytes) > segmentOf(span.from, segmentBytes);
}

function segmentOf(lsn: Lsn, segmentBytes: number): bigint {
  return lsn / BigInt(segmentBytes);
}
