// What this agent answers about its member: read fresh from the server when asked, null where
// nothing is known.
import { API_VERSION } from "../core/spec.ts";
import { formatLsnOrNull, lsnDistance, parseLsnOrNull } from "../core/lsn.ts";
import type { MemberState, MemberStatus, Progress } from "../core/member-status.ts";
import { isDelayed } from "../core/cascade.ts";
import { slotNameOf } from "../core/name.ts";
import { describeQuorum } from "../core/protocol/quorum.ts";
import { lastLeader } from "../core/record.ts";
import { isFenced } from "../core/record-changes.ts";
import { slotWarnings } from "../core/slot-warnings.ts";
import { termOfTimeline } from "../core/protocol/election.ts";
import type { Ground } from "../core/protocol/situation.ts";
import { readControlData, type ControlData } from "../postgres/control-data.ts";
import { factsOf } from "../postgres/majors.ts";
import { readSlots, type ReplicationSlot } from "../postgres/slots.ts";
import { inspectStorage, storageOf } from "../postgres/storage.ts";
import { whyNoRoom } from "./disk-room.ts";
import { isKnownToFollow } from "./effects/follow.ts";
import { lowersStandbySettings } from "./effects/settings.ts";
import { writableLeader, type Member } from "./member.ts";
import { readReplication, readSettingTrouble, type Position } from "./probe.ts";
import { reachAt } from "./own-reach.ts";

export interface StatusInput {
  readonly ground: Ground;
  /** The effect under way, and why the last one failed. */
  readonly activity: { readonly effect: string | null; readonly failure: string | null };
  readonly progress: Progress | null;
  /** What the store's trouble is, if any. */
  readonly storeTrouble: string | null;
  /** The record's generation that the server has been given. */
  readonly generation: number | null;
  /** See MemberStatus. */
  readonly toldGeneration: number | undefined;
}

/** An older complaint is of an earlier trouble. */
const COMPLAINT_AGE_MS = 5_000;

interface SettingTrouble {
  readonly pendingRestart: readonly string[];
  readonly overridden: readonly string[];
}

interface Facts extends SettingTrouble {
  readonly position: Position | null;
  readonly replication: MemberStatus["replication"];
  readonly slots: MemberStatus["slots"];
}

/** No server of it lives. */
const DOWN: ReadonlySet<Ground> = new Set([
  "nothing",
  "half-made",
  "foreign",
  "stopped",
  "crashed",
]);

const NO_TROUBLE: SettingTrouble = { pendingRestart: [], overridden: [] };

/** What a status is made of, beside what is read. */
interface Reading extends StatusInput {
  readonly member: Member;
  /** An agent that has just begun has not looked at its ground yet. */
  readonly hasData: boolean;
  /** Why its disk has no room; null while it has. */
  readonly noRoom: string | null;
  /** A standby that may become the primary at any moment. */
  readonly isToBePromoted: boolean;
}

/** Everything is read anew but what only changes with the server's settings, and the disk. */
export class StatusReader {
  readonly #member: Member;
  #settings: { readonly as: string; readonly trouble: SettingTrouble } | null = null;
  #storage: MemberStatus["storage"] = null;

  constructor(member: Member) {
    this.#member = member;
  }

