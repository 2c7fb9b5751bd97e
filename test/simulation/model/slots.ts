// The physical slots that every member keeps for the others, as src/agent/effects/slots.ts and
// src/core/protocol/slots.ts: a standby streams through its own, and a directory that was made anew
// has none.
import { termOfTimeline } from "../../../src/core/protocol/election.ts";
import { isOnOtherTimeline, wentBeyond } from "../../../src/core/protocol/slots.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import { reachedTimeline } from "./election.ts";
import type { ModelMember } from "./member.ts";
import type { Steps } from "./steps.ts";
import { endOf, historyOf, toLsn } from "./wal.ts";

/** One pass: who does not answer gets none, and who was removed has none any more. */
export function keepSlots(steps: Steps, member: ModelMember, record: ClusterRecord): void {
  const { name, disk, around } = member;
  const { data } = disk;
  if (data === null) return;
  for (const other of Object.keys(record.members)) {
    const running = around.neighbour(other)?.running ?? null;
    if (running?.life.answers !== true || !around.network.connects(name, other)) continue;
    if (!steps.isAlien(running.member, member)) data.slots.add(other);
  }
  for (const owner of data.slots) if (!(owner in record.members)) data.slots.delete(owner);
}

/** By what the other one tells of itself, as in ownerOf. */
export function isAlien(other: ModelMember, { memory, disk }: ModelMember): boolean {
  const timeline = reachedTimeline(other);
  const timelineTerm = termOfTimeline(timeline, other.memory.forks);
  if (isOnOtherTimeline({ timeline, timelineTerm }, memory.forks)) return true;
  if (disk.data === null || other.disk.data === null) return false;
  const endLsn = toLsn(endOf(other.disk.data).lsn);
  return wentBeyond({ timeline, endLsn }, historyOf(disk.data));
}
