// Who a member is now, where members live on hosts of their own: the run of its agent that has
// entered last, and where that listens.
import type { ClusterRecord, RecordMember } from "./record.ts";

/**
 * A new run of a member's agent takes its place in the cluster, where it may be for the first time;
 * any earlier run of it has nothing to say from then on. A lease that its earlier run held is its
 * own. Null when that is another than the one that was proven to be over.
 */
export function enterMember(
  record: ClusterRecord,
  entering: {
    name: string;
    address: Pick<RecordMember, "host" | "port" | "apiPort" | "tlsName">;
    session: string;
    /** Of its earlier run; null: there was none. */
    over: { session: string | null; renewals: number | null };
  },
): ClusterRecord | null {
  const { name, address, session, over } = entering;
  const member = record.members[name];
  const { leader } = record;
  if ((member?.session ?? null) !== over.session) return null;
  const led = leader?.member === name;
  if (led && leader.renewals !== over.renewals) return null;
  const tags = member?.tags ?? {};
  return {
    ...record,
    members: { ...record.members, [name]: { ...address, tags, session } },
    // Whoever was about to free it for the silence of the earlier run sees that there is another.
    leader: led ? { ...leader, renewals: leader.renewals + 1 } : leader,
    generation: member === undefined ? record.generation + 1 : record.generation,
  };
}

/**
 * This run has ended by itself, with its server: the next one need not wait for a proof of that.
 */
export function leaveMember(
  record: ClusterRecord,
  leaving: { name: string; session: string },
): ClusterRecord | null {
  const { name, session } = leaving;
  const member = record.members[name];
  if (member?.session !== session || record.leader?.member === name) return null;
  const { session: _ended, ...rest } = member;
  return { ...record, members: { ...record.members, [name]: rest } };
}
