// Who streams from whom: the primary, unless a member is told to stream from another standby
// (cascading, manual 26.2.7). Pure, from the record alone; what to do while that other one is away
// is decided in protocol/upstream.ts.
import type { ClusterRecord, RecordMember } from "./record.ts";

/**
 * The member that this one is to stream from: the leader, where nothing else is said or can be.
 * Null for the leader itself and where nobody leads. Following it from any member ends at the
 * leader.
 */
export function configuredUpstream(record: ClusterRecord, member: string): string | null {
  const leader = record.leader?.member ?? null;
  if (leader === null || leader === member) return null;
  const from = record.members[member]?.tags.from ?? null;
  if (from === null || !(from in record.members)) return leader;
  return endsAtLeader(record, member) ? from : leader;
}

/** Whether it is to stream from the leader itself. False for the leader, and where nobody leads. */
export function isDirect(record: ClusterRecord, member: string): boolean {
  const upstream = configuredUpstream(record, member);
  return upstream !== null && upstream === record.leader?.member;
}

/**
 * Whether commits may wait for it: what it confirms reaches the primary at once, and neither
 * through another standby, whose end would hold commits up, nor after a delay.
 */
export function maySynchronize(record: ClusterRecord, member: string): boolean {
  return isDirect(record, member) && !isDelayed(record.members[member]);
}

export function isDelayed(member: RecordMember | undefined): boolean {
  return (member?.tags.delayMs ?? 0) > 0;
}

/** Whether applications are to read from it. What is delayed is there to be looked at, not read. */
export function takesReaders(member: RecordMember): boolean {
  return member.tags.noreads !== true && !isDelayed(member);
}

/**
 * Why the members' upstreams do not go together, as one sentence; null when they do. Looked at
 * without regard to who leads, so that no failover makes a circle of them.
 */
export function upstreamObjection(record: ClusterRecord): string | null {
  for (const [name, { tags }] of Object.entries(record.members)) {
    const from = tags.from ?? null;
    if (from === null) continue;
    if (!(from in record.members))
      return `${name} cannot stream from ${from}: there is no such member`;
    const path = pathFrom(record, name);
    if (path.isCircle) return `members cannot stream in a circle: ${path.names.join(" from ")}`;
  }
  return null;
}

/** Up to a member that is told nothing, or to the leader, or around once. */
function pathFrom(
  record: ClusterRecord,
  member: string,
  leader: string | null = null,
): { readonly names: readonly string[]; readonly isCircle: boolean } {
  const names = [member];
  for (;;) {
    const at = names.at(-1) ?? member;
    const next = at === leader ? null : (record.members[at]?.tags.from ?? null);
    if (next === null || !(next in record.members)) return { names, isCircle: false };
    const isCircle = names.includes(next);
    names.push(next);
    if (isCircle) return { names, isCircle };
  }
}

function endsAtLeader(record: ClusterRecord, member: string): boolean {
  return !pathFrom(record, member, record.leader?.member ?? null).isCircle;
}