  async read(given: StatusInput): Promise<MemberStatus> {
    const member = this.#member;
    this.#storage ??= await inspectStorage(member.paths.root).then(storageOf, () => null);
    const [facts, server, control, noRoom] = await Promise.all([
      this.#readFacts(given.ground),
      member.server.state(),
      readControlData(member.paths.data).catch(() => null),
      whyNoRoom(member.paths.data),
    ]);
    const isToBePromoted = given.ground === "standby" && (await mayBePromoted(member));
    const input = { ...given, member, hasData: control !== null, noRoom, isToBePromoted };
    const { ground, activity } = given;
    const { record } = member.keeper;
    const address = record?.members[member.name];
    const { position } = facts;
    const upstream = ground === "standby" ? upstreamOf(member) : null;
    const reached = position === null ? null : (await reachAt(member, position)).timeline;
    const timeline = reached ?? control?.timeline ?? null;
    return {
      apiVersion: API_VERSION,
      kind: "MemberStatus",
      cluster: member.cluster,
      name: member.name,
      role: roleOf(ground),
      state: stateOf(input, position),
      reason: activity.failure ?? (await reasonOf(input, position)),
      agentPid: process.pid,
      pid: "pid" in server ? server.pid : null,
      host: address?.host ?? "127.0.0.1",
      port: address?.port ?? 0,
      systemId: control?.systemId ?? null,
      timeline,
      timelineTerm: termOfTimeline(timeline, member.memory.forks),
      postgresVersion: member.file().installation.version,
      term: record?.term ?? null,
      generation: input.generation,
      ...(input.toldGeneration === undefined ? {} : { toldGeneration: input.toldGeneration }),
      writeLsn: position?.writeLsn ?? null,
      flushLsn: position?.flushLsn ?? null,
      replayLsn: position?.replayLsn ?? null,
      needsWalFrom: needsWalFrom(position, control),
      replayLagSeconds: position?.replayLagSeconds ?? null,
      upstream,
      slot: upstream === null ? null : slotNameOf(member.name),
      replication: facts.replication,
      slots: facts.slots,
      progress: input.progress,
      pendingRestart: facts.pendingRestart,
      ...((await lowersFirst(input, facts)) ? { lowersFirst: true } : {}),
      warnings: warningsOf(input, facts),
      storage: this.#storage,
    };
  }

  async #readFacts(ground: Ground): Promise<Facts> {
    if (ground !== "primary" && ground !== "standby")
      return { position: null, replication: [], slots: [], ...NO_TROUBLE };
    const { session, positions } = this.#member;
    const [position, replication, slots] = await Promise.all([
      positions.read().catch(() => null),
      readReplication(session).catch(() => []),
      readSlots(session).catch(() => []),
    ]);
    return {
      position,
      replication,
      slots: slotStatuses(slots, position),
      ...(await this.#settingTrouble(position)),
    };
  }

