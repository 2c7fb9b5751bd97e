// Keeps a slot on this member for every other one, whether this one leads or may have to: so that
// whoever is the primary next still has the WAL that the others need, and no absent member's slot
// fills a disk. What is to be done is decided in core/protocol/slots.ts.
import { statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import { formatLsn, parseLsn, parseLsnOrNull } from "../../core/lsn.ts";
import { isOurSlot, slotNameOf } from "../../core/name.ts";
import {
  isOnOtherTimeline,
  neededOf,
  planSlots,
  wentBeyond,
  type OwnWay,
  type SlotOwner,
  type SlotStep,
} from "../../core/protocol/slots.ts";
import type { ClusterRecord } from "../../core/record.ts";
import type { TimelineHistory } from "../../core/timeline.ts";
import { readControlData } from "../../postgres/control-data.ts";
import { factsOf } from "../../postgres/majors.ts";
import { slotCapBytes } from "../../postgres/settings/slot-cap.ts";
import { readSlots, type ReplicationSlot } from "../../postgres/slots.ts";
import { readTimelineHistory } from "../../postgres/wal-end.ts";
import type { Member } from "../member.ts";
import { askNeighbours, type Neighbours } from "../neighbours.ts";
import { reachAt } from "../own-reach.ts";
import type { WalReach } from "../reach.ts";

/** A stream that was ended lets go of its slot in milliseconds, and comes back as soon. */
const RELEASE_TRIES = 50;
const RELEASE_PAUSE_MS = 10;
/** SQLSTATE. */
const OBJECT_IN_USE = "55006";
const DUPLICATE_OBJECT = "42710";
const CHECKPOINT_LIMIT_MS = 300_000;

/**
 * One pass. Whoever could not be looked after is looked after in the next one.
 * @param neighbours what the others say; asked here where it is left out, and only where it matters
 */
export async function keepSlots(
  member: Member,
  of: { record: ClusterRecord; neighbours?: Neighbours },
): Promise<void> {
  const { record } = of;
  const slots = await ourSlots(member);
  const others = Object.keys(record.members).filter((name) => name !== member.name);
  const restless = others.filter(
    (name) => !slots.some((slot) => slot.name === slotNameOf(name) && slot.active),
  );
  const neighbours = of.neighbours ?? (await askNeighbours(member, record, restless));
  const position = await member.positions.read();
  const way = wayOf(member.memory, await reachAt(member, position));
  const history = await historyOf(member, way);
  const control = await readControlData(member.paths.data);
  const disk = await statfs(member.walRoot ?? member.paths.data);
  const facts = factsOf(member.file().installation.major);
  const steps = planSlots({
    slots,
    owners: others.map((name) => ownerOf(name, { neighbours, way, history })),
    endLsn: parseLsnOrNull(position.writeLsn) ?? control.redoLsn,
    redoLsn: control.redoLsn,
    segmentBytes: control.walSegmentBytes,
    canAdvance: facts.hasSlotAdvance,
    capBytes: facts.slotCap ? Infinity : slotCapBytes({ diskBytes: disk.blocks * disk.bsize }),
    freeBytes: disk.bavail * disk.bsize,
  });
  for (const step of steps) await tried(member, step);
}

async function ourSlots({ session }: Member): Promise<ReplicationSlot[]> {
  const slots = await readSlots(session);
  return slots.filter(({ kind, name }) => kind === "physical" && isOurSlot(name));
}

function wayOf({ followed, forks }: Member["memory"], { timeline }: WalReach): OwnWay {
  if (followed === null) return { timeline, forks, followed };
  return {
    timeline,
    forks,
    followed: { ...followed, switchPoint: parseLsn(followed.switchPoint) },
  };
}

/** Null where it is not known on which timeline it is, or how it came there. */
async function historyOf({ paths }: Member, { timeline }: OwnWay): Promise<TimelineHistory | null> {
  if (timeline === null) return null;
  return readTimelineHistory(paths.data, timeline).catch(() => null);
}

function ownerOf(
  name: string,
  of: { neighbours: Neighbours; way: OwnWay; history: TimelineHistory | null },
): SlotOwner {
  const status = of.neighbours.get(name);
  const owner = { member: name, slot: slotNameOf(name) };
  if (status === undefined) return { ...owner, answers: false, needsFrom: null, isAlien: false };
  const needsFrom = parseLsnOrNull(status.needsWalFrom);
  const { timeline } = status;
  const end = { timeline, endLsn: parseLsnOrNull(status.flushLsn) };
  const isAlien =
    isOnOtherTimeline(status, of.way.forks) || (of.history !== null && wentBeyond(end, of.history));
  return {
    ...owner,
    answers: true,
    needsFrom: neededOf({ ...status, needsFrom }, of.way),
    isAlien,
  };
}

/** One failing slot must not keep the others from being looked after (lesson 34). */
async function tried(member: Member, step: SlotStep): Promise<void> {
  try {
    await perform(member, step);
  } catch (thrown) {
    // Its member has come back in between, or has made it itself: that is what the slot is for.
    if (isItsMembers(thrown)) return;
    member.log.write({
      event: "slot-step-failed",
      level: "warning",
      message: `${step.kind} ${step.slot} on ${member.name}: ${messageOf(thrown)}`,
    });
  }
}

async function perform(member: Member, step: SlotStep): Promise<void> {
  const { session } = member;
  switch (step.kind) {
    case "create":
      await create(member, step.slot);
      return;
    case "advance":
      await session.query("SELECT pg_replication_slot_advance($1, $2)", [
        step.slot,
        formatLsn(step.to),
      ]);
      return;
    case "renew":
      await drop(member, step.slot);
      await create(member, step.slot);
      return;
    case "drop":
      if (step.active) await dropFromStream(member, step.slot);
      else await drop(member, step.slot);
      await tell(member, step);
      // Only a checkpoint removes what was held. Nobody waits for it.
      if (step.why === "cap" || step.why === "room")
        void member.longSession
          .once("CHECKPOINT", { timeoutMs: CHECKPOINT_LIMIT_MS })
          .catch(() => {});
  }
}

function isItsMembers(thrown: unknown): boolean {
  if (!(thrown instanceof UnderstudyError)) return false;
  return [OBJECT_IN_USE, DUPLICATE_OBJECT].includes(String(thrown.details["code"]));
}

async function create({ session }: Member, slot: string): Promise<void> {
  // The server would log a vain attempt as an error.
  await session.query(
    "SELECT pg_create_physical_replication_slot($1, true) WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)",
    [slot],
  );
}

async function drop({ session }: Member, slot: string): Promise<void> {
  await session.query("SELECT pg_drop_replication_slot($1)", [slot]);
}

/** Up to 12, where the server itself does not end a stream that is too far behind. */
async function dropFromStream(member: Member, slot: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    await member.session.query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active",
      [slot],
    );
    const trouble = await drop(member, slot).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (trouble === null) return;
    if (tries === RELEASE_TRIES) throw trouble;
    await delay(RELEASE_PAUSE_MS);
  }
}

