// What of a record is otherwise than in the one that was known before.
import type { ClusterRecord } from "../core/record.ts";

/** Whether all members of the one are members of the others' as well. */
export function isAmong({ members }: ClusterRecord, others: ClusterRecord): boolean {
  return Object.keys(members).every((name) => name in others.members);
}

/** Field by field: what was not changed is mostly the very same, and need not be looked into. */
export function sameButForRenewal(one: ClusterRecord, other: ClusterRecord): boolean {
  const { leader, ...rest } = one;
  const { leader: otherLeader, ...others } = other;
  return (
    leader?.member === otherLeader?.member &&
    leader?.timeline === otherLeader?.timeline &&
    (Object.keys({ ...rest, ...others }) as (keyof typeof others)[]).every(
      (field) =>
        rest[field] === others[field] ||
        JSON.stringify(rest[field]) === JSON.stringify(others[field]),
    )
  );
}
