// What people should know of replication slots: those that hold WAL for nobody, and logical ones
// that a failover would lose (lessons 22 and 31). Pure, from what the members say.
import { isDelayed, isDirect } from "./cascade.ts";
import type { MemberStatus, SlotStatus } from "./member-status.ts";
import { isOurSlot } from "./name.ts";
import type { ClusterRecord } from "./record.ts";

/** Less is no news: a member keeps 128 MB of WAL in any case. */
const WORTH_TELLING_BYTES = 256 * 1024 ** 2;

interface Asked {
  readonly slots: readonly SlotStatus[];
  readonly isPrimary: boolean;
  /** PostgreSQL can carry logical slots over to standbys (17 and newer). */
  readonly canCarryOver: boolean;
}

/** Of one member's slots, one sentence each. */
export function slotWarnings({ slots, isPrimary, canCarryOver }: Asked): string[] {
  return slots.flatMap((slot) => [
    ...idleWarning(slot),
    ...(isPrimary && slot.kind === "logical" && !slot.failover
      ? [lossWarning(slot.name, canCarryOver)]
      : []),
  ]);
}

function idleWarning({ name, active, heldBytes, lost }: SlotStatus): string[] {
  if (lost && !isOurSlot(name))
    return [`the slot ${name} is lost: PostgreSQL has removed what it stood for; drop it`];
  if (active || heldBytes === null || heldBytes < WORTH_TELLING_BYTES) return [];
  const mib = Math.round(heldBytes / 1024 ** 2);
  const whose = isOurSlot(name)
    ? "until its member is back, or it holds more than it may"
    : "Understudy does not touch it";
  return [`the slot ${name} is used by nobody and holds ${mib} MiB of WAL: ${whose}`];
}

function lossWarning(slot: string, canCarryOver: boolean): string {
  const remedy = canCarryOver
    ? "make it with failover = true"
    : "PostgreSQL carries logical slots over to standbys from 17 on";
  return `the logical slot ${slot} would not survive a failover: ${remedy}`;
}

type Told = Pick<MemberStatus, "name" | "slots">;

/** Logical slots of the primary that a standby which may take over has not got. */
export function carryOverWarnings(
  record: ClusterRecord,
  statuses: { readonly primary: Told | null; readonly standbys: readonly Told[] },
): string[] {
  const { primary, standbys } = statuses;
  const wanted = slotsOf(primary).filter(({ failover, lost }) => failover && !lost);
  return wanted.flatMap(({ name: slot }) => {
    const without = standbys.filter((standby) => {
      const tags = record.members[standby.name]?.tags;
      if (tags === undefined || tags.nofailover === true) return false;
      return !slotsOf(standby).some((each) => each.name === slot && each.synced && !each.lost);
    });
    if (without.length === 0) return [];
    const names = without.map(({ name }) => describeWithout(record, name)).join(", ");
    return [`the logical slot ${slot} would be lost by a failover to ${names}`];
  });
}

/** An agent of an older Understudy does not tell of them. */
function slotsOf(status: Partial<Told> | null): readonly SlotStatus[] {
  return status?.slots ?? [];
}

/** Why it may have none for good; without that it is likely to be on its way. */
function describeWithout(record: ClusterRecord, name: string): string {
  if (isDelayed(record.members[name])) return `${name} (it is delayed)`;
  return isDirect(record, name) ? name : `${name} (it streams from another standby)`;
}
