// What a member is and does, and how far it has come, from one look at its server and its disk. It
// is asked of all members at once while nobody leads: it costs one query.
import type { MemberReach, MemberState, Progress } from "../core/member-status.ts";
import { lastLeader } from "../core/record.ts";
import { isFenced } from "../core/record-changes.ts";
import { termOfTimeline } from "../core/protocol/election.ts";
import type { Ground } from "../core/protocol/situation.ts";
import { readControlData, type ControlData } from "../postgres/control-data.ts";
import { whyNoRoom } from "./disk-room.ts";
import { isKnownToFollow } from "./effects/follow.ts";
import { writableLeader, type Member } from "./member.ts";
import { reachAt } from "./own-reach.ts";
import type { Position } from "./probe.ts";

/** What only the agent's loop knows. */
export interface Doing {
  readonly ground: Ground;
  /** The effect under way, and why the last one failed. */
  readonly activity: { readonly effect: string | null; readonly failure: string | null };
  readonly progress: Progress | null;
}

/** What that is made of. */
export interface MemberLook extends Doing {
  readonly member: Member;
  /** Null where its server is not up, or does not answer. */
  readonly position: Position | null;
  /** Null where it cannot be read. */
  readonly control: ControlData | null;
  /** On which its WAL ends. */
  readonly timeline: number | null;
  /** An agent that has just begun has not looked at its ground yet. */
  readonly hasData: boolean;
  /** Why its disk has no room; null while it has. */
  readonly noRoom: string | null;
  /** A standby that may become the primary at any moment. */
  readonly isToBePromoted: boolean;
}

/** No server of it lives. */
const DOWN: ReadonlySet<Ground> = new Set([
  "nothing",
  "half-made",
  "foreign",
  "stopped",
  "crashed",
]);

/** @param given.position null where it is not to be asked, or did not answer */
export async function lookAt(
  member: Member,
  given: Doing & { readonly position: Position | null },
): Promise<MemberLook> {
  const { ground, activity, progress, position } = given;
  const [control, noRoom, isToBePromoted, reached] = await Promise.all([
    readControlData(member.paths.data).catch(() => null),
    whyNoRoom(member.paths.data),
    ground === "standby" && mayBePromoted(member),
    position === null ? null : reachAt(member, position),
  ]);
  const timeline = reached?.timeline ?? control?.timeline ?? null;
  const hasData = control !== null;
  const looked = { position, control, timeline, hasData, noRoom, isToBePromoted };
  return { member, ground, activity, progress, ...looked };
}

/** Null where its server is not up, or does not answer. */
export async function readPosition(
  { positions }: Pick<Member, "positions">,
  ground: Ground,
): Promise<Position | null> {
  if (ground !== "primary" && ground !== "standby") return null;
  return positions.read().catch(() => null);
}

export async function readReach(member: Member, given: Doing): Promise<MemberReach> {
  const position = await readPosition(member, given.ground);
  return reachIn(await lookAt(member, { ...given, position }));
}

export function reachIn(look: MemberLook): MemberReach {
  const { member, ground, position, timeline } = look;
  return {
    cluster: member.cluster,
    name: member.name,
    role: roleOf(ground),
    state: stateOf(look),
    timeline,
    timelineTerm: termOfTimeline(timeline, member.memory.forks),
    flushLsn: position?.flushLsn ?? null,
    replayLsn: position?.replayLsn ?? null,
  };
}

/**
 * In this order: a request that is made after the lease was lost is not made (requestPromotion), so
 * whoever finds neither knows that none comes.
 */
async function mayBePromoted({ keeper, server }: Member): Promise<boolean> {
  return keeper.holdsLease || (await server.wasAskedToPromote());
}

function roleOf(ground: Ground): MemberReach["role"] {
  return ground === "primary" || ground === "standby" ? ground : "none";
}

function stateOf(input: MemberLook): Exclude<MemberState, "unreachable"> {
  const { ground, activity, member, position } = input;
  if (activity.effect === "clone") return "cloning";
  if (input.progress?.step === "rewinding") return "rewinding";
  if (activity.failure !== null && ground !== "primary" && ground !== "standby") return "failed";
  if (isKeptFenced(input)) return "fenced";
  if (ground === "foreign" || cannotLead(input)) return "failed";
  // A leader that cannot be promoted is no standby that catches up: nobody leads.
  if (activity.failure !== null && ground === "standby" && member.keeper.holdsLease)
    return "failed";
  if (ground === "held") return "failed";
  if (activity.effect === "bootstrap" || activity.effect === "start") return "starting";
  if (ground === "starting" || ground === "closed") return "starting";
  if (ground === "primary" && (position === null || input.noRoom !== null)) return "failed";
  if (ground === "primary") return member.sync.isOpen ? "running" : "starting";
  if (ground !== "standby") return "stopped";
  if (input.isToBePromoted) return "starting";
  return isStreaming(input) ? "streaming" : "catching-up";
}

/** A server that still runs, or is being stopped, is told of as what it is. */
export function isKeptFenced({ member, ground }: MemberLook): boolean {
  const { record } = member.keeper;
  return record !== null && isFenced(record, member.name) && DOWN.has(ground);
}

/** Everybody waits for this member, which has nothing to lead with. */
export function cannotLead({ member, ground, hasData }: MemberLook): boolean {
  const { record } = member.keeper;
  if (ground !== "half-made" && (ground !== "nothing" || hasData)) return false;
  if (record === null || record.systemId === null || record.leader !== null) return false;
  return lastLeader(record) === member.name;
}

/**
 * Streaming is what was proven: it may follow the leader's timeline, and its walreceiver is on that
 * very one.
 */
export function isStreaming({ member, position }: MemberLook): boolean {
  const { record } = member.keeper;
  const leader = writableLeader(record);
  return (
    record !== null &&
    leader !== null &&
    position?.receiver === "streaming" &&
    isKnownToFollow(member, { leader, record }) &&
    position.timeline === leader.timeline
  );
}
