// What this agent answers about its member: read fresh from the server when asked, null where
// nothing is known.
import { API_VERSION } from "../core/spec.ts";
import { formatLsnOrNull, lsnDistance, parseLsnOrNull } from "../core/lsn.ts";
import type { MemberStatus } from "../core/member-status.ts";
import { isDelayed } from "../core/cascade.ts";
import { slotNameOf } from "../core/name.ts";
import { describeQuorum } from "../core/protocol/quorum.ts";
import { slotWarnings } from "../core/slot-warnings.ts";
import type { Ground } from "../core/protocol/situation.ts";
import type { ControlData } from "../postgres/control-data.ts";
import { factsOf } from "../postgres/majors.ts";
import { readSlots, type ReplicationSlot } from "../postgres/slots.ts";
import { inspectStorage, storageOf } from "../postgres/storage.ts";
import { lowersStandbySettings } from "./effects/settings.ts";
import {
  cannotLead,
  isKeptFenced,
  isStreaming,
  lookAt,
  reachIn,
  readPosition,
  type Doing,
  type MemberLook,
} from "./member-look.ts";
import { writableLeader, type Member } from "./member.ts";
import { readReplication, readSettingTrouble, type Position } from "./probe.ts";

export interface StatusInput extends Doing {
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

const NO_TROUBLE: SettingTrouble = { pendingRestart: [], overridden: [] };

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
    const { ground, activity } = given;
    this.#storage ??= await inspectStorage(member.paths.root).then(storageOf, () => null);
    const [facts, server] = await Promise.all([this.#readFacts(ground), member.server.state()]);
    const { position } = facts;
    const look = await lookAt(member, { ...given, position });
    const { control } = look;
    const { record } = member.keeper;
    const address = record?.members[member.name];
    const upstream = ground === "standby" ? upstreamOf(member) : null;
    return {
      apiVersion: API_VERSION,
      kind: "MemberStatus",
      ...reachIn(look),
      reason: activity.failure ?? (await reasonOf(look)),
      agentPid: process.pid,
      pid: "pid" in server ? server.pid : null,
      host: address?.host ?? "127.0.0.1",
      port: address?.port ?? 0,
      systemId: control?.systemId ?? null,
      postgresVersion: member.file().installation.version,
      term: record?.term ?? null,
      generation: given.generation,
      ...(given.toldGeneration === undefined ? {} : { toldGeneration: given.toldGeneration }),
      writeLsn: position?.writeLsn ?? null,
      needsWalFrom: needsWalFrom(position, control),
      replayLagSeconds: position?.replayLagSeconds ?? null,
      upstream,
      slot: upstream === null ? null : slotNameOf(member.name),
      replication: facts.replication,
      slots: facts.slots,
      progress: given.progress,
      pendingRestart: facts.pendingRestart,
      ...((await lowersFirst(look, facts)) ? { lowersFirst: true } : {}),
      warnings: warningsOf(look, { facts, storeTrouble: given.storeTrouble }),
      storage: this.#storage,
    };
  }

  async #readFacts(ground: Ground): Promise<Facts> {
    if (ground !== "primary" && ground !== "standby")
      return { position: null, replication: [], slots: [], ...NO_TROUBLE };
    const { session } = this.#member;
    const [position, replication, slots] = await Promise.all([
      readPosition(this.#member, ground),
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
async function lowersFirst({ member, ground }: MemberLook, facts: Facts): Promise<boolean> {
  const { record } = member.keeper;
  if (ground !== "primary" || record === null || facts.pendingRestart.length === 0) return false;
  const request = { record, upstream: null, asPrimary: true };
  return lowersStandbySettings(member, request).catch(() => false);
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

async function reasonOf(look: MemberLook): Promise<string | null> {
  const { member, ground, position } = look;
  if (isKeptFenced(look))
    return `a person has fenced it: its PostgreSQL stays stopped until: understudy unfence ${member.name}`;
  if (ground === "foreign")
    return `${member.paths.data} is of another cluster, unreadable or damaged; it is not touched`;
  if (cannotLead(look))
    return `it was the primary, but ${member.paths.data} is ${ground === "nothing" ? "gone" : "half made"}`;
  if (ground === "held") return "its PostgreSQL was stopped by a signal and serves nobody new";
  if (ground === "starting" || ground === "closed")
    return "PostgreSQL is starting or recovering; it is given the time it needs";
  if (ground === "primary" && look.noRoom !== null) return look.noRoom;
  if (ground === "primary" && position === null) return "its PostgreSQL runs but does not answer";
  if (ground === "primary" && !member.sync.isOpen)
    return `it takes no applications yet: what it has is to be on ${describeQuorum(member.sync.awaits ?? member.keeper.record?.sync.guarantee)} first`;
  if (look.isToBePromoted) return "it is being promoted";
  if (ground !== "standby" || isStreaming(look)) return null;
  const leader = writableLeader(member.keeper.record);
  if (leader === null) return "there is no primary to follow";
  if (isDelayed(member.keeper.record?.members[member.name]))
    return "it is delayed, and receives again when it has replayed what it has";
  const complaint = await member.server.lastComplaint({ withinMs: COMPLAINT_AGE_MS });
  return `it does not receive from ${leader.name}${complaint === null ? " yet" : `; PostgreSQL's log has: ${complaint}`}`;
}

function warningsOf(
  look: MemberLook,
  of: { readonly facts: Facts; readonly storeTrouble: string | null },
): string[] {
  const { facts, storeTrouble } = of;
  const warnings: string[] = [];
  if (storeTrouble !== null) warnings.push(`the store does not answer: ${storeTrouble}`);
  const { doubt } = look.member.sync;
  if (doubt !== null && look.member.keeper.record?.electing === true)
    warnings.push(`it does not take the free lease: ${doubt}`);
  if (look.noRoom !== null) warnings.push(look.noRoom);
  const ending = look.member.tls?.warning(new Date()) ?? null;
  if (ending !== null) warnings.push(ending);
  if (facts.overridden.length > 0)
    warnings.push(
      `ALTER SYSTEM overrides what Understudy renders for ${facts.overridden.join(", ")}; undo it with ALTER SYSTEM RESET`,
    );
  if (facts.pendingRestart.length > 0)
    warnings.push(
      `${facts.pendingRestart.join(", ")} changed and waits for a restart: understudy restart`,
    );
  const { major } = look.member.file().installation;
  const isPrimary = look.ground === "primary";
  const canCarryOver = factsOf(major).logicalFailoverSlots;
  return [...warnings, ...slotWarnings({ slots: facts.slots, isPrimary, canCarryOver })];
}