type Drop = Extract<SlotStep, { kind: "drop" }>;

async function tell(member: Member, step: Drop): Promise<void> {
  if (step.member === null) {
    member.log.write({
      event: "slot-removed",
      message: `${step.slot} was dropped on ${member.name}: no member of the cluster has it any more.`,
    });
    return;
  }
  const entry = {
    event: "slot-given-up",
    level: "warning",
    message: `${member.name} keeps no more WAL for ${step.member}: ${await reasonOf(member, step)}. When ${step.member} comes back, what it lacks is looked for on every member; where none has it, it is copied anew, by itself.`,
    details: { slot: step.slot, why: step.why, heldBytes: step.heldBytes, active: step.active },
  } as const;
  // Every member keeps a slot for it; people are told of it once.
  if (member.keeper.holdsLease) member.event(entry);
  else member.log.write(entry);
}

async function reasonOf(member: Member, { why, slot, heldBytes }: Drop): Promise<string> {
  switch (why) {
    case "lost": {
      const [row] = await member.session.query<{ cap: string }>(
        "SELECT current_setting('max_slot_wal_keep_size') AS cap",
      );
      return `PostgreSQL gave up its slot ${slot}, which held more than max_slot_wal_keep_size, ${row?.cap ?? "unknown"}`;
    }
    case "cap":
      return `its slot ${slot} held ${heldBytes} bytes of WAL, which is more than a slot may hold on this disk`;
    default:
      return `its slot ${slot} held ${heldBytes} bytes of WAL, and the disk has less than that left`;
  }
}
