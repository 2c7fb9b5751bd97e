// By what others see that a leader lives: what moves with each of its renewals and with each new
// run of its agent. Whoever frees a lease for its silence writes on condition that nothing has
// moved.
import type { ClusterRecord } from "./record.ts";

/**
 * By which others see that the one that leads, or is named to, lives: it moves with each renewal.
 */
export interface LeaderSigns {
  readonly renewals: number | null;
  /** Of the run of its agent. */
  readonly session: string | null;
}

export function signsOf(record: ClusterRecord): LeaderSigns {
  const name = record.leader?.member ?? record.heir;
  const session = (name === null ? undefined : record.members[name]?.session) ?? null;
  return { renewals: record.leader?.renewals ?? null, session };
}

export function isSameSign(one: LeaderSigns, other: LeaderSigns): boolean {
  return one.renewals === other.renewals && one.session === other.session;
}

/** Whether its agent's run that the record names was proven to be over when its lease was freed. */
export function isRunOver(
  { ended, members }: Pick<ClusterRecord, "ended" | "members">,
  name: string,
): boolean {
  const session = members[name]?.session;
  return session !== undefined && ended?.member === name && ended.session === session;
}
