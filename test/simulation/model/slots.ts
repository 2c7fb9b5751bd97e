// The physical slots that every member keeps for the others, as src/agent/effects/slots.ts and
// src/core/protocol/slots.ts: a standby streams through its own, and a directory that was made anew
// has none.
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { ModelMember } from "./member.ts";

/** One pass: who does not answer gets none, and who was removed has none any more. */
export function keepSlots({ name, disk, around }: ModelMember, record: ClusterRecord): void {
  const { data } = disk;
  if (data === null) return;
  for (const other of Object.keys(record.members)) {
    const answers = around.neighbour(other)?.running?.life.answers === true;
    if (answers && around.network.connects(name, other)) data.slots.add(other);
  }
  for (const owner of data.slots) if (!(owner in record.members)) data.slots.delete(owner);
}

/** At a promotion, as reserveSlots: nobody is asked. */
export function reserveSlots({ disk, witness }: ModelMember, record: ClusterRecord): void {
  for (const other of Object.keys(record.members))
    if (!witness.isGone(other, { leaseHasRunOut: false })) disk.data?.slots.add(other);
}