  /** pg_settings has hundreds of rows; it changes with a start or a reload alone. */
  async #settingTrouble(position: Position | null): Promise<SettingTrouble> {
    if (position === null) return NO_TROUBLE;
    if (this.#settings?.as === position.settingsAsOf) return this.#settings.trouble;
    const trouble = await readSettingTrouble(this.#member.session).catch(() => null);
    if (trouble !== null) this.#settings = { as: position.settingsAsOf, trouble };
    return trouble ?? NO_TROUBLE;
  }
}

/** Only looked at where anything waits for a restart. */
async function lowersFirst({ member, ground }: Reading, facts: Facts): Promise<boolean> {
  const { record } = member.keeper;
  if (ground !== "primary" || record === null || facts.pendingRestart.length === 0) return false;
  return lowersStandbySettings(member, { record, upstream: null, asPrimary: true });
}

/** Null as long as there is no primary that anybody could follow. */
function upstreamOf({ keeper, supply }: Member): string | null {
  const leader = writableLeader(keeper.record);
  return leader === null ? null : (supply.upstreamIn(keeper.record?.members ?? {}) ?? leader.name);
}

function needsWalFrom(position: Position | null, control: ControlData | null): string | null {
  if (position === null) return null;
  return position.inRecovery ? position.flushLsn : formatLsnOrNull(control?.redoLsn ?? null);
}

function slotStatuses(
  slots: readonly ReplicationSlot[],
  position: Position | null,
): MemberStatus["slots"] {
  const end = parseLsnOrNull(position?.writeLsn ?? null);
  return slots.map(({ restartLsn, name, kind, active, lost, failover, synced }) => {
    const heldBytes =
      restartLsn === null || end === null ? null : lsnDistance({ from: restartLsn, to: end });
    return { name, kind, active, heldBytes, lost, failover, synced };
  });
}

/**
 * In this order: a request that is made after the lease was lost is not made (requestPromotion), so
 * whoever finds neither knows that none comes.
 */
async function mayBePromoted({ keeper, server }: Member): Promise<boolean> {
  return keeper.holdsLease || (await server.wasAskedToPromote());
}

function roleOf(ground: Ground): MemberStatus["role"] {
  return ground === "primary" || ground === "standby" ? ground : "none";
}

function stateOf(input: Reading, position: Position | null): Exclude<MemberState, "unreachable"> {
  const { ground, activity, member } = input;
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
  return isStreaming(member, position) ? "streaming" : "catching-up";
}

/** A server that still runs, or is being stopped, is told of as what it is. */
function isKeptFenced({ member, ground }: Reading): boolean {
  const { record } = member.keeper;
  return record !== null && isFenced(record, member.name) && DOWN.has(ground);
}

/** Everybody waits for this member, which has nothing to lead with. */
function cannotLead({ member, ground, hasData }: Reading): boolean {
  const { record } = member.keeper;
  if (ground !== "half-made" && (ground !== "nothing" || hasData)) return false;
  if (record === null || record.systemId === null || record.leader !== null) return false;
  return lastLeader(record) === member.name;
}

/**
 * Streaming is what was proven: it may follow the leader's timeline, and its walreceiver is on that
 * very one.
 */
function isStreaming(member: Member, position: Position | null): boolean {
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

async function reasonOf(input: Reading, position: Position | null): Promise<string | null> {
  const { member, ground } = input;
  if (isKeptFenced(input))
    return `a person has fenced it: its PostgreSQL stays stopped until: understudy unfence ${member.name}`;
  if (ground === "foreign")
    return `${member.paths.data} is of another cluster, unreadable or damaged; it is not touched`;
  if (cannotLead(input))
    return `it was the primary, but ${member.paths.data} is ${ground === "nothing" ? "gone" : "half made"}`;
  if (ground === "held") return "its PostgreSQL was stopped by a signal and serves nobody new";
  if (ground === "starting" || ground === "closed")
    return "PostgreSQL is starting or recovering; it is given the time it needs";
  if (ground === "primary" && input.noRoom !== null) return input.noRoom;
  if (ground === "primary" && position === null) return "its PostgreSQL runs but does not answer";
  if (ground === "primary" && !member.sync.isOpen)
    return `it takes no applications yet: what it has is to be on ${describeQuorum(member.sync.awaits ?? member.keeper.record?.sync.guarantee)} first`;
  if (input.isToBePromoted) return "it is being promoted";
  if (ground !== "standby" || isStreaming(member, position)) return null;
  const leader = writableLeader(member.keeper.record);
  if (leader === null) return "there is no primary to follow";
  if (isDelayed(member.keeper.record?.members[member.name]))
    return "it is delayed, and receives again when it has replayed what it has";
  const complaint = await member.server.lastComplaint({ withinMs: COMPLAINT_AGE_MS });
  return `it does not receive from ${leader.name}${complaint === null ? " yet" : `; PostgreSQL's log has: ${complaint}`}`;
}

function warningsOf(input: Reading, facts: Facts): string[] {
  const warnings: string[] = [];
  if (input.storeTrouble !== null)
    warnings.push(`the store does not answer: ${input.storeTrouble}`);
  const { doubt } = input.member.sync;
  if (doubt !== null && input.member.keeper.record?.electing === true)
    warnings.push(`it does not take the free lease: ${doubt}`);
  if (input.noRoom !== null) warnings.push(input.noRoom);
  const ending = input.member.tls?.warning(new Date()) ?? null;
  if (ending !== null) warnings.push(ending);
  if (facts.overridden.length > 0)
    warnings.push(
      `ALTER SYSTEM overrides what Understudy renders for ${facts.overridden.join(", ")}; undo it with ALTER SYSTEM RESET`,
    );
  if (facts.pendingRestart.length > 0)
    warnings.push(
      `${facts.pendingRestart.join(", ")} changed and waits for a restart: understudy restart`,
    );
  const { major } = input.member.file().installation;
  const isPrimary = input.ground === "primary";
  const canCarryOver = factsOf(major).logicalFailoverSlots;
  return [...warnings, ...slotWarnings({ slots: facts.slots, isPrimary, canCarryOver })];
}
