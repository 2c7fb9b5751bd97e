// Which members the services of a cluster lead to: the one that takes writes, and those that
// applications are to read from. Pure; the leader's agent puts it where clients look.
import type { ClusterMember, ClusterStatus } from "./cluster-status.ts";

/** What of a member counts here. */
export type ServiceMember = Pick<
  ClusterMember,
  "name" | "role" | "state" | "takesReads" | "fenced" | "replayLagBytes"
>;

export interface ServiceEndpoints {
  /** Null: nobody takes writes now, and nobody is to be asked. */
  readonly write: string | null;
  readonly read: readonly string[];
}

/**
 * A standby that lags behind leaves the readers and keeps its right to be promoted. The primary is
 * read from only where no standby is left.
 * @param maxLagBytes of what has not been replayed; null: however far it is behind
 */
export function serviceEndpoints(
  {
    primary,
    members,
  }: Pick<ClusterStatus, "primary"> & { readonly members: readonly ServiceMember[] },
  { maxLagBytes }: { maxLagBytes: number | null },
): ServiceEndpoints {
  const readers = members.filter((member) => isFresh(member, maxLagBytes));
  const standbys = readers.map(({ name }) => name);
  const fallback = primary === null ? [] : [primary];
  return { write: primary, read: standbys.length === 0 ? fallback : standbys };
}

/** It streams, which the primary has confirmed, and applications are to read from it. */
function isFresh(member: ServiceMember, maxLagBytes: number | null): boolean {
  const { role, state, takesReads, fenced, replayLagBytes } = member;
  if (role !== "standby" || state !== "streaming" || !takesReads || fenced) return false;
  if (maxLagBytes === null) return true;
  return replayLagBytes !== null && replayLagBytes <= maxLagBytes;
}
