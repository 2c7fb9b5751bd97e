// Logical slots that outlive a failover (17 and newer, manual 47.2.3): PostgreSQL itself copies
// those made with failover = true to the standbys. What it leaves to others is done here.
import { maySynchronize } from "../../core/cascade.ts";
import { messageOf } from "../../core/errors.ts";
import { slotNameOf } from "../../core/name.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { readSlots, type ReplicationSlot } from "../../postgres/slots.ts";
import type { Member } from "../member.ts";
import type { Neighbours } from "../neighbours.ts";
import { carriesLogicalSlots } from "./settings.ts";

/**
 * On a primary: behind which standbys its logical subscribers stay. Those that stream now and may
 * take over; one that is away would hold every subscriber up. The settings have it from then on.
 */
export async function noteSynchronizedSlots(member: Member, record: ClusterRecord): Promise<void> {
  if (!carriesLogicalSlots(member)) return;
  const slots = await readSlots(member.session);
  const isWanted = slots.some(({ failover, lost }) => failover && !lost);
  member.logical.synchronizedSlots = isWanted
    ? Object.keys(record.members)
        .filter((name) => name !== member.name && maySynchronize(record, name))
        .filter((name) => record.members[name]?.tags.nofailover !== true)
        .map(slotNameOf)
        .filter((slot) => slots.some(({ name, active }) => name === slot && active))
    : [];
}

/**
 * On a standby: a slot of its time as the primary keeps PostgreSQL from copying the present
 * primary's of the same name. That one goes on where this one ended, so this one is dropped.
 */
export async function dropSuperseded(
  member: Member,
  of: { record: ClusterRecord; neighbours: Neighbours },
): Promise<void> {
  const leader = of.record.leader?.member ?? "";
  const present = of.neighbours.get(leader);
  if (!carriesLogicalSlots(member) || present?.role !== "primary") return;
  for (const slot of await readSlots(member.session)) {
    const goesOn = (present.slots ?? []).some(
      ({ name, failover }) => name === slot.name && failover,
    );
    if (isLeftOver(slot) && goesOn) await drop(member, { slot: slot.name, leader });
  }
}

function isLeftOver({ kind, failover, synced, active }: ReplicationSlot): boolean {
  return kind === "logical" && failover && !synced && !active;
}

async function drop(member: Member, of: { slot: string; leader: string }): Promise<void> {
  const { slot, leader } = of;
  try {
    await member.session.query("SELECT pg_drop_replication_slot($1)", [slot]);
    member.event({
      event: "logical-slot-superseded",
      message: `The logical slot ${slot} goes on on ${leader}: what ${member.name} had of it as the primary was dropped, and is copied from there.`,
    });
  } catch (thrown) {
    member.log.write({ event: "slot-step-failed", level: "warning", message: messageOf(thrown) });
  }
}
